"""Ends incidents that a person's work on dead letters has healed."""

from collections.abc import Iterable
from datetime import date, datetime

from sqlalchemy import Engine

from reliability_platform.clock import Clock
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.masking import scrub
from reliability_platform.remediation.due import obstacle
from reliability_platform.remediation.heal import act, end_if_recovered, verify
from reliability_platform.settings import Settings


def concerned(engine: Engine, places: Iterable[tuple[str, date]]) -> list[Incident]:
    """The open incidents of some sources and landing days."""
    touched = set(places)
    return [
        one
        for one in IncidentStore(engine).open()
        if touched & {(source, day) for source in one.sources for day in one.partitions}
    ]


def note(engine: Engine, incidents: Iterable[Incident], what: str, who: str, now: datetime, key: str) -> None:
    """Say on the timelines what a person did; the same `key` again says nothing."""
    for one in incidents:
        IncidentStore(engine).append(one.id, now, scrub(who), "note", scrub(what), key=f"{key}-{one.id}")


def conclude(settings: Settings, engine: Engine, incidents: Iterable[Incident], clock: Clock, who: str) -> list[str]:
    """Verify the incidents whose failed checks have all passed since; returns the ids of those that are still open."""
    left = []
    for one in incidents:
        incident = IncidentStore(engine).get(one.id)
        if end_if_recovered(settings, engine, one.id, clock(), who):
            continue
        # What stays on record alone has to be proved harmless. A person has ended its cause: no attempt need be left.
        if (
            incident.is_open
            and not incident.still_failing
            and obstacle(settings, engine, incident, clock(), decided=True) is None
        ):
            act(settings, engine, incident.id, clock(), who, "verify_only")
            verify(settings, engine, incident.id, clock(), who)
        if IncidentStore(engine).get(one.id).is_open:
            left.append(one.id)
    return left
