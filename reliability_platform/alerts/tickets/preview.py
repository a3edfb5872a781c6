"""Which tickets there are, and what would be asked of a tracker now. Nothing is sent."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from reliability_platform.alerts.ledger import Alert
from reliability_platform.alerts.message import MessageContext
from reliability_platform.alerts.routing.concerned import holds
from reliability_platform.alerts.routing.declared import Routing
from reliability_platform.alerts.tickets.kinds import planned
from reliability_platform.alerts.tickets.text import TICKET, known_ticket, ticket_task
from reliability_platform.incidents.model import Incident


@dataclass(frozen=True)
class KeptTicket:
    """One ticket of an incident, as its timeline says."""

    incident: str
    """Its id."""
    severity: str
    """Of the incident."""
    state: str
    """Of the incident."""
    tracker: str
    """By its name in the routing file."""
    ticket: str
    """Its key there."""
    link: str
    """Its page."""


def kept_tickets(incidents: Sequence[Incident]) -> list[KeptTicket]:
    """The tickets of some incidents."""
    return [
        KeptTicket(one.id, one.severity, one.state, *(str(entry.data[name]) for name in ("channel", "ticket", "link")))
        for one in incidents
        for entry in one.timeline
        if entry.kind == "alert" and entry.data.get("phase") == TICKET
    ]


def previews(routing: Routing, incident: Incident, around: MessageContext, now: datetime) -> list[dict[str, Any]]:
    """For each tracker that an incident concerns, the requests as JSON: `tracker`, `requests` (method, url, query, body)."""
    found = []
    for name, tracker in routing.trackers.items():
        if not holds(tracker.when, incident):
            continue
        entry = incident.timeline[-1 if known_ticket(incident, name) else 0]
        event = "opened" if entry.number == 1 else "state"
        words = (incident.id, entry.number, name, True, event, entry.why, incident.severity, entry.at, now)
        task = ticket_task(tracker.kind, name, incident, [Alert(*words)], around)
        requests = [{**asdict(one), "path": f"{tracker.place.url}{one.path}"} for one in planned(tracker.place, task)]
        found.append({"tracker": name, "requests": [{"url": one.pop("path"), **one} for one in requests]})
    return found
