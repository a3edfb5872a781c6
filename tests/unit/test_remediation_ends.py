"""Every incident comes to an end, or says whose turn it is: what the policy, the action and the words say is one."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from reliability_platform.causes import CAUSES
from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.failed_runs import FailedRun, FailedRuns
from reliability_platform.checks.store import CheckStore
from reliability_platform.incidents.apart import noted
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.documents.runbook import automation
from reliability_platform.incidents.documents.situation import Situation
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.simulation.system import scheduled_batches
from reliability_platform.landing.writer import write_batch
from reliability_platform.remediation.actions import ACTIONS
from reliability_platform.remediation.dead_letters.conclude import conclude
from reliability_platform.remediation.documents import remedy_of, render_overview
from reliability_platform.remediation.due import left_to_a_person, obstacle
from reliability_platform.remediation.heal import act, describe, end_if_recovered, runs_from_the_source, verify
from reliability_platform.remediation.policy import ON_THE_RECORD, POLICIES
from reliability_platform.remediation.standstill import arrived, note_standstill
from tests.unit.broken_home import BrokenHome
from tests.unit.failing import NOW, later, passed
from tests.unit.test_remediation_blind import of_class

GAP = "bronze_orders__batch_completeness"
TWICE = "bronze_orders__duplicate_batches"
MATCHED = "rec_orders__vs__payments__matched"


@pytest.fixture
def home(tmp_path: Path) -> BrokenHome:
    return BrokenHome(tmp_path)


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> BrokenHome:
    """A home on which nothing is missing, refused or rejected: no action finds anything to do."""
    made = BrokenHome(tmp_path_factory.mktemp("landed"))
    made.land()
    made.reject([])
    return made


def why_not(home: BrokenHome, one: str, **said: bool) -> str:
    """What keeps the platform from acting while somebody watches; empty if nothing does."""
    own = home.settings.model_copy(update={"attended": True})
    return obstacle(own, home.engine, home.incidents.get(one), later(60), **said) or ""


def try_once(home: BrokenHome, one: str, failing: str, minute: int) -> Incident:
    act(home.settings, home.engine, one, later(minute), "test")
    home.admit()
    home.judge(failing=[failing], at=later(minute + 1))
    verify(home.settings, home.engine, one, later(minute + 2), "test")
    return home.incidents.get(one)


@pytest.mark.parametrize("failure_class", list(CLASSES))
def test_no_class_burns_its_attempts_on_nothing_and_all_words_agree(landed: BrokenHome, failure_class: str) -> None:
    """Stray files, verify-only and reconciliations used up attempts that changed nothing, and offered the same again."""
    one = of_class(landed, failure_class).id
    policy = POLICIES[failure_class]
    action, minute = ACTIONS[policy.action], 1
    idle = action.idle is not None and action.idle(landed.settings, landed.incidents.get(one)) is not None
    note_standstill(landed.settings, landed.engine, landed.incidents.get(one), later(minute), "test")
    while not why_not(landed, one) and minute < 200:
        minute += 10
        act(landed.settings, landed.engine, one, later(minute), "test")
        verify(landed.settings, landed.engine, one, later(minute) + timedelta(hours=7), "test")
    incident, reason = landed.incidents.get(one), why_not(landed, one)
    if incident.is_open:
        assert reason
        assert incident.attempts <= policy.max_attempts
        assert not (idle and policy.automatic and incident.attempts), "nothing was to be done, and an attempt was made"
        remedy = remedy_of(failure_class, describe(landed.settings, incident), reason)
        assert "heals it by itself" not in automation(incident, cast(Situation, SimpleNamespace(remedy=remedy)))
        if policy.automatic and "must decide" in reason:
            assert any(
                policy.escalation in entry.why.lower() for entry in incident.timeline if entry.kind == "escalation"
            )
    done = [entry for entry in incident.timeline if entry.data.get("phase") == "done"]
    assert all("had been asked for" not in entry.why for entry in done)
    assert describe(landed.settings, incident)


def test_a_stray_file_is_left_to_a_person_at_once_and_costs_no_attempt(home: BrokenHome) -> None:
    """Two attempts were spent on asking for no batch; then the incident stayed open with the same words."""
    home.land()
    home.write_stray_file("orders-20260105-77.parquet")
    one = home.incident("bronze_orders__file_integrity").id
    for _ in range(2):
        note_standstill(home.settings, home.engine, home.incidents.get(one), NOW, "test")
    incident = home.incidents.get(one)
    (escalated,) = [entry for entry in incident.timeline if entry.kind == "escalation"]
    assert "there is no batch to ask for again. The owner of the source must decide" in escalated.why
    assert "there is no batch to ask for again" in why_not(home, one)
    assert incident.attempts == 0


def test_two_sources_that_disagree_are_both_asked_and_told_when_they_send_the_same(tmp_path: Path) -> None:
    """Building again from the same bronze can never make two sources agree."""
    home, other = BrokenHome(tmp_path, "payments"), BrokenHome(tmp_path, "orders")
    home.land()
    other.land()
    one = home.incident(MATCHED)
    assert (one.failure_class, one.sources) == ("sources_disagree", ("orders", "payments"))
    plan = describe(home.settings, one)
    assert "orders again for orders-20260105-01" in plan
    assert "payments again for payments-20260105-01" in plan
    act(home.settings, home.engine, one.id, later(1), "test")
    home.judge(failing=[MATCHED], at=later(2))
    assert not verify(home.settings, home.engine, one.id, later(3), "test")
    incident = home.incidents.get(one.id)
    assert incident.timeline[-1].kind == "escalation"
    assert "the owners of both sources must decide" in incident.timeline[-1].why
    assert "sends the same content again" in incident.timeline[-1].why
    assert "nothing has changed since the last attempt" in why_not(home, one.id)


def late_batch(home: BrokenHome, slot: int) -> None:
    """The batch of a slot lands by itself, after all."""
    for batch in scheduled_batches(home.simulation, home.source, home.day):
        if batch.sequence == slot:
            write_batch(home.settings, batch)


def test_a_late_file_that_lands_after_the_last_attempt_is_taken_in_and_ends_the_incident(home: BrokenHome) -> None:
    """It said that no attempt was left, whatever came; the day was never built."""
    home.land(without=(2, 3))
    one = home.incident(GAP).id
    for minute in (10, 20):
        begun = {"phase": "begun", "action": "re_request_batches"}
        home.incidents.move(one, State.RECOVERING, later(minute), "test", "Action", **begun)
        done = {"phase": "done", "action": "re_request_batches", "reruns": []}
        home.incidents.append(one, later(minute), "test", "action", "Nothing came.", done)
        home.judge(failing=[GAP], at=later(minute + 1))
        assert not verify(home.settings, home.engine, one, later(minute + 2), "test")
    assert "no attempt is left" in why_not(home, one)
    late_batch(home, 2)
    assert arrived(home.settings, home.incidents.get(one)) == [home.day]
    assert why_not(home, one) == "", "what has come is a reason for one more attempt"
    home.admit()
    assert arrived(home.settings, home.incidents.get(one)) == []
    assert not end_if_recovered(home.settings, home.engine, one, later(30), "test"), "slot 3 is still missing"
    late_batch(home, 3)
    home.admit()
    home.judge(at=later(40))
    home.incidents.append(
        one, later(41), "sensor", "recovery", "passed", {"passed": [{"check": GAP, "partition": home.day.isoformat()}]}
    )
    assert end_if_recovered(home.settings, home.engine, one, later(42), "test")
    incident = home.incidents.get(one)
    assert (incident.state, incident.attempts) == (State.RESOLVED, 2)
    assert "without an action" in incident.timeline[-3].why


def test_nothing_ends_by_itself_while_a_day_is_held(home: BrokenHome) -> None:
    """The check that had failed passes; another one of the day has not been judged."""
    home.land()
    one = home.incident(GAP).id
    home.checks.record([passed(GAP, at=later(1))])
    home.incidents.append(
        one, later(1), "sensor", "recovery", "passed", {"passed": [{"check": GAP, "partition": home.day.isoformat()}]}
    )
    assert not end_if_recovered(home.settings, home.engine, one, later(2), "test")
    assert home.incidents.get(one).is_open


def test_what_stays_on_record_is_said_when_the_incident_ends(home: BrokenHome) -> None:
    """ "Recovery verified" over a check that still fails is a lie, unless it says why no number is wrong."""
    home.judge(failing=[TWICE])
    one = home.incident(TWICE).id
    act(home.settings, home.engine, one, later(1), "test")
    assert verify(home.settings, home.engine, one, later(2), "test")
    incident = home.incidents.get(one)
    assert f"On record stays {TWICE} of {home.day}: the batches did come twice" in incident.timeline[-2].why
    assert incident.timeline[-1].why == "Recovery verified; what stays on record made no number wrong."
    for name in ON_THE_RECORD:
        assert any(check.endswith(f"__{name}") for check in CHECKS), name


def test_what_fails_for_one_incident_is_noted_on_it_once_and_the_next_one_has_its_turn(home: BrokenHome) -> None:
    """One incident whose state could not be read kept all others from being healed."""
    one, two = home.incident(GAP), home.incident("bronze_payments__batch_completeness")
    store, reached = IncidentStore(home.engine), []
    for _ in range(2):
        for incident in (one, two):
            with noted(store, incident, NOW, "It could not be verified"):
                if incident is one:
                    raise OSError(28, "No space left on device")
                reached.append(incident.id)
    assert reached == [two.id, two.id]
    (note,) = [entry for entry in store.get(one.id).timeline if entry.kind == "note"]
    assert note.data == {"trouble": "OSError", "cause": "no_room"}
    assert "It could not be verified: " in note.why


def test_an_incident_whose_cause_a_person_has_ended_resolves_though_no_attempt_is_left(home: BrokenHome) -> None:
    """It said "no attempt is left" though only the conclusion was outstanding, and stayed open for ever."""
    home.land()
    home.judge(failing=[GAP])
    one = home.incident(GAP).id
    for minute in (10, 20):
        home.incidents.move(one, State.RECOVERING, later(minute), "test", "tried", action="retry", phase="begun")
        home.incidents.move(one, State.CONTAINED, later(minute + 1), "test", "it did not help")
    assert "no attempt is left" in why_not(home, one)
    home.judge(at=later(30))
    observe(home.engine, CheckStore(home.engine).after(0, 10_000), later(31))
    assert conclude(home.settings, home.engine, [home.incidents.get(one)], lambda: later(32), "somebody") == []
    assert not home.incidents.get(one).is_open


def test_what_only_a_person_can_end_offers_no_healing(home: BrokenHome) -> None:
    """`heal --incident` was printed for stray and misplaced entries, on which it does nothing."""
    home.land()
    home.write_stray_file("orders-20260105-77.parquet")
    home.judge(failing=["bronze_orders__file_integrity"])
    stray, misplaced = home.incident("bronze_orders__file_integrity"), home.incident("bronze_orders__nothing_misplaced")
    gap = home.incident(GAP)
    for one in (stray, misplaced):
        shown = render_overview(home.settings, one, later(5))
        assert "heal --incident" not in shown
        assert "Only a person can end" in shown
        assert one.id in shown
    assert left_to_a_person(home.settings, home.engine, stray, later(5))
    assert gap.is_open


@pytest.mark.parametrize(("stage", "from_landing_on"), [("landing", True), ("reference data", True), ("dbt", False)])
def test_a_run_that_died_in_landing_is_tried_again_from_landing_on(
    home: BrokenHome, stage: str, from_landing_on: bool
) -> None:
    """What had not landed stayed missing: the retry only admitted what was there."""
    one = of_class(home, "run_failed").id
    FailedRuns(home.engine).record(
        FailedRun("died", "pipeline", stage, None, home.day, home.day, CAUSES["unforeseen"], "it broke", NOW)
    )
    act(home.settings, home.engine, one, later(1), "test")
    assert runs_from_the_source(home.incidents.get(one)) is from_landing_on
