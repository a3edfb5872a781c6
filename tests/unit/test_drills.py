"""Drills: a real loss on a twin, a home that stays as it is, and a report that can say no."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from reliability_platform.cli.main import main
from reliability_platform.clock import utc_now
from reliability_platform.errors import ExitCode, HomeBusyError, UsageError
from reliability_platform.lab.calendar import calendar
from reliability_platform.lab.drills.drills import DrillReport, compare, run_drill
from reliability_platform.lab.drills.report import keep
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.definitions import defs
from reliability_platform.orchestration.disaster_recovery import daily_rehearsals, daily_snapshot
from reliability_platform.orchestration.local import QUIET
from reliability_platform.orchestration.resources import RESOURCES
from reliability_platform.recovery.clone import WORKSPACE, clone_of
from reliability_platform.recovery.drill_log import Drill, DrillLog, overdue
from reliability_platform.recovery.replication import replicate
from reliability_platform.settings import Settings
from reliability_platform.warehouse.journal import BuildJournal
from reliability_platform.warehouse.snapshots.take import take_snapshot
from tests.ground import Platform, day
from tests.unit.lived_in import copied_home, state

pytestmark = pytest.mark.exhaustive
CALENDAR = {Drill.TABLE_LOSS: timedelta(days=35), Drill.WAREHOUSE_LOSS: timedelta(days=100)}


@pytest.fixture(scope="module")
def origin(lived: Callable[[Path], Platform], tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Two days, a snapshot, one day more."""
    made = lived(tmp_path_factory.mktemp("origin") / "home")
    take_snapshot(made.settings, utc_now)
    made.run(day(3), day(3))
    made.engine.dispose()  # what is in the log beside the store is brought into it: copies are whole, and stay as they are
    return made


@pytest.fixture
def home(origin: Platform, tmp_path: Path) -> Settings:
    """A copy of it."""
    return copied_home(origin.settings.home, tmp_path / "home")


@pytest.mark.parametrize("drill", [Drill.TABLE_LOSS, Drill.WAREHOUSE_LOSS, Drill.SOURCE_OUTAGE])
def test_a_drill_meets_its_objectives_and_leaves_every_byte(home: Settings, drill: Drill) -> None:
    """What was lost comes back row for row, on the twin; the home is the same, to the byte."""
    before = state(home.home)
    report = run_drill(home, drill, utc_now)
    assert state(home.home) == before
    assert (report.met, report.rows_lost, report.partitions_lost) == (True, 0, []), report.document()
    assert report.oracle_equal is True
    assert report.recovery_seconds > 0
    path = keep(home, operations_engine(home), report)
    document = json.loads(path.with_suffix(".json").read_text())
    assert document["met"] is True
    assert "objectives met" in path.read_text().splitlines()[0]
    [done] = DrillLog(operations_engine(home)).all()
    assert (done.drill, done.met) == (drill.value, True)


def test_a_lost_home_comes_back_only_from_elsewhere(home: Settings, tmp_path: Path) -> None:
    """Snapshots in the home would be lost with it: the drill says so and fails. From elsewhere it loses nothing."""
    report = run_drill(home, Drill.HOME_LOSS, utc_now)
    assert report.verified
    assert not report.met
    assert "RELIABILITY_SNAPSHOT_URL" in report.remarks[0]
    elsewhere = home.model_copy(update={"snapshot_url": str(tmp_path / "elsewhere")})
    (home.home / "snapshots").rename(tmp_path / "elsewhere")
    before = state(home.home), state(tmp_path / "elsewhere")
    report = run_drill(elsewhere, Drill.HOME_LOSS, utc_now)
    assert (state(home.home), state(tmp_path / "elsewhere")) == before
    assert report.met, report.document()
    assert day(3) in report.landing_days_built_again  # it had landed after the snapshot; the source was asked again


