"""Events for PagerDuty (Events API v2): one alert there for the whole life of an incident here.

Apprise's own plugin cannot acknowledge and takes its deduplication key from the URL, the same for every incident.
"""

from collections.abc import Sequence
from typing import Any

from reliability_platform.alerts.ledger import Alert
from reliability_platform.alerts.message import headline, page
from reliability_platform.incidents.classes import Severity
from reliability_platform.incidents.model import ENDED, Incident, State

SEVERITIES = {Severity.P0: "critical", Severity.P1: "error", Severity.P2: "warning", Severity.P3: "info"}
SUMMARY_LENGTH = 1024
KEY_LENGTH = 255


def dedup_key(incident: Incident) -> str:
    """The fingerprint as it was at the opening: the range of days may grow later, and the key must not."""
    opening = incident.timeline[0].data
    days = opening.get("partitions") or [incident.detected_at.date().isoformat()]
    parts = [incident.root_dataset, incident.failure_class, incident.source, incident.column, min(days)]
    return "/".join(str(part) for part in parts if part)[:KEY_LENGTH]


def action(incident: Incident) -> str:
    """What the event does to the alert over there."""
    if incident.state in ENDED:
        return "resolve"
    return "acknowledge" if incident.state is State.ACKNOWLEDGED else "trigger"


def event(incident: Incident, news: Sequence[Alert], ui_url: str, do: str) -> dict[str, Any]:
    """The event, but for the routing key, which only the sender knows."""
    naming = {"event_action": do, "dedup_key": dedup_key(incident)}
    if do != "trigger":
        return naming
    return naming | {
        "client": "Reliability Platform",
        "client_url": page(ui_url, incident.id),
        "payload": {
            "summary": headline(incident, news)[:SUMMARY_LENGTH],
            "source": incident.source,
            "severity": SEVERITIES[incident.severity],
            "component": incident.root_dataset,
            "group": ", ".join(incident.sources),
            "class": incident.failure_class,
            "custom_details": {
                "incident": incident.id,
                "changed": [alert.summary for alert in news],
                "severity": incident.severity_reason,
                "landing_days": [day.isoformat() for day in incident.partitions],
                "checks": incident.checks,
                "what_to_do": f"reliability incidents show {incident.id}",
            },
        },
    }
