"""Lands what a topic holds: micro-batches of one partition each, from where the manifests in landing end.

The landing day of a record is that of its time in the topic, but never before the day of a record that landed before it in
its partition, never one that is closed or before the first one that was asked for, and never later than today: so the records
of a day are one range of offsets in each partition. A day is closed, by a batch of its own, once it is over and each partition has been read beyond it. Offsets are in
the same manifest as the rows, so a batch lands with its position or not at all: whoever is killed anywhere begins again
behind the last whole batch, and reads each record once.

Memory is bounded: so many records wait to be written, so many kilobytes are fetched ahead, and while a batch is written
nothing is fetched beyond that.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.clock import Clock, day_end, days
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.contracts.contract import Contract
from reliability_platform.counted import counted
from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError, SourceUnavailableError
from reliability_platform.landing.breaker import Breaker
from reliability_platform.landing.replacement import attempts_landed
from reliability_platform.landing.stream_lag import lag_of, note_lag
from reliability_platform.landing.stream_positions import (
    CLOSING,
    LandedOffsets,
    Lost,
    Positions,
    offsets_landed,
    said_of,
)
from reliability_platform.landing.stream_records import undecodable
from reliability_platform.landing.writer import make_landing_folder, write_batch
from reliability_platform.locks import locked
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings
from reliability_platform.sources.batch import Batch, batch_id
from reliability_platform.sources.kafka import RECORDS, Topic, opened
from reliability_platform.sources.source import kind_of

ROWS_A_BATCH = 200_000
BYTES_A_BATCH = 32 * 2**20
"""A batch is written once it has so many records or bytes of one partition."""
BYTES_WAITING = 128 * 2**20
"""All partitions together hold at most so much before the largest is written."""
WATCHED = timedelta(days=2)
"""Whoever reads a day later than this after its end cannot say when its records came: their own time counts."""

UNANSWERED = (SourceUnavailableError, EnvironmentUnusableError)
"""What counts as a failure of the cluster: a login that it refuses as well."""


@dataclass(frozen=True)
class StreamPass:
    """What one look at a topic did."""

    days: frozenset[date]
    """The landing days that something has landed of."""
    batches: int
    rows: int
    lost: tuple[Lost, ...]
    open: tuple[date, ...]
    """The days asked for that are over, and of which not all has landed."""
    lag: int
    """Records that the topic had at the end, and that have not landed."""
    newest: datetime | None
    """The time of the newest record that has landed now, UTC without its zone."""


@dataclass
class _Waiting:
    """Records of one partition that have not been written."""

    tables: list[pa.Table] = field(default_factory=list)
    days: list[np.ndarray] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0


def land_stream(
    settings: Settings, source: str, asked: Sequence[date], clock: Clock, seconds: float | None = None
) -> StreamPass:
    """Land what the topic has up to the last of some days, for at most so long, and close the days that are over.

    Raises `SourceUnavailableError` and `EnvironmentUnusableError` as the cluster gives reason to, and `HomeBusyError` if
    somebody else does not end who reads the topic. What landed before has landed.
    """
    contract, wait = CONTRACTS[source], settings.fetch_budget_seconds
    busy = f"Another process has been reading the topic of {source} for {wait:g} s; try again when it has ended."
    with locked(_lock(settings, source), busy, wait_seconds=wait):
        positions = Positions.of(settings, source, contract.table)
        if not any(positions.is_open(day) or not _is_closed(settings, contract, day) for day in asked):
            return StreamPass(frozenset(), 0, 0, (), (), 0, None)
        breaker = Breaker(operations_engine(settings), source)
        with breaker.permitted(clock, *UNANSWERED), opened(contract.servers[0], contract) as topic:
            found = _Landing(settings, contract, topic, positions, clock()).land(asked, seconds or wait)
        note_lag(settings, source, found.lag, found.newest, clock())
        return found


READ_EVERY = timedelta(minutes=5)
"""So often topics are read through the day: a batch of each partition that has something new, 288 a day at most."""
READ_FOR_SECONDS = 20.0
"""So long a look may take: it is part of a sensor's tick."""