def test_a_lost_region_comes_back_from_the_second_place(home: Settings, tmp_path: Path) -> None:
    """The first place is gone for good: whatever it is asked for it cannot give. Without a second one nothing can be rehearsed."""
    with pytest.raises(UsageError, match="RELIABILITY_SNAPSHOT_REPLICA_URL"):
        run_drill(home, Drill.REGION_LOSS, utc_now)
    two = {"snapshot_url": str(tmp_path / "first"), "snapshot_replica_url": str(tmp_path / "second")}
    (home.home / "snapshots").rename(tmp_path / "first")
    both = home.model_copy(update=two)
    assert replicate(both, "test", utc_now) is not None
    (tmp_path / "first").rename(tmp_path / "lost")
    report = run_drill(both, Drill.REGION_LOSS, utc_now)
    assert report.met, report.document()
    assert day(3) in report.landing_days_built_again
    assert Drill.REGION_LOSS in calendar(both)


def test_an_objective_that_is_missed_is_said(home: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """An exit code, an entry in the log, a drill that stays due."""
    hasty = home.model_copy(update={"drill_rto_seconds": 0.001})
    report = run_drill(hasty, Drill.TABLE_LOSS, utc_now, "stg_orders")
    assert report.verified
    assert not report.met
    assert "NOT met" in keep(home, operations_engine(home), report).read_text().splitlines()[0]
    assert DrillLog(operations_engine(home)).last_met() == {}
    assert main(["drill", "list", "--json", "--home", str(home.home)]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["drills"][0]["met"] is False


def test_rows_that_do_not_come_back_are_counted(tmp_path: Path) -> None:
    """The comparison can say no: a row too few, a row that is other, a table that is missing."""
    for folder in ("before", "after"):
        (tmp_path / folder).mkdir()

    def write(folder: str, table: str, query: str) -> None:
        duckdb.execute(f"copy ({query}) to '{tmp_path / folder / table}.parquet' (format parquet)")

    for table, before, after in (
        ("same", "select 1 as a from range(3)", "select 1 as a from range(3)"),
        ("fewer", "select 1 as a from range(3)", "select 1 as a from range(2)"),
        ("other", "select range as a from range(3)", "select range + 1 as a from range(3)"),
        ("more", "select range as a from range(3)", "select range as a from range(4)"),
    ):
        write("before", table, before)
        write("after", table, after)
    write("before", "gone", "select range as a from range(5)")
    report = DrillReport(Drill.TABLE_LOSS, utc_now(), objective_seconds=1)
    compare(report, "published", ["same", "fewer", "other", "more", "gone"], tmp_path / "before", tmp_path / "after")
    assert {one["table"]: one["rows_lost"] for one in report.tables} == {
        "same": 0, "fewer": 1, "other": 1, "more": 0, "gone": 5,
    }  # fmt: skip
    assert report.rows_lost == 7
    assert not report.equal_to_before
    assert not report.met


def test_what_a_killed_drill_left_is_removed_and_two_do_not_meet(home: Settings) -> None:
    """The workspace is the drill's alone."""
    before = state(home.home)
    (home.home / WORKSPACE / "home" / "landing").mkdir(parents=True)
    (home.home / WORKSPACE / "home" / "landing" / "left").write_text("by a killed drill")
    with clone_of(home) as made:
        assert not (made.settings.landing / "left").exists()
        assert made.settings.warehouse.read_bytes() == home.warehouse.read_bytes()
        with pytest.raises(HomeBusyError, match="Another drill"), clone_of(home):
            pass
    assert state(home.home) == before


def test_a_drill_that_is_killed_leaves_the_home_as_it_was(home: Settings) -> None:
    """The kernel ends it in the midst of its work: no file of the home is other, the next one cleans up."""
    before = state(home.home)
    command = [sys.executable, "-c", "from reliability_platform.cli import main; import sys; main(sys.argv[1:])"]
    with subprocess.Popen([*command, "drill", "warehouse-loss", "--home", str(home.home)]) as drill:
        lost = home.home / WORKSPACE / "evidence" / "before"
        deadline = time.monotonic() + 60
        while not lost.exists() and time.monotonic() < deadline and drill.poll() is None:
            time.sleep(0.02)
        drill.kill()
    assert lost.exists()
    assert drill.returncode == -signal.SIGKILL
    assert state(home.home, (WORKSPACE,)) == before
    with clone_of(home) as made:
        assert not list(made.evidence.iterdir())
    assert state(home.home) == before


def test_a_drill_that_cannot_be_done_says_why(home: Settings, tmp_path: Path) -> None:
    """No snapshot, nothing published, an unknown table."""
    with pytest.raises(UsageError, match="no snapshot"):
        run_drill(home.model_copy(update={"snapshot_url": str(tmp_path / "none")}), Drill.WAREHOUSE_LOSS, utc_now)
    with pytest.raises(UsageError, match="nothing to lose"):
        run_drill(home.model_copy(update={"home": tmp_path / "none"}), Drill.WAREHOUSE_LOSS, utc_now)
    with pytest.raises(UsageError, match="no table"):
        run_drill(home, Drill.TABLE_LOSS, utc_now, "nothing")
    assert not (home.home / WORKSPACE).exists()


def test_drills_become_due(home: Settings) -> None:
    """A young home owes nothing; then each drill is due by itself, and a failed one does not count."""
    engine = operations_engine(home)
    start = BuildJournal(engine, home.builds).first_began_at()
    assert start is not None
    assert overdue(CALENDAR, home, engine, start + timedelta(days=34)) == {}
    assert list(overdue(CALENDAR, home, engine, start + timedelta(days=36))) == [Drill.TABLE_LOSS]
    log = DrillLog(engine)
    log.record(Drill.TABLE_LOSS, start + timedelta(days=36), 5, 1.0, False, "")
    assert list(overdue(CALENDAR, home, engine, start + timedelta(days=37))) == [Drill.TABLE_LOSS]
    log.record(Drill.TABLE_LOSS, start + timedelta(days=37), 0, 1.0, True, "")
    assert overdue(CALENDAR, home, engine, start + timedelta(days=38)) == {}
    assert list(overdue(CALENDAR, home, engine, start + timedelta(days=101))) == [
        Drill.TABLE_LOSS,
        Drill.WAREHOUSE_LOSS,
    ]


def test_dagster_takes_snapshots_and_judges_their_age(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job takes one and checks; a home without anything is left alone by the schedules."""
    monkeypatch.setenv("RELIABILITY_HOME", str(home.home))
    with dg.instance_for_test() as instance:
        job = defs.resolve_job_def("snapshot_warehouse")
        done = job.execute_in_process(instance=instance, run_config=QUIET)
        results = {one.check_name: one.passed for one in done.get_asset_check_evaluations()}
        assert results == {"recovery_snapshot__fresh": True, "recovery_drills__in_time": True, "as_audited": True}
        (home.published / "current" / "agg_daily_funnel" / "2026-01.parquet").unlink()
        again = job.execute_in_process(instance=instance, run_config=QUIET, raise_on_error=False)
        found = {str(one.asset_key.path[-1]): one.passed for one in again.get_asset_check_evaluations()}
        assert [name for name, passed in found.items() if not passed] == ["agg_daily_funnel"]
        assert isinstance(daily_snapshot(dg.build_schedule_context(instance, resources=RESOURCES)), dg.RunRequest)
        assert isinstance(daily_rehearsals(dg.build_schedule_context(instance, resources=RESOURCES)), dg.RunRequest)
        monkeypatch.setenv("RELIABILITY_HOME", str(tmp_path / "empty"))
        assert isinstance(daily_snapshot(dg.build_schedule_context(instance, resources=RESOURCES)), dg.SkipReason)
        assert isinstance(daily_rehearsals(dg.build_schedule_context(instance, resources=RESOURCES)), dg.SkipReason)


@pytest.mark.parametrize("drill", [Drill.TABLE_LOSS, Drill.SOURCE_OUTAGE])
def test_a_home_that_has_saved_no_simulation_has_the_default_one(home: Settings, drill: Drill) -> None:
    """Of a home that began with `reliability run` the drill said that there was nobody to ask, and no source that could be
    away; `verify` asked it.
    """
    home.simulation_file.unlink()
    assert (
        run_drill(home, drill, utc_now).oracle_equal is False
    )  # its days are of another simulation than the default one
