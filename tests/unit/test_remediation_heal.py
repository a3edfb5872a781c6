"""Healing end to end, without dbt: act, judge again, verify; and every way in which it does not work."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.facts import Deviating, Facts
from reliability_platform.checks.results import INSUFFICIENT_HISTORY, CheckResult, CheckStatus
from reliability_platform.contracts import SOURCES
from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError, UsageError
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.model import Incident, State
from reliability_platform.remediation import heal
from reliability_platform.remediation.actions import ACTIONS, Action, Done
from reliability_platform.remediation.at_work import at_work
from reliability_platform.remediation.due import MAX_RESUMED, may_act
from reliability_platform.remediation.heal import (
    RERUN_WITHIN,
    act,
    rerun_is_due,
    reruns_of,
    verify,
)
from reliability_platform.remediation.healed import healed_since
from reliability_platform.remediation.ledger import Replay, ReplayLedger
from reliability_platform.remediation.policy import POLICIES
from reliability_platform.settings import Settings
from reliability_platform.warehouse.publication import DUE, announce
from tests.unit.broken_home import BrokenHome
from tests.unit.failing import NOW, later, missing, passed, result

GAP = "bronze_orders__batch_completeness"
NULLS = "stg_orders__missing_customer_id"
TWICE = "bronze_orders__duplicate_batches"


@pytest.fixture
def home(tmp_path: Path) -> BrokenHome:
    made = BrokenHome(tmp_path)
    made.land(without=(2,))
    made.judge(failing=[GAP])
    return made


def begin(home: BrokenHome, incident_id: str, minute: int = 1) -> None:
    act(home.settings, home.engine, incident_id, later(minute), "test")


def may(home: BrokenHome, incident: Incident, approved: bool = False) -> bool:
    """Whether an action is due, to somebody who watches."""
    watched = home.settings.model_copy(update={"attended": True})
    return may_act(watched, home.engine, incident, NOW, approved=approved)


def check_it(home: BrokenHome, incident_id: str, minute: int) -> bool:
    return verify(home.settings, home.engine, incident_id, later(minute), "test")


def test_act_judge_verify_resolve(home: BrokenHome) -> None:
    """The whole loop, on the record: who, when, why, and which batch came again."""
    one = home.incident(GAP, facts=missing(2)).id
    before = home.incidents.last_position()
    assert may(home, home.incidents.get(one))
    begin(home, one)
    incident = home.incidents.get(one)
    assert incident.state is State.RECOVERING
    assert reruns_of(incident) == {("orders", home.day)}
    assert rerun_is_due(home.settings, home.engine, incident)
    assert not may(home, incident)
    assert not check_it(home, one, 2)  # nothing has been judged since
    home.admit()
    home.judge(at=later(3))
    assert check_it(home, one, 4)
    incident = home.incidents.get(one)
    assert incident.state is State.RESOLVED
    assert incident.recovered_at == later(4)
    assert incident.still_failing == {}
    assert [entry.data.get("to") or entry.data.get("phase") or entry.kind for entry in incident.timeline] == [
        "opened", "contained", "bad", "recovering", "done", "verified", "resolved",
    ]  # fmt: skip
    [replay] = ReplayLedger(home.engine).all(one)
    assert (replay.batch_id, replay.how, replay.attempt) == ("orders-20260105-02-a2", "replacement", 1)
    assert home.incidents.broken_links() == []
    # `heal` said that no incident was open, and not what it had healed, nor by what.
    [told] = healed_since(home.settings, home.engine, before, later(5))
    [taken] = told.actions
    assert (told.incident, told.state, told.left) == (one, State.RESOLVED, None)
    assert (taken.action, taken.ended, taken.reruns) == ("re_request_batches", "done", (home.day,))
    assert taken.says in str(told)
    assert str(told).startswith(f"{one} is resolved.")
    assert healed_since(home.settings, home.engine, home.incidents.last_position(), later(5)) == []


def test_days_that_miss_the_rows_are_judged_again_with_those_on_which_they_came(home: BrokenHome) -> None:
    """Orders were healed, and a parcel of three days later still led nowhere: the incident waited for ever."""
    one = home.incident(GAP, facts=missing(2)).id
    missed = Facts(deviations=(Deviating("found in", "order_id", "orders", "", 1.0, 0.8, 1, 0.2),))
    after = home.day + timedelta(days=3)
    home.checks.record([result("int_shipments__deduplicated__profile", 8, facts=missed)])
    observe(home.engine, home.checks.after(home.checks.last_id() - 1, 1), NOW)
    begin(home, one)
    incident = home.incidents.get(one)
    assert (incident.partitions, incident.pending_reruns) == ([home.day], [home.day, after])
    home.admit()
    home.judge(at=later(3))
    assert not check_it(home, one, 4)
    names = ["int_shipments__deduplicated__profile", "rec_batches__conserved__orders"]
    home.checks.record([passed(name, 8, at=later(5)) for name in names])
    assert check_it(home, one, 6)


def test_acting_and_verifying_again_changes_nothing(home: BrokenHome) -> None:
    """Runs are retried, sensors tick twice, people press twice."""
    one = home.incident(GAP).id
    begin(home, one)
    before, landing = home.incidents.get(one), home.landing_bytes()
    assert act(home.settings, home.engine, one, later(2), "test").reruns == [home.day]
    assert (home.incidents.get(one), home.landing_bytes()) == (before, landing)
    home.admit()
    home.judge(at=later(3))
    assert check_it(home, one, 4)
    over = home.incidents.get(one)
    assert check_it(home, one, 5)
    assert home.incidents.get(one) == over
    with pytest.raises(UsageError, match="cannot become recovering"):
        begin(home, one, 6)
    assert len(ReplayLedger(home.engine).all()) == 1


def test_results_of_before_the_action_prove_nothing(home: BrokenHome) -> None:
    """A check that passed by luck an hour ago says nothing of the batch that has landed since."""
    one = home.incident(GAP).id
    begin(home, one, 10)
    home.judge(at=later(9))
    assert rerun_is_due(home.settings, home.engine, home.incidents.get(one))
    assert not check_it(home, one, 11)
    assert home.incidents.get(one).state is State.RECOVERING


def test_a_killed_build_that_was_run_again_before_anybody_noticed_is_healed(home: BrokenHome) -> None:
    """It is reported failed and mended at one tick; the next run made the second result stale, and none came after."""
    home.judge()
    one = home.incident("dbt_build__ended").id
    home.checks.record([result("dbt_build__ended", status=CheckStatus.PASSED, at=later(1))])
    act(home.settings, home.engine, one, later(2), "test")
    home.checks.invalidate(SOURCES, [home.day])
    again = [name for name, spec in CHECKS.items() if spec.engine != "run"]
    home.checks.record([result(name, status=CheckStatus.PASSED, at=later(3)) for name in again])
    assert verify(home.settings, home.engine, one, later(4), "test"), home.incidents.get(one).timeline[-1].why
    assert home.incidents.get(one).state is State.RESOLVED


def test_a_clock_that_was_set_back_does_not_keep_an_incident_open(home: BrokenHome) -> None:
    """The day was judged again, a day before the action by the clock: results have an order of their own."""
    one = home.incident(GAP).id
    home.judge(failing=[GAP], at=later(-1440))
    begin(home, one, 10)
    assert rerun_is_due(home.settings, home.engine, home.incidents.get(one))
    home.admit()
    home.judge(at=later(10 - 1440))
    announce(home.settings)  # a run that was killed between its results and its publication
    assert rerun_is_due(home.settings, home.engine, home.incidents.get(one))
    (home.settings.published / DUE).unlink()
    assert not rerun_is_due(home.settings, home.engine, home.incidents.get(one))
    assert check_it(home, one, 11 - 1440)
    assert home.incidents.get(one).state is State.RESOLVED


def test_an_action_that_does_not_help_is_tried_again_and_then_left_to_a_person(home: BrokenHome) -> None:
    """It must never loop: after its attempts it stays contained, and says that a person must decide."""
    one = home.incident(GAP).id
    attempts = POLICIES["missing_data"].max_attempts
    for attempt in range(1, attempts + 1):
        assert may(home, home.incidents.get(one))
        begin(home, one, 10 * attempt)
        home.judge(failing=[GAP], at=later(10 * attempt + 1))
        assert not check_it(home, one, 10 * attempt + 2)
        incident = home.incidents.get(one)
        assert (incident.state, incident.attempts) == (State.CONTAINED, attempt)
        assert any(GAP in entry.why for entry in incident.timeline[-2:])
    assert not may(home, incident)
    assert not may(home, incident, approved=True)
    assert "a person must decide" in incident.timeline[-2].why
    assert (incident.timeline[-1].kind, incident.timeline[-1].data) == ("escalation", {"to": "the owner of the source"})


def test_an_action_that_raises_is_on_the_record_and_counts(home: BrokenHome) -> None:
    """No warehouse to ask: the run fails, the timeline says why, and it is not tried for ever."""
    one = home.incident(NULLS).id
    for attempt in range(1, POLICIES["null_spike"].max_attempts + 1):
        with pytest.raises(EnvironmentUnusableError):
            begin(home, one, attempt)
        incident = home.incidents.get(one)
        assert (incident.state, incident.attempts) == (State.CONTAINED, attempt)
        assert any("does not exist: `reliability run` makes" in entry.why for entry in incident.timeline)
    assert not may(home, incident)


def die_acting(home: BrokenHome, one: str) -> None:
    """An action that lands what it asked for, and is killed before it can say so."""

    def killed(settings: Settings, incident: Incident, actor: str) -> Done:
        ACTIONS["re_request_batches"].perform(settings, incident, actor)
        os._exit(9)

    child = os.fork()
    if child == 0:
        heal.action_named = lambda name: Action(name, "be killed", killed, lambda *_: "")
        try:
            begin(home, one)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_an_action_whose_process_was_killed_is_taken_up_again(home: BrokenHome) -> None:
    """At once, as the same attempt; what the dead process had landed is in the ledger too."""
    one = home.incident(GAP).id
    die_acting(home, one)
    incident, landing = home.incidents.get(one), home.landing_bytes()
    assert (incident.state, incident.attempts, ReplayLedger(home.engine).all()) == (State.RECOVERING, 1, [])
    assert may(home, incident)
    begin(home, one, 2)
    incident = home.incidents.get(one)
    assert (incident.attempts, incident.resumed, incident.pending_reruns) == (1, 1, [home.day])
    assert home.landing_bytes() == landing
    assert [replay.batch_id for replay in ReplayLedger(home.engine).all(one)] == ["orders-20260105-02-a2"]
    assert not may(home, incident)


def test_what_was_landed_and_admitted_before_the_action_is_taken_up_again_is_in_the_ledger(home: BrokenHome) -> None:
    """The slot is not missing any more then; that it was asked for must not be forgotten."""
    one = home.incident(GAP).id
    die_acting(home, one)
    home.admit()
    begin(home, one, 2)
    assert [replay.batch_id for replay in ReplayLedger(home.engine).all(one)] == ["orders-20260105-02-a2"]


def test_an_action_that_another_process_is_taking_is_left_to_it(home: BrokenHome) -> None:
    """Two at once would both ask the source; however long it takes, it is not dead."""
    one = home.incident(GAP)
    home.incidents.move(one.id, State.RECOVERING, NOW, "other", "Action", phase="begun", action="re_request_batches")
    with at_work(home.settings, one):
        assert not may(home, home.incidents.get(one.id))
        with pytest.raises(HomeBusyError):
            begin(home, one.id, 1)
    assert may(home, home.incidents.get(one.id))


def test_an_action_that_ends_between_two_looks_was_not_broken_off(home: BrokenHome) -> None:
    """Its lock was gone, and what had been read before said that it was under way: it was asked for once more, and an
    attempt that had been given up began again without a look at the policy.
    """
    one = home.incident(GAP).id
    home.incidents.move(one, State.RECOVERING, NOW, "other", "Action", phase="begun", action="re_request_batches")
    read_before = home.incidents.get(one)
    home.incidents.move(one, State.CONTAINED, NOW, "other", "The action failed.")
    assert not may(home, read_before)


def test_an_action_that_is_broken_off_again_and_again_is_given_up(home: BrokenHome) -> None:
    """It may be what kills its process: after some times the platform lets it be, and the time limit ends the attempt."""
    one = home.incident(GAP).id
    begun = {"phase": "begun", "action": "re_request_batches"}
    home.incidents.move(one, State.RECOVERING, NOW, "killed", "Action", **begun)
    for _ in range(MAX_RESUMED):
        assert may(home, home.incidents.get(one))
        home.incidents.append(one, NOW, "killed", "action", "Again", begun | {"phase": "resumed"})
    assert not may(home, home.incidents.get(one))
    assert not verify(
        home.settings, home.engine, one, NOW + POLICIES["missing_data"].time_limit + timedelta(seconds=1), "test"
    )
    incident = home.incidents.get(one)
    assert (incident.state, incident.attempts) == (State.CONTAINED, 1)
    assert may(home, incident)


def test_days_that_nobody_runs_again_do_not_wait_for_ever(home: BrokenHome) -> None:
    """If the pipeline itself is broken, a recovering incident must come back into sight."""
    one = home.incident(GAP).id
    begin(home, one)
    assert not verify(home.settings, home.engine, one, later(2) + RERUN_WITHIN, "test")
    incident = home.incidents.get(one)
    assert incident.state is State.CONTAINED
    assert "not run again" in incident.timeline[-1].why


def test_a_partition_that_is_still_held_is_not_recovered(home: BrokenHome) -> None:
    """The incident's own checks pass, but another blocking one has not judged yet: fail closed."""
    one = home.incident(GAP).id
    begin(home, one)
    home.checks.record([passed(GAP, at=later(2)), passed("rec_batches__conserved__orders", at=later(2))])
    home.checks.record([result("stg_orders__row_count", status=CheckStatus.FAILED, at=later(2))])
    assert not check_it(home, one, 3)
    assert "still held" in home.incidents.get(one).timeline[-1].why


