"""A landing day whose turn has passed and that nobody ran is an incident, and heals by being run."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.run_monitor import monitor_runs
from reliability_platform.checks.schedule_monitor import days_not_run
from reliability_platform.checks.store import CheckStore
from reliability_platform.cli.main import cli
from reliability_platform.day_clock import Service
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.recovery.upkeep import notice
from reliability_platform.remediation.due import obstacle
from reliability_platform.remediation.heal import act, runs_from_the_source, verify
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.journal import FAILED, SUCCEEDED, BuildJournal
from tests.unit.failing import passed

FIRST = date(2026, 3, 10)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of March 2026."""
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path / "home")


@pytest.fixture
def engine(settings: Settings) -> Engine:
    """Of a home whose schedules were switched on in the afternoon of its first day."""
    engine = operations_engine(settings)
    Service(engine).note(True, at(10, 15))
    return engine


def build(settings: Settings, engine: Engine, first: date, last: date, now: datetime, outcome: str = SUCCEEDED) -> None:
    journal = BuildJournal(engine, settings.builds)
    journal.end(journal.begin(first, last, now), now + timedelta(minutes=1), outcome)


def incidents(engine: Engine) -> list[Incident]:
    return IncidentStore(engine).all()


def test_days_are_missed_while_the_daemon_is_down(settings: Settings, engine: Engine) -> None:
    """Two days without a daemon: one incident over both, seen by whoever looks first, and only once."""
    build(settings, engine, FIRST, FIRST, at(11, 2))
    assert notice(settings, engine, at(12, 3, 59), {}) == []  # its turn was at two; two hours of patience
    [one] = notice(settings, engine, at(13, 9), {})
    [incident] = incidents(engine)
    assert (incident.id, incident.failure_class, incident.severity) == (one, "day_not_run", "P1")
    assert incident.partitions == [date(2026, 3, 11), date(2026, 3, 12)]
    assert notice(settings, engine, at(13, 10), {}) == []
    assert "2026-03-12 02:00 UTC" in incident.signals[0].message


def test_a_run_that_never_started_is_missed_and_one_that_failed_is_somebody_elses_incident(
    settings: Settings, engine: Engine
) -> None:
    """A run in the queue leaves no entry; a build that failed has one, and results of its own."""
    build(settings, engine, FIRST, FIRST, at(11, 2), FAILED)
    assert days_not_run(settings, engine, at(12, 12)) == [date(2026, 3, 11)]


def test_nobody_waits_for_days_before_the_schedules_were_on(tmp_path: Path) -> None:
    """A fresh home, a demo's, and one that is driven from the shell alone."""
    settings = load_settings(tmp_path / "other")
    engine = operations_engine(settings)
    build(settings, engine, date(2026, 1, 1), date(2026, 1, 30), at(10, 15))
    assert notice(settings, engine, at(20, 12), {}) == [] and days_not_run(settings, engine, at(20, 12)) == []
    Service(engine).note(True, at(10, 15))
    Service(engine).note(False, at(10, 16))
    assert notice(settings, engine, at(20, 12), {}) == []


def test_it_heals_by_being_run_from_landing_on(settings: Settings, engine: Engine) -> None:
    """The policy acts by itself; whatever was run meanwhile is not run again; then the incident is over."""
    [one] = notice(settings, engine, at(11, 9), {})
    incident = IncidentStore(engine).get(one)
    assert obstacle(settings, engine, incident, at(11, 9)) is None
    done = act(settings, engine, one, at(11, 9), "test")
    assert done.reruns == [FIRST]
    assert runs_from_the_source(IncidentStore(engine).get(one))
    other = load_settings(settings.home.with_name("run_meanwhile"))
    theirs = operations_engine(other)
    Service(theirs).note(True, at(10, 15))
    [same] = notice(other, theirs, at(11, 9), {})
    build(other, theirs, FIRST, FIRST, at(11, 9, 30))
    monitor_runs(other, theirs, at(11, 9, 40))
    judged = [passed(name) for name, spec in CHECKS.items() if spec.blocking and "orders" in spec.sources]
    CheckStore(theirs).record([replace(one, partition=FIRST) for one in judged])
    assert act(other, theirs, same, at(11, 10), "test").reruns == []
    assert verify(other, theirs, same, at(11, 10), "test")
    assert IncidentStore(theirs).get(same).state is State.RESOLVED


def test_the_shell_says_it_without_a_daemon(settings: Settings, engine: Engine) -> None:
    """`incidents list` opens the incident, and `doctor` says which days and what to do."""
    listed = CliRunner().invoke(cli, ["incidents", "list", "--open", "--home", str(settings.home)])
    assert "day_not_run" in listed.output, listed.output
    examined = CliRunner().invoke(cli, ["doctor", "--home", str(settings.home)])
    said = " ".join(examined.output.split())
    assert "had their turn and were not run" in said
    assert f"`reliability run --from {FIRST} --to " in said
    assert len(CheckStore(engine).latest(checks=["dbt_build__in_time"])) > 100
