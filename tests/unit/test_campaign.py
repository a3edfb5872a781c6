"""The arithmetic of the campaign: intervals, who kills whom, and that its grids are what they promise."""

import itertools
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.clock import FIRST_DAY
from reliability_platform.errors import UsageError
from reliability_platform.lab.campaign.grade import ScenarioOutcome, TrialOutcome, own_wrong_dates
from reliability_platform.lab.campaign.grid import HISTORY_DAYS, all_sizes, lane_of, scenarios_of, trials_of
from reliability_platform.lab.campaign.mutation import mutation_score
from reliability_platform.lab.campaign.statistics import wilson
from reliability_platform.lab.campaign.summary import summarise
from reliability_platform.lab.faults.catalogue import CATALOGUE, CONTROLS
from reliability_platform.lab.scorecard.report.outcome import outcome


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(10, 10, 0.7225, 1.0), (0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (95, 100, 0.8882, 0.9785)],
)
def test_wilson_intervals_are_those_of_the_textbook(hits: int, n: int, low: float, high: float) -> None:
    """Compared with statsmodels' proportion_confint(method="wilson")."""
    share = wilson(hits, n)
    assert share.low == pytest.approx(low, abs=5e-5)
    assert share.high == pytest.approx(high, abs=5e-5)
    assert wilson(0, 0).share is None


def an_outcome(number: int, fault: str, **changes: Any) -> ScenarioOutcome:
    outcome = ScenarioOutcome(
        id=f"s{number}", fault=fault, family="value", source="orders", magnitude="small", window="day",
        first_day="2026-02-01", last_day="2026-02-01", seed=1, detected=True, detected_by=[], expected_class="x",
        incident="i", incidents=1, other_incidents=[], root_cause_right=True, root_cause={}, severity="P2",
        expected_severity="P2", severity_right=True, contained=True, told=False, healed=True,
        quarantine={"true_rows": 4, "quarantined_rows": 5, "hit_rows": 4, "precision": 0.8, "recall": 1.0},
        days_to_detect=0.0, seconds_to_detect=1.0, seconds_to_recover=2.0, remediations=1, changed_first=None,
        changed_file_first=None,
    )  # fmt: skip
    return replace(outcome, **changes)


def test_mutation_score_names_who_catches_whom() -> None:
    """A check that catches less than another is redundant; of two equal ones the later is; survivors are named."""
    one, two, three = list(CHECKS)[:3]
    scenarios = [an_outcome(1, "a"), an_outcome(2, "b"), an_outcome(3, "b"), an_outcome(4, "c", detected=False)]
    kills = {"s1": [one], "s2": [one, two], "s3": [two, three], "s4": []}
    score = mutation_score(scenarios, kills)
    assert {"check": one, "fault": "b", "kills": 1, "scenarios": 2} in score["matrix"]
    assert score["redundant_checks"] == [{"check": three, "covered_by": two}]
    assert score["surviving_faults"] == [
        {"fault": "c", "source": "orders", "magnitude": "small", "scenarios": 1, "missed": 1}
    ]
    assert len(score["never_fired"]) == len(CHECKS) - 3


def test_a_miss_and_a_false_alarm_cannot_hide_in_the_summary() -> None:
    """Every number of the summary moves when something goes wrong."""
    scenarios = [
        an_outcome(1, "a"),
        an_outcome(2, "b", detected=False, contained=False, healed=False, incident=None, incidents=0),
    ]
    trial = TrialOutcome(scenarios, [], {}, ["INC-9"], 10, {"s1": True, "s2": False}, ["orders/2026-01-01"], {})
    summary = summarise([trial])
    assert summary["detected_share"] == summary["contained_share"] == summary["healed_share"] == 0.5
    assert summary["surviving_faults"] == ["b"]
    assert [tuple(one.values()) for one in summary["by_fault_and_magnitude"]] == [
        ("a", "small", 1, 1),
        ("b", "small", 1, 0),
    ]
    assert summary["false_alarms"] == 1
    assert summary["quarantine_precision"] == 0.8
    assert summary["unexplained_differences"] == ["orders/2026-01-01"]
    assert summary["baselines"][2]["detected_share"] == 0.5


