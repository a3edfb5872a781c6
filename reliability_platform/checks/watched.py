"""What is under watch: the checks of incidents whose recovery was verified, on the landing days after it.

On these days a check that compares with the past judges what had failed, and that alone, with a narrower limit. A rule's limit is
the promise of a contract, and stays as it is.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

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
class WatchedIncident:
    """The watch of an incident."""

    id: str
    days: tuple[date, ...]
    """From the first to the last of its own landing days."""
    first: date
    last: date
    """Of the watch, both included."""
    checks: frozenset[str]
    """What failed."""


@dataclass(frozen=True)
class UnderWatch:
    """All that is under watch on some landing days."""

    incidents: tuple[WatchedIncident, ...] = ()

    def by(self, check: str, day: date) -> WatchedIncident | None:
        """The incident for which a check is watched on a day; the one after which it began last."""
        found = (one for one in reversed(self.incidents) if check in one.checks and one.first <= day <= one.last)
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
            watch = json.loads(row.data)["watch"]
            begins, ends = (date.fromisoformat(watch[end]) for end in ("first", "last"))
            if begins <= last and ends >= first:
                own = tuple(days(row.first_day, row.last_day))
                found.append(WatchedIncident(row.incident_id, own, begins, ends, frozenset(watch["checks"])))
    return UnderWatch(tuple(found))
