"""From results to incidents: opened once, extended, recovered, reopened, linked."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.facts import Deviating, Facts
from reliability_platform.checks.results import INSUFFICIENT_HISTORY, CheckResult, CheckStatus
from reliability_platform.incidents.detection import DEFAULT_REOPEN_DAYS, Surroundings, observe
from reliability_platform.incidents.documents.runbook import detection
from reliability_platform.incidents.impact import Consumers
from reliability_platform.incidents.model import State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings
from tests.unit.failing import NOW, Numbers, crashed, day, later, missing, passed, result

GAP = "bronze_shipments__batch_completeness"
VOLUME = "int_shipments__deduplicated__volume"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return operations_engine(load_settings(tmp_path))


@pytest.fixture
def number() -> Numbers:
    return Numbers()


def around(home: Path, consumers: Consumers) -> Surroundings:
    return Surroundings(load_settings(home), lambda: consumers)


def heal(engine: Engine, incident_id: str, minute: int = 10) -> None:
    store = IncidentStore(engine)
    store.move(incident_id, State.RECOVERING, later(minute), "healer", "act")
    store.move_through(incident_id, [(State.VERIFIED, "passes"), (State.RESOLVED, "done")], later(minute + 1), "healer")


def test_clean_results_open_nothing(engine: Engine, number: Numbers) -> None:
    """A platform that cries wolf is switched off."""
    young = result(VOLUME, status=CheckStatus.NOT_EVALUATED, value=None)
    young = CheckResult(**{**vars(young), "reason": INSUFFICIENT_HISTORY})
    assert observe(engine, number(passed(GAP), young), NOW) == []
    assert IncidentStore(engine).all() == []


def test_the_same_results_read_twice_change_nothing(engine: Engine, number: Numbers) -> None:
    """A sensor may be restarted between any two lines of its code."""
    results = number(result(GAP, facts=missing(2)), result(VOLUME), passed("stg_shipments__row_count"))
    (one,) = observe(engine, results, NOW)
    before = IncidentStore(engine).get(one)
    assert observe(engine, results, later(1)) == []
    assert observe(engine, results[:1], later(2)) == []
    assert IncidentStore(engine).all() == [before]


def test_an_incident_says_what_it_is_about(engine: Engine, number: Numbers) -> None:
    """Id, root, days, severity and its reason stand in the first entry."""
    observe(engine, number(result(GAP, 21), result(VOLUME, 21)), NOW)
    (incident,) = IncidentStore(engine).all()
    assert incident.id == "INC-0001-missing_data-shipments-2026-01-21"
    assert incident.fingerprint == "bronze_shipments/missing_data/shipments/2026-01-21..2026-01-21"
    assert incident.checks == [GAP, VOLUME]
    assert incident.severity == "P1"
    assert incident.detected_at == NOW


def test_a_blocking_failure_that_the_gate_holds_is_contained_at_once(engine: Engine, number: Numbers) -> None:
    """Nobody needs to run at night for what consumers cannot see."""
    observe(engine, number(result(GAP)), NOW)
    (incident,) = IncidentStore(engine).all()
    assert incident.state is State.CONTAINED
    assert "held" in incident.timeline[-1].why


def test_repeated_failures_join_the_open_incident(engine: Engine, number: Numbers) -> None:
    """A check that runs every hour must not open an incident every hour."""
    (one,) = observe(engine, number(result(GAP)), NOW)
    for minute in range(1, 4):
        assert observe(engine, number(result(GAP, at=later(minute))), later(minute)) == [one]
    (incident,) = IncidentStore(engine).all()
    assert len(incident.signals) == 4


def test_a_symptom_that_shows_later_joins_its_cause(engine: Engine, number: Numbers) -> None:
    """Results come in portions; the first portion may hold the cause alone."""
    (one,) = observe(engine, number(result(GAP)), NOW)
    assert observe(engine, number(result(VOLUME)), later(1)) == [one]
    assert len(IncidentStore(engine).all()) == 1


def test_a_cause_that_shows_later_takes_its_symptom_over(engine: Engine, number: Numbers) -> None:
    """One failure must not be healed twice under two names."""
    (symptom,) = observe(engine, number(result(VOLUME)), NOW)
    changed = observe(engine, number(result(GAP)), later(1))
    store = IncidentStore(engine)
    cause = store.get("INC-0002")
    assert cause.failure_class == "missing_data"
    assert set(changed) == {symptom, cause.id}
    merged = store.get(symptom)
    assert (merged.state, merged.linked_to) == (State.FALSE_ALARM, cause.id)


def test_a_symptom_under_treatment_is_not_taken_over(engine: Engine, number: Numbers) -> None:
    """Whoever works on an incident must not have it closed under their hands."""
    (symptom,) = observe(engine, number(result(VOLUME)), NOW)
    IncidentStore(engine).move(symptom, State.RECOVERING, later(1), "somebody", "at work", phase="begun")
    observe(engine, number(result(GAP)), later(2))
    assert IncidentStore(engine).get(symptom).state is State.RECOVERING


def test_the_next_day_extends_an_untouched_incident_and_opens_one_beside_a_touched_one(
    engine: Engine, number: Numbers
) -> None:
    """An action that is under way knows nothing of days that came after it."""
    (one,) = observe(engine, number(result(GAP, 5)), NOW)
    assert observe(engine, number(result(GAP, 6)), later(1)) == [one]
    assert IncidentStore(engine).get(one).partitions == [day(5), day(6)]
    IncidentStore(engine).move(one, State.RECOVERING, later(2), "healer", "act", phase="begun")
    (other,) = observe(engine, number(result(GAP, 7)), later(3))
    assert other != one
    assert IncidentStore(engine).get(one).partitions == [day(5), day(6)]


def test_passing_evaluations_are_evidence_of_recovery(engine: Engine, number: Numbers) -> None:
    """Somebody may have mended the source by hand; the incident must say so."""
    (one,) = observe(engine, number(result(GAP), result(VOLUME)), NOW)
    assert observe(engine, number(passed(GAP), passed("stg_shipments__row_count")), later(1)) == [one]
    incident = IncidentStore(engine).get(one)
    assert incident.timeline[-1].kind == "recovery"
    assert list(incident.still_failing) == [(VOLUME, day(5))]
    assert observe(engine, number(passed(GAP)), later(2)) == []  # nothing new is said twice
    observe(engine, number(passed(VOLUME)), later(3))
    incident = IncidentStore(engine).get(one)
    assert incident.still_failing == {}
    assert incident.state is State.CONTAINED  # evidence does not resolve; verification does


def test_an_older_pass_is_no_evidence_against_a_newer_failure(engine: Engine, number: Numbers) -> None:
    """The order of results counts, not the order in which they are read."""
    good, bad = number(passed(GAP)), number(result(GAP))
    observe(engine, [*bad, *good], NOW)
    (incident,) = IncidentStore(engine).all()
    assert incident.still_failing


def test_a_resolved_failure_that_comes_back_soon_is_reopened(engine: Engine, number: Numbers) -> None:
    """It is the same incident: it was not over."""
    (one,) = observe(engine, number(result(GAP)), NOW)
    heal(engine, one)
    assert observe(engine, number(result(GAP)), later(60)) == [one]
    incident = IncidentStore(engine).get(one)
    assert [entry.data.get("to") for entry in incident.timeline[-2:]] == ["reopened", "contained"]  # the gate holds it
    assert (incident.lives, incident.attempts, incident.recovered_at) == (2, 0, None)


def test_a_failure_that_comes_back_long_after_is_a_new_incident_with_a_link(engine: Engine, number: Numbers) -> None:
    """A month later it has another story, and somebody will want to read the first one."""
    (one,) = observe(engine, number(result(GAP)), NOW)
    heal(engine, one)
    (other,) = observe(engine, number(result(GAP)), later(20) + timedelta(days=DEFAULT_REOPEN_DAYS + 1))
    assert other != one
    assert IncidentStore(engine).get(other).linked_to == one


@pytest.mark.parametrize("check", ["bronze_payments__duplicate_batches", "stg_orders__late_share"])
def test_what_stays_in_the_data_does_not_reopen_what_was_absorbed(engine: Engine, number: Numbers, check: str) -> None:
    """The batch did come twice, and every re-run of the day will see it again."""
    (one,) = observe(engine, number(result(check)), NOW)
    heal(engine, one)
    assert observe(engine, number(result(check)), later(60)) == []
    assert IncidentStore(engine).get(one).state is State.RESOLVED
    assert observe(engine, number(result(check, value=9.0)), later(61)) == [one]  # more than before is news
    assert IncidentStore(engine).get(one).lives == 2


def test_a_false_alarm_stays_one_while_the_numbers_are_the_same(engine: Engine, number: Numbers) -> None:
    """A person has decided; a re-run of the day must not overrule them."""
    (one,) = observe(engine, number(result(VOLUME, value=55)), NOW)
    IncidentStore(engine).move(one, State.FALSE_ALARM, later(1), "somebody", "a campaign, announced")
    assert observe(engine, number(result(VOLUME, value=55)), later(60)) == []
    assert observe(engine, number(result(VOLUME, value=99)), later(61)) == [one]


def test_two_causes_on_one_day_are_two_incidents(engine: Engine, number: Numbers) -> None:
    """Healing one must not close the other."""
    results = number(result("stg_web_events__valid_payload"), result("stg_web_events__missing_session_id"))
    assert len(observe(engine, results, NOW)) == 2


def test_a_check_that_no_longer_exists_is_passed_over(engine: Engine) -> None:
    """Old results must not stop the sensor after an upgrade."""
    gone = CheckResult(**{**vars(result(GAP)), "check": "stg_orders__gone"})
    assert observe(engine, [(1, gone)], NOW) == []


EXPECTED = {
    "duplicate_delivery": ("bronze_payments__duplicate_batches", "P2"),
    "late_data": ("stg_orders__late_share", "P3"),
    "payload_corruption": ("stg_web_events__valid_payload", "P2"),
    "schema_break": ("bronze_orders__schema_contract", "P1"),
    "missing_data": (GAP, "P1"),
    "null_spike": ("stg_payments__missing_customer_id", "P2"),
}


@pytest.mark.parametrize("failure_class", EXPECTED)
@pytest.mark.parametrize("already_shown", [False, True])
def test_severities_come_out_as_declared_while_no_critical_consumer_saw_bad_data(
    engine: Engine, number: Numbers, tmp_path: Path, failure_class: str, already_shown: bool
) -> None:
    """Paging everybody for rows that sit in quarantine teaches people to ignore pages."""
    check, severity = EXPECTED[failure_class]
    source = CHECKS[check].source
    absorbed = failure_class in ("duplicate_delivery", "late_data")
    shown = frozenset({(source, day(5))}) if already_shown and absorbed else frozenset()
    observe(engine, number(result(check)), NOW, around(tmp_path, Consumers({source: ["finance_dashboard"]}, shown)))
    (incident,) = IncidentStore(engine).all()
    assert incident.severity == severity
    assert "raised" not in incident.severity_reason


def test_bad_data_that_critical_consumers_saw_raises_to_p1_with_the_reason(
    engine: Engine, number: Numbers, tmp_path: Path
) -> None:
    """Wrong numbers in critical data are P1, whatever the class."""
    shown: frozenset[tuple[str, date]] = frozenset({("payments", day(5))})
    consumers = Consumers({"payments": ["finance_dashboard", "fraud_feature_set"]}, shown)
    observe(engine, number(result("stg_payments__missing_customer_id")), NOW, around(tmp_path, consumers))
    (incident,) = IncidentStore(engine).all()
    assert incident.severity == "P1"
    assert "raised from P2 to P1" in incident.severity_reason
    assert "finance_dashboard, fraud_feature_set" in incident.severity_reason


def test_consumers_are_asked_for_only_if_an_incident_opens(engine: Engine, number: Numbers, tmp_path: Path) -> None:
    """Reading every published table on each tick of a sensor would cost more than it tells."""

    def refuse() -> Consumers:
        raise AssertionError

    assert observe(engine, number(passed(GAP)), NOW, Surroundings(load_settings(tmp_path), refuse)) == []


def test_a_check_may_declare_worse_than_its_class(engine: Engine, number: Numbers) -> None:
    """Events of the future break more than an unknown carrier does."""
    observe(engine, number(result("stg_orders__no_future_event_time"), result("hld_too_late__no_payments")), NOW)
    assert [one.severity for one in IncidentStore(engine).all()] == ["P1", "P2"]


def test_a_crash_of_a_harmless_check_declares_nothing_about_the_data(engine: Engine, number: Numbers) -> None:
    """A crashed P1 check is not a P1 failure."""
    observe(engine, number(crashed("bronze_orders__schema_contract")), NOW)
    (incident,) = IncidentStore(engine).all()
    assert (incident.failure_class, incident.severity) == ("check_not_evaluated", "P2")


def test_a_symptom_that_stays_in_the_data_opens_nothing_once_its_cause_has_healed(
    engine: Engine, number: Numbers
) -> None:
    """Rows that came too late were let in by an approval; each later audit still sees that they were late."""
    held, late = "hld_too_late__no_shipments", "stg_shipments__late_share"
    (one,) = observe(engine, number(result(held), result(late)), NOW)
    assert IncidentStore(engine).get(one).failure_class == "held_late"
    heal(engine, one)
    observe(engine, number(result(late), passed(held)), later(20))
    (incident,) = IncidentStore(engine).all()
    assert incident.state is State.RESOLVED
    observe(engine, number(result(late, value=77.0)), later(30))
    assert len(IncidentStore(engine).all()) == 2, "other numbers are other news"


PROFILE, ECHO = "int_orders__deduplicated__profile", "int_shipments__deduplicated__profile"
LOST = Facts(deviations=(Deviating("label", "channel", "web", "", 0.2, 0.185, 1, 0.015),))
MISSES_ORDERS = Facts(deviations=(Deviating("found in", "order_id", "orders", "", 1.0, 0.8, 1, 0.2),))


def test_echoes_are_listed_and_make_an_incident_neither_worse_nor_longer(engine: Engine, number: Numbers) -> None:
    """A fault of P3 in orders was P1 and eight days long after a week in which parcels led to its orders; their days were asked
    for, of orders and of shipments.
    """
    for at in range(5, 13):
        own = [result(PROFILE, 5, facts=LOST)] if at == 5 else []
        observe(engine, number(*own, result(ECHO, at, facts=MISSES_ORDERS)), later(at))
    (incident,) = IncidentStore(engine).all()
    assert (incident.severity, incident.partitions, incident.sources) == ("P3", [day(5)], ("orders",))
    assert incident.echo_days == [day(at) for at in range(6, 13)]
    heard = "".join(str(vars(block)) for block in detection(incident))
    assert f"rows of shipments that landed on landing days {day(6)} to {day(12)} lead to orders" in heard


def test_an_echo_that_is_heard_after_the_action_is_judged_again_with_it(engine: Engine, number: Numbers) -> None:
    """It was a second incident of orders, on a day of which orders were right, and nothing would have made it pass."""
    (one,) = observe(engine, number(result(PROFILE, 5, facts=LOST)), NOW)
    store = IncidentStore(engine)
    store.move(one, State.RECOVERING, later(1), "healer", "act", action="re_request_batches", phase="begun")
    done = {"action": "re_request_batches", "phase": "done", "reruns": [day(5).isoformat()]}
    store.append(one, later(2), "healer", "action", "asked again", done)
    observe(engine, number(result(ECHO, 7, facts=MISSES_ORDERS)), later(3))
    (incident,) = store.all()
    assert (incident.partitions, incident.pending_reruns) == ([day(5)], [day(5), day(7)])
