"""Snapshots, drills, room and memory reach people as incidents, and only where somebody relies on them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import Engine

from reliability_platform.alerts.dispatch import dispatch
from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.steps import ALERTS_TOLD, INCIDENTS_NOTICED
from reliability_platform.checks.store import CheckStore
from reliability_platform.day_clock import Service
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.recovery.capacity import available_memory
from reliability_platform.recovery.drill_log import Drill, DrillLog
from reliability_platform.recovery.upkeep import (
    DRILL_ENDED,
    SNAPSHOT_TAKEN,
    attempting,
    findings,
    monitor_upkeep,
    notice,
)
from reliability_platform.remediation.due import obstacle
from reliability_platform.remediation.heal import act, verify
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.journal import SUCCEEDED, BuildJournal
from reliability_platform.warehouse.snapshots.take import take_snapshot

BEGAN = datetime(2026, 3, 10, 15, tzinfo=UTC)
CALENDAR = {
    Drill.TABLE_LOSS: timedelta(days=35),
    Drill.WAREHOUSE_LOSS: timedelta(days=100),
    "bad-rows": timedelta(days=35),
}


def after(hours: float) -> datetime:
    """So long after the schedules were switched on."""
    return BEGAN + timedelta(hours=hours)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home with a warehouse, and limits that this machine keeps."""
    made = load_settings(tmp_path / "home")
    made.home.mkdir()
    duckdb.connect(str(made.warehouse)).close()
    return made.model_copy(update={"min_free_room_megabytes": 1, "min_free_memory_megabytes": 1})


@pytest.fixture
def engine(settings: Settings) -> Engine:
    """In service, and built every day, so that nothing else is missing."""
    engine = operations_engine(settings)
    Service(engine).note(True, BEGAN)
    journal = BuildJournal(engine, settings.builds)
    number = journal.begin(BEGAN.date(), BEGAN.date() + timedelta(days=30), BEGAN)
    journal.end(number, BEGAN, SUCCEEDED)
    return engine


def opened(engine: Engine) -> list[Incident]:
    return IncidentStore(engine).open()


def test_without_a_snapshot_there_is_an_incident_that_alerts_people_and_ends_with_one(
    settings: Settings, engine: Engine
) -> None:
    """Not from the first hour on; once; and a person who takes one ends it without a word to the platform."""
    assert notice(settings, engine, after(30), CALENDAR) == []
    [one] = notice(settings, engine, after(42), CALENDAR)
    [incident] = opened(engine)
    assert (incident.failure_class, incident.severity, incident.root_dataset) == ("recovery_at_risk", "P2", "home")
    assert "does not exist" in incident.signals[0].message
    assert notice(settings, engine, after(43), CALENDAR) == []
    told = settings.model_copy(update={"alert_urls": (), "alert_dry_run": True})
    dispatch(told, engine, after(43))
    assert obstacle(settings, engine, incident, after(43)) == "a person must mend it: see what to do in its runbook"
    take_snapshot(settings, lambda: after(44))
    notice(settings, engine, after(44), CALENDAR)
    mended = IncidentStore(engine).get(one)
    assert obstacle(settings, engine, mended, after(44)) is None
    act(settings, engine, one, after(44), "test")
    assert verify(settings, engine, one, after(44), "test")
    assert IncidentStore(engine).get(one).state is State.RESOLVED
    [_] = notice(settings, engine, after(44 + 31), CALENDAR)  # and comes back when that one is too old


def test_a_home_that_nobody_relies_on_needs_nothing(settings: Settings) -> None:
    """A demo's home has no snapshot of last night, and nobody misses it."""
    engine = operations_engine(settings)
    assert (
        findings(settings, engine, after(1000), CALENDAR) == {}
        and notice(settings, engine, after(1000), CALENDAR) == []
    )


def test_a_snapshot_that_fails_is_said_at_once_and_the_next_one_that_ends_takes_it_back(
    settings: Settings, engine: Engine
) -> None:
    """The age alone would say it six hours later."""
    with pytest.raises(OSError, match="No space"), attempting(engine, SNAPSHOT_TAKEN, after(13)):
        raise OSError("No space left on device")
    last = CheckStore(engine).latest(checks=[SNAPSHOT_TAKEN])
    assert [(one.status, one.message) for one in last] == [("failed", "it failed: OSError: No space left on device")]
    with attempting(engine, SNAPSHOT_TAKEN, after(14)):
        pass
    assert [one.status for one in CheckStore(engine).latest(checks=[SNAPSHOT_TAKEN])] == ["passed"]


