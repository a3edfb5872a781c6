"""Every fault and every control on a platform of real parts, side by side in one world; a seed that nothing else uses.

`make test` has one fault of each class that the demo's week has none of (`test_demo.py`), and all controls but those that
read a week; `make test-all` every fault and control.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from reliability_platform.checks.results import INSUFFICIENT_HISTORY, CheckStatus
from reliability_platform.clock import FIRST_DAY
from reliability_platform.lab.campaign.grade import ScenarioOutcome, TrialOutcome, grade
from reliability_platform.lab.campaign.grid import (
    CLEAN_DAYS_BETWEEN,
    HISTORY_DAYS,
    Scenario,
    TrialPlan,
    lane_of,
    trials_of,
)
from reliability_platform.lab.campaign.trial import Observation, run_trial
from reliability_platform.lab.faults.catalogue import CATALOGUE, CONTROLS, fault_named
from reliability_platform.lab.faults.fault import Containment
from reliability_platform.lab.faults.plan import load_plan
from reliability_platform.lab.faults.targets import checks_named
from tests.scenarios.test_demo import FEW

SEED = 777
LANDING = [fault for fault in CATALOGUE.values() if fault.stage == "landing"]
FAULTS = [fault.name for fault in LANDING if not fault.is_control]
WEEKS = [control for control in CONTROLS.values() if control.days_touched > 7]
"""They would make the world of the others half as long again."""
SILENT = [fault.name for fault in (*LANDING, *CONTROLS.values()) if fault.is_control and fault not in WEEKS]
OF_EACH_CLASS = {CATALOGUE[name].expected_class: name for name in reversed(FAULTS)} | {
    "profile_anomaly": "optional_null_spike"  # told or held by the past alone; the first one is quarantined
}
IN_THE_DEMO = {CATALOGUE[injected.fault].expected_class for injected in load_plan(FEW).injections}
ALWAYS = [name for expected, name in OF_EACH_CLASS.items() if expected not in IN_THE_DEMO] + [
    name for name in SILENT if fault_named(name).days_read < 7
]


def _each(names: Iterable[str]) -> list[ParameterSet]:
    """Those that `make test` leaves out, marked."""
    return [pytest.param(name, marks=[] if name in ALWAYS else [pytest.mark.exhaustive]) for name in names]


def _scenarios(faults: Iterable[str]) -> Iterator[Scenario]:
    """Each on the lane that has the fewest days so far; each day of the world costs a second."""
    ends: Counter[tuple[str, ...]] = Counter()
    placed: Counter[str] = Counter()
    for place, fault in enumerate(map(fault_named, faults)):
        sources = [*fault.applies_to[place % len(fault.applies_to) :], *fault.applies_to]
        if fault.name in ALWAYS or fault.expected_class == "profile_anomaly":
            # What is wrong in orders, the payments and shipments that refer to them show as well.
            sources = [one for one in sources if one != "orders"] or sources
        source = min(sources, key=lambda one: (ends[lane_of(one)], placed[one]))
        placed[source] += 1
        ends[lane_of(source)] += fault.days_read + fault.days_touched + CLEAN_DAYS_BETWEEN
        # At medium size some of what only the past can tell is within its noise; the campaign measures how much.
        yield Scenario(fault.name, source, "large" if fault.containment is Containment.TOLD else "medium", "day", SEED)


def _plan(names: Collection[str]) -> TrialPlan:
    """Controls, then faults: what lacks because of a fault is rightly missed in the week after it."""
    [first] = trials_of(_scenarios(name for name in SILENT if name in names))
    [then] = trials_of(_scenarios(name for name in FAULTS if name in names))
    later = timedelta(days=first.days - HISTORY_DAYS)
    moved = [replace(one, first_day=one.first_day + later) for one in then.scenarios]
    return replace(first, scenarios=(*first.scenarios, *moved))


Trial = tuple[Observation, TrialOutcome]


def _trial(home: Path, plan: TrialPlan, *, heals: bool) -> Trial:
    observation = run_trial(home, plan, heals=heals)
    return observation, grade(observation)


@pytest.fixture(scope="module")
def trial(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """One world with all that this session asks for, from landing to the incidents and what consumers see."""
    asking = (test_every_fault_is_one_incident_that_names_its_cause, test_no_control_raises_anything)
    asked: set[str] = {
        str(item.callspec.params["name"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.function in asking
    }
    return _trial(tmp_path_factory.mktemp("catalogue") / "home", _plan({*asked, *ALWAYS}), heals=False)


@pytest.fixture(scope="module")
def healed(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """The same, and each fault is healed."""
    return _trial(tmp_path_factory.mktemp("healed") / "home", _plan([*FAULTS, *SILENT]), heals=True)


def _placed(observation: Observation, name: str) -> Scenario:
    return next(one for one in observation.plan.scenarios if one.fault == name)


def _outcome(trial: Trial, name: str) -> ScenarioOutcome:
    return next(one for one in trial[1].scenarios if one.fault == name)


def test_the_clean_weeks_pass_every_check(trial: Trial) -> None:
    """Only then does a failed check mean anything. Those that need a past say so until they have one."""
    last_clean = FIRST_DAY + timedelta(days=HISTORY_DAYS - 1)
    clean = [result for result in trial[0].results if result.partition <= last_clean]
    assert len(clean) > 130 * HISTORY_DAYS
    assert not [result for result in clean if result.status is CheckStatus.FAILED]
    unjudged = [result for result in clean if result.status is CheckStatus.NOT_EVALUATED]
    assert {result.reason for result in unjudged} == {INSUFFICIENT_HISTORY}
    assert max(result.partition for result in unjudged) < FIRST_DAY + timedelta(days=14)


@pytest.mark.parametrize("name", _each(FAULTS))
def test_exactly_the_expected_checks_fail_on_exactly_its_days(trial: Trial, name: str) -> None:
    """All of the fault's signature, nothing but its declared symptoms besides, on no day that it did not touch."""
    observation, _ = trial
    scenario = _placed(observation, name)
    [truth] = [one for one in observation.truths if one.fault == name and one.landing_date == scenario.first_day]
    lane = lane_of(scenario.source)
    near = [scenario.first_day + timedelta(days=offset) for offset in range(-1, scenario.span + 1)]
    failed: dict[str, set[date]] = {}
    for result in observation.results:
        if result.status is CheckStatus.FAILED and result.source in lane and result.partition in near:
            failed.setdefault(result.check, set()).add(result.partition)

    fault, column = scenario.declared, truth.expected_column
    signature = checks_named(fault.signature, scenario.source, column)
    symptoms = checks_named(fault.symptoms, scenario.source, column)
    # Whatever is wrong may make a day unlike its past, also that of a source whose rows refer to it.
    unlike = {f"int_{one}__deduplicated__{name}" for one in lane for name in ("profile", "profile_impact")}
    assert signature <= set(failed) <= signature | symptoms | unlike
    left = _left_behind(observation, lane)
    days = {day for check, told in failed.items() for day in (told - left if check in unlike else told)}
    assert days <= set(truth.landing_dates)


