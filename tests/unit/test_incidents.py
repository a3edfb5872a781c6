"""Grouping, the timeline and the documents, on real results in a real store."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import ERROR, INSUFFICIENT_HISTORY, CheckResult, CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.errors import UsageError
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.documents.render import escape
from reliability_platform.incidents.grouping import RawSignal, group
from reliability_platform.incidents.model import TRANSITIONS, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations.tables import incident_timeline
from tests.ground import Platform, day

NOW = datetime(2026, 2, 1, 3, 0, tzinfo=UTC)
GOLDEN = Path(__file__).parent.parent / "golden"


def failed(check: str, partition: date, *, status: CheckStatus = CheckStatus.FAILED, **more: object) -> CheckResult:
    """A result that did not pass."""
    spec = CHECKS[check]
    values = {"value": 3.0, "threshold": "<= 0", "message": "3 of 4", "run_id": "r", "evaluated_at": NOW, **more}
    return CheckResult(check, spec.dataset, spec.source, partition, status, **values)  # type: ignore[arg-type]


def causes(*results: CheckResult) -> list[tuple[str, str, list[date], int]]:
    """What grouping makes of some failures."""
    found = group([RawSignal(number, result) for number, result in enumerate(results, start=1)])
    return [(one.source, one.failure_class, one.partitions, len(one.signals)) for one in found]


def test_a_missing_batch_makes_four_checks_fail_and_is_one_incident() -> None:
    """Completeness is the cause; volume, freshness and the reconciliation with payments are its symptoms."""
    assert causes(
        failed("bronze_orders__batch_completeness", day(3)),
        failed("int_orders__deduplicated__volume", day(3)),
        failed("stg_orders__freshness", day(3)),
        failed("rec_orders__vs__payments__matched", day(3)),
    ) == [("orders", "missing_data", [day(3)], 4)]


def test_a_refused_file_explains_the_missing_batch_too() -> None:
    """The root is the schema, whatever order the signals come in."""
    signals = [
        failed("rec_orders__vs__payments__matched", day(3)),
        failed("bronze_orders__batch_completeness", day(3)),
        failed("bronze_orders__schema_contract", day(3)),
    ]
    for order in (signals, signals[::-1]):
        assert causes(*order) == [("orders", "schema_break", [day(3)], 3)]


def test_neighbouring_days_of_one_cause_are_one_incident_and_unrelated_causes_stay_apart() -> None:
    """Late rows land on two days; a null spike of the same source on the same day is another matter."""
    assert causes(
        failed("stg_orders__late_share", day(3)),
        failed("stg_orders__late_share", day(4)),
        failed("stg_orders__late_share", day(9)),
        failed("stg_orders__missing_customer_id", day(3)),
        failed("stg_payments__missing_customer_id", day(3)),
    ) == [
        ("orders", "late_data", [day(3), day(4)], 2),
        ("orders", "null_spike", [day(3)], 1),
        ("payments", "null_spike", [day(3)], 1),
        ("orders", "late_data", [day(9)], 1),
    ]


def test_a_crashed_check_is_an_incident_of_its_own_kind_and_a_young_source_is_none(
    platform: Callable[..., Platform],
) -> None:
    """Not evaluated is neither bad data nor fine; too short a past is no news at all."""
    engine = platform().engine
    store = CheckStore(engine)
    store.record(
        [
            failed("stg_orders__row_count", day(1), status=CheckStatus.NOT_EVALUATED, value=None, reason=ERROR),
            failed(
                "int_orders__deduplicated__volume",
                day(1),
                status=CheckStatus.NOT_EVALUATED,
                value=None,
                reason=INSUFFICIENT_HISTORY,
            ),
        ]
    )
    observe(engine, store.after(0, 100), NOW)
    [incident] = IncidentStore(engine).all()
    assert incident.failure_class == "check_not_evaluated"
    assert incident.checks == ["stg_orders__row_count"]


def test_reading_the_same_results_again_changes_nothing(platform: Callable[..., Platform]) -> None:
    """A sensor that restarts, ticks twice, or has a twin: one incident, one entry per thing that happened."""
    engine = platform().engine
    checks = CheckStore(engine)
    checks.record([failed("bronze_orders__batch_completeness", day(3)), failed("stg_orders__freshness", day(3))])
    results = checks.after(0, 100)
    barrier = threading.Barrier(4)

    def tick() -> None:
        barrier.wait()
        observe(engine, results, NOW)

    twins = [threading.Thread(target=tick) for _ in range(4)]
    for twin in twins:
        twin.start()
    for twin in twins:
        twin.join()
    observe(engine, results, NOW)
    [incident] = IncidentStore(engine).all()
    assert len(incident.signals) == 2
    assert [entry.kind for entry in incident.timeline].count("opened") == 1


@pytest.mark.parametrize("over", [False, True])
def test_a_symptom_belongs_to_its_cause_though_both_passed_by_the_time_they_were_read(
    platform: Callable[..., Platform], over: bool
) -> None:
    """The audit within an action and the run after it are often one reading: a deleted staging table became missing data
    of its own, of which nothing was left to heal. What fails when the cause has passed is no symptom of it.
    """
    engine = platform().engine
    checks, store = CheckStore(engine), IncidentStore(engine)
    cause, symptom = "int_orders__deduplicated__no_rows_lost", "stg_orders__row_count"
    checks.record([failed(cause, day(3))])
    observe(engine, checks.after(0, 100), NOW)
    soon, later = NOW + timedelta(minutes=1), NOW + timedelta(minutes=2)
    if not over:
        checks.record([failed(one, day(3), evaluated_at=soon) for one in (cause, symptom)])
    now = CheckStatus.FAILED if over else CheckStatus.PASSED
    checks.record([failed(symptom, day(3), status=now, evaluated_at=later)])
    checks.record([failed(cause, day(3), status=CheckStatus.PASSED, evaluated_at=later)])
    observe(engine, checks.after(1, 100), later)
    classes = {one.failure_class: set(one.still_failing) for one in store.all()}
    assert classes == ({"data_loss": set()} | ({"missing_data": {(symptom, day(3))}} if over else {}))


def test_a_failure_that_comes_back_reopens_and_one_after_long_opens_anew(platform: Callable[..., Platform]) -> None:
    """A resolved incident within its window is the same one; later it is a new one, linked."""
    engine = platform().engine
    checks, store = CheckStore(engine), IncidentStore(engine)

    def fail_at(now: datetime) -> None:
        last = max((number for number, _ in checks.after(0, 1000)), default=0)
        checks.record([failed("bronze_orders__batch_completeness", day(3))])
        observe(engine, checks.after(last, 100), now)

    fail_at(NOW)
    [incident] = store.all()
    store.move(incident.id, State.RESOLVED, NOW, "test", "done")
    fail_at(NOW + timedelta(days=1))
    assert [(one.state, one.lives) for one in store.all()] == [(State.CONTAINED, 2)]
    store.move(incident.id, State.RESOLVED, NOW + timedelta(days=1), "test", "done")
    fail_at(NOW + timedelta(days=30))
    first, second = store.all()
    assert first.state is State.RESOLVED
    assert second.linked_to == first.id


def test_only_allowed_transitions_are_taken(platform: Callable[..., Platform]) -> None:
    """The table is the law, for every pair of states."""
    engine = platform().engine
    checks, store = CheckStore(engine), IncidentStore(engine)
    checks.record([failed("bronze_orders__batch_completeness", day(3))])
    observe(engine, checks.after(0, 10), NOW)
    [incident] = store.all()
    for target in set(State) - TRANSITIONS[incident.state]:
        with pytest.raises(UsageError, match="cannot become"):
            store.move(incident.id, target, NOW, "test", "no")
    store.move(incident.id, State.ACKNOWLEDGED, NOW, "test", "yes")
    assert store.get(incident.id[:8]).state is State.ACKNOWLEDGED


def test_an_edited_timeline_is_found_out(platform: Callable[..., Platform]) -> None:
    """Each entry carries the hash of the one before."""
    engine = platform().engine
    checks, store = CheckStore(engine), IncidentStore(engine)
    checks.record([failed("bronze_orders__batch_completeness", day(3))])
    observe(engine, checks.after(0, 10), NOW)
    assert store.broken_links() == []
    with engine.begin() as connection:
        connection.execute(
            update(incident_timeline).where(incident_timeline.c.number == 1).values(why="nothing happened")
        )
    assert len(store.broken_links()) == 1


HOSTILE = "a'b\"c ../../etc {{ config }} <script>alert(1)</script> =cmd|'/C calc'!A0 `rm` |x| [l](j:)\nnew\x00nul **b**"


def test_hostile_text_becomes_no_markup() -> None:
    """No HTML, no link, no code, no table cell, no template, no second line."""
    shown = escape(HOSTILE)
    assert "\n" not in shown
    assert "\x00" not in shown
    for sign in ("<script", "{{"):
        assert sign not in shown
    for sign in ("`", "|", "*", "[", "]"):
        assert shown.count(sign) == shown.count(f"\\{sign}")
    for start in ("# title", "- item", "1. item", "> quote", "=cmd"):
        assert escape(start)[0] in "\\&" or escape(start)[1] == "\\"
