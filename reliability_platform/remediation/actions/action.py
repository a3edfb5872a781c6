"""What an action is, and what it says of itself when it is done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from reliability_platform.incidents.model import Incident
from reliability_platform.remediation.ledger import Replay
from reliability_platform.settings import Settings


@dataclass(frozen=True)
class Done:
    """What an action did, in words, and the landing days that the pipeline must run again."""

    summary: str
    reruns: list[date]
    replays: tuple[Replay, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What it measured, and what taking it back must know; ready for JSON, for the timeline."""


@dataclass(frozen=True)
class Action:
    """One thing to do about an incident."""

    name: str
    purpose: str
    """What it does, in words that follow upon "to"."""
    perform: Callable[[Settings, Incident, str], Done]
    """Does it, for an actor. Doing it twice is doing it once."""
    describe: Callable[[Settings, Incident], str]
    """Says exactly what it would change now, and changes nothing."""
    leaves: str = "nothing"
    """What an attempt that did not help leaves behind, in words, and why that harms nobody."""
    undo: Callable[[Settings, Incident, str], str | None] | None = None
    """Takes back what it did for the incident; in words, None if there is nothing to take back. Twice is once."""
    ways: int = 1
    """How many different things it tries, one with each attempt. A failure that stays is met with each of them once."""
    from_the_source: bool = False
    """Whether the landing days that it changes are run from landing on, not from what has landed."""
    idle: Callable[[Settings, Incident], str | None] | None = None
    """Why it would change nothing now, in half a sentence; None if it would. The platform does not take it then by
    itself: an attempt that does nothing is none."""
    only_asks_for: Callable[[Settings, Incident, str], Mapping[date, set[int]]] | None = None
    """The slots of a source, by landing day, without which it could do nothing now: a source that sends by itself is
    waited for."""
    heals: bool = True
    """Whether it can end the incident. Others keep consumers safe meanwhile: they are no attempts, and people choose
    them."""


def in_words(days: list[date]) -> str:
    """Landing days, for people."""
    return ", ".join(day.isoformat() for day in days)


def facts_of(incident: Incident, action: str) -> Mapping[str, Any]:
    """What the last time that an action was done for an incident left for taking it back; empty if it was not, or if it
    has been taken back.
    """
    for entry in reversed(incident.timeline):
        if entry.data.get("action") == action and entry.data.get("phase") in ("done", "kept_safe", "undone"):
            return {} if entry.data["phase"] == "undone" else entry.data.get("facts", {})
    return {}
