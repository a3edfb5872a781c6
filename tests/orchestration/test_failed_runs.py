"""A run that dies opens an incident by itself; and one thing that fails costs only itself."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from reliability_platform.causes import KILLED, NO_ROOM
from reliability_platform.checks.failed_runs import FailedRun, FailedRuns
from reliability_platform.checks.results import CheckStatus
from reliability_platform.checks.run_monitor import monitor_failed_runs
from reliability_platform.checks.store import CheckStore
from reliability_platform.cli.main import main
from reliability_platform.clock import utc_now
from reliability_platform.errors import EnvironmentUnusableError, ExitCode, StoppedError
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.failed_runs import note_failed_runs
from reliability_platform.orchestration.landing_sensor import _in_hand
from reliability_platform.orchestration.local import LOCAL, LocalDaemon, RunFailedError, StepError, failed_run
from reliability_platform.orchestration.partitions import PARTITION, range_tags
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.publication import DUE, announce
from tests.unit.failing import NOW, day, passed, result

DAY = date(2026, 1, 1)


def command(line: str) -> int:
    """Run a command as the shell would; its exit code."""
    try:
        return int(main(line.split()) or 0)
    except SystemExit as stop:
        return int(stop.code or 0)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("RELIABILITY_HOME", str(tmp_path))
    made = load_settings(tmp_path)
    Simulation(seed=7, events_per_day=100).save(made)
    yield made


def test_a_run_that_dies_opens_an_incident_with_its_stage(home: Settings) -> None:
    """Nothing but dbt's builds was journaled: a run that died elsewhere left days unjudged, and told nobody."""
    home.landing.write_text("in the way")
    assert command(f"run --from {DAY} --to {DAY}") not in (ExitCode.OK, ExitCode.NOT_HEALED)
    store = IncidentStore(operations_engine(home))
    found = {one.failure_class: one for one in store.all()}
    assert found.keys() == {"run_failed", "misplaced_delivery"}, "what lies in the way is named too"
    incident = found["run_failed"]
    assert incident.partitions == [DAY]
    assert "landing of orders, landing of payments" in incident.signals[0].message


def test_a_dead_run_is_made_good_by_a_later_one_that_was_judged_and_published(tmp_path: Path) -> None:
    """A failure that nobody could ever take back would stay open for good; one that is taken back too early is a lie."""
    settings = load_settings(tmp_path)
    engine = operations_engine(settings)
    checks = CheckStore(engine)
    failed_at = NOW - timedelta(minutes=5)
    FailedRuns(engine).record(
        FailedRun("one", "pipeline", "audit", None, day(5), day(6), NO_ROOM, "no space left on device", failed_at)
    )

    def monitored() -> list[str]:
        return sorted({f"{one.check} {one.status}" for one in monitor_failed_runs(settings, engine, NOW)})

    judged = "rec_batches__conserved__orders"
    checks.record([result(judged, 5), passed(judged, 6, at=failed_at - timedelta(minutes=1))])
    assert monitored() == ["pipeline_run__written failed"]
    assert monitored() == [], "day 6 was judged before the run died, and not since"
    checks.record([passed(judged, 6)])
    announce(settings)
    assert monitored() == [], "judged, and not published"
    (settings.published / DUE).unlink()
    assert monitored() == ["pipeline_run__written passed"]
    assert monitored() == []


def test_a_run_that_died_in_publication_is_made_good_where_nothing_new_was_left_to_publish(tmp_path: Path) -> None:
    """It asked for a newer version, which a re-run without any change never makes: a P1 that nobody could end."""
    settings = load_settings(tmp_path)
    engine = operations_engine(settings)
    FailedRuns(engine).record(
        FailedRun("one", "pipeline", "publication", None, day(5), day(5), KILLED, "its process was killed", NOW)
    )
    announce(settings)
    assert [one.status for one in monitor_failed_runs(settings, engine, NOW)] == [CheckStatus.FAILED]
    (settings.published / DUE).unlink()  # as every publication ends
    assert [one.status for one in monitor_failed_runs(settings, engine, NOW)] == [CheckStatus.PASSED]


def test_whoever_stops_a_run_by_hand_needs_no_incident(home: Settings) -> None:
    """Ctrl-C was a P1 at the next run. A run that nobody watches is another matter."""

    @dg.asset(key=["landing", "orders"], partitions_def=dg.DailyPartitionsDefinition(start_date=DAY.isoformat()))
    def stopped() -> None:
        raise StoppedError(2)

    engine = operations_engine(home)
    with dg.instance_for_test() as instance:
        for tags in (LOCAL, {}):
            with suppress(BaseException):
                dg.materialize([stopped], instance=instance, partition_key=DAY.isoformat(), tags=tags)
        note_failed_runs(home, engine, instance, utc_now())
    assert [one.cause.name for one in FailedRuns(engine).since()] == ["stopped"]


def _broken(words: str) -> dg.AssetsDefinition:
    @dg.asset(key=["landing", "orders"], partitions_def=dg.DailyPartitionsDefinition(start_date=DAY.isoformat()))
    def broken() -> None:
        raise OSError(28, words)

    return broken


