"""Triage: the decision tree, what raises a severity, and what kind of incident it is."""

from pathlib import Path

import pytest

from reliability_platform.causes import Persistence
from reliability_platform.incidents.classes import CLASSES, Harm, Severity
from reliability_platform.incidents.detection import Surroundings, observe
from reliability_platform.incidents.impact import Consumers
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.incidents.triage import HOW_MUCH, TREE, classify, spread, triage
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings, load_settings
from tests.unit.failing import NOW, Numbers, day, later, result

BY_TYPE = {
    "data loss": "data_loss",
    "corruption": "distribution_shift",
    "breach": "pii_leak",
    "pipeline failure": "source_silent",
    "schema break": "schema_break",
    "quality degradation": "null_spike",
    "freshness violation": "freshness_breach",
}


@pytest.mark.parametrize("type_name", BY_TYPE)
def test_each_type_of_data_incident_has_its_classes(type_name: str) -> None:
    """The seven types of data incident response are all there."""
    assert triage(BY_TYPE[type_name]).type == type_name


def test_the_tree_asks_from_worst_to_least_and_covers_every_harm() -> None:
    """The first yes decides, so a later question must never be worse than an earlier one."""
    assert [harm for harm, _, _ in TREE] == list(Harm)
    severities = [next(one for one in CLASSES.values() if one.harm is harm).severity for harm, _, _ in TREE]
    assert severities == sorted(severities)


@pytest.mark.parametrize("failure_class", CLASSES)
def test_the_steps_lead_to_the_severity_and_stop_at_the_first_yes(failure_class: str) -> None:
    """Who doubts a severity can follow the questions down."""
    found = triage(failure_class)
    asked = found.steps[: [step.answer for step in found.steps].index(True) + 1]
    assert asked[-1].question == TREE[len(asked) - 1][1]
    assert found.severity is CLASSES[failure_class].severity
    assert found.reason.startswith(f"{found.severity}: ")
    assert all(step.evidence for step in found.steps)


def test_bad_numbers_that_critical_consumers_saw_are_p1_but_never_p0() -> None:
    """P0 means a breach or a loss; no number of readers makes one."""
    seen = triage("null_spike", shown_to=["finance_dashboard"])
    assert (seen.severity, "raised from P2 to P1" in seen.reason) == (Severity.P1, True)
    assert triage("missing_data", shown_to=["a", "b", "c"], days=40).severity is Severity.P1
    assert triage("duplicate_delivery", shown_to=["a"]).severity is Severity.P2, "duplicates spoil no numbers"


def test_days_that_were_published_before_they_failed_are_not_called_unseen() -> None:
    """Rows of long published days were lost, and the document said that no critical consumer had been shown these days."""
    [said] = [step for step in triage("data_loss").steps if "shown" in step.question]
    assert said.answer is False
    assert "was published before they failed" in said.evidence


@pytest.mark.parametrize(
    ("failure_class", "days", "expected"),
    [("late_data", 6, "P3"), ("late_data", 7, "P2"), ("null_spike", 7, "P1"), ("pii_leak", 7, "P0")],
)
def test_what_spreads_is_one_degree_worse(failure_class: str, days: int, expected: str) -> None:
    """A nuisance of one day is a problem after a week."""
    assert triage(failure_class, days=days, widespread_days=7).severity == expected


def test_an_incident_that_grows_is_judged_again_with_the_reason_on_the_timeline(tmp_path: Path) -> None:
    """On the first day nobody knows that it will last a week."""
    settings = load_settings(tmp_path).model_copy(update={"widespread_days": 3})
    engine, number = operations_engine(settings), Numbers()
    around = Surroundings(settings, lambda: Consumers({}, frozenset()))
    check = "stg_payments__missing_customer_id"
    for one in (5, 6, 7):
        observe(engine, number(result(check, one)), later(one), around)
    (incident,) = IncidentStore(engine).all()
    assert (incident.severity, incident.partitions) == ("P1", [day(5), day(6), day(7)])
    (raised,) = [entry for entry in incident.timeline if entry.kind == "severity"]
    assert raised.why.startswith("P2 → P1: ")
    assert incident.triage.steps[-1].question == "Is it widespread?"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("IO Error: Could not set lock on file", Persistence.TRANSIENT),
        ("No space left on device", Persistence.DETERMINISTIC),
        ("what it says does not matter", CLASSES["write_failure"].persistence),
    ],
)
def test_the_error_of_our_own_machinery_says_whether_it_passes_by_itself(message: str, expected: Persistence) -> None:
    """A full disk is still full after a retry."""
    assert classify("write_failure", [message]).persistence is expected


def test_an_old_timeline_without_steps_is_read_all_the_same(tmp_path: Path) -> None:
    """Homes live longer than versions."""
    store = IncidentStore(operations_engine(load_settings(tmp_path)))
    data = {
        "partitions": [day(5).isoformat()], "signals": [], "source": "orders", "failure_class": "missing_data",
        "root_dataset": "bronze_orders", "severity": "P1", "severity_reason": "P1 by its class",
    }  # fmt: skip
    one = store.create("old", NOW, "sensor", "because", data, [1])
    assert one is not None
    assert store.get(one).triage.steps[-1].answer
    assert Settings().widespread_days == 7


def test_a_failure_on_many_days_is_one_worse_and_the_grade_knows_it() -> None:
    """The platform raised what spreads, and the campaign called that wrong in 30 of 50 scenarios of a week or a month."""
    assert [spread(one, 6) for one in Severity] == list(Severity)
    assert [spread(one, 7) for one in Severity] == [Severity.P0, Severity.P1, Severity.P1, Severity.P2]
    for name in ("late_data", "null_spike", "missing_data", "pii_leak"):
        assert triage(name, days=30).severity is spread(CLASSES[name].severity, 30)


@pytest.mark.parametrize(
    ("impact", "expected"), [(0.003, Severity.P3), (0.02, Severity.P2), (0.0999, Severity.P2), (0.1, Severity.P1)]
)
def test_how_much_of_a_day_is_unlike_its_past_says_how_bad_it_is(impact: float, expected: Severity) -> None:
    """One label of a hundred rows and the revenue times three were both P1, for critical consumers were shown both."""
    found = triage("profile_anomaly", impact=impact, shown_to=["finance"], declared=["P3"])
    assert (found.severity, found.steps[-2].question) == (expected, HOW_MUCH)
    assert "P1 from 10.0 %, P2 from 2.0 %" in found.steps[-2].evidence
    assert triage("profile_anomaly").severity is Severity.P2, "what an earlier release told says nothing of how much"