def test_what_another_incident_holds_does_not_keep_this_one_open(home: BrokenHome) -> None:
    """Two causes on one day: each is over when its own failure is, and neither uses up the other's attempts."""
    one, other = home.incident(GAP).id, home.incident(NULLS).id
    begin(home, one)
    home.judge(failing=[NULLS], at=later(2))
    assert check_it(home, one, 3)
    incident = home.incidents.get(one)
    assert incident.state is State.RESOLVED
    assert other in incident.timeline[-2].why
    assert home.incidents.get(other).state is State.CONTAINED


def test_duplicates_are_proved_harmless_though_the_batch_did_come_twice(home: BrokenHome) -> None:
    """The delivery stays on the record; what counts is that no row counts twice."""
    home.judge(failing=[TWICE])
    one = home.incident(TWICE).id
    begin(home, one)
    assert reruns_of(home.incidents.get(one)) == set()
    assert not rerun_is_due(home.settings, home.engine, home.incidents.get(one))
    assert check_it(home, one, 2)


def test_duplicates_that_did_get_through_are_not_proved_harmless(home: BrokenHome) -> None:
    """The proof must be able to fail."""
    bad = "int_orders__deduplicated__duplicate_keys"
    home.judge(failing=[TWICE, bad])
    one = home.incident(TWICE).id
    begin(home, one)
    assert not check_it(home, one, 2)
    assert bad in home.incidents.get(one).timeline[-2].why


