"""Notes on the timeline what was due and is late: a missed deadline that nobody sees is missed twice."""

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, or_, select

from reliability_platform.incidents.apart import noted
from reliability_platform.incidents.classes import CLASSES, IncidentType
from reliability_platform.incidents.decisions import DONE, key_of_action_item
from reliability_platform.incidents.response import ResponsePolicy, overdue, read_policy
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations.tables import incident_heads, incident_keys, incident_timeline
from reliability_platform.settings import Settings

ACTOR = "incident sensor"
BREACHES = sorted(name for name, one in CLASSES.items() if one.type is IncidentType.BREACH)
LOOKED_BACK = timedelta(days=30)
"""A breach whose report has been late for longer is on its timeline already, unless nothing ran for a month."""
REMINDED = "-overdue"
"""Ends the key of the reminder of an action item."""


def note_missed(settings: Settings, engine: Engine, now: datetime) -> list[str]:
    """Append each deadline that has passed since; once each. Returns the ids of the incidents concerned."""
    policy, store = read_policy(settings.response_policy), IncidentStore(engine)
    found = []
    for incident in store.find(or_(*_may_be_late(policy, now))):
        with noted(store, incident, now, "Whether its deadlines have passed could not be found out"):
            for deadline, words in overdue(incident, policy, now).items():
                key = f"deadline-{incident.id}-{incident.lives}-{deadline}"
                if deadline not in incident.missed:
                    data = {"deadline": deadline}
                    if store.append(incident.id, now, ACTOR, "deadline", words, data, key=key):
                        found.append(incident.id)
    return list(dict.fromkeys([*found, *_remind(store, now)]))


def _may_be_late(policy: ResponsePolicy, now: datetime) -> Iterator[ColumnElement[bool]]:
    """What the heads know of the incidents with a deadline that has passed, one condition for each kind and severity."""
    heads = incident_heads.c
    for severity, terms in policy.items():
        of_it = heads.severity == severity.value
        answer_before = now - timedelta(hours=terms.respond_within_hours)
        yield and_(of_it, heads.awaits_response, heads.detected_at < answer_before)
        if terms.postmortem_within_hours is not None:
            written_before = now - timedelta(hours=terms.postmortem_within_hours)
            yield and_(of_it, heads.awaits_postmortem, heads.ended_at < written_before)
        report_before = now - timedelta(hours=terms.breach_report_within_hours)
        recent = heads.detected_at.between(report_before - LOOKED_BACK, report_before)
        yield and_(of_it, heads.failure_class.in_(BREACHES), recent)


def _remind(store: IncidentStore, now: datetime) -> list[str]:
    """Note each action item that is not done and was due before today, once; whoever owns it is told where routes lead there."""
    found = []
    for incident_id, items in _to_do(store.engine).items():
        for number, item in items.items():
            if date.fromisoformat(item["due"]) < now.date():
                key = f"{key_of_action_item(incident_id, number)}{REMINDED}"
                words = (
                    f"Action item {number} was due on {item['due']} and is not done: {item['what']} ({item['owner']})."
                )
                data = {"deadline": f"action item {number}", "to": item["owner"]}
                if store.append(incident_id, now, ACTOR, "deadline", words, data, key=key):
                    found.append(incident_id)
    return found


def _to_do(engine: Engine) -> dict[str, dict[int, dict[str, Any]]]:
    """By incident and number, the action items that are not done and of which nobody was reminded."""
    keys, later = incident_keys.alias(), incident_keys.alias()
    answered = select(later.c.key).where(later.c.key.in_([keys.c.key + DONE, keys.c.key + REMINDED]))
    waiting = select(keys.c.incident_id).where(
        keys.c.key.startswith(key_of_action_item(), autoescape=True),
        ~keys.c.key.endswith(DONE),
        ~keys.c.key.endswith(REMINDED),
        ~answered.exists(),
    )
    entries = (
        select(incident_timeline.c.incident_id, incident_timeline.c.data)
        .where(incident_timeline.c.kind == "action_item", incident_timeline.c.incident_id.in_(waiting))
        .order_by(incident_timeline.c.id)
    )
    found: dict[str, dict[int, dict[str, Any]]] = {}
    with engine.connect() as connection:
        for row in connection.execute(entries):
            item, items = json.loads(row.data), found.setdefault(row.incident_id, {})
            if item.get("done"):
                items.pop(int(item["number"]), None)
            else:
                items[int(item["number"])] = item
    return found
