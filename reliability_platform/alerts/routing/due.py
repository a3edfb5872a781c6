"""What time brings by the routing file: the next step where nobody has answered, and the update that owners were promised.

Both are entries of the timeline, once each; who hears of them is decided as of any other entry.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from reliability_platform.alerts.routing.concerned import HearsAs, Router, holds
from reliability_platform.alerts.routing.declared import OWNERS, Escalation, Routing
from reliability_platform.formats import joined, moment
from reliability_platform.incidents.apart import noted
from reliability_platform.incidents.documents.messages import NEXT_UPDATE
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.response import ResponsePolicy, response_due
from reliability_platform.incidents.store import IncidentStore

ACTOR = "alerts"
MUST = "take it on: nobody has answered"


def chain_of(routing: Routing, incident: Incident) -> Escalation | None:
    """The chain of an incident."""
    return next((one for one in routing.escalation if holds(one.when, incident)), None)


def steps_due(
    routing: Routing, incident: Incident, policy: ResponsePolicy
) -> list[tuple[int, datetime, Sequence[str]]]:
    """Each step of the chain of an incident that nobody has answered: its number from 1 on, when it is due, whom it names."""
    chain = chain_of(routing, incident)
    if chain is None or not incident.is_open or incident.times.answered is not None:
        return []
    due = response_due(incident, policy)
    return [
        (number, due + timedelta(minutes=step.after_minutes), step.tell)
        for number, step in enumerate(chain.steps, start=1)
    ]


def _taken(incident: Incident) -> set[int]:
    entries = [entry.data for entry in incident.timeline if entry.kind == "escalation"]
    return {data["step"] for data in entries if data.get("life") == incident.lives and "step" in data}


def next_update(incident: Incident) -> datetime:
    """When those who were told of an open incident hear again, if nothing changes before: as a person has promised, else as
    the severity asks."""
    said = [
        entry
        for entry in incident.timeline
        if entry.kind in ("opened", "update") or entry.data.get("to") == State.REOPENED.value
    ]
    promised = said[-1].data.get("next")
    return said[-1].at + NEXT_UPDATE[incident.severity] if promised is None else datetime.fromisoformat(promised)


def promised_by(incident: Incident) -> str | None:
    """Who has promised the next update; None where that is no person, for then it is given in time."""
    last = next((entry for entry in reversed(incident.timeline) if entry.kind in ("opened", "update")), None)
    return last.actor if last is not None and "next" in last.data else None


def note_due(store: IncidentStore, router: Router | None, policy: ResponsePolicy, now: datetime) -> int:
    """Append what is due; how many entries that are. Without a routing file, the updates that persons owe."""
    count = 0
    tells_owners = router is not None and any(set(OWNERS) & set(route.tell) for route in router.routing.routes)
    for incident in store.open() if router is not None else store.open_with("update"):
        with noted(store, incident, now, "Whether somebody must be told next could not be found out"):
            if router is not None and router.routing.escalation:
                count += _escalate(store, router, policy, incident, now)
            if now >= next_update(incident):
                count += _late(store, incident, now)
                if router is not None and tells_owners:
                    count += _update(store, router, incident, now)
    return count


def _late(store: IncidentStore, incident: Incident, now: datetime) -> int:
    """Say once that somebody owes an update; who works on it hears it as a missed deadline."""
    who = promised_by(incident)
    if who is None:
        return 0
    due = next_update(incident)
    words = f"{who} had promised an update by {moment(due)}, and there was none."
    key = f"update-late-{incident.id}-{due.isoformat()}"
    return int(store.append(incident.id, now, ACTOR, "deadline", words, {"deadline": "update"}, key=key))


def _escalate(store: IncidentStore, router: Router, policy: ResponsePolicy, incident: Incident, now: datetime) -> int:
    taken, count = _taken(incident), 0
    for number, due, tell in steps_due(router.routing, incident, policy):
        if due > now or number in taken:
            continue
        found, _ = router.found(tell, incident)
        recipients = list(dict.fromkeys(one for one, _, _ in found)) or list(router.routing.otherwise)
        reasons = [f"{one} ({more})" if more else one for one, _, more in found] or recipients
        words = f"Nobody was on it by {moment(response_due(incident, policy))}: {joined(reasons)} must take it on (step {number})."
        data = {
            "to": joined(recipients),
            "must": MUST,
            "recipients": recipients,
            "step": number,
            "life": incident.lives,
        }
        key = f"escalation-step-{incident.id}-{incident.lives}-{number}"
        count += store.append(incident.id, now, ACTOR, "escalation", words, data, key=key)
    return count


def _update(store: IncidentStore, router: Router, incident: Incident, now: datetime) -> int:
    audience = router.audience(incident).told.values()
    owners = [one.recipient for one in audience if one.role is not HearsAs.TEAM]
    if not owners:
        return 0
    number = sum(entry.kind == "update" for entry in incident.timeline) + 1
    said = f"still {incident.state.value.replace('_', ' ')}"
    words = f"The update that {joined(owners)} were promised: {said}."
    key = f"update-{incident.id}-{number}"
    return int(store.append(incident.id, now, ACTOR, "update", words, {"said": said}, key=key))
