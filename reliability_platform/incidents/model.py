"""An incident: the fold of its timeline. Nothing but the timeline is stored."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from reliability_platform.checks.watched import RecoveryWatch
from reliability_platform.errors import UsageError
from reliability_platform.incidents.classes import CLASSES, Severity
from reliability_platform.incidents.times import Times
from reliability_platform.incidents.triage import Triage, classify, steps_of


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
OUTCOME = "outcome"
NOT_RECOVERED, FAILED, BROKEN_OFF, NOT_RUN = "not_recovered", "failed", "broken_off", "not_run"
"""How an attempt ended that did not help: judged and found wanting, raised, killed, its days never run again. Only the
first two say anything about its cause."""
UNCONFIRMED = "unconfirmed"
"""How an attempt ended of which only a person can say whether it helped."""
ENDED = frozenset({State.VERIFIED, State.RESOLVED, State.CLOSED, State.FALSE_ALARM})


KINDS = frozenset(
    {
        "opened",  # with the first signals, the class, the severity and its reasons
        "signals",  # checks that failed later, or again
        "recovery",  # checks that had failed and passed
        "transition",  # to another state
        "action",  # what remediation did
        "escalation",  # a person must act: remediation is at its end, or nobody has answered in time
        "update",  # how it stands, for those who were told; of a person, with the moment of the next one
        "note",
        "assigned",  # to a person
        "severity",  # raised or lowered, with the reasons
        "alert",  # somebody was told
        "impact",  # the numbers of the blast radius, before healing and after it
        "action_item",  # something to do so that it does not happen again; later: done
        "deadline",  # an answer, a postmortem or an action item that was due is late
        "breach_report",  # a breach was reported to the authority, or need not be
        "postmortem",  # written
        "burn",  # an error budget burns by it
    }
)


@dataclass(frozen=True)
class TimelineEntry:
    """One thing that happened to an incident: when, who, what, why."""

    number: int
    """Its place in the timeline of the incident, from 1 on."""
    at: datetime
    """When."""
    actor: str
    """Who: a person, a token, or a part of the platform."""
    kind: str
    """One of `KINDS`."""
    why: str
    """What happened and why, in words."""
    data: dict[str, Any]
    """The same as fields, by kind."""
    hash: str
    """Over the entry and the hash of the one before."""
    previous_hash: str
    """The hash of the entry before it in the store, of whichever incident."""


@dataclass(frozen=True)
class Signal:
    """A failed or unevaluated check as the incident remembers it."""

    check: str
    dataset: str
    source: str
    partition: date
    status: str
    value: float | None
    threshold: str
    message: str
    sample: list[dict[str, Any]]
    result_id: int = 0
    detail: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the check found, as fields; empty on timelines of 0.3.0."""


