"""The watch after a recovery: what fails again within it is the same incident, and what had failed is judged more strictly."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import Engine

from reliability_platform.alerts.collect import _heard
from reliability_platform.checks.facts import Deviating, Facts
from reliability_platform.checks.gate import held
from reliability_platform.checks.history import (
    HistoryCheck,
    evaluate_history,
    judge_key_share,
    judge_scale,
    judge_shifted,
    judge_volume,
)
from reliability_platform.checks.profile import experience
from reliability_platform.checks.results import CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.checks.watched import NARROWER, NOTHING_WATCHED, RecoveryWatch, under_watch
from reliability_platform.incidents.classes import Severity
from reliability_platform.incidents.detection import Surroundings, observe
from reliability_platform.incidents.impact import Consumers
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.profiles.metrics import Metric, MetricKind
from reliability_platform.remediation import heal
from reliability_platform.remediation.heal import act, verify
from reliability_platform.remediation.policy import POLICIES
from reliability_platform.settings import load_settings
from tests.unit.broken_home import BrokenHome
from tests.unit.failing import NOW, Numbers, day, later, missing, result

NULLS = "stg_orders__missing_customer_id"
GAP, VOLUME = "bronze_orders__batch_completeness", "int_orders__deduplicated__volume"
PROFILE = "int_orders__deduplicated__profile"
APP = Metric(MetricKind.LABEL, "channel", "app")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return operations_engine(load_settings(tmp_path / "home"))


@pytest.fixture
def number() -> Numbers:
    return Numbers()


def healed(engine: Engine, incident: str, first: int, last: int) -> Incident:
    """Recovered and verified, with a watch over some landing days."""
    store = IncidentStore(engine)
    watch = {"first": day(first).isoformat(), "last": day(last).isoformat(), "checks": store.get(incident).checks}
    store.move_through(
        incident,
        [(State.RECOVERING, "act"), (State.VERIFIED, "passes"), (State.RESOLVED, "done")],
        later(5),
        "test",
        watch=watch,
    )
    return store.get(incident)


def test_who_is_verified_as_recovered_is_under_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first landing day that nobody has judged yet, over as many as the class says; 0 is none."""
    for days, until in ((3, 11), (0, None)):
        home = BrokenHome(tmp_path / str(days))
        monkeypatch.setitem(heal.POLICIES, "missing_data", replace(POLICIES["missing_data"], watch_days=days))
        home.land(without=(2,))
        home.judge(failing=[GAP])
        one = home.incident(GAP, facts=missing(2)).id
        home.checks.record([replace(result(GAP, 8), status=CheckStatus.PASSED)])  # it went on meanwhile
        act(home.settings, home.engine, one, later(1), "test")
        home.admit()
        home.judge(at=later(3))
        assert verify(home.settings, home.engine, one, later(4), "test")
        watch = home.incidents.get(one).watch
        assert watch == (None if until is None else RecoveryWatch(day(9), day(until), (GAP,)))
        said = [entry.why for entry in home.incidents.get(one).timeline if entry.data.get("to") == "verified"]
        assert ("Under watch until landing day 2026-01-11" in said[0]) is bool(days)


def test_the_same_failure_within_the_watch_is_the_incident_come_back(engine: Engine, number: Numbers) -> None:
    """Its history is kept, its attempts begin anew, and everybody who had the all-clear hears of it."""
    (one,) = observe(engine, number(result(GAP)), NOW)
    assert healed(engine, one, 6, 8).watch is not None
    assert observe(engine, number(result(GAP, 8)), later(30)) == [one]
    incident = IncidentStore(engine).get(one)
    assert (incident.state, incident.attempts, incident.lives, incident.watch) == (State.CONTAINED, 0, 2, None)
    assert incident.partitions == [day(5), day(8)]
    assert incident.timeline[-2].why == "The failure came back, under watch until landing day 2026-01-08."
    heard = _heard(incident, len(incident.timeline) - 1)
    assert heard is not None
    assert (heard.summary, heard.ends) == ("came back: it is not over", True)


def test_days_that_have_recovered_make_what_came_back_no_worse(engine: Engine, number: Numbers, tmp_path: Path) -> None:
    """Readers see them, and they are right: a P2 that came back, and was held, was a P1."""
    consumers = Consumers({"orders": ["finance_dashboard"]}, frozenset({("orders", day(5))}))
    around = Surroundings(load_settings(tmp_path / "home"), lambda: consumers)
    (one,) = observe(engine, number(result(NULLS)), NOW)
    healed(engine, one, 6, 8)
    hold_all = [("orders", day(8))]
    assert set(held(CheckStore(engine), hold_all)) == set(hold_all)
    observe(engine, number(result(NULLS, 8)), later(30), around)
    incident = IncidentStore(engine).get(one)
    assert (incident.state, incident.severity) == (State.CONTAINED, Severity.P2)


