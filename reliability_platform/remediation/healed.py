"""What healing has done: per incident the actions taken since a place in the timeline, how each ended, and what is left."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine

from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.remediation.due import obstacle
from reliability_platform.settings import Settings

ENDINGS = frozenset({"done", "failed"})
"""The phases of an action that say how it ended."""
READ = 100_000
"""So many entries are read; one `heal` writes some ten for each incident."""


@dataclass(frozen=True)
class ActionTaken:
    """One action that has ended."""

    action: str
    ended: str
    """`done` or `failed`: it broke off."""
    says: str
    reruns: tuple[date, ...]
    """The landing days that were run again for it."""


@dataclass(frozen=True)
class Healed:
    """One incident that healing dealt with."""

    incident: str
    severity: str
    state: State
    actions: tuple[ActionTaken, ...]
    says: str
    """How it stands, in the words of its last transition."""
    left: str | None
    """Why it is still open; None if it is over, or is being healed."""

    def __str__(self) -> str:
        state = self.state.value.replace("_", " ")
        told = [one.says if one.ended == "done" else f"{one.action} broke off: {one.says}" for one in self.actions]
        return " ".join(
            [f"{self.incident} is {state}.", *told, self.says, *([f"Left: {self.left}."] if self.left else [])]
        )

    @property
    def document(self) -> dict[str, Any]:
        """For a program."""
        return asdict(self)


def healed_since(settings: Settings, engine: Engine, position: int, now: datetime) -> list[Healed]:
    """The incidents that are open, and those that ended after this place in the timeline; in the order of their numbers."""
    store = IncidentStore(engine)
    new: dict[str, list[ActionTaken]] = {}
    for _, incident_id, entry in store.entries_after(position, READ):
        taken = new.setdefault(incident_id, [])
        if entry.data.get("phase") in ENDINGS:
            reruns = tuple(date.fromisoformat(day) for day in entry.data.get("reruns", []))
            taken.append(ActionTaken(entry.data["action"], entry.data["phase"], entry.why, reruns))
    incidents = [one for one in store.all() if one.is_open or one.id in new]
    return [_healed(settings, engine, one, new.get(one.id, []), now) for one in incidents]


def _healed(
    settings: Settings, engine: Engine, incident: Incident, actions: list[ActionTaken], now: datetime
) -> Healed:
    last = next(entry for entry in reversed(incident.timeline) if entry.kind in ("transition", "opened"))
    left = obstacle(settings, engine, incident, now) if incident.is_open else None
    return Healed(incident.id, incident.severity.value, incident.state, tuple(actions), last.why, left)