@dataclass(frozen=True)
class ActionItem:
    """Something that somebody has to do after the incident, so that it does not come again."""

    number: int
    what: str
    owner: str
    due: date
    done_at: datetime | None = None

    def is_late(self, today: date) -> bool:
        """Whether it is not done, and its day is over."""
        return self.done_at is None and self.due < today


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
    pending_reruns: list[date] = field(default_factory=list)
    """Landing days that the last action changed and that the pipeline must run again."""
    attempts: int = 0
    """Remediation actions taken so far."""
    """An action counts from the moment at which it was begun: one that crashed was an attempt too."""
    actions_taken: int = 0
    """Actions over all its lives; `attempts` begin anew with each of them."""
    resumed: int = 0
    """How often the last action was broken off and taken up again: the same attempt, not another one."""
    begun_at: datetime | None = None
    """When the last action was begun."""
    acting_since: datetime | None = None
    """When an action was begun of which nobody has said yet how it ended."""
    acted_at: datetime | None = None
    """When the last action ended."""
    acted_after: int | None = None
    """The last check result that was there then; None for actions of before this was noted."""
    linked_to: str | None = None
    """The earlier incident of the same failure, or the cause of which this turned out to be a symptom."""
    column: str | None = None
    """The column that the failure is about, where it is one."""
    sources: tuple[str, ...] = ()
    """All sources concerned; more than one if our own machinery failed. `source` is the first of them."""
    still_failing: dict[tuple[str, date], Signal] = field(default_factory=dict)
    """By check and landing day, the last failure that no passed evaluation has followed."""
    times: Times = field(default_factory=Times)
    lives: int = 1
    """How often it was opened: one more for each time it came back."""
    assignee: str | None = None
    """Its commander: who acknowledged it, or whom it was given to."""
    responders: list[str] = field(default_factory=list)
    """Who else works on it, each once, in the order in which they came."""
    channel: str | None = None
    """Where they talk about it."""
    action_items: list[ActionItem] = field(default_factory=list)
    impact: dict[str, Any] = field(default_factory=dict)
    """`bad` and `recovered`: the numbers of the blast radius as they were recorded before healing and after it."""
    missed: set[str] = field(default_factory=set)
    """The deadlines that are noted as missed: `response`, `postmortem`, `update`, `action item 2`."""
    postmortem_at: datetime | None = None
    breach_reported_at: datetime | None = None
    """When it was recorded that a breach was reported to the authority, or need not be."""
    watch: RecoveryWatch | None = None
    """Since its recovery was verified; None while it is open, and where its class is not watched."""
    is_symptom: bool = False
    """Whether it turned out to be no failure of its own but a symptom of the one that it is linked to."""
    triage_steps: list[dict[str, Any]] | None = None

    @property
    def recovered_at(self) -> datetime | None:
        """When the data were right again: the one definition, that of its times."""
        return self.times.recovered

    @property
    def triage(self) -> Triage:
        """Type, classification, and the decision tree that led to the severity."""
        found = classify(self.failure_class, {signal.message for signal in self.signals})
        steps = steps_of(self.failure_class, self.triage_steps)
        return Triage(CLASSES[self.failure_class].type, found, self.severity, self.severity_reason, steps)

    @property
    def is_open(self) -> bool:
        """Whether somebody or something still has to bring it to an end."""
        return self.state not in ENDED

    @property
    def untouched(self) -> bool:
        """Open, and nobody has begun to recover from it."""
        return self.state not in ENDED and self.state is not State.RECOVERING and not self.attempts

    @property
    def echo_days(self) -> list[date]:
        """Landing days besides its own on which another source misses its rows: nothing is asked for them, they are judged
        again once its own are right.
        """
        return sorted({day for _, day in self.still_failing} - {*self.partitions})

    @property
    def latest_signals(self) -> list[Signal]:
        """The last signal of each check and landing day, in their order."""
        last = {(signal.partition, signal.check): signal for signal in self.signals}
        return [last[key] for key in sorted(last)]

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


_REACHED: dict[State, tuple[str, ...]] = {
    State.ACKNOWLEDGED: ("acknowledged",),
    State.CONTAINED: ("contained",),
    State.RECOVERING: ("recovery_started",),
    State.VERIFIED: ("verified",),
    State.RESOLVED: ("resolved",),
    State.CLOSED: ("closed",),
    State.FALSE_ALARM: ("resolved",),
}
_OF_A_LIFE = ("contained", "recovery_started", "recovered", "verified", "resolved", "closed")
"""Times that begin anew when an incident comes back: it had not been over."""


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _earliest(known: datetime | None, told: datetime | None) -> datetime | None:
    return min((moment for moment in (known, told) if moment is not None), default=None)


def _with_times(incident: Incident, entry: TimelineEntry) -> Times:
    """The times after one more entry, whose other effects have been folded already. The first of each kind counts."""
    times, news = incident.times, {}
    for name in ("onset", "first_bad_write"):
        news[name] = _earliest(getattr(times, name), _moment(entry.data.get(name)))
    if entry.kind == "alert" and entry.data.get("phase") in ("sent", "dry_run"):
        news["alerted"] = times.alerted or entry.at
    if entry.kind == "recovery":  # the last one counts: what failed again had not recovered
        news["recovered"] = entry.at if not incident.still_failing else times.recovered
    if entry.kind == "transition":
        if incident.state is State.REOPENED:
            news.update(dict.fromkeys(_OF_A_LIFE))
        for name in _REACHED.get(incident.state, ()):
            news[name] = getattr(times, name) or entry.at
        if incident.state is State.VERIFIED:
            news["recovered"] = times.recovered or entry.at
    return replace(times, **news)


