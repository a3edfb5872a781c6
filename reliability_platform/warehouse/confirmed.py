"""Which landing days the last publication found to agree in all layers, and which may not agree any more.

A publication asks again what compares layers, for somebody may have written since the audit. Where nobody but builds of
the platform has, only days that these have touched can have another answer: to ask on all 49 days of a home took a tenth
of a day's run, and grew with every day.
"""

import json
from dataclasses import dataclass
from datetime import date

import duckdb

from reliability_platform.atomic import write_atomically
from reliability_platform.contracts import SOURCES
from reliability_platform.settings import Settings
from reliability_platform.warehouse.built import BUILT, CONFIRMED, SILVER, has_table, nobody_wrote, tables_by_day
from reliability_platform.warehouse.journal import BuildJournal


@dataclass(frozen=True)
class BuiltDay:
    """One landing day as it is built."""

    digest: str
    """Of what all tables have of it."""
    earliest: str
    """The first event date of its rows, or the day itself."""


@dataclass(frozen=True)
class Layers:
    """All landing days as they are built, how many builds that took, and what compares them."""

    build: int
    compared_by: str
    days: dict[str, BuiltDay]
    """By landing day, as text."""

    @classmethod
    def now(cls, connection: duckdb.DuckDBPyConnection, journal: BuildJournal, compared_by: str) -> "Layers":
        """As the warehouse has them. `compared_by` is a digest of the checks that compare."""
        there = tables_by_day(connection)
        earliest = " union all ".join(
            f"select landing_date as day, event_date from {silver}"
            for source in SOURCES
            if (silver := SILVER.format(source=source)) in there
        )
        none = "select null::date as day, null::date as event_date where false"
        rows = (
            connection.execute(
                f"""
                with digests as (
                    select day, md5(string_agg(concat_ws(' ', table_name, source, digest) order by table_name, source)) as digest
                    from {BUILT} group by day
                ), reach as (
                    select day, min(event_date) as earliest from ({earliest or none}) group by day
                )
                select day::varchar, digest, least(day, earliest)::varchar from digests left join reach using (day)
                """
            ).fetchall()
            if has_table(connection, BUILT)
            else []
        )
        days = {day: BuiltDay(digest, reach) for day, digest, reach in rows}
        return cls(journal.settled(), compared_by, days)

    def changed_since(self, before: "Layers", built: set[date]) -> set[date]:
        """The landing days whose layers may have come apart since: those that have changed or were `built`, and those with
        rows of the same event dates, for these share rows of gold.
        """
        changed = {day for day in self.days.keys() | before.days.keys() if self.days.get(day) != before.days.get(day)}
        changed |= {day.isoformat() for day in built}
        if not changed:
            return set()
        reached = [one.earliest for layers in (self, before) for day, one in layers.days.items() if day in changed]
        first, last = min([*changed, *reached]), max(changed)
        return {date.fromisoformat(day) for day, one in self.days.items() if day >= first and one.earliest <= last}

    def keep(self, settings: Settings) -> None:
        """Say that what compares these layers has been asked."""
        content = {
            "build": self.build,
            "compared_by": self.compared_by,
            "days": {day: [one.digest, one.earliest] for day, one in sorted(self.days.items())},
        }
        write_atomically(settings.builds / CONFIRMED, json.dumps(content).encode())


def unconfirmed(settings: Settings, now: Layers, journal: BuildJournal) -> set[date] | None:
    """The landing days on which layers may have come apart since a publication asked last; None if it may be any."""
    before = _last(settings)
    if before is None or before.compared_by != now.compared_by or not nobody_wrote(settings):
        return None
    return now.changed_since(before, journal.days_after(before.build))


def _last(settings: Settings) -> Layers | None:
    try:
        said = json.loads((settings.builds / CONFIRMED).read_text())
        days = {day: BuiltDay(*one) for day, one in said["days"].items()}
        return Layers(int(said["build"]), str(said["compared_by"]), days)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # not there, or no longer whole: all is asked
        return None