def read_topics(settings: Settings, paused: Collection[str], clock: Clock) -> None:
    """Land what the topics have now of those sources that have begun to be read. What goes wrong is said by the next run, the
    doctor and the deadlines: no other source suffers for it."""
    for source in SOURCES:
        if kind_of(settings, source) != "stream" or source in paused:
            continue
        lag = lag_of(settings, source)
        if lag is not None and clock() - lag.measured_at >= READ_EVERY:
            today = clock().astimezone(ZoneInfo(CONTRACTS[source].day_zone)).date()
            with suppress(SourceUnavailableError, EnvironmentUnusableError, HomeBusyError):
                land_stream(settings, source, [today], clock, READ_FOR_SECONDS)


def _lock(settings: Settings, source: str) -> Path:
    return settings.spool / source / "stream.lock"


def _is_closed(settings: Settings, contract: Contract, day: date) -> bool:
    told = offsets_landed(settings, contract.source, contract.table, day)
    return any(one.closes for one in told)


class _Landing:
    """One pass over a topic: what waits to be written, and how far each partition has come."""

    def __init__(
        self, settings: Settings, contract: Contract, topic: Topic, positions: Positions, now: datetime
    ) -> None:
        self._settings, self._contract, self._topic, self._positions, self._now = (
            settings,
            contract,
            topic,
            positions,
            now,
        )
        self._waiting: dict[int, _Waiting] = {}
        self._floor: dict[int, date] = {}
        """By partition, the first day that its next record can be of."""
        self._ends: dict[int, dict[date, int]] = {}
        """By partition and landing day, the offset after the last record that has landed of it in this pass."""
        self._from: dict[int, int] = {}
        """By partition, the offset after the last one that has landed."""
        self._ended = set[int]()
        """Partitions that have been read to where they ended."""
        self._beyond = set[int]()
        """Partitions whose next record is of a day that nobody asked for."""
        self._lost: dict[int, Lost] = {}
        """Told by the next manifest of the partition."""
        self._slots: dict[date, int] = {}
        self._batches = self._rows = 0
        self._days = set[date]()
        self._newest: datetime | None = None

    def land(self, asked: Sequence[date], seconds: float) -> StreamPass:
        """As `land_stream`."""
        limit = max(asked)
        starts = self._starts(min(asked))
        lost = tuple(self._lost.values())
        for one in self._topic.read(starts, seconds):
            if one.records is None:
                self._ended.add(one.partition)
            else:
                self._take(one.partition, one.records, limit)
        for partition in sorted(self._waiting):
            self._write_waiting(partition)
        self._close(asked, starts)
        still_open = tuple(
            day for day in asked if self._is_over(day) and not _is_closed(self._settings, self._contract, day)
        )
        lag = sum(
            max(0, there.end - self._positions.next.get(partition, starts.get(partition, there.start)))
            for partition, there in self._topic.offsets().items()
            if partition not in self._topic.exhausted
        )
        return StreamPass(frozenset(self._days), self._batches, self._rows, lost, still_open, lag, self._newest)

    def _starts(self, begin: date) -> dict[int, int]:
        """By partition, the offset to read from: after what has landed, or where the topic begins now. What the topic has
        from before the first day that it was ever asked for is of that day."""
        starts, closed = {}, self._positions.closed
        after = closed + timedelta(days=1) if closed is not None else self._positions.first or begin
        for partition, there in self._topic.offsets().items():
            landed = self._positions.next.get(partition)
            if landed is not None and landed < there.start:
                self._lost[partition] = Lost(partition, landed, there.start - 1)
            starts[partition] = self._from[partition] = max(there.start, landed or 0)
            self._floor[partition] = max(after, self._positions.newest.get(partition, after))
        return starts

    def _take(self, partition: int, records: pa.Table, limit: date) -> None:
        """Let records wait to be written; of a partition that has come beyond the limit no more are read."""
        of_day = self._landing_days(partition, records)
        within = int(np.searchsorted(of_day, _number(limit), side="right"))
        if within < len(of_day):
            self._topic.leave(partition)
            self._beyond.add(partition)
            records, of_day = records.slice(0, within), of_day[:within]
        if not within:
            return
        self._floor[partition] = _day(of_day[-1])
        waiting = self._waiting.setdefault(partition, _Waiting())
        waiting.tables.append(records)
        waiting.days.append(of_day)
        waiting.rows += records.num_rows
        waiting.bytes += records.nbytes
        if waiting.rows >= ROWS_A_BATCH or waiting.bytes >= BYTES_A_BATCH:
            self._write_waiting(partition)
        elif sum(one.bytes for one in self._waiting.values()) >= BYTES_WAITING:
            self._write_waiting(max(self._waiting, key=lambda one: self._waiting[one].bytes))

    def _landing_days(self, partition: int, records: pa.Table) -> np.ndarray:
        """By record its landing day, as days since 1970: never falling, none before the floor, none after today."""
        zone = self._contract.day_zone
        moments = pc.cast(records["timestamp"], pa.timestamp("ms", "UTC")).cast(pa.timestamp("ms", zone))
        local = pc.cast(pc.floor_temporal(pc.local_timestamp(moments), unit="day"), pa.date32()).cast(pa.int32())
        floor, today = _number(self._floor[partition]), _number(self._today)
        numbers = pc.fill_null(local, floor).to_numpy()
        return np.maximum.accumulate(np.clip(numbers, floor, max(floor, today)))

    @property
    def _today(self) -> date:
        """By the calendar of the source."""
        return self._now.astimezone(ZoneInfo(self._contract.day_zone)).date()

    def _is_over(self, day: date) -> bool:
        return day_end(day, self._contract.day_zone) <= self._now

    def _write_waiting(self, partition: int) -> None:
        """Write what waits of a partition, a batch for each landing day."""
        waiting = self._waiting.pop(partition)
        records, of_day = pa.concat_tables(waiting.tables), np.concatenate(waiting.days)
        numbers, places = np.unique(of_day, return_index=True)
        for number, place, end in zip(numbers, places, [*places[1:], len(of_day)], strict=True):
            self._write(partition, _day(number), records.slice(place, end - place))

    def _write(self, partition: int, day: date, records: pa.Table) -> None:
        if self._contract.servers[0].dead_letter_topic is not None:
            dead = undecodable(records, self._contract)
            if dead.num_rows:  # first, so that whoever is killed in between sends them twice rather than never
                self._topic.send_dead_letters(dead)
        first, last = self._from[partition], records["offset"][-1].as_py()
        lost = self._told_lost([partition])
        told = said_of(self._topic.name, lost, partition=partition, first=first, last=last)
        slot = self._slots.get(day) or max(CLOSING, *attempts_landed(self._settings, self._contract.source, day), 1) + 1
        newest = pc.max(records["timestamp"]).as_py()
        self._land(batch_of(self._contract, day, slot, records, told, self._now, newest))
        self._slots[day] = slot + 1
        self._positions.landed(LandedOffsets(slot, 1, {partition: last + 1}, first), day)
        self._from[partition] = last + 1
        self._ends.setdefault(partition, {})[day] = last + 1
        self._rows += records.num_rows
        self._newest = max(filter(None, (self._newest, newest)), default=None)
        self._topic.note(partition, last + 1)

    def _land(self, batch: Batch) -> None:
        if batch.landing_date not in self._days:
            make_landing_folder(self._settings, batch.source, batch.landing_date)
        write_batch(self._settings, batch)
        self._days.add(batch.landing_date)
        self._batches += 1

    def _told_lost(self, partitions: Iterable[int]) -> tuple[Lost, ...]:
        found = (self._lost.pop(partition, None) for partition in list(partitions))
        return tuple(one for one in found if one is not None)

    def _close(self, asked: Sequence[date], starts: dict[int, int]) -> None:
        """Close each day that is over and that every partition has been read beyond, in their order."""
        positions, begun = self._positions, self._positions.closed
        first = (
            begun + timedelta(days=1)
            if begun is not None
            else min([*asked, *([positions.first] if positions.first else [])])
        )
        for day in days(first, max(asked)):
            if not (self._is_over(day) and all(self._is_beyond(partition, day) for partition in starts)):
                break
            self._write_closing(
                day, {partition: self._end_of(partition, day, start) for partition, start in starts.items()}
            )
            positions.closed = day
        for day in asked:  # before the first day that was ever read: nothing can land there any more
            if begun is not None and day < begun and not _is_closed(self._settings, self._contract, day):
                self._write_closing(day, {})

    def _is_beyond(self, partition: int, day: date) -> bool:
        """Whether no record of a partition can land on a day any more."""
        return partition in self._beyond or partition in self._ended or self._floor[partition] > day

    def _end_of(self, partition: int, day: date, start: int) -> int:
        """The offset of a partition at which the day after begins."""
        ends = self._ends.get(partition, {})
        return max([start, *(end for one, end in ends.items() if one <= day)])

    def _write_closing(self, day: date, ends: dict[int, int]) -> None:
        told = said_of(self._topic.name, self._told_lost(list(ends)), next={str(one): end for one, end in ends.items()})
        self._land(batch_of(self._contract, day, CLOSING, RECORDS.empty_table(), told, self._now, None))