def _left_behind(observation: Observation, lane: Collection[str]) -> set[date]:
    """The days on which the profile of a source may rightly tell of an earlier fault on its lane, which nobody heals here:
    rows of orders lack that payments and shipments of the week after it refer to, and days of a drift are in its window.
    """
    hit = [day for one in observation.truths if one.source in lane for day in one.landing_dates]
    return {day + timedelta(days=offset) for day in hit for offset in range(8)}


@pytest.mark.parametrize("name", _each(FAULTS))
def test_every_fault_is_one_incident_that_names_its_cause(trial: Trial, name: str) -> None:
    """Detected, root cause and severity right, contained; the quarantine holds the bad rows and no others."""
    found = _outcome(trial, name)
    by_its_past = CATALOGUE[name].expected_class == "profile_anomaly"
    assert found.detected
    # The profile of a source that refers to the rows may be told beside: how often, the campaign counts.
    assert [one for one in found.other_incidents if "-profile_anomaly-" not in one] == []
    # Of all that moved, the strongest deviation may be of a column that follows.
    cause = {what: right for what, right in found.root_cause.items() if not (by_its_past and what == "column")}
    assert False not in cause.values(), cause
    assert found.severity == found.expected_severity
    assert found.contained or found.told
    assert found.quarantine["recall"] in (None, 1.0)
    assert found.quarantine["precision"] in (None, 1.0)
    assert found.days_to_detect is not None
    assert found.days_to_detect <= 5


@pytest.mark.exhaustive  # 40 s; each way of healing is gone in `make test` by the demo's faults and those of the running platform
@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_heals(healed: Trial, name: str) -> None:
    """By what the policy does, and by what a person approves; nothing of it is wrong in the end."""
    found = _outcome(healed, name)
    assert found.healed
    assert found.contained or found.told
    assert found.incidents == 1, found.other_incidents


@pytest.mark.parametrize("name", _each(SILENT))
def test_no_control_raises_anything(trial: Trial, name: str) -> None:
    """Below every limit is below every limit."""
    [control] = [one for one in trial[1].controls if one.control == name]
    assert control.checks == []
    assert control.false_alarms == 0


@pytest.mark.exhaustive  # 45 s: ten days of each after four weeks of history
def test_a_good_year_raises_nothing(tmp_path: Path) -> None:
    """What grows by a percent a week is no drift that anybody would act upon."""
    every = [Scenario(one.name, one.applies_to[-1], "medium", "day", SEED) for one in WEEKS]
    [plan] = trials_of(every)
    _, outcome = _trial(tmp_path / "home", plan, heals=False)
    assert [(one.control, one.checks) for one in outcome.controls if one.checks or one.false_alarms] == []
    assert outcome.false_alarms_elsewhere == []


def test_nothing_cries_on_a_clean_day_and_a_re_run_opens_nothing(trial: Trial) -> None:
    """No scenario reaches a day that is not its own."""
    observation, outcome = trial
    assert outcome.clean_partition_days > 70
    elsewhere = [one for one in observation.incidents if one.id in outcome.false_alarms_elsewhere]
    by_their_past = [one for one in elsewhere if one.failure_class == "profile_anomaly"]
    assert elsewhere == by_their_past
    for incident in by_their_past:
        assert set(incident.partitions) <= _left_behind(observation, lane_of(incident.source))
    assert [one.false_alarms for one in outcome.controls if one.control == "rerun_of_clean_days"] == [0, 0, 0, 0]


@pytest.mark.exhaustive  # of the healed world, see above
def test_what_is_published_in_the_end_is_what_a_world_without_faults_has(healed: Trial) -> None:
    """It differs from the oracle only where a control put rows that stay."""
    assert healed[1].false_alarms_elsewhere == []
    assert healed[1].unexplained_differences == []