def test_late_rows_need_their_days_run_again(home: BrokenHome) -> None:
    """Their share stays what it was; gold must have taken them in."""
    late = "stg_orders__late_share"
    one = home.incident(late).id
    begin(home, one)
    assert reruns_of(home.incidents.get(one)) == {("orders", home.day)}
    home.judge(failing=[late], at=later(2))
    assert check_it(home, one, 3)


def test_rows_beyond_the_watermark_are_not_healed_by_a_run(home: BrokenHome) -> None:
    """They are held until a person approves a backfill; nothing may call that recovered in silence."""
    too_late = "hld_too_late__no_orders"
    one = home.incident(too_late).id
    begin(home, one)
    home.judge(failing=[too_late], at=later(2))
    assert not check_it(home, one, 3)
    assert too_late in home.incidents.get(one).timeline[-2].why


@pytest.mark.parametrize("had_failed", [False, True])
def test_a_check_that_could_not_judge_is_no_proof_that_what_had_failed_is_right(
    home: BrokenHome, had_failed: bool
) -> None:
    """A source in its first weeks must be able to recover; but a volume that was wrong is not right for want of a past."""
    volume = "int_orders__deduplicated__volume"
    one = home.incident(GAP, *([volume] if had_failed else [])).id
    begin(home, one)
    home.judge(at=later(2))
    young = result(volume, status=CheckStatus.NOT_EVALUATED, value=None, at=later(2))
    home.checks.record([CheckResult(**{**vars(young), "reason": INSUFFICIENT_HISTORY})])
    assert check_it(home, one, 3) is not had_failed
    assert (
        any(f"{volume} on {home.day} has not passed" in one.why for one in home.incidents.get(one).timeline)
        is had_failed
    )


