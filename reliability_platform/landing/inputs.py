"""What the warehouse was last built from: by source, landing day and slot, the delivery that counted.

A landing folder that has gone back, as after an old copy was put in its place, looks whole. Only the memory of what
has been built from it shows that it is older.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine, delete, insert, select

from reliability_platform.contracts import SOURCES
from reliability_platform.landing.bronze import ADMISSION_SCHEMA, admissions_file
from reliability_platform.landing.replacement import landed_manifests
from reliability_platform.operations.records import record
from reliability_platform.operations.tables import build_inputs
from reliability_platform.settings import Settings


@dataclass(frozen=True)
class Input:
    """The delivery of one slot that counted."""

    source: str
    landing_date: date
    slot: int
    attempt: int
    checksum: str
    landed_at: datetime


@dataclass(frozen=True)
class Older:
    """A slot of which the landing folder holds less than what has been built."""

    built: Input
    found: str
    """What is there now, in words."""

    def __str__(self) -> str:
        one = self.built
        return (
            f"{one.source} of {one.landing_date}, batch {one.slot}: attempt {one.attempt} was built, now {self.found}"
        )


def _admitted(settings: Settings, landing_days: Sequence[date]) -> list[Input]:
    files = [admissions_file(settings, source, day) for source in SOURCES for day in landing_days]
    there = [str(path) for path in files if path.exists()]
    if not there:
        return []
    import pyarrow.dataset as ds  # it loads pandas, for which whoever mistyped an argument should not wait

    table = ds.dataset(there, schema=ADMISSION_SCHEMA, format="parquet").to_table(
        columns=["source", "batch_id", "batch_sequence", "batch_attempt", "checksum", "landed_at", "file"],
        filter=ds.field("status") == "admitted",
    )
    best: dict[tuple[str, date, int], tuple[tuple[int, str], Input]] = {}
    for row in table.to_pylist():  # files, not rows of them
        day = date.fromisoformat(row["file"].split("landing_date=")[1][:10])
        one = Input(
            row["source"], day, row["batch_sequence"], row["batch_attempt"], row["checksum"] or "", row["landed_at"]
        )
        rank = (-one.attempt, row["batch_id"])
        key = (one.source, one.landing_date, one.slot)
        if key not in best or rank < best[key][0]:
            best[key] = (rank, one)
    return [one for _, one in best.values()]


class BuildInputs:
    """The deliveries in the operations store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, settings: Settings, landing_days: Sequence[date]) -> None:
        """Remember what these days have just been built from, in place of what was known of them."""
        found = [vars(one) for one in _admitted(settings, landing_days)]
        with self._engine.begin() as connection:
            connection.execute(
                delete(build_inputs).where(build_inputs.c.landing_date.between(landing_days[0], landing_days[-1]))
            )
            if found:
                connection.execute(insert(build_inputs), found)

    def forget(self, source: str, landing_date: date) -> None:
        """The deliveries of this day are made anew: what was built of it says nothing about them."""
        with self._engine.begin() as connection:
            connection.execute(
                delete(build_inputs).where(build_inputs.c.source == source, build_inputs.c.landing_date == landing_date)
            )

    def older(self, settings: Settings, first: date, last: date, *, asks_source: bool) -> list[Older]:
        """Slots whose landed deliveries are older than what was built: gone, of a lower attempt, or of another content
        that did not land later. A run that `asks_source` gets every first attempt anew, so those are no matter.
        """
        query = select(build_inputs).where(build_inputs.c.landing_date.between(first, last))
        if asks_source:
            query = query.where(build_inputs.c.attempt > 1)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(*build_inputs.primary_key))
            built = [record(Input, row) for row in rows]
        landed = {
            (source, day): landed_manifests(settings, source, day)
            for source, day in dict.fromkeys((one.source, one.landing_date) for one in built)
        }
        found = []
        for one in built:
            there = [found for found in landed[one.source, one.landing_date] if found.sequence == one.slot]
            highest = max((found.attempt for found in there), default=0)
            same = [found for found in there if found.attempt == highest]
            if highest > one.attempt:
                continue
            if not there:
                found.append(Older(one, "none is there"))
            elif highest < one.attempt:
                found.append(Older(one, f"attempt {highest} is the last one"))
            elif all(other.checksum != one.checksum and other.landed_at <= one.landed_at for other in same):
                found.append(Older(one, "it has another content, and none that landed later"))
        return found
