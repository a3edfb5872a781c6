"""The journal of builds: who is at work, who was killed, and what is refused."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reliability_platform.errors import HomeBusyError
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.dbt_runner import _journaled
from reliability_platform.warehouse.journal import BLOCKED, KILLED, SUCCEEDED, BuildJournal
from tests.ground import day

NOW = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home with nothing in it."""
    return load_settings(tmp_path / "home")


@pytest.fixture
def journal(settings: Settings) -> BuildJournal:
    """Its journal."""
    return BuildJournal(operations_engine(settings), settings.builds)


def killed_build(settings: Settings) -> subprocess.Popen[bytes]:
    """A process says that it builds days 1 and 2, and dies; its number stays taken until it is waited for."""
    program = (
        "import sys, time; from pathlib import Path; from tests.unit.test_build_journal import *\n"
        "settings = load_settings(Path(sys.argv[1]))\n"
        "BuildJournal(operations_engine(settings), settings.builds).begin(day(1), day(2), NOW)\n"
        "print('begun', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(settings.home)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    return process


def test_a_killed_build_is_known_by_its_lock_whoever_has_its_number(settings: Settings, journal: BuildJournal) -> None:
    """Its process number is still in use; that says nothing, and refuses nobody."""
    process = killed_build(settings)
    [found] = journal.troubled()
    assert found.outcome == KILLED
    os.kill(found.process, 0)  # somebody answers to the number
    assert list(settings.builds.iterdir()) == []  # its lock does not stay
    assert journal.overlapping(day(1), day(2), before=found.id + 1) is None
    process.wait()


def test_one_that_is_at_work_is_neither_dead_nor_overlooked(journal: BuildJournal, settings: Settings) -> None:
    """Another journal of the same process sees it as any stranger would."""
    number = journal.begin(day(1), day(3), NOW)
    other = BuildJournal(operations_engine(settings), settings.builds)
    assert other.troubled() == []
    assert other.overlapping(day(3), day(5), before=number + 1) is not None
    assert other.overlapping(day(4), day(5), before=number + 1) is None
    journal.end(number, NOW, SUCCEEDED)
    assert other.overlapping(day(3), day(5), before=number + 1) is None
    assert list(settings.builds.iterdir()) == []


def test_the_second_of_two_is_refused_and_recorded(settings: Settings, journal: BuildJournal) -> None:
    """With a message that says by whom and since when."""
    with (
        _journaled(settings, day(1), day(5)),
        pytest.raises(HomeBusyError, match=r"overlaps the build of .*wait until it has ended"),
        _journaled(settings, day(5), day(6)),
    ):
        pass
    assert [(one.first_day, one.outcome) for one in journal.troubled()] == [(day(5), BLOCKED)]