def test_whether_the_changed_file_is_named_first_counts_faults_that_change_one_alone() -> None:
    """One that is not even noticed has not been named."""
    scenarios = [
        an_outcome(1, "a"),
        an_outcome(2, "b", changed_file_first=True),
        an_outcome(3, "b", changed_file_first=False, detected=False),
    ]
    none_or_half = [
        summarise([TrialOutcome(some, [], {}, [], 10, {one.id: True for one in some}, [], {})])
        for some in (scenarios[:1], scenarios)
    ]
    assert [one["changed_file_share"] for one in none_or_half] == [None, 0.5]


def test_what_was_published_and_told_is_no_containment() -> None:
    """Wrong numbers that consumers were told of are still wrong numbers that they saw."""
    seen = [an_outcome(1, "a"), an_outcome(2, "b", contained=False, told=True)]
    summary = summarise([TrialOutcome(seen, [], {}, [], 10, {"s1": True, "s2": False}, [], {})])
    assert (summary["contained_share"], summary["told_share"]) == (0.5, 0.5)
    found = outcome(None, {"summary": summary})
    assert found.sentence.startswith("Proved: in 2 scenarios every fault was noticed, contained or told and healed")
    hidden = [an_outcome(1, "a"), an_outcome(2, "b", contained=False)]
    summary = summarise([TrialOutcome(hidden, [], {}, [], 10, {"s1": True, "s2": False}, [], {})])
    assert "1 of 2 scenarios was not contained" in outcome(None, {"summary": summary}).sentence


def test_what_nobody_can_tell_is_neither_contained_nor_proved() -> None:
    """Where all published tables are of several sources none was compared, and every fault counted as contained."""
    dates = {date(2026, 2, 1)}
    assert own_wrong_dates(set(), dates, differs_together=False, is_alone=False) == set()
    assert own_wrong_dates(set(), dates, differs_together=True, is_alone=True) == dates
    assert own_wrong_dates(set(), dates, differs_together=True, is_alone=False) is None
    assert own_wrong_dates(set(), set(), differs_together=True, is_alone=False) == set()
    seen = [an_outcome(1, "a"), an_outcome(2, "b", contained=None)]
    summary = summarise([TrialOutcome(seen, [], {}, [], 10, {"s1": True, "s2": False}, [], {})])
    assert (summary["contained_share"], summary["intervals"]["contained"]["n"]) == (1.0, 1)
    told = outcome(None, {"summary": summary}).sentence
    assert told.startswith("Not proved") and "of 1 fault nobody can tell whether consumers saw it" in told


def test_the_standard_grid_has_every_fault_size_and_source() -> None:
    """At least 300 scenarios and 100 controls; each fault at each size on each of its sources, for a day."""
    sizes = all_sizes("standard", 1)
    assert sizes["scenarios"] >= 300
    assert sizes["controls"] >= 100
    there = {(one.fault, one.source, one.magnitude) for one in scenarios_of("standard", 1) if one.window == "day"}
    for fault in CATALOGUE.values():
        if fault.stage == "landing":
            assert {(fault.name, source, size) for source in fault.applies_to for size in fault.magnitudes} <= there
    assert {one.fault for one in scenarios_of("standard", 1)} == set(CATALOGUE) | set(CONTROLS)
    assert {one.fault for one in scenarios_of("quick", 1)} == set(CATALOGUE) | set(CONTROLS)
    past_alone = {name for name, one in CATALOGUE.items() if one.expected_class == "profile_anomaly"}
    assert {one.fault for one in scenarios_of("subtle", 1)} == past_alone
    placed = [one for trial in trials_of(scenarios_of("subtle", 1)) for one in trial.scenarios]
    assert (min(one.first_day for one in placed) - FIRST_DAY).days >= 28, "what is new is known against four weeks"
    with pytest.raises(UsageError):
        scenarios_of("grand", 1)


def test_no_two_scenarios_of_a_lane_touch() -> None:
    """At least one clean day between them, and a clean past before the first."""
    for trial in trials_of(scenarios_of("standard", 2)):
        if trial.is_live:
            continue
        for lane in {lane_of(one.source) for one in trial.scenarios}:
            spans = sorted((one.first_day, one.last_day) for one in trial.scenarios if lane_of(one.source) == lane)
            assert (spans[0][0] - spans[0][0].replace(month=1, day=1)).days >= HISTORY_DAYS
            for (_, end), (start, _) in itertools.pairwise(spans):
                assert (start - end).days >= 2
        assert len({one.seed for one in trial.scenarios}) == 1