def test_the_cause_of_a_dead_run_is_the_errors_own(home: Settings) -> None:
    """A full disk was called a killed build, or nothing at all."""
    engine = operations_engine(home)
    with dg.instance_for_test() as instance:
        dg.materialize(
            [_broken("No space left on device")],
            instance=instance,
            partition_key=DAY.isoformat(),
            tags=LOCAL,
            raise_on_error=False,
        )
        for _ in range(2):  # looking twice writes once
            note_failed_runs(home, engine, instance, utc_now())
    (run,) = FailedRuns(engine).since()
    assert (run.stage, run.source, run.cause.name) == ("landing of orders", "orders", "no_room")
    assert (run.first_day, run.last_day) == (DAY, DAY)


def test_a_run_whose_process_was_killed_is_on_record_with_the_stage_that_it_was_in(home: Settings) -> None:
    """Only a killed dbt build was noticed; a process killed while it landed or published left no trace."""
    engine = operations_engine(home)
    with dg.instance_for_test() as instance:
        run = instance.create_run_for_job(
            dg.define_asset_job("pipeline", [_broken("")]).resolve(
                asset_graph=dg.Definitions([_broken("")]).resolve_asset_graph()
            ),
            tags={**LOCAL, PARTITION: DAY.isoformat()},
            status=dg.DagsterRunStatus.STARTED,
        )
        LocalDaemon(instance, dg.Definitions(), [])  # the next command ends what a killed one has left
        note_failed_runs(home, engine, instance, utc_now())
        assert [one.cause.name for one in FailedRuns(engine).since()] == ["process_killed"]
        assert FailedRuns(engine).known(run.run_id)


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE])
def test_a_run_over_incidents_that_ended_badly_stops_no_sensor(home: Settings, status: dg.DagsterRunStatus) -> None:
    """Its partition is an incident's id, which was read as a day: after one killed run of documents each tick of the
    incident sensor died, so no incident was opened any more."""
    engine = operations_engine(home)
    documents = {PARTITION: "INC-0032-run_killed-orders-2026-01-28"}, range_tags(DAY, DAY)

    @dg.job
    def pipeline() -> None:
        pass

    with dg.instance_for_test() as instance:
        for tags in documents:
            instance.create_run_for_job(pipeline, tags=tags, status=status)
        note_failed_runs(home, engine, instance, utc_now())
        assert _in_hand(engine, instance) == ({DAY} if status is dg.DagsterRunStatus.STARTED else set())


@pytest.mark.parametrize(
    ("kind", "words", "code"),
    [
        ("OSError", "OSError: [Errno 28] No space left on device", ExitCode.ENVIRONMENT),
        ("HomeBusyError", "another one builds these days", ExitCode.BUSY),
        ("UsageError", "there is no such day", ExitCode.USAGE),
        ("KeyError", "x", ExitCode.INTERNAL),
    ],
)
def test_the_exit_code_of_a_failed_run_is_that_of_its_cause(kind: str, words: str, code: ExitCode) -> None:
    """Whoever scripts the command must tell a full disk from a bug."""
    assert failed_run("pipeline", StepError("landing__orders", kind, words)).exit_code == code


def test_one_run_or_sensor_that_fails_keeps_no_other_from_its_turn(tmp_path: Path) -> None:
    """One failing remediation ended the whole command: the other incidents were not healed."""
    done = tmp_path / "done"

    @dg.op
    def fail() -> None:
        raise OSError("it fails")

    @dg.op
    def work() -> None:
        done.touch()

    @dg.job
    def failing() -> None:
        fail()

    @dg.job
    def working() -> None:
        work()

    @dg.sensor(jobs=[failing, working])
    def asking(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return dg.SensorResult([dg.RunRequest(one, job_name=one) for one in ("failing", "working")])

    @dg.sensor(job=working)
    def dying(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        raise OSError("no sensor today")

    with dg.instance_for_test() as instance:
        definitions = dg.Definitions(jobs=[failing, working], sensors=[asking, dying])
        daemon = LocalDaemon(instance, definitions, [dying, asking])
        daemon.settle()
    assert done.exists()
    assert [one.what for one in daemon.troubles][:2] == ["dying", "failing"]
    assert "OSError" in daemon.troubles[1].words


def test_a_run_that_somebody_stops_ends_the_command_and_is_no_failed_run(home: Settings) -> None:
    """Dagster makes a failed step of Ctrl-C; the command then said so, and went on to look for incidents."""

    @dg.op
    def stopped() -> None:
        raise KeyboardInterrupt

    @dg.job
    def stopping() -> None:
        stopped()

    with dg.instance_for_test() as instance, pytest.raises(StoppedError):
        LocalDaemon(instance, dg.Definitions(jobs=[stopping]), []).run("stopping")


def test_a_failed_run_says_what_failed_without_the_path_of_its_class(home: Settings) -> None:
    """`reliability run` said "dbt: reliability_platform.errors.EnvironmentUnusableError: The warehouse file …"."""

    @dg.op
    def fail() -> None:
        raise EnvironmentUnusableError("The warehouse has no room.")

    @dg.job
    def failing() -> None:
        fail()

    with dg.instance_for_test() as instance:
        daemon = LocalDaemon(instance, dg.Definitions(jobs=[failing]), [])
        with pytest.raises(RunFailedError) as raised:
            daemon.run("failing")
    assert str(raised.value) == "The run of failing failed: fail: The warehouse has no room."
    assert raised.value.exit_code == ExitCode.ENVIRONMENT
