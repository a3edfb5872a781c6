"""What healing one incident took, by its timeline. Pure."""

from datetime import datetime

from reliability_platform.incidents.model import Incident, State


def actions_begun(incident: Incident, known: int = 0) -> int:
    """The remediations that were begun on it, after the first `known` entries of its timeline."""
    return sum(entry.data.get("phase") == "begun" for entry in incident.timeline[known:])


def opened_at(incident: Incident, known: int = 0) -> datetime | None:
    """When it was opened, or came back, after the first `known` entries of its timeline; None if it did not."""
    if not known:
        return incident.detected_at
    return next((entry.at for entry in incident.timeline[known:] if entry.data.get("to") == State.REOPENED.value), None)


def seconds_to_recover(incident: Incident | None, known: int = 0) -> float | None:
    """From its detection, or its coming back after the first `known` entries, to recovery; None if it has not come."""
    if incident is None or incident.times.recovered is None:
        return None
    start = opened_at(incident, known) or incident.detected_at
    return round(max(0.0, (incident.times.recovered - start).total_seconds()), 3)
