"""Which days people have called right: the incidents of a source that ended as false alarms."""

import json
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import Engine, select

from reliability_platform.operations.tables import incident_heads, incident_timeline


@dataclass(frozen=True)
class FalseAlarm:
    """An incident that a person has called a false alarm."""

    first: date
    last: date
    """Its landing days, both included."""
    at: datetime
    """When that was said last."""
    is_taken_back: bool = False
    """Whether it was opened again since."""


def false_alarms(engine: Engine, source: str) -> list[FalseAlarm]:
    """In the order of the incidents, of whatever class: where a more specific check failed too, an incident is known by that.

    A symptom that was merged into its cause ends as a false alarm that is linked to it: nobody has said anything of that.
    """
    heads, entries = incident_heads.c, incident_timeline.c
    query = (
        select(heads.incident_id, heads.first_day, heads.last_day, entries.at, entries.data)
        .join_from(incident_heads, incident_timeline, entries.incident_id == heads.incident_id)
        .where(heads.source == source, entries.kind == "transition")
        .order_by(heads.incident_id, entries.number)
    )
    found: dict[str, FalseAlarm] = {}
    with engine.connect() as connection:
        for row in connection.execute(query):
            data = json.loads(row.data)
            if data.get("to") == "false_alarm" and "linked_to" not in data:
                found[row.incident_id] = FalseAlarm(row.first_day, row.last_day, row.at)
            elif data.get("to") == "reopened" and row.incident_id in found:
                found[row.incident_id] = replace(found[row.incident_id], is_taken_back=True)
    return list(found.values())
