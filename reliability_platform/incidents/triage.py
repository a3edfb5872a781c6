"""Triage: what kind of incident it is, whether trying again can help, and how bad it is, each with its reason.

The severity comes from a decision tree: the first question that is answered with yes decides. What consumers were
shown, and how many days are hit, can raise it; to P1 at most, for no number of readers makes a breach or a loss.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from reliability_platform.causes import Cause, Persistence, cause_in
from reliability_platform.counted import counted
from reliability_platform.formats import percent
from reliability_platform.incidents.classes import (
    CLASSES,
    Aspect,
    FailureClass,
    Harm,
    IncidentType,
    Origin,
    Severity,
)

# The first question that is answered with yes decides; what stands beside it is then the reason.
TREE: tuple[tuple[Harm, str, str], ...] = (
    (Harm.EXPOSURE, "Is personal data exposed?", "personal data is exposed"),
    (Harm.LOSS, "Is data lost that the platform had?", "data is lost that the platform had"),
    (
        Harm.WRONG_NUMBERS,
        "Would decisions rest on wrong or incomplete numbers if nobody acted?",
        "decisions would rest on wrong or incomplete numbers if nobody acted",
    ),
    (Harm.STANDSTILL, "Does a delivery or a build stand still?", "a delivery or a build stands still"),
    (Harm.DEGRADED, "Is the quality of the data degraded?", "the quality of the data is degraded"),
    (Harm.MINOR, "Is it a minor inconsistency?", "it is a minor inconsistency"),
)
SHOWN = "Were critical consumers shown bad numbers?"
"""The question whose yes means that publication came before detection."""
HOW_MUCH = "How much of the day's numbers is unlike what was expected of them?"
"""Asked where the class says from how much on it is how bad; whom it was shown is then no further reason, for what is told is
published as a rule."""
WIDESPREAD_DAYS = 7


def spread(severity: Severity, days: int, widespread_days: int = WIDESPREAD_DAYS) -> Severity:
    """What a failure on so many landing days is: one worse than on a few, P1 at most. Whoever grades expects the same."""
    if days < widespread_days:
        return severity
    return min(severity, max(Severity.P1, list(Severity)[max(0, list(Severity).index(severity) - 1)]))


@dataclass(frozen=True)
class TriageStep:
    """One question of the decision tree."""

    question: str
    answer: bool
    evidence: str


@dataclass(frozen=True)
class Classification:
    """The three ways in which incidents differ in what to do about them, with the reason for the first."""

    persistence: Persistence
    origin: Origin
    aspect: Aspect
    reason: str
    cause: str
    """The row of the table of causes."""


@dataclass(frozen=True)
class Triage:
    """What is known about an incident without opening its data."""

    type: IncidentType
    classification: Classification
    severity: Severity
    reason: str
    """Why this severity, in one sentence."""
    steps: tuple[TriageStep, ...]
    """The decision tree down to the question that decided, and what raised it."""


def classify(failure_class: str, messages: Iterable[str] = ()) -> Classification:
    """Transient or deterministic, upstream or ours, and what it is about. `messages` are those of the failed checks."""
    kind = CLASSES[failure_class]
    cause, reason = kind.cause, f"as a rule: {kind.cause.why}"
    told = _told(messages) if kind.told_by_its_error else None
    if told is not None:
        cause, reason = told, f"by its error: {told.why}"
    return Classification(cause.persistence, kind.origin, kind.aspect, reason, cause.name)


def _told(messages: Iterable[str]) -> Cause | None:
    """What the errors say; of several, what does not go away by itself."""
    found = [cause for message in messages if (cause := cause_in(message)) is not None]
    return min(found, key=lambda cause: cause.is_transient, default=None)


def _tree(kind: FailureClass) -> list[TriageStep]:
    steps = []
    for harm, question, _ in TREE:
        yes = harm is kind.harm
        steps.append(TriageStep(question, yes, kind.what_it_means if yes else f"{kind.title}: not of this kind."))
        if yes:
            break
    return steps


def triage(
    failure_class: str,
    *,
    declared: Iterable[str] = (),
    shown_to: Sequence[str] = (),
    days: int = 1,
    widespread_days: int = WIDESPREAD_DAYS,
    messages: Iterable[str] = (),
    impact: float | None = None,
) -> Triage:
    """Type, classification and severity.

    `declared` are the severities of the checks that failed, `shown_to` the critical consumers that were shown the
    landing days before the failure was noticed, `days` the number of landing days hit, `impact` the part of a day's numbers
    that is concerned, where that is known.
    """
    kind = CLASSES[failure_class]
    steps = _tree(kind)
    severity = kind.severity
    reasons = [f"{severity}: {next(words for harm, _, words in TREE if harm is kind.harm)}"]

    def ask(question: str, yes: bool, evidence: str, raised: Severity) -> None:
        nonlocal severity
        steps.append(TriageStep(question, yes, evidence))
        if yes and raised < severity:
            reasons.append(f"raised from {severity} to {raised}: {evidence[:1].lower()}{evidence[1:].rstrip('.')}")
            severity = raised

    by_impact = kind.severity_by_impact if impact is not None else {}
    if impact is not None and by_impact:
        severity = min(one for one, least in by_impact.items() if impact >= least)
        limits = ", ".join(f"{one} from {percent(least)}" for one, least in sorted(by_impact.items()))
        evidence = f"{percent(impact)} of the numbers of a day: {limits}."
        steps.append(TriageStep(HOW_MUCH, True, evidence))
        reasons = [f"{severity}: {percent(impact)} of a day's numbers are unlike what was expected"]

    worst = min((Severity(one) for one in declared), default=severity)
    if worst < severity:
        ask(
            "Does a check that failed declare worse?",
            True,
            f"One of the checks that failed is declared {worst}.",
            worst,
        )
    shown = bool(shown_to) and kind.spoils_numbers and not by_impact
    if by_impact:
        evidence = "How much of what is shown is wrong has been weighed already."
    elif shown:
        evidence = f"Critical consumers had been shown these days: {', '.join(shown_to)}."
    elif kind.spoils_numbers:
        evidence = "What critical consumers see of these days, if anything, was published before they failed."
    else:
        evidence = "A failure of this class spoils no numbers."
    ask(SHOWN, shown, evidence, Severity.P1)
    if days >= widespread_days:
        worse = spread(severity, days, widespread_days)
        ask(
            "Is it widespread?",
            True,
            f"It is on {counted(days, 'landing day')} ({widespread_days} count as widespread).",
            worse,
        )
    return Triage(kind.type, classify(failure_class, messages), severity, "; ".join(reasons), tuple(steps))


def as_data(found: Triage) -> dict[str, Any]:
    """What the timeline keeps of it; the rest follows from the class."""
    return {
        "severity": found.severity.value,
        "severity_reason": found.reason,
        "triage": [asdict(step) for step in found.steps],
    }


def steps_of(failure_class: str, kept: Sequence[dict[str, Any]] | None) -> tuple[TriageStep, ...]:
    """The steps as the timeline kept them; those of the class where it kept none."""
    if kept is None:
        return tuple(_tree(CLASSES[failure_class]))
    return tuple(TriageStep(**step) for step in kept)
