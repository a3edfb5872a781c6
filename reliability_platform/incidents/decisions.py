"""What people decide about an incident: the same from the command line and from the Dagster UI."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.formats import moment
from reliability_platform.incidents.model import ENDED, Incident, State, check_transition
from reliability_platform.incidents.reports import settle
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.masking import scrub

MAX_NAME = 100
MAX_TEXT = 2000
DONE = "-done"
"""Ends the key of the entry that says so of an action item."""
LONGEST_SILENCE = timedelta(days=7)
"""Nobody waits longer for the next word of something that goes on."""


class IncidentRole(StrEnum):
    """As what somebody, or a place, is given to an incident."""

    COMMANDER = "commander"
    RESPONDER = "responder"
    CHANNEL = "channel"


class Decision(StrEnum):
    """What a person can say."""

    ACKNOWLEDGE = "acknowledge"
    ASSIGN = "assign"
    NOTE = "note"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    FALSE_ALARM = "false_alarm"
    CLOSE = "close"


@dataclass(frozen=True)
class Effect:
    """What a decision does to the timeline, and what it needs."""

    target: State | None
    """The state to which it brings the incident; None if it changes none."""
    help: str


EFFECTS: dict[Decision, Effect] = {
    Decision.ACKNOWLEDGE: Effect(State.ACKNOWLEDGED, "Say that you are on it."),
    Decision.ASSIGN: Effect(None, "Give it to somebody."),
    Decision.NOTE: Effect(None, "Keep something on the timeline."),
    Decision.RESOLVE: Effect(State.RESOLVED, "End it by hand. The gate keeps holding what its checks object to."),
    Decision.REOPEN: Effect(State.REOPENED, "It was not over."),
    Decision.FALSE_ALARM: Effect(State.FALSE_ALARM, "There was nothing wrong."),
    Decision.CLOSE: Effect(State.CLOSED, "Nothing is left to do, the postmortem's action items included."),
}


def _text(what: str, value: str, limit: int) -> str:
    if not value.strip():
        raise UsageError(f"{what} is empty: say it in a few words.")
    if len(value) > limit:
        raise UsageError(f"{what} has {counted(len(value), 'character')}: {limit} is the most.")
    return value.strip()


def _words(what: str, value: str) -> str:
    """What a person says, without the numbers and addresses of those whom it is about."""
    return scrub(_text(what, value, MAX_TEXT))


def decide(
    store: IncidentStore,
    incident_id: str,
    decision: Decision,
    now: datetime,
    actor: str,
    why: str,
    to: str = "",
    role: IncidentRole = IncidentRole.COMMANDER,
) -> Incident:
    """Write a decision on the timeline; the incident after it.

    `to` is the person to whom it is given, as `role`, or the channel where they talk about it. Raises `UsageError` for what the state of the incident does not allow, and
    for texts that are empty or endless.
    """
    incident = store.get(incident_id)
    actor, why = _text("The actor's name", actor, MAX_NAME), _words("The reason", why)
    effect = EFFECTS[decision]
    if decision is Decision.CLOSE and any(item.done_at is None for item in incident.action_items):
        left = [str(item.number) for item in incident.action_items if item.done_at is None]
        raise UsageError(
            f"{incident.id} still has action items to do ({', '.join(left)}): see "
            f"`reliability incidents actions {incident.id}`."
        )
    if effect.target is not None:
        check_transition(incident, effect.target)
        if effect.target in ENDED:
            settle(store.engine, incident, now, actor, why)
        store.move(incident.id, effect.target, now, actor, why)
    if decision is Decision.NOTE:
        store.append(incident.id, now, actor, "note", why)
    if decision is Decision.ASSIGN:
        store.append(
            incident.id, now, actor, "assigned", why, {"to": _text("The person", to, MAX_NAME), "role": role.value}
        )
    if decision is Decision.ACKNOWLEDGE and incident.assignee is None:
        store.append(incident.id, now, actor, "assigned", f"Acknowledged by {actor}", {"to": actor})
    return store.get(incident.id)


def key_of_action_item(incident_id: str = "", number: int | None = None) -> str:
    """Under which an action item is on the timeline once; without an incident, how all these keys begin."""
    return f"action-item-{incident_id}" + (f"-{number}" if number is not None else "")


def add_action_item(
    store: IncidentStore, incident_id: str, what: str, owner: str, due: date, now: datetime, actor: str
) -> int:
    """Keep something to do after the incident; its number. Raises `UsageError`."""
    incident = store.get(incident_id)
    what, owner = _words("What is to be done", what), _text("The owner", owner, MAX_NAME)
    number = max((item.number for item in incident.action_items), default=0) + 1
    data = {"number": number, "what": what, "owner": owner, "due": due.isoformat()}
    key = key_of_action_item(incident.id, number)
    if not store.append(incident.id, now, actor, "action_item", f"To do by {due}: {what}", data, key=key):
        return add_action_item(store, incident_id, what, owner, due, now, actor)  # somebody took the number
    return number


def finish_action_item(
    store: IncidentStore, incident_id: str, number: int, now: datetime, actor: str, why: str
) -> Incident:
    """Say that an action item is done. Doing so twice is doing so once. Raises `UsageError`."""
    incident = store.get(incident_id)
    item = next((one for one in incident.action_items if one.number == number), None)
    if item is None:
        numbers = ", ".join(str(one.number) for one in incident.action_items) or "none"
        raise UsageError(f"{incident.id} has no action item {number}; it has {numbers}.")
    if item.done_at is None:
        words = f"Done: {item.what} ({_text('The reason', why, MAX_TEXT)})"
        key = f"{key_of_action_item(incident.id, number)}{DONE}"
        store.append(incident.id, now, actor, "action_item", words, {"number": number, "done": True}, key=key)
    return store.get(incident.id)


def finish_postmortem(store: IncidentStore, incident_id: str, now: datetime, actor: str, why: str) -> Incident:
    """Say that the postmortem is written; from now on its deadline is met. Raises `UsageError` while it goes on."""
    incident = store.get(incident_id)
    if incident.is_open:
        raise UsageError(f"{incident.id} is {incident.state}: its postmortem is a draft until it is over.")
    why = _words("The reason", why)
    store.append(incident.id, now, actor, "postmortem", why, {}, key=f"postmortem-{incident.id}-{incident.lives}")
    return store.get(incident.id)


def give_update(
    store: IncidentStore, incident_id: str, said: str, next_at: datetime, now: datetime, actor: str
) -> Incident:
    """Tell everybody who was told of an incident how it stands, and promise the next update. Raises `UsageError`."""
    incident = store.get(incident_id)
    if not incident.is_open:
        raise UsageError(
            f"{incident.id} is {incident.state.value.replace('_', ' ')}: those who were told have the all-clear."
        )
    if not now < next_at <= now + LONGEST_SILENCE:
        raise UsageError(
            f"The next update must come within {counted(LONGEST_SILENCE.days, 'day')}: say when with --next."
        )
    said, actor = _words("The update", said), _text("The actor's name", actor, MAX_NAME)
    data = {"said": said, "next": next_at.isoformat()}
    store.append(incident.id, now, actor, "update", f"Update: {said.rstrip('.')}. Next one by {moment(next_at)}.", data)
    return store.get(incident.id)
