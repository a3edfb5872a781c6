"""Causes that come back: incidents of one class at one source within months, from the heads of the incidents store alone.

A symptom is no cause of its own, and a false alarm was none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, func, select

from reliability_platform.contracts import CONTRACTS
from reliability_platform.counted import counted
from reliability_platform.formats import joined
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations.tables import incident_heads

WITHIN = timedelta(days=180)
"""What came back after half a year is told as new."""
NAMED = 3
"""So many of the earlier ones are named in a sentence; the command lists all."""


@dataclass(frozen=True)
class Occurrence:
    """One of the times."""

    incident: str
    """Its id."""
    detected_at: datetime
    """When it was opened."""
    first_day: date
    """The first of its landing days."""
    last_day: date
    """The last of them."""
    state: str
    """Where it is in its life."""


@dataclass(frozen=True)
class Recurrence:
    """One class of failures at one source, each time that it came."""

    source: str
    failure_class: str
    occurrences: Sequence[Occurrence]
    """The oldest first."""
    within: timedelta

    @property
    def owner(self) -> str:
        """Who owns the source."""
        return CONTRACTS[self.source].owner if self.source in CONTRACTS else "nobody who is declared"

    @property
    def in_words(self) -> str:
        """The last of them, as a sentence about what came before it."""
        *earlier, _ = self.occurrences
        named = [f"{_number(one.incident)} ({one.detected_at:%Y-%m-%d})" for one in earlier[-NAMED:]]
        more = f"{len(earlier) - NAMED} more, " if len(earlier) > NAMED else ""
        return (
            f"{_ordinal(len(self.occurrences))} time within {counted(self.within.days, 'day')}: {self.failure_class} of "
            f"{self.source} by the same producer ({self.owner}). Before: {more}{joined(named)}."
        )


def _number(incident_id: str) -> str:
    """INC-0003 of INC-0003-schema_break-…: enough of an id for every command."""
    return "-".join(incident_id.split("-", 2)[:2])


def _ordinal(number: int) -> str:
    return {2: "Second", 3: "Third", 4: "Fourth", 5: "Fifth"}.get(number, f"{number}th")


def _read(store: IncidentStore, within: timedelta, *conditions: ColumnElement[bool]) -> list[Recurrence]:
    """All that came more than once, in one statement; the most frequent first."""
    heads = incident_heads.c
    times = func.count().over(partition_by=(heads.source, heads.failure_class))
    counted_once = [~heads.is_symptom, heads.state != State.FALSE_ALARM.value, *conditions]
    each = select(incident_heads, times.label("times")).where(*counted_once).subquery()
    query = (
        select(each)
        .where(each.c.times > 1)
        .order_by(each.c.times.desc(), each.c.source, each.c.failure_class, each.c.detected_at, each.c.incident_id)
    )
    found: dict[tuple[str, str], list[Occurrence]] = {}
    for row in store.read(query):
        one = Occurrence(row.incident_id, row.detected_at, row.first_day, row.last_day, row.state)
        found.setdefault((row.source, row.failure_class), []).append(one)
    return [Recurrence(source, name, ones, within) for (source, name), ones in found.items()]


def recurring(store: IncidentStore, now: datetime, within: timedelta = WITHIN) -> list[Recurrence]:
    """What came more than once until now, the most frequent first."""
    return _read(store, within, incident_heads.c.detected_at > now - within)


def recurrence_of(store: IncidentStore, incident: Incident) -> Recurrence | None:
    """What an incident repeats, itself the last of the times; None if it is the first within `WITHIN`."""
    heads, at = incident_heads.c, incident.detected_at
    same = (heads.source == incident.source, heads.failure_class == incident.failure_class)
    before = (heads.detected_at > at - WITHIN) & (
        (heads.detected_at < at) | ((heads.detected_at == at) & (heads.incident_id <= incident.id))
    )
    found = _read(store, WITHIN, *same, before)
    # One that is a symptom or a false alarm is not among them: it repeats nothing.
    return next((one for one in found if one.occurrences[-1].incident == incident.id), None)
