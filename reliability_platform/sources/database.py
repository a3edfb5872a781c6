"""A source that is a database: a batch is the answer of a query by the day, asked once the day's part is over.

It can be asked again, but its rows may have changed since: no producer vouches for how many there were. The rows lie in a
file without a name, mapped into memory, until they are landed: a day may be larger than the memory.
"""

import mmap
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from reliability_platform.clock import day_end, utc_now
from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Contract
from reliability_platform.contracts.servers import Server
from reliability_platform.errors import EnvironmentUnusableError, SourceUnavailableError
from reliability_platform.settings import Settings
from reliability_platform.sources.batch import Batch, batch_id
from reliability_platform.sources.engines import QueryResult, opened, query_of
from reliability_platform.sources.source import Source

WATCHED = timedelta(days=2)
"""Whoever asks for the first time later than this after a day's end cannot say when its rows were there."""


def part_of_day(contract: Contract, day: date, slot: int) -> tuple[datetime, datetime]:
    """Between which moments the rows of a batch happened, in UTC: an equal part of the days since the last one that was due."""
    first = day
    while contract.cadence.due_on(first - timedelta(days=1)) == 0:
        first -= timedelta(days=1)
    start, end = day_end(first - timedelta(days=1), contract.day_zone), day_end(day, contract.day_zone)
    part = (end - start) / contract.cadence.batches
    return start + part * (slot - 1), end if slot == contract.cadence.batches else start + part * slot


def due_slots(contract: Contract, day: date, now: datetime) -> set[int]:
    """The batches of a day whose part of it is over: what is asked for before would lack rows for good."""
    return {slot for slot in range(1, contract.cadence.due_on(day) + 1) if part_of_day(contract, day, slot)[1] <= now}


def _values(contract: Contract, day: date, slot: int) -> dict[str, Any]:
    """What stands for the parameters, as the column of the event time has its values: local where it has a zone."""
    column = next(one for one in contract.columns if one.name == contract.event_time)
    moments = dict(zip(("start", "end"), part_of_day(contract, day, slot), strict=True))
    zone = ZoneInfo(column.zone or (contract.day_zone if column.type == "DATE" else "UTC"))
    local = {name: moment.astimezone(zone).replace(tzinfo=None) for name, moment in moments.items()}
    days = {name: moment.date() for name, moment in local.items()}
    return {"day": day, "slot": slot, **(days if column.type == "DATE" else local)}


def _kept(answer: QueryResult, folder: Path | None) -> pa.Table:
    """The rows, in a file that is gone with them: in the home, for a temporary folder may lie in memory itself."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder) as file:
        with pa.ipc.new_stream(file, answer.schema) as stream:
            for piece in answer.pieces:
                stream.write_batch(piece)
        file.flush()
        return pa.ipc.open_stream(pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))).read_all()


@dataclass(frozen=True)
class DatabaseSource:
    """One of them behind the interface of every source."""

    name: str
    seconds: float
    """How long all batches of a day may take."""
    folder: Path | None = None
    """Where rows lie until they are landed; by default the system's temporary folder."""

    def deliver(self, day: date) -> Sequence[Batch]:
        """All batches of a day that is over. Raises `SourceUnavailableError`."""
        return list(self.batches(day, range(1, CONTRACTS[self.name].cadence.due_on(day) + 1), utc_now()))

    def deliver_again(self, day: date, sequence: int, attempt: int) -> Batch:
        """What the database says now. Raises `SourceUnavailableError`."""
        [batch] = self.batches(day, [sequence], utc_now(), attempt)
        return batch

    def batches(self, day: date, slots: Collection[int], now: datetime, attempt: int = 1) -> Iterator[Batch]:
        """Some batches of a day, all of one moment, from the first server that answers. Raises `SourceUnavailableError`."""
        contract, left, why = CONTRACTS[self.name], sorted(slots), list[str]()
        for server in contract.servers:
            try:
                with opened(server, contract, self.seconds) as ask:
                    query = query_of(server, contract, ask)
                    while left:
                        rows = _kept(ask(query, _values(contract, day, left[0])), self.folder)
                        yield _batch(contract, day, left[0], attempt, rows, now, server)
                        left.pop(0)
                return
            except (SourceUnavailableError, EnvironmentUnusableError) as error:
                why.append(str(error))
        raise SourceUnavailableError(" ".join(why))

    def troubles(self) -> list[str]:
        """Why servers cannot be asked, one line each."""
        contract, found = CONTRACTS[self.name], []
        values = _values(contract, utc_now().date(), 1)
        for server in contract.servers:
            try:
                with opened(server, contract, self.seconds) as ask:
                    ask(f"select * from ({query_of(server, contract, ask)}) as asked limit 0", values)
            except (SourceUnavailableError, EnvironmentUnusableError) as error:
                found.append(str(error))
        return found


def _batch(
    contract: Contract, day: date, slot: int, attempt: int, rows: pa.Table, now: datetime, server: Server
) -> Batch:
    end = part_of_day(contract, day, slot)[1]
    came = (now if end <= now <= end + WATCHED else end).astimezone(UTC).replace(tzinfo=None)
    return Batch(
        batch_id=batch_id(contract.source, day, slot, f"-a{attempt}" if attempt > 1 else ""),
        source=contract.source,
        landing_date=day,
        sequence=slot,
        attempt=attempt,
        kind="scheduled" if attempt == 1 else "replacement",
        table=rows,
        produced_at=came,
        landed_at=came,
        vouched_for=False,
        fallback=("", *contract.fallbacks)[contract.servers.index(server)],
    )


class Database:
    """The kind as `sources.source` asks for it."""

    can_be_asked = True

    def source(self, settings: Settings, name: str) -> Source:
        return DatabaseSource(name, settings.fetch_budget_seconds, settings.spool)

    def reference_files(self, settings: Settings) -> Mapping[str, bytes]:
        """None: a project keeps its own."""
        del settings
        return {}


DATABASE = Database()
