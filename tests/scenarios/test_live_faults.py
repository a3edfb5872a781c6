"""Every fault of the running platform, with real processes, files, locks and a real HTTP server."""

import pytest

from reliability_platform.clock import FIRST_DAY
from reliability_platform.lab.campaign.grade import TrialOutcome
from reliability_platform.lab.campaign.grid import Scenario, trials_of
from reliability_platform.lab.campaign.live import run_live_trial
from reliability_platform.lab.faults.catalogue import CATALOGUE
from reliability_platform.lab.faults.fault import Stage
from reliability_platform.lab.faults.targets import checks_named

# The demo hits with the same faults; here each is judged by exactly its checks, as in the campaign.
pytestmark = pytest.mark.exhaustive

LIVE = [fault for fault in CATALOGUE.values() if fault.stage is not Stage.LANDING]


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> TrialOutcome:
    """One clean platform, hit by all of them, each healed before the next."""
    [plan] = trials_of(Scenario(fault.name, fault.applies_to[-1], "medium", "live", 778) for fault in LIVE)
    assert plan.days > 1
    assert plan.scenarios[0].first_day > FIRST_DAY
    return run_live_trial(tmp_path_factory.mktemp("live") / "home", plan)


def test_the_clean_platform_passes_and_ends_equal_to_the_oracle(trial: TrialOutcome) -> None:
    """Nothing failed before the first injection, and nothing is left after the last one."""
    assert trial.false_alarms_elsewhere == []
    assert trial.unexplained_differences == []


@pytest.mark.parametrize("name", [fault.name for fault in LIVE])
def test_it_is_one_incident_that_names_its_cause_and_heals(trial: TrialOutcome, name: str) -> None:
    """By exactly its checks; consumers saw nothing wrong; in the end the tables equal the oracle's."""
    [found] = [one for one in trial.scenarios if one.fault == name]
    fault = CATALOGUE[name]
    assert found.detected
    assert found.incidents == 1, found.other_incidents
    assert found.root_cause_right, found.root_cause
    assert found.severity == fault.expected_severity
    assert found.contained
    assert found.healed
    assert found.changed_file_first is (True if fault.stage is Stage.TRANSFORM else None), found.changed_first
    failed = set(trial.kills[found.id])
    signature = checks_named(fault.signature, found.source, None)
    symptoms = checks_named(fault.symptoms, found.source, None)
    assert signature <= failed <= signature | symptoms