def batch_of(
    contract: Contract,
    day: date,
    slot: int,
    records: pa.Table,
    offsets: dict[str, object],
    now: datetime,
    newest: datetime | None,
    attempt: int = 1,
) -> Batch:
    """Records with what their manifest will say. `newest` is the time of the last one of them."""
    end = day_end(day, contract.day_zone)
    came = now if now <= end + WATCHED else min(end, newest.replace(tzinfo=UTC)) if newest else end
    came = came.astimezone(UTC).replace(tzinfo=None)
    return Batch(
        batch_id=batch_id(contract.source, day, slot, f"-a{attempt}" if attempt > 1 else ""),
        source=contract.source,
        landing_date=day,
        sequence=slot,
        attempt=attempt,
        kind="scheduled" if attempt == 1 else "replacement",
        table=records,
        produced_at=min(came, newest or came),
        landed_at=came,
        offsets=offsets,
    )


def read_again(settings: Settings, source: str, day: date, slot: int, attempt: int, clock: Clock) -> Batch:
    """One batch of a landing day once more, by its offsets; the one that closes the day after all that is before it.

    Raises `SourceUnavailableError` where the topic does not have it any more or is not that far, `EnvironmentUnusableError`
    and `HomeBusyError` as `land_stream`.
    """
    contract = CONTRACTS[source]
    if slot == CLOSING:
        return _closed_again(settings, contract, day, attempt, clock)
    landed = [one for one in offsets_landed(settings, source, contract.table, day) if one.slot == slot]
    if not landed:
        raise SourceUnavailableError(f"No manifest says which offsets batch {slot} of {source} on {day} has.")
    one = landed[0]
    [(partition, end)] = one.next.items()
    assert one.first is not None
    breaker = Breaker(operations_engine(settings), source)
    with breaker.permitted(clock, *UNANSWERED), opened(contract.servers[0], contract) as topic:
        kept = topic.offsets().get(partition)
        if kept is None or kept.start > one.first:
            raise SourceUnavailableError(
                f"The topic {contract.table} keeps partition {partition} from offset {kept.start if kept else 'none'} on, "
                f"and batch {slot} of {source} on {day} begins at {one.first}."
            )
        found = list(_up_to(topic, partition, one.first, end, settings.fetch_budget_seconds))
    records = pa.concat_tables([RECORDS.empty_table(), *found])
    newest = pc.max(records["timestamp"]).as_py()
    told = said_of(contract.table, one.lost, partition=partition, first=one.first, last=end - 1)
    return batch_of(contract, day, slot, records, told, clock(), newest, attempt)


def _up_to(topic: Topic, partition: int, first: int, end: int, seconds: float) -> Iterator[pa.Table]:
    for one in topic.read({partition: first}, seconds):
        if one.records is not None:
            yield one.records.filter(pc.less(one.records["offset"], end))
            if one.records["offset"][-1].as_py() >= end - 1:
                topic.leave(partition)


def _closed_again(settings: Settings, contract: Contract, day: date, attempt: int, clock: Clock) -> Batch:
    found = land_stream(settings, contract.source, [day], clock)
    told = [one for one in offsets_landed(settings, contract.source, contract.table, day) if one.closes]
    if not told:
        raise SourceUnavailableError(
            f"The topic {contract.table} has not been read to the end of {day}: "
            f"{counted(found.lag, 'record is', 'records are')} still to land."
        )
    ends = {str(one): end for one, end in told[-1].next.items()}
    offsets = said_of(contract.table, told[-1].lost, next=ends)
    return batch_of(contract, day, CLOSING, RECORDS.empty_table(), offsets, clock(), None, attempt)


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _day(number: int) -> date:
    return date(1970, 1, 1) + timedelta(days=int(number))
