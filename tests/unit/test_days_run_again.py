"""Healing runs the landing days again that an action changed, and not all that lie between them."""

from datetime import date
from pathlib import Path

import pytest

from reliability_platform.checks.results import CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.sensors import _rerun
from reliability_platform.pipeline.ticks import RUN_OVER_DAYS, Rerun, spans_to_run, take_steps
from reliability_platform.remediation.heal import act, days_due
from reliability_platform.settings import load_settings
from tests.unit.failing import Numbers, day, later, result


def test_a_gap_is_run_over_where_a_second_run_would_cost_more() -> None:
    assert spans_to_run([]) == []
    assert spans_to_run([day(3), day(1), day(1), day(2)]) == [(day(1), day(3))]
    near, far = 2 + RUN_OVER_DAYS, 3 + RUN_OVER_DAYS
    assert spans_to_run([day(1), day(near)]) == [(day(1), day(near))]
    assert spans_to_run([day(1), day(far), day(300)]) == [(day(1), day(1)), (day(far), day(far)), (day(300), day(300))]


def test_incidents_of_distant_days_are_healed_by_a_run_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a year, two days are broken: the first and the last of them were run again with all 298 between. A day that has been
    judged since is not asked for again while the other one waits.
    """
    monkeypatch.setenv("RELIABILITY_HOME", str(tmp_path))
    settings = load_settings(tmp_path)
    Simulation(seed=3, events_per_day=400).save(settings)
    engine, number = operations_engine(settings), Numbers()
    broken = [day(2), day(300)]
    for one in (2, 300):
        observe(engine, number(result("dbt_build__ended", one)), later(0))
    store = IncidentStore(engine)
    for incident in store.open():
        act(settings, engine, incident.id, later(1), "test")

    def runs() -> list[Rerun]:
        return take_steps(settings, engine, lambda: later(3), "test").runs

    def days() -> list[tuple[date, date]]:
        return [run.days for run in runs()]

    assert days() == [(one, one) for one in broken]
    requests = [_rerun(run) for run in runs()]
    assert [one.partition_key for one in requests] == [one.isoformat() for one in broken]
    assert len({one.run_key for one in requests}) == 2
    assert {one.run_key for one in map(_rerun, runs())} == {one.run_key for one in requests}
    judged = ("dbt_build__ended", "rec_batches__conserved__orders")
    CheckStore(engine).record([result(name, 2, status=CheckStatus.PASSED, at=later(2)) for name in judged])
    assert days() == [(broken[1], broken[1])]
    left = {one for incident in store.open() for one in days_due(settings, engine, incident)}
    assert left == {broken[1]}
