"""A source that sends by itself cannot be asked: its owner is told which attempts he must send, and they are let in.

That is no attempt of the platform's: nothing is tried, nothing is spent, and it goes on by itself when they come.
"""

from datetime import date, datetime

from sqlalchemy import Engine

from reliability_platform.contracts import CONTRACTS
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.remediation import evidence
from reliability_platform.remediation.actions import action_named
from reliability_platform.remediation.actions.re_request import asked_sources, attempt_to_come, expect
from reliability_platform.remediation.policy import POLICIES
from reliability_platform.settings import Settings
from reliability_platform.sources.source import can_be_asked

Awaited = dict[str, list[tuple[date, str]]]
"""By source: landing day and name of each attempt."""


def _awaited(settings: Settings, incident: Incident) -> Awaited:
    """By source that cannot be asked, the attempts that would mend the incident and that are not there yet."""
    silent = [one for one in asked_sources(incident) if one in CONTRACTS and not can_be_asked(settings, one)]
    if not silent or not incident.is_open:
        return {}
    asks_for = action_named(POLICIES[incident.failure_class].action).only_asks_for
    if asks_for is None:
        return {}
    found: Awaited = {}
    for source in silent:
        for day, slots in sorted(asks_for(settings, incident, source).items()):
            for slot in sorted(slots - set(evidence.waiting(settings, source, day))):
                found.setdefault(source, []).append((day, attempt_to_come(settings, source, day, slot)))
    return found


def _words(source: str, attempts: list[tuple[date, str]]) -> str:
    contract, named = CONTRACTS[source], ", ".join(name for _, name in attempts)
    words = f"{source} sends by itself: ask its owner for {named} ({contract.owner})"
    if contract.places:
        words += ", the right file in the place of the old one"
    return f"{words}. What comes is taken in then"


def owner_must_send(settings: Settings, incident: Incident) -> str | None:
    """What the owners of sources that cannot be asked must send for the incident to end; None if nothing."""
    return " ".join(_words(*one) for one in _awaited(settings, incident).items()) or None


def ask_owner(settings: Settings, engine: Engine, incident: Incident, now: datetime, actor: str) -> bool:
    """Let in what must come, and say once on the timeline, and so in an alert, who must send it; whether anything must."""
    awaited = _awaited(settings, incident)
    for source, attempts in awaited.items():
        names = [name for _, name in attempts]
        for day, name in attempts:
            expect(settings, source, day, name)
        data = {"to": CONTRACTS[source].owner, "must": f"send {', '.join(names)}", "awaits": names}
        key = f"owner-{incident.id}-{incident.lives}-{'-'.join(names)}"
        words = f"{_words(source, attempts)}."
        IncidentStore(engine).append(incident.id, now, actor, "escalation", words, data, key=key)
    return bool(awaited)