def test_what_needs_a_decision_waits_for_a_person(home: BrokenHome) -> None:
    """A volume may be real; asking for everything again would hide a campaign."""
    incident = home.incident("int_orders__deduplicated__volume")
    assert not may(home, incident)
    assert may(home, incident, approved=True)


def test_the_ledger_records_a_batch_once(home: BrokenHome) -> None:
    """The same content under the same id came once, however often it is told."""
    ledger = ReplayLedger(home.engine)
    replay = Replay("orders-20260105-02-a2", "orders", home.day, "replacement", "abc")
    ledger.record([replay], "INC-0001", 1, NOW)
    ledger.record([replay], "INC-0002", 1, later(1))
    assert [(one.incident_id, one.replayed_at) for one in ledger.all()] == [("INC-0001", NOW)]


def test_a_check_that_the_project_does_not_have_is_no_proof(home: BrokenHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Late rows could not be healed in a project without marts: its proof names the check that compares them with silver."""
    late = home.incident("stg_orders__late_share")
    policy = POLICIES[late.failure_class]
    [gold] = [one.format(source="orders") for one in policy.proof if "gold" in one]
    assert (gold, home.day) in heal._wanted(late)
    monkeypatch.delitem(CHECKS, gold)
    assert {check for check, _ in heal._wanted(late)} <= CHECKS.keys()