def test_drills_that_failed_or_are_overdue_are_said(settings: Settings, engine: Engine) -> None:
    """A drill of a month ago that missed its objectives, and one that was never done."""
    DrillLog(engine).record(Drill.HOME_LOSS, after(1), 12, 3.0, False, "rows are missing")
    said = findings(settings, engine, after(24 * 40), CALENDAR)
    assert "home-loss of 2026-03-10" in str(said["home__drills_met"])
    assert "table-loss has not been done" in str(said["home__drills_in_time"])
    assert "bad-rows has not been done" in str(said["home__drills_in_time"])
    DrillLog(engine).record(Drill.HOME_LOSS, after(3), 0, 3.0, True, "")
    assert findings(settings, engine, after(24), CALENDAR)["home__drills_met"] is None


def test_a_refuted_hypothesis_is_an_incident_until_it_holds_or_nobody_believes_it_any_more(
    settings: Settings, engine: Engine
) -> None:
    """It stands among the failed drills; a success ends it, and so does the end of its file."""
    DrillLog(engine).record("bad-rows", after(1), 0, 3.0, False, "contained: no")
    notice(settings, engine, after(2), CALENDAR)
    [incident] = opened(engine)
    assert (incident.failure_class, incident.checks) == ("recovery_at_risk", ["home__drills_met"])
    assert "bad-rows of 2026-03-10" in incident.signals[0].message
    assert findings(settings, engine, after(3), {})["home__drills_met"] is None
    DrillLog(engine).record("bad-rows", after(3), 0, 3.0, True, "")
    assert findings(settings, engine, after(4), CALENDAR)["home__drills_met"] is None


def test_low_room_and_memory_do_not_come_and_go_around_the_limit(
    settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real values of this machine against limits that it cannot keep; then a tenth more than what is asked for."""
    greedy = settings.model_copy(update={"min_free_room_megabytes": 10**9, "min_free_memory_megabytes": 10**9})
    assert {one.check for one in monitor_upkeep(greedy, engine, after(1), CALENDAR)} == {"home__room", "home__memory"}
    monkeypatch.setattr("reliability_platform.recovery.upkeep.available_memory", lambda: 110)
    monkeypatch.setattr("reliability_platform.recovery.upkeep.free_room", lambda _: 130)
    tight = settings.model_copy(update={"min_free_room_megabytes": 100, "min_free_memory_megabytes": 100})
    assert {one.check for one in monitor_upkeep(tight, engine, after(2), CALENDAR)} == {"home__room"}
    assert CheckStore(engine).latest(checks=["home__memory"])[0].status == "failed"


def test_a_container_has_what_its_limit_leaves(tmp_path: Path) -> None:
    """The machine may have plenty while the container is about to be killed; cached files are no use."""
    (tmp_path / "meminfo").write_text("MemTotal: 16000000 kB\nMemAvailable:    8000000 kB\n")
    assert available_memory(tmp_path / "meminfo", tmp_path) == 8192
    for name, text in (("max", "1000000000"), ("current", "900000000"), ("stat", "anon 1\ninactive_file 50000000\n")):
        (tmp_path / f"memory.{name}").write_text(text)
    assert available_memory(tmp_path / "meminfo", tmp_path) == 150
    (tmp_path / "memory.max").write_text("max\n")
    assert available_memory(tmp_path / "meminfo", tmp_path) == 8192
    assert available_memory(tmp_path / "none", tmp_path / "none") is None


def test_every_check_of_the_home_is_monitored(settings: Settings, engine: Engine) -> None:
    """A check that nothing evaluates could not fail."""
    declared = {name for name, spec in CHECKS.items() if spec.dataset == "home"}
    assert (
        set(findings(settings, engine, after(1), CALENDAR))
        | {SNAPSHOT_TAKEN, DRILL_ENDED, INCIDENTS_NOTICED, ALERTS_TOLD}
        == declared
    )