@pytest.mark.parametrize(
    ("check", "on"), [(GAP, 9), ("stg_orders__range_amount", 7), ("bronze_shipments__batch_completeness", 7)]
)
def test_anything_else_is_an_incident_of_its_own(engine: Engine, number: Numbers, check: str, on: int) -> None:
    """After the watch, of another check, of another source."""
    (one,) = observe(engine, number(result(GAP)), NOW)
    healed(engine, one, 6, 8)
    assert one not in observe(engine, number(result(check, on)), later(30))


def test_another_column_that_is_unlike_its_past_is_another_failure(engine: Engine, number: Numbers) -> None:
    """One check tells of all numbers of a day."""

    def unlike(column: str, on: int) -> str:
        facts = Facts(deviations=(Deviating("label", column, "app", "", 0.35, 0.0, 1, 0.35),))
        (found,) = observe(engine, number(result(PROFILE, on, facts=facts)), later(on))
        return found

    one = unlike("channel", 5)
    healed(engine, one, 6, 8)
    assert unlike("status", 6) != one
    assert unlike("channel", 8) == one


def test_days_that_were_judged_under_watch_stay_so(engine: Engine, number: Numbers) -> None:
    """Run again while the incident is open once more, a day that failed by the narrower limit passed by the wide one."""
    (one,) = observe(engine, number(result(VOLUME)), NOW)
    healed(engine, one, 6, 8)
    observe(engine, number(result(VOLUME, 7)), later(30))
    healed(engine, one, 9, 11)
    found = under_watch(engine, [day(6), day(10)])
    assert [found.by(VOLUME, day(on)) is not None for on in (5, 6, 7, 8, 9, 11, 12)] == [False, *[True] * 5, False]
    assert found.by(GAP, day(7)) is None
    assert under_watch(engine, [day(12)]) == NOTHING_WATCHED


def profile_of(name: str, usual: float, today: float) -> tuple[dict[date, dict[str, float]], list[date]]:
    """A month as usual, give or take a hundredth, and a day."""
    past = [day(number) for number in range(1, 29)]
    rest = {"all/rows": 500.0, "all/sigma": 0.5, "rows": 1000.0, "day_before": 0.0}
    values = {one: {**rest, name: usual * (1 + 0.01 * (place % 3 - 1))} for place, one in enumerate(past)}
    return {**values, day(29): {**rest, name: today}}, past


@pytest.mark.parametrize(
    ("judged", "name", "usual", "today"),
    [
        (judge_volume, "rows", 1000.0, 1200.0),
        (judge_volume, "rows", 1000.0, 800.0),
        (judge_scale, "all/median", 3.0, 3.3),
        (judge_key_share, "share", 0.04, 0.13),
        (judge_shifted, "shifted", 10.0, 25.0),
    ],
)
def test_under_watch_less_of_the_distance_is_enough(judged: object, name: str, usual: float, today: float) -> None:
    """And a day as usual is none to tell of."""
    check = HistoryCheck("", judged)  # type: ignore[arg-type]
    for value, alarms in ((today, (False, True)), (usual, (False, False))):
        profile, past = profile_of(name, usual, value)
        assert tuple(check.judge(profile, past, day(29), allowed).failed for allowed in (1.0, NARROWER)) == alarms


def test_the_result_says_for_whose_sake_its_limit_is_narrower(engine: Engine, number: Numbers) -> None:
    """Only the check that had failed, and only on the days of the watch."""
    (one,) = observe(engine, number(result(VOLUME, 25)), NOW)
    healed(engine, one, 30, 30)
    with duckdb.connect() as connection:
        connection.execute(
            "create table int_orders__deduplicated as select date '2026-01-01' + cast(n as integer) as event_date "
            "from range(30) days(n), range(1000 + 10 * (n % 3) - 10 + if(n >= 28, 200, 0))"
        )
        watch = under_watch(engine, [day(29), day(30)])
        judged = evaluate_history(connection, [day(29), day(30)], {VOLUME}, {}, "test", NOW, (), watch)
    before, after = judged
    assert (before.status, after.status) == (CheckStatus.PASSED, CheckStatus.FAILED)
    assert f"with 60 % of the limit, under watch after {one}" in after.message
    assert "watch" not in before.message


def test_numbers_that_were_unlike_their_past_are_looked_at_more_closely(engine: Engine, number: Numbers) -> None:
    """Those of the incident, not all others of the day."""
    told = result(PROFILE, 5, facts=Facts(deviations=(Deviating("label", "channel", "app", "", 0.35, 0.0, 1, 0.35),)))
    store = CheckStore(engine)
    store.record([replace(told, details={**told.details, "unlike": [["label", "channel", "app", ""]]})])
    (one,) = observe(engine, store.after(0, 10), NOW)
    healed(engine, one, 6, 7)
    known = experience(store, engine, "orders", (), (), (), under_watch(engine, [day(6)]))
    assert known.watched == {day(6): {APP}, day(7): {APP}}
    assert experience(store, engine, "orders", (), (), ()).watched == {}
