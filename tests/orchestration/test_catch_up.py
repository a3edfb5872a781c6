"""A day that the daemon has missed, through the real sensors and jobs: noticed, run from landing on, resolved."""

from datetime import timedelta
from pathlib import Path

import pytest

from reliability_platform.cli.session import driving
from reliability_platform.clock import utc_now
from reliability_platform.day_clock import Service, next_day
from reliability_platform.incidents.model import State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.journal import BuildJournal


@pytest.mark.exhaustive  # 9 s, two builds
def test_a_day_that_was_missed_is_caught_up_without_a_command_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon was up the day before yesterday, and then no more; whoever looks next finds it, and it heals."""
    monkeypatch.setenv("RELIABILITY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RELIABILITY_RUN_WITHIN_MINUTES", "1")
    settings = load_settings()
    Simulation(seed=7, events_per_day=4000).save(settings)
    engine = operations_engine(settings)
    missed = next_day(utc_now() - timedelta(minutes=5)) - timedelta(days=1)
    Service(engine).note(True, utc_now() - timedelta(days=1, minutes=5))
    with driving(settings, healing=True) as (_, daemon):
        daemon.settle()
    found = [one for one in IncidentStore(engine).all() if one.failure_class == "day_not_run"]
    assert [(one.partitions[0], one.state) for one in found] == [(missed, State.RESOLVED)]
    assert BuildJournal(engine, settings.builds).built(missed, missed) == {missed}
    assert (settings.published / "current").exists()
