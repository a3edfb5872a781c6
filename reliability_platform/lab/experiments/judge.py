"""Compares what an experiment expects with what was observed. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from reliability_platform.formats import joined, seconds
from reliability_platform.incidents.classes import Severity
from reliability_platform.lab.experiments.experiment import NO_CLASS, Expected


class ExperimentStatus(StrEnum):
    """What became of a hypothesis."""

    HELD = "held"
    REFUTED = "refuted"
    NOT_EVALUATED = "not evaluated"
    """The home was not in the steady state, or a question had no answer: nothing follows for the hypothesis."""


@dataclass(frozen=True)
class Claim:
    """One thing that is expected, and what is so."""

    claim: str
    expected: str
    observed: str
    held: bool | None
    """None if nobody can tell."""


@dataclass(frozen=True)
class SeenIncident:
    """An incident that the injections opened, or opened again, as it stands in the end."""

    id: str
    failure_class: str
    severity: Severity
    detected_seconds: float | None
    """From the injection; None of a drill, which has no moment of injection."""
    attempts: int
    recovered: bool
    recovered_seconds: float | None
    state: str
    """And for what it waits, if it is not over."""


@dataclass(frozen=True)
class Observed:
    """What happened on the clone."""

    incidents: Sequence[SeenIncident]
    shown_wrong: Sequence[str] = ()
    """`version/table/event date` that consumers would have seen, and that were wrong."""
    unequal: Mapping[str, int] = field(default_factory=dict)
    """Published tables that differ from before, with the rows that are missing."""
    compared: int = 0
    """Published tables that were compared."""
    steady: Sequence[Claim] = ()
    """The steady state in the end."""
    drills: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Drill → what of its objectives was missed."""


def status_of(claims: Collection[Claim]) -> ExperimentStatus:
    """Refuted by one claim that is not so; held if each of them is."""
    if any(one.held is False for one in claims):
        return ExperimentStatus.REFUTED
    undecided = not claims or any(one.held is None for one in claims)
    return ExperimentStatus.NOT_EVALUATED if undecided else ExperimentStatus.HELD


def judge(expected: Expected, classes: Collection[str], observed: Observed) -> list[Claim]:
    """Each claim of an experiment. `classes` are the failure classes by which its incident may be known; none if nobody may
    notice."""
    return list(_claims(expected, classes, observed))


def _claims(expected: Expected, classes: Collection[str], observed: Observed) -> Iterator[Claim]:
    incidents = observed.incidents
    found = next((one for one in incidents if one.failure_class in classes), None)
    seen = joined([f"{one.failure_class} ({one.id})" for one in incidents]) or NO_CLASS
    if classes:
        yield Claim("failure class", " or ".join(sorted(classes)), seen, found is not None)
        yield from _of_the_incident(expected, found)
    else:
        yield Claim("failure class", NO_CLASS, seen, not incidents)
    wrong = observed.shown_wrong
    shown = f"no: {joined(wrong, 3)}" if wrong else "yes"
    yield Claim("contained", _yes(expected.contained), shown, expected.contained is not bool(wrong))
    open_ones = [f"{one.id} is {one.state}" for one in incidents if not one.recovered]
    words = f"no: {joined(open_ones)}" if open_ones else "yes"
    yield Claim("recovered", _yes(expected.recovered), words, expected.recovered is not bool(open_ones))
    if expected.recovered if expected.tables_equal is None else expected.tables_equal:
        differ = f"{len(observed.unequal)} of {observed.compared} differ: {joined(sorted(observed.unequal))}"
        words = differ if observed.unequal else f"{observed.compared} of {observed.compared}"
        yield Claim(
            "published tables equal", "all, row for row", words, not observed.unequal if observed.compared else None
        )
    for drill, missed in observed.drills.items():
        yield Claim(f"drill {drill}", "objectives met", "; ".join(missed) or "objectives met", not missed)
    if expected.recovered:
        yield from observed.steady


def _of_the_incident(expected: Expected, found: SeenIncident | None) -> Iterator[Claim]:
    """What is expected of it; refuted, if there is none."""
    if expected.severity is not None:
        severity = found.severity.value if found is not None else NO_CLASS
        yield Claim("severity", expected.severity.value, severity, severity == expected.severity.value)
    for name, limit, value in (
        ("detected after", expected.detected_within_seconds, found.detected_seconds if found is not None else None),
        ("recovered after", expected.recovered_within_seconds, found.recovered_seconds if found is not None else None),
    ):
        if limit is not None:
            yield Claim(name, f"at most {seconds(limit)}", seconds(value), value is not None and value <= limit)
    if expected.attempts_at_most is not None:
        attempts = found.attempts if found is not None else None
        held = attempts is not None and attempts <= expected.attempts_at_most
        yield Claim(
            "attempts", f"at most {expected.attempts_at_most}", NO_CLASS if attempts is None else str(attempts), held
        )


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"
