"""What ends a build or a run is told even where no store can be written any more; only what says nothing was killed."""

import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import dagster as dg
import pytest

from reliability_platform.causes import KILLED, NO_ROOM, STOPPED, Cause, cause_in
from reliability_platform.checks.failed_runs import FailedRuns
from reliability_platform.checks.run_monitor import monitor_builds
from reliability_platform.clock import utc_now
from reliability_platform.ending import ROOM, Ending, finish, reserve, tell, told
from reliability_platform.errors import EnvironmentUnusableError, StoppedError
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.failed_runs import note_failed_runs
from reliability_platform.orchestration.home import platform_instance
from reliability_platform.orchestration.local import LocalDaemon
from reliability_platform.orchestration.partitions import PARTITION
from reliability_platform.orchestration.run_endings import ENDINGS, RunEndings, endings_of
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.dbt_runner import _journaled
from reliability_platform.warehouse.journal import FAILED, SUCCEEDED, BuildJournal
from tests.ground import day


@contextmanager
def no_more_room() -> Iterator[None]:
    """As on a full disk, no file of this process grows; what has its room can be overwritten."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home with nothing in it."""
    return load_settings(tmp_path / "home")


def test_what_must_not_be_left_half_done_is_done_whoever_interrupts_how_often() -> None:
    """The interrupt is raised once it is done; in a thread, which is never interrupted, it is just done."""
    done = list[int]()

    def work() -> None:
        for number in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.05)
            done.append(number)

    with pytest.raises(StoppedError):
        finish(work)
    assert done == [0, 1, 2]
    with ThreadPoolExecutor(1) as pool:
        pool.submit(finish, lambda: done.append(3)).result()
    assert done == [0, 1, 2, 3]
    before = signal.getsignal(signal.SIGINT)

    def fail() -> None:
        raise ValueError("as it is")

    with pytest.raises(ValueError, match="as it is"):
        finish(fail)
    assert signal.getsignal(signal.SIGINT) is before


def test_an_ending_takes_no_new_room(tmp_path: Path) -> None:
    """A longer text is cut, and half of one is none."""
    with (tmp_path / "one").open("w+b") as file:
        reserve(file.fileno())
        assert told(file.fileno()) is None
        with no_more_room():
            tell(file.fileno(), Ending("failed", "•" * 3 * ROOM))
        assert os.fstat(file.fileno()).st_size == ROOM
        found = told(file.fileno())
        assert found is not None
        assert (found.outcome, found.error[:3]) == ("failed", "•••")
        file.truncate(100)
        assert told(file.fileno()) is None


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), None])
def test_a_build_that_ran_out_of_room_is_not_called_killed(settings: Settings, error: OSError | None) -> None:
    """The store could not be told how it ended, nor that it ended well; then "a build was killed" was an incident."""
    engine = operations_engine(settings)
    journal = BuildJournal(engine, settings.builds)
    full = ExitStack()
    with (
        full,
        pytest.raises((OSError, EnvironmentUnusableError), match=r"No space left|has no room"),
        _journaled(settings, day(1), day(2), whole=False),
    ):
        full.enter_context(no_more_room())
        if error is not None:
            raise error
    for _ in range(2):  # whoever looks first, and everybody after him
        [found] = journal.troubled()
        assert (found.outcome, cause_in(found.error or "")) == (FAILED, NO_ROOM)
    assert list(settings.builds.glob("*.lock")) == []
    assert {one.check for one in monitor_builds(settings, engine, utc_now())} == {"dbt_build__written"}


def test_a_build_that_has_no_room_to_begin_leaves_nothing_that_would_hinder_the_next(settings: Settings) -> None:
    """Its number is given again; a lock that this process still held would let the next build wait for ever."""
    engine = operations_engine(settings)
    journal = BuildJournal(engine, settings.builds)
    with no_more_room(), pytest.raises(EnvironmentUnusableError, match="has no room"):
        journal.begin(day(1), day(2), utc_now())
    assert list(settings.builds.glob("*.lock")) == []
    assert journal.troubled() == []
    journal.end(journal.begin(day(1), day(2), utc_now()), utc_now(), SUCCEEDED)


def run_to_its_end(settings: Settings, end: str) -> None:
    """A run over a landing day that does not end well."""
    full = ExitStack()

    @dg.op(name="landing__orders")
    def landing() -> None:
        if end == "no room":
            full.enter_context(no_more_room())
        elif end == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            raise KeyboardInterrupt

    @dg.job
    def pipeline() -> None:
        landing()

    with full, platform_instance(settings) as instance, suppress(Exception, StoppedError):
        LocalDaemon(instance, dg.Definitions(jobs=[pipeline]), []).run("pipeline", tags={PARTITION: str(day(1))})


def test_what_ends_a_run_is_told_where_not_even_its_record_can_be_read(settings: Settings) -> None:
    """A full disk keeps SQLite from reading as well; that error says nothing of the run, but its process knows it."""
    with platform_instance(settings) as instance:
        run = instance.create_run_for_job(dg.GraphDefinition("pipeline").to_job())
        endings = endings_of(instance)
        with pytest.raises(OSError, match="No space"), endings.told_if_it_fails():
            raise OSError(28, "No space left on device")
        with pytest.raises(OSError, match="later"), endings.told_if_it_fails():
            raise OSError("later")
    word = RunEndings(settings.dagster_home).told(run.run_id)  # as another process reads it
    assert word is not None
    assert (word.outcome, "No space left" in word.error) == (NO_ROOM.name, True)


def test_a_run_that_is_stopped_while_nothing_records_it_was_not_killed(settings: Settings) -> None:
    """Ctrl-C between two steps of Dagster left a run "started", and the next command said that it had been killed."""
    with platform_instance(settings) as instance:
        run = instance.create_run_for_job(dg.GraphDefinition("pipeline").to_job())
        with pytest.raises(StoppedError), endings_of(instance).told_if_it_fails():
            raise StoppedError(signal.SIGINT)
    word = RunEndings(settings.dagster_home).told(run.run_id)
    assert (word and word.outcome) == STOPPED.name


@pytest.mark.parametrize(("end", "cause"), [("no room", NO_ROOM), ("killed", KILLED), ("stopped", STOPPED)])
def test_a_run_that_could_not_record_its_end_has_its_own_cause(settings: Settings, end: str, cause: Cause) -> None:
    """Dagster's record stays "started" when its store is full, as that of a killed process does; both were "killed"."""
    engine = operations_engine(settings)
    if end == "killed":
        process = multiprocessing.get_context("fork").Process(target=run_to_its_end, args=(settings, end))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    else:
        run_to_its_end(settings, end)
    with platform_instance(settings) as instance:
        LocalDaemon(instance, dg.Definitions(), [])  # the next command
        note_failed_runs(settings, engine, instance, utc_now())
    # Whoever stops a run of the command line knows it.
    told = [] if end == "stopped" else [("landing of orders", cause)]
    assert [(one.stage, one.cause) for one in FailedRuns(engine).since()] == told
    assert list((settings.dagster_home / ENDINGS).iterdir()) == []
