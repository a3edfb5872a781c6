"""What a campaign says of its healing: times and actions by the timeline, medians by family, what was not measured."""

import json
from pathlib import Path
from typing import Any

from reliability_platform.incidents.decisions import Decision, decide
from reliability_platform.lab.campaign.document import keep_campaign, last_campaign
from reliability_platform.lab.campaign.healing import healing
from reliability_platform.lab.campaign.recovery import actions_begun, seconds_to_recover
from reliability_platform.lab.scorecard.report.healing import healing_of
from reliability_platform.remediation.heal import act, verify
from reliability_platform.settings import load_settings
from tests.unit.broken_home import BrokenHome
from tests.unit.failing import later
from tests.unit.test_campaign import an_outcome

GAP = "bronze_orders__batch_completeness"


def test_an_incident_that_came_back_is_measured_from_its_return(tmp_path: Path) -> None:
    """On a platform that is hit again and again, the same incident has several lives: none may pay for another."""
    home = BrokenHome(tmp_path)
    home.land(without=(2,))
    home.judge(failing=[GAP])
    one = home.incident(GAP).id
    assert seconds_to_recover(home.incidents.get(one)) is None

    def heal(minute: int, failing: tuple[str, ...] = ()) -> None:
        act(home.settings, home.engine, one, later(minute), "test")
        home.judge(failing=failing, at=later(minute + 1))
        verify(home.settings, home.engine, one, later(minute + 2), "test")

    heal(10, failing=(GAP,))
    heal(20)
    healed = home.incidents.get(one)
    assert actions_begun(healed) == 2
    assert seconds_to_recover(healed) == 22 * 60
    decide(home.incidents, one, Decision.REOPEN, later(40), "Ada", "it is wrong again")
    heal(50)
    again, known = home.incidents.get(one), len(healed.timeline)
    assert (actions_begun(again, known), seconds_to_recover(again, known)) == (1, 12 * 60)


def test_what_has_not_recovered_makes_no_median_better() -> None:
    """An incident that is still open has no length; the table says how many durations it rests on."""
    outcomes = [an_outcome(number, "a", seconds_to_recover=float(number)) for number in (1, 2, 6)]
    outcomes += [an_outcome(9, "b", family="delivery", seconds_to_recover=None, healed=False, remediations=4)]
    found = healing(outcomes)
    assert (found["n"], found["median_seconds"], found["p95_seconds"], found["p95_is_longest"]) == (3, 2.0, 6.0, True)
    assert (found["healed"], found["healable"]) == (3, 4)
    assert found["remediations_per_incident"] == 7 / 4
    delivery, value = found["by_family"]
    assert (delivery["family"], delivery["n"], delivery["median_seconds"], delivery["healed"]) == (
        "delivery",
        0,
        None,
        0,
    )
    assert (value["family"], value["scenarios"], value["remediations"]) == ("value", 3, 3)


def a_document(**more: Any) -> dict[str, Any]:
    """A campaign with one fault, and what was lost on purpose beside it."""
    summary = {"healing": healing([an_outcome(1, "a")])}
    return {"scenarios": [], "controls": [], "mutation": {}, "summary": summary, "kills": None, "drills": None} | more


DRILL = {
    "drill": "home-loss", "rows_lost": 0, "objective_rows": 0, "recovery_seconds": 8.25, "objective_seconds": 900.0,
    "equal_to_before": True, "oracle_equal": True, "met": True, "remarks": [],
}  # fmt: skip
KILL = {"at_seconds": 1.5, "work_seconds": 9.0, "rerun_seconds": 8.0, "wrong": []}
MEASURED = {"at": "2026-03-01T10:20:30+00:00", "platform_version": "9.8.7", "models_version": "1", "cores": 2}


def test_what_was_not_measured_is_said_not_to_be() -> None:
    """Silence would read as success; so would a figure of another day without its date."""
    found = healing_of(a_document())
    assert found is not None and not found.against
    assert next(one for one in found.sentences if "not measured in this campaign" in one).startswith("Kills")
    assert sum("not measured in this campaign" in one for one in found.sentences) == 2
    assert healing_of({"summary": {}}) is None and healing_of(None) is None
    kills = {"seed": 1, "n": 2, "survived": 2, "work": "4 landing days", "kills": [KILL, KILL]}
    found = healing_of(a_document(kills=kills, drills={"home": "3 days", "drills": [DRILL]}, measured=MEASURED))
    assert found is not None and not found.against
    assert not any("not measured" in one for one in found.sentences)
    assert any("Kills survived: 2 of 2, seed 1" in one for one in found.sentences)
    assert any("2026-03-01 10:20 UTC with version 9.8.7" in one for one in found.sentences)
    assert found.tables[1].rows[0] == (
        "home loss", "0 (at most 0)", "8.2\u00a0s (at most 900.0\u00a0s)", "yes", "met",
    )  # fmt: skip


def test_a_kill_that_was_not_survived_and_a_drill_that_lost_rows_are_loud() -> None:
    """They decide the exit code, and stand above the figures."""
    kills = {"seed": 1, "n": 1, "survived": 0, "work": "w", "kills": [KILL | {"wrong": ["published: revenue differs"]}]}
    drills = {"home": "3 days", "drills": [DRILL | {"met": False, "rows_lost": 1_200, "remarks": ["Late."]}]}
    found = healing_of(a_document(kills=kills, drills=drills))
    assert found is not None
    assert "published: revenue differs" in found.against[0]
    assert found.against[1] == "Drill home-loss: objectives not met. Late."
    assert str(found.tables[1].rows[0][1]).startswith("1,200 ")


def test_the_figures_are_kept_as_csv_and_those_of_an_earlier_campaign_go(tmp_path: Path) -> None:
    """A drill of last month beside a campaign of today would be read as one of today."""
    settings = load_settings(tmp_path)
    path = keep_campaign(settings, a_document(drills={"drills": [DRILL]}))
    assert json.loads(path.read_text())["summary"]["healing"]["n"] == 1
    lines = path.with_name("campaign_healing.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["family", "value", "all"]
    assert path.with_name("campaign_drills.csv").read_text().splitlines()[1].startswith("home-loss,0,0,8.25,900.0")
    keep_campaign(settings, a_document())
    assert not path.with_name("campaign_drills.csv").exists()
    assert last_campaign(settings) is not None
