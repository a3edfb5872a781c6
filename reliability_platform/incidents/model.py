"""An incident: the fold of its timeline. Nothing but the timeline is stored."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from reliability_platform.errors import UsageError
from reliability_platform.incidents.classes import Severity


class State(StrEnum):
    """Where an incident is in its life."""

    DETECTED = "detected"
    ACKNOWLEDGED = "acknowledged"
    CONTAINED = "contained"
    RECOVERING = "recovering"
    VERIFIED = "verified"
    RESOLVED = "resolved"
    CLOSED = "closed"
    REOPENED = "reopened"
    FALSE_ALARM = "false_alarm"


_OPEN = {State.ACKNOWLEDGED, State.CONTAINED, State.RECOVERING, State.RESOLVED, State.FALSE_ALARM}
TRANSITIONS: dict[State, frozenset[State]] = {
    State.DETECTED: frozenset(_OPEN),
    State.REOPENED: frozenset(_OPEN),
    State.ACKNOWLEDGED: frozenset(_OPEN - {State.ACKNOWLEDGED}),
    State.CONTAINED: frozenset(_OPEN - {State.CONTAINED}),
    State.RECOVERING: frozenset({State.VERIFIED, State.CONTAINED, State.RESOLVED, State.FALSE_ALARM}),
    State.VERIFIED: frozenset({State.RESOLVED, State.REOPENED}),
    State.RESOLVED: frozenset({State.CLOSED, State.REOPENED}),
    State.CLOSED: frozenset({State.REOPENED}),
    State.FALSE_ALARM: frozenset({State.CLOSED, State.REOPENED}),
}
ENDED = frozenset({State.VERIFIED, State.RESOLVED, State.CLOSED, State.FALSE_ALARM})


@dataclass(frozen=True)
class TimelineEntry:
    """One thing that happened to an incident: when, who, what, why."""

    number: int
    at: datetime
    actor: str
    kind: str
    """`opened`, `signals`, `recovery`, `transition`, `action` or `note`."""
    why: str
    data: dict[str, Any]
    hash: str
    previous_hash: str


@dataclass(frozen=True)
class Signal:
    """A failed or unevaluated check as the incident remembers it."""

    check: str
    dataset: str
    source: str
    partition: date
    verdict: str
    value: float | None
    threshold: str
    message: str
    sample: list[dict[str, Any]]
    result_id: int = 0
    detail: str = ""


@dataclass
class Incident:
    """What the timeline adds up to."""

    id: str
    source: str
    failure_class: str
    root_dataset: str
    severity: Severity
    severity_reason: str
    state: State
    detected_at: datetime
    partitions: list[date] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    timeline: list[TimelineEntry] = field(default_factory=list)
    recovered_at: datetime | None = None
    pending_reruns: list[date] = field(default_factory=list)
    """Landing days that the last action changed and that the pipeline must run again."""
    attempts: int = 0
    """Remediation actions taken so far."""
    """An action counts from the moment at which it was begun: one that crashed was an attempt too."""
    acting_since: datetime | None = None
    """When an action was begun of which nobody has said yet how it ended."""
    acted_at: datetime | None = None
    """When the last action ended."""
    linked_to: str | None = None
    """The earlier incident of the same failure, or the cause of which this turned out to be a symptom."""
    column: str | None = None
    """The column that the failure is about, where it is one."""
    sources: tuple[str, ...] = ()
    """All sources concerned; more than one if our own machinery failed. `source` is the first of them."""
    still_failing: dict[tuple[str, date], Signal] = field(default_factory=dict)
    """By check and landing day, the last failure that no passed evaluation has followed."""

    @property
    def untouched(self) -> bool:
        """Open, and nobody has begun to recover from it."""
        return self.state not in ENDED and self.state is not State.RECOVERING and not self.attempts

    @property
    def checks(self) -> list[str]:
        """The checks that failed, each once."""
        return sorted({signal.check for signal in self.signals})

    @property
    def fingerprint(self) -> str:
        """Root dataset, failure class, source and partition range."""
        return f"{self.root_dataset}/{self.failure_class}/{self.source}/{self.partitions[0]}..{self.partitions[-1]}"


def check_transition(incident: Incident, target: State) -> None:
    """Raise `UsageError` unless the incident may go to `target` from where it is."""
    if target not in TRANSITIONS[incident.state]:
        allowed = ", ".join(sorted(TRANSITIONS[incident.state])) or "nowhere"
        raise UsageError(f"{incident.id} is {incident.state} and cannot become {target}; from here: {allowed}.")


def fold(incident_id: str, entries: Sequence[TimelineEntry]) -> Incident:
    """The incident after all entries, in their order."""
    opened = entries[0]
    incident = Incident(
        id=incident_id,
        source=opened.data["source"],
        failure_class=opened.data["failure_class"],
        root_dataset=opened.data["root_dataset"],
        severity=Severity(opened.data["severity"]),
        severity_reason=opened.data["severity_reason"],
        state=State.DETECTED,
        detected_at=opened.at,
        linked_to=opened.data.get("linked_to"),
        column=opened.data.get("column"),
        sources=tuple(opened.data.get("sources", [opened.data["source"]])),
    )
    for entry in entries:
        incident.timeline.append(entry)
        incident.linked_to = entry.data.get("linked_to", incident.linked_to)
        days = {*incident.partitions, *(date.fromisoformat(day) for day in entry.data.get("partitions", []))}
        incident.partitions = sorted(days)
        for raw in entry.data.get("signals", []):
            signal = Signal(**{**raw, "partition": date.fromisoformat(raw["partition"])})
            incident.signals.append(signal)
            incident.still_failing[signal.check, signal.partition] = signal
        for raw in entry.data.get("passed", []):
            incident.still_failing.pop((raw["check"], date.fromisoformat(raw["partition"])), None)
        if entry.kind == "transition":
            incident.state = State(entry.data["to"])
            incident.acting_since = None
            if incident.state in (State.VERIFIED, State.RESOLVED):
                incident.recovered_at = incident.recovered_at or entry.at
                incident.pending_reruns = []
            if incident.state is State.REOPENED:
                incident.recovered_at = None
                incident.attempts = 0
        match entry.data.get("phase"):
            case "begun":
                incident.attempts += 1
                incident.acting_since = entry.at
                incident.pending_reruns = []
            case "done" | "failed":
                incident.acting_since = None
                incident.acted_at = entry.at
                incident.pending_reruns = [date.fromisoformat(day) for day in entry.data["reruns"]]
    return incident
