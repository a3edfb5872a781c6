"""When the platform acts by itself, and what it says when it does not."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from reliability_platform.incidents.decisions import Decision, decide
from reliability_platform.incidents.model import Incident, State
from reliability_platform.remediation import conditions
from reliability_platform.remediation.conditions import CONDITIONS
from reliability_platform.remediation.due import due, next_attempt_at, obstacle
from reliability_platform.remediation.heal import act, verify
from reliability_platform.remediation.policy import POLICIES
from reliability_platform.warehouse.journal import SUCCEEDED, BuildJournal
from tests.unit.broken_home import BrokenHome
from tests.unit.failing import later

GAP = "bronze_orders__batch_completeness"


@pytest.fixture
def home(tmp_path: Path) -> BrokenHome:
    made = BrokenHome(tmp_path)
    made.land(without=(2,))
    made.judge(failing=[GAP])
    return made


def why_not(home: BrokenHome, incident: Incident, minute: int = 1, approved: bool = False, **settings: Any) -> str:
    """What keeps the platform from acting; empty if nothing does."""
    own = home.settings.model_copy(update=settings)
    return obstacle(own, home.engine, incident, later(minute), approved=approved) or ""


def fail_once(home: BrokenHome, one: str, minute: int) -> Incident:
    """One attempt that does not help."""
    act(home.settings, home.engine, one, later(minute), "test")
    home.judge(failing=[GAP], at=later(minute + 1))
    assert not verify(home.settings, home.engine, one, later(minute + 1), "test")
    return home.incidents.get(one)


def test_the_master_switch_and_that_of_a_class_leave_it_to_people(home: BrokenHome) -> None:
    """With automation off the platform still says what it would do; a person who watches is not hindered."""
    incident = home.incident(GAP)
    assert why_not(home, incident) == ""
    assert "switched off (RELIABILITY_AUTOMATION)" in why_not(home, incident, automation=False)
    assert "switched off for missing_data" in why_not(home, incident, automation_off_for=["missing_data"])
    assert why_not(home, incident, automation_off_for=["null_spike"]) == ""
    assert why_not(home, incident, automation=False, approved=True) == ""
    assert why_not(home, incident, automation=False, attended=True) == ""


def test_waits_double_between_attempts_and_nobody_who_watches_waits(home: BrokenHome) -> None:
    """What failed a second ago fails again; what fails for an hour needs no attempt every minute."""
    incident = fail_once(home, home.incident(GAP).id, 10)
    policy = POLICIES["missing_data"]
    assert next_attempt_at(incident, policy) == later(10) + policy.backoff
    incident.attempts = 3
    assert next_attempt_at(incident, policy) == later(10) + 4 * policy.backoff
    incident.attempts = 1
    assert "the next attempt is at 03:10:30 UTC" in why_not(home, incident, 10)
    assert why_not(home, incident, 11) == ""
    assert why_not(home, incident, 10, attended=True) == ""


def test_after_its_attempts_it_is_escalated_and_stays_so(home: BrokenHome) -> None:
    """It never loops: a second life brings new attempts, but its budget ends that too."""
    one = home.incident(GAP).id
    for minute in (10, 20):
        incident = fail_once(home, one, minute)
    assert why_not(home, incident, 100, approved=True) == "no attempt is left: the owner of the source must decide"
    decide(home.incidents, one, Decision.RESOLVE, later(30), "Ada", "by hand")
    decide(home.incidents, one, Decision.REOPEN, later(40), "Ada", "it is still wrong")
    incident = home.incidents.get(one)
    assert (incident.attempts, incident.actions_taken) == (0, 2)
    assert why_not(home, incident, 50) == ""
    assert "acted upon 2 times" in why_not(home, incident, 50, remediation_budget=2)


def test_the_platform_does_not_act_more_often_than_a_person_could_follow(home: BrokenHome) -> None:
    """If everything breaks at once, healing everything at once is one more outage."""
    one = home.incident(GAP).id
    incident = fail_once(home, one, 10)
    assert "1 action in one hour is the limit" in why_not(home, incident, 20, remediations_per_hour=1)
    assert why_not(home, incident, 71, remediations_per_hour=1) == ""


def test_what_is_asked_for_at_the_same_moment_counts_against_the_limit_of_an_hour(home: BrokenHome) -> None:
    """A hundred incidents of one tick were a hundred actions: none of them had begun when the others were counted."""
    ids = [home.incident(GAP.replace("orders", source)).id for source in ("orders", "payments", "shipments")]
    own = home.settings.model_copy(update={"remediations_per_hour": 2})

    def asked(minute: int) -> list[str]:
        return [one.id for one in due(own, home.engine, home.incidents.open(), later(minute))]

    statements: list[str] = []

    def note(*call: Any) -> None:
        statements.append(call[2])

    event.listen(home.engine, "before_cursor_execute", note)
    assert asked(1) == ids[:2]
    event.remove(home.engine, "before_cursor_execute", note)
    assert sum("count(*)" in one and "timeline" in one for one in statements) == 1
    assert asked(2) == ids[:2], "they have not begun: asked for again, the limit is not"
    act(own, home.engine, ids[0], later(3), "test")
    assert asked(4) == ids[1:2]
    act(own, home.engine, ids[1], later(5), "test")
    assert asked(6) == []
    assert asked(65) == ids[2:]


def test_a_full_or_forbidden_disk_is_not_written_again_blindly(
    home: BrokenHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deterministic failure is tried again once its cause is gone, and not before."""
    holds = CONDITIONS["warehouse_can_be_written"].holds
    incident = home.incident(GAP)
    assert holds(home.settings, home.engine, incident, later(1))
    monkeypatch.setattr(conditions, "ROOM_BYTES", 10**18)
    assert not holds(home.settings, home.engine, incident, later(1))
    monkeypatch.undo()
    monkeypatch.setattr("os.access", lambda path, _mode: path != home.settings.home)  # root may write anywhere
    assert not holds(home.settings, home.engine, incident, later(1))


def test_nothing_is_built_again_while_another_build_is_at_work(home: BrokenHome) -> None:
    """Two builds of the same days are what the guard is there to refuse."""
    incident = home.incident(GAP)
    holds = CONDITIONS["nobody_builds_these_days"].holds
    journal = BuildJournal(home.engine, home.settings.builds)
    number = journal.begin(home.day - timedelta(days=1), home.day, later(1))
    assert not holds(home.settings, home.engine, incident, later(1))
    journal.end(number, later(2), SUCCEEDED)
    assert holds(home.settings, home.engine, incident, later(1))


def test_what_is_over_or_under_way_is_left_alone(home: BrokenHome) -> None:
    """Whatever anybody approves."""
    one = home.incident(GAP).id
    act(home.settings, home.engine, one, later(1), "test")
    assert why_not(home, home.incidents.get(one), approved=True) == "it is being healed"
    home.incidents.move(one, State.FALSE_ALARM, later(2), "Ada", "a rehearsal")
    assert why_not(home, home.incidents.get(one), approved=True) == "it is over"
