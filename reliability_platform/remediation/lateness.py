"""Whether rows that came late can be late: by the schedule, a batch brings what has happened since the one before.

A row of hours before its batch is a straggler; of every source some are, and its past shows how many. If many more are,
their clock is the likelier reason: a third of a day with its times eight hours earlier is late by every other measure,
counted on the wrong days before it is computed again and after it. Rows of a day or more before were held back whole, and
whether they belong where they say, the volume of their event dates tells.

The check `stg_<source>__rows_of_their_slot` asks the same of a day before it is published, in both directions, and holds
it; but it needs 14 good days, and lets a row be a slot away. This one needs no past and holds nothing.

Who is right, the source tells when it is asked again: a wrong clock is the same rows with other times. An answer that lacks
rows which landed shows that they did come late, with a batch of which they are no part. It may not take the place of what
landed, or they would be lost.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from reliability_platform.contracts import CONTRACTS
from reliability_platform.in_memory import in_memory
from reliability_platform.landing.bronze_files import bronze_folder
from reliability_platform.parquet import scan
from reliability_platform.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

Slot = tuple[date, int]
LATE_SLOTS = "late_slots"
"""The fact of an action: slots of which the source says, by what it sends again, that their rows came late."""

HOURS = 12
"""What was held back for a day and came with the next batch of its slot is 18 hours before it or more; two zones are
seldom further apart than this."""
PAST_DAYS = 14
LIMIT = 0.05
"""The share of a day's rows that is never too much; clean days have about one percent."""
TIMES = 2
"""So many times the highest share of the past is too much."""


@dataclass(frozen=True)
class OutOfTurn:
    """A landing day of which more rows are of the hours before their batch than can be stragglers."""

    day: date
    share: float
    usual: float
    """The highest share of the days before."""

    @property
    def words(self) -> str:
        """For people."""
        return (
            f"{100 * self.share:.0f} % of the rows of {self.day} are of the hours before their batch "
            f"(at most {100 * self.usual:.0f} % before), which no delay explains"
        )


def out_of_turn(settings: Settings, source: str, days: Sequence[date], late: Collection[Slot] = ()) -> list[OutOfTurn]:
    """Those among landing days whose rows cannot have come late; nothing is said of slots known to be `late`."""
    found = []
    for day in days:
        share = _share(settings, source, day, tuple(slot for one, slot in late if one == day))
        before = [day - timedelta(days=back) for back in range(1, PAST_DAYS + 1)]
        shares = [_share(settings, source, other) for other in before if other not in days]
        usual = max((one for one in shares if one is not None), default=0.0)
        if share is not None and share > max(LIMIT, TIMES * usual):
            found.append(OutOfTurn(day, share, usual))
    return found


def rows_missing(settings: Settings, source: str, day: date, slot: int, answer: "pa.Table") -> int:
    """How many rows that landed in a slot are not in what the source sends when it is asked for the slot again, by key."""
    files = sorted(bronze_folder(settings, source, day).glob("*.parquet"))
    contract = CONTRACTS[source]
    if not files or not set(contract.key) <= set(
        answer.column_names
    ):  # an answer without its key is refused at admission
        return 0
    present = " and ".join(f'"{name}" is not null' for name in contract.key)
    with in_memory() as engine:
        engine.register("answer", answer.select(contract.key))
        [(count,)] = engine.execute(
            f"""
            with landed as (
                select {contract.key_list} from {scan(*files)} where _batch_sequence = $slot
                qualify _batch_attempt = max(_batch_attempt) over ()
            )
            select count(*) from (select * from landed where {present}) anti join answer using ({contract.key_list})
            """,
            {"slot": slot},
        ).fetchall()
    return int(count)


def _share(settings: Settings, source: str, day: date, without: tuple[int, ...] = ()) -> float | None:
    """How much of a landing day is of the hours before its batch, some slots left out; None for a day without rows."""
    files = sorted(bronze_folder(settings, source, day).glob("*.parquet"))
    states = tuple((path, one.st_ino, one.st_size, one.st_mtime_ns) for path in files for one in [path.stat()])
    return _share_of(source, day, states, without) if files else None


@lru_cache(maxsize=1024)
def _share_of(
    source: str, day: date, files: tuple[tuple[Path, int, int, int], ...], without: tuple[int, ...]
) -> float | None:
    """Of files as they are: the days before are the same for each who asks, 20 ms a day."""
    contract = CONTRACTS[source]
    with in_memory() as reader:
        [(share,)] = reader.execute(
            f"""
            with delivered as (
                select {contract.event_time} as event_time, _batch_sequence, _batch_attempt,
                    {contract.day_starts("$day::timestamp")} + to_minutes((least(_batch_sequence, {contract.cadence.batches}) - 1) * {24 * 60 // contract.cadence.batches}) as since
                from {scan(*(path for path, *_ in files))}
            ), counting as (
                select * from delivered
                qualify _batch_attempt = max(_batch_attempt) over (partition by _batch_sequence)
            )
            select avg((
                event_time < since and event_time >= since - interval {HOURS} hour
                and not list_contains($without::integer[], _batch_sequence)
            )::int)
            from counting
            """,
            {"day": day, "without": list(without)},
        ).fetchall()
    return None if share is None else float(share)