def _fold_action_item(incident: Incident, entry: TimelineEntry) -> None:
    number = int(entry.data["number"])
    known = {item.number: item for item in incident.action_items}
    if entry.data.get("done"):
        if number in known:
            known[number] = replace(known[number], done_at=known[number].done_at or entry.at)
    else:
        due = date.fromisoformat(entry.data["due"])
        known[number] = ActionItem(number, entry.data["what"], entry.data["owner"], due)
    incident.action_items = [known[one] for one in sorted(known)]


def _fold_assignment(incident: Incident, entry: TimelineEntry) -> None:
    to = str(entry.data["to"])
    match entry.data.get("role"):
        case "responder":
            incident.responders += [] if to in incident.responders else [to]
        case "channel":
            incident.channel = to
        case _:
            incident.assignee = to


def _fold_signals(incident: Incident, entry: TimelineEntry) -> None:
    days = {*incident.partitions, *(date.fromisoformat(day) for day in entry.data.get("partitions", []))}
    incident.partitions = sorted(days)
    for raw in entry.data.get("signals", []):
        fields = {("status" if name == "verdict" else name): value for name, value in raw.items()}  # as 0.3.0 has it
        signal = Signal(**{**fields, "partition": date.fromisoformat(raw["partition"])})
        incident.signals.append(signal)
        incident.still_failing[signal.check, signal.partition] = signal
    for raw in entry.data.get("passed", []):
        incident.still_failing.pop((raw["check"], date.fromisoformat(raw["partition"])), None)
    if incident.pending_reruns:  # an echo that was heard after the action
        incident.pending_reruns = sorted({*incident.pending_reruns, *incident.echo_days})


def _fold_transition(incident: Incident, entry: TimelineEntry) -> None:
    incident.state = State(entry.data["to"])
    incident.is_symptom = incident.state is State.FALSE_ALARM and "linked_to" in entry.data
    incident.acting_since = None
    if incident.state in (State.VERIFIED, State.RESOLVED):
        incident.pending_reruns = []
    if incident.state is State.REOPENED:
        incident.attempts = 0
        incident.lives += 1
        incident.watch = None
    if "watch" in entry.data:
        incident.watch = RecoveryWatch.of(entry.data["watch"])


def _fold_action(incident: Incident, entry: TimelineEntry) -> None:
    match entry.data.get("phase"):
        case "begun":
            incident.attempts += 1
            incident.actions_taken += 1
            incident.begun_at = incident.acting_since = entry.at
            incident.pending_reruns = []
            incident.resumed = 0
        case "resumed":
            incident.acting_since = entry.at
            incident.resumed += 1
        case "done" | "failed":
            incident.acting_since = None
            incident.acted_at = entry.at
            incident.acted_after = entry.data.get("results_before")
            incident.pending_reruns = [date.fromisoformat(day) for day in entry.data["reruns"]]


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
        triage_steps=opened.data.get("triage"),
        times=Times(detected=opened.at),
    )
    for entry in entries:
        incident.timeline.append(entry)
        incident.linked_to = entry.data.get("linked_to", incident.linked_to)
        _fold_signals(incident, entry)
        match entry.kind:
            case "transition":
                _fold_transition(incident, entry)
                _fold_action(incident, entry)  # an action begins with the step to recovering
            case "action":
                _fold_action(incident, entry)
            case "assigned":
                _fold_assignment(incident, entry)
            case "severity":
                incident.severity = Severity(entry.data["severity"])
                incident.severity_reason = entry.data["severity_reason"]
                incident.triage_steps = entry.data["triage"]
            case "impact":
                incident.impact[entry.data["phase"]] = entry.data
            case "action_item":
                _fold_action_item(incident, entry)
            case "deadline":
                incident.missed.add(entry.data["deadline"])
            case "breach_report":
                incident.breach_reported_at = incident.breach_reported_at or entry.at
            case "postmortem":
                incident.postmortem_at = incident.postmortem_at or entry.at
        incident.times = _with_times(incident, entry)
    return incident
