"""Landing days that a person has called right, and that are still held: they are run again, by nobody.

Whoever calls an incident a false alarm says that its numbers were right. A check against the past that finds the same number
again passes then (`checks/as_people_said.py`); until the day is run again, consumers are kept from it.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from sqlalchemy import Engine, select

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.gate import Why, held
from reliability_platform.checks.store import CheckStore
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations.tables import incident_heads, incident_timeline
from reliability_platform.settings import Settings
from reliability_platform.warehouse.journal import BuildJournal

REMEMBERED = timedelta(days=7)
"""A word that is older and has led to nothing is a person's: the daemon was switched off, or the run has failed."""


def called_right(settings: Settings, engine: Engine, now: datetime) -> list[tuple[Incident, list[date]]]:
    """The false alarms of late whose days are to be run again, and these days: held by nothing but checks against the past,
    and no build of them has begun since that was said.
    """
    entries = incident_timeline.c
    lately = select(entries.incident_id).where(entries.kind == "transition", entries.at > now - REMEMBERED)
    said = IncidentStore(engine).find(
        incident_heads.c.state == State.FALSE_ALARM.value,
        incident_heads.c.is_symptom.is_(False),
        incident_heads.c.incident_id.in_(lately),
    )
    found = [(incident, list(_days(settings, engine, incident))) for incident in said]
    return [(incident, days) for incident, days in found if days]


def _days(settings: Settings, engine: Engine, incident: Incident) -> Iterator[date]:
    said_at = max(entry.at for entry in incident.timeline if entry.data.get("to") == State.FALSE_ALARM.value)
    journal = BuildJournal(engine, settings.builds)
    waiting = [day for day in incident.partitions if (journal.last_began(day) or said_at) <= said_at]
    partitions = [(source, day) for source in incident.sources for day in waiting]
    objections = held(CheckStore(engine), partitions) if partitions else {}
    for day in waiting:
        on_day = [one for (_, other), some in objections.items() if other == day for one in some]
        if on_day and all(one.why is Why.FAILED and CHECKS[one.check].requires_history for one in on_day):
            yield day
