"""A test of a whole table fails for whatever is wrong in it: incidents that are healed wait for each other, and spend nothing."""

from dataclasses import replace
from pathlib import Path

import pytest

from reliability_platform.checks.catalogue import CHECKS, CheckSpec
from reliability_platform.checks.facts import Facts
from reliability_platform.checks.results import CheckStatus
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.grouping import RawSignal, group
from reliability_platform.incidents.model import State
from reliability_platform.lab.campaign.grade import own_days
from reliability_platform.remediation.due import obstacle
from reliability_platform.remediation.heal import act, end_if_recovered, verify
from tests.unit.broken_home import BrokenHome
from tests.unit.failing import NOW, day, later, result

GAP, NULLS = "bronze_orders__batch_completeness", "stg_orders__missing_customer_id"
WHOLE = "orders__unique_order_id"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BrokenHome:
    """A home around a dbt project with a test, which fails on two days for causes of their own."""
    spec = CheckSpec(WHOLE, "orders", "dbt", ("orders",), "failed_test", True, "P2", "", "")
    monkeypatch.setitem(CHECKS, WHOLE, spec)
    made = BrokenHome(tmp_path)
    made.land(without=(2,))
    made.checks.record([result(GAP, 5), result(WHOLE, 5), result(NULLS, 12), result(WHOLE, 12)])
    observe(made.engine, made.checks.after(0, 1000), NOW)
    return made


def told(home: BrokenHome, minute: int, *failing: tuple[str, int], passing: tuple[tuple[str, int], ...] = ()) -> None:
    """Record what checks say now, and let incidents hear of it."""
    last = max(number for number, _ in home.checks.after(0, 10_000))
    good = [result(check, number, status=CheckStatus.PASSED, at=later(minute)) for check, number in passing]
    home.checks.record([*good, *(result(check, number, at=later(minute)) for check, number in failing)])
    observe(home.engine, home.checks.after(last, 10_000), later(minute))


def test_what_is_healed_waits_for_the_cause_of_another_incident_and_ends_by_itself(home: BrokenHome) -> None:
    """It tried again, in vain, until the last cause was healed, and was at its end before."""
    gap, nulls = home.incidents.all()
    assert [(one.failure_class, sorted(one.checks)) for one in (gap, nulls)] == [
        ("missing_data", [GAP, WHOLE]),
        ("null_spike", [WHOLE, NULLS]),
    ]

    def why_not(minute: int) -> str | None:
        own = home.settings.model_copy(update={"attended": True})
        return obstacle(own, home.engine, home.incidents.get(gap.id), later(minute), approved=True)

    assert why_not(1) is None
    act(home.settings, home.engine, gap.id, later(1), "test")
    home.judge(failing=[WHOLE], at=later(2))
    told(home, 3, (WHOLE, 5), passing=((GAP, 5),))
    assert not verify(home.settings, home.engine, gap.id, later(4), "test")
    waiting = home.incidents.get(gap.id)
    assert (waiting.state, waiting.attempts) == (State.CONTAINED, 1)
    assert nulls.id in waiting.timeline[-1].why and waiting.timeline[-1].kind == "transition"
    assert why_not(5) == f"a test of a whole table fails as long as {nulls.id} is open"
    assert not end_if_recovered(home.settings, home.engine, gap.id, later(5), "test")

    told(home, 6, passing=((NULLS, 12), (WHOLE, 12), (WHOLE, 5)))
    assert end_if_recovered(home.settings, home.engine, gap.id, later(7), "test")
    assert home.incidents.get(gap.id).attempts == 1


def test_nobody_waits_for_an_incident_that_has_no_cause_of_its_own_left(home: BrokenHome) -> None:
    """Two that wait for nothing but the test would wait for each other."""
    gap, nulls = home.incidents.all()
    told(home, 1, (WHOLE, 5), (WHOLE, 12), passing=((GAP, 5), (NULLS, 12)))
    for one in (gap, nulls):
        assert obstacle(home.settings, home.engine, home.incidents.get(one.id), later(2), approved=True) is None


def test_what_fails_beside_the_test_is_healed_at_once(home: BrokenHome) -> None:
    """Both have rows of their own to ask for: neither waits."""
    for one in home.incidents.all():
        assert obstacle(home.settings, home.engine, one, later(2), approved=True) is None


def test_a_day_on_which_nothing_but_the_test_fails_is_none_of_the_fault(home: BrokenHome) -> None:
    """The campaign called it a false alarm of whatever control stood there."""
    told(home, 1, (WHOLE, 6))
    [gap] = [one for one in home.incidents.all() if one.failure_class == "missing_data"]
    assert day(6) in gap.partitions
    assert own_days(gap) == {day(5)}
    alone = replace(gap, signals=[one for one in gap.signals if one.check == WHOLE])
    assert own_days(alone) == set(gap.partitions)


def test_rows_that_lead_nowhere_are_missed_from_the_day_that_lacks_them_not_from_a_test_that_fails_beside(
    home: BrokenHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late items of an order that did not come the day before were an incident of their own, of the test of a whole table."""
    known = "int_shipments__deduplicated__known_order_id"
    spec = CheckSpec(
        known, "int_shipments__deduplicated", "native", ("shipments", "orders"), "sources_disagree", True, "P2", "", ""
    )
    monkeypatch.setitem(CHECKS, known, spec)
    lost = result(known, 6, facts=Facts(leads_to="orders", leading_nowhere=3))
    causes = group([RawSignal(number, one) for number, one in enumerate([result(GAP, 5), result(WHOLE, 6), lost])])
    assert [(one.failure_class, {signal.result.check for signal in one.signals} >= {GAP, known}) for one in causes][
        :1
    ] == [("missing_data", True)]
    assert all(known not in {signal.result.check for signal in one.signals} for one in causes[1:])
