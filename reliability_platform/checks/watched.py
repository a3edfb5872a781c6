"""What is under watch: the checks of incidents whose recovery was verified, on the landing days after it.

On these days a check that compares with the past judges what had failed, and that alone, with a narrower limit. A rule's limit is
the promise of a contract, and stays as it is.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Engine, select

from reliability_platform.clock import days
from reliability_platform.operations.tables import incident_heads, incident_timeline

WATCHED_BACK = timedelta(days=60)
"""An incident whose landing days lie further back is looked at no more."""
NARROWER = 0.6
"""So much of a limit's distance from what is usual is allowed under watch. Of 3,276 clean days of the shop's checks against the past
none is beyond it; at 0.5 there are 5, all of the scale. Of 337 days of flights the number of rows tells 8 instead of 2
(`python -m tests.comparison.watched`)."""


@dataclass(frozen=True)
class RecoveryWatch:
    """After a verified recovery: the landing days on which what failed is judged more strictly, and is the same incident if it
    fails again."""

    first: date
    """The first landing day that had not been judged when recovery was verified."""
    last: date
    """The last day of the watch."""
    checks: tuple[str, ...]
    """What failed."""

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "RecoveryWatch":
        """As it stands in the timeline of its incident."""
        return cls(date.fromisoformat(kept["first"]), date.fromisoformat(kept["last"]), tuple(kept["checks"]))

    @property
    def kept(self) -> dict[str, Any]:
        """For that timeline."""
        return {"first": self.first.isoformat(), "last": self.last.isoformat(), "checks": list(self.checks)}

    def covers(self, days: Collection[date], checks: Collection[str]) -> bool:
        """Whether a failure of these checks on these days is one that is watched for."""
        return any(self.first <= day <= self.last for day in days) and not {*self.checks}.isdisjoint(checks)

    @property
    def words(self) -> str:
        """The same for people."""
        return f"Under watch until landing day {self.last}: what fails again by then is this incident, come back."


@dataclass(frozen=True)
class WatchedIncident:
    """An incident and its watch."""

    id: str
    days: tuple[date, ...]
    """From the first to the last of its own landing days."""
    watch: RecoveryWatch


@dataclass(frozen=True)
class UnderWatch:
    """All that is under watch on some landing days."""

    incidents: tuple[WatchedIncident, ...] = ()

    def by(self, check: str, day: date) -> WatchedIncident | None:
        """The incident for which a check is watched on a day; the one after which it began last."""
        found = (one for one in reversed(self.incidents) if one.watch.covers([day], [check]))
        return next(found, None)


NOTHING_WATCHED = UnderWatch()


def under_watch(engine: Engine, partitions: Sequence[date]) -> UnderWatch:
    """What is watched on some of these landing days. A day that was judged under watch is so again whenever it is run anew,
    whatever has become of the incident.
    """
    first, last = min(partitions), max(partitions)
    heads, entries = incident_heads.c, incident_timeline.c
    query = (
        select(heads.incident_id, heads.first_day, heads.last_day, entries.data)
        .join_from(incident_heads, incident_timeline, entries.incident_id == heads.incident_id)
        .where(
            heads.first_day <= last,
            heads.last_day >= first - WATCHED_BACK,
            entries.kind == "transition",
            entries.data.contains('"watch": {', autoescape=True),
        )
        .order_by(entries.id)
    )
    found = []
    with engine.connect() as connection:
        for row in connection.execute(query):
            watch = RecoveryWatch.of(json.loads(row.data)["watch"])
            if watch.first <= last and watch.last >= first:
                found.append(WatchedIncident(row.incident_id, tuple(days(row.first_day, row.last_day)), watch))
    return UnderWatch(tuple(found))
