"""The journal of builds: who is at work, who was killed, and what is refused."""

import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError, UsageError
from reliability_platform.operations import operations_engine
from reliability_platform.settings import DBT_PROJECT, Settings, load_settings
from reliability_platform.warehouse.dbt_runner import _journaled
from reliability_platform.warehouse.journal import BLOCKED, KILLED, SUCCEEDED, BuildJournal
from reliability_platform.warehouse.versions import VersionsBuilt, version_of
from tests.conftest import day

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


def test_models_of_an_older_version_are_refused_unless_somebody_wants_to_go_back(
    settings: Settings, journal: BuildJournal, tmp_path: Path
) -> None:
    """0.9.9 is older than 0.10.0; going back on purpose makes the older one the newest."""
    for version in ("0.9.9", "0.10.0"):
        shutil.copytree(DBT_PROJECT, tmp_path / version, ignore=shutil.ignore_patterns("target", "models", "logs"))
        project = tmp_path / version / "dbt_project.yml"
        project.write_text(project.read_text().replace('version: "0.1.0"', f'version: "{version}"'))
    old, new = (settings.model_copy(update={"dbt_project": tmp_path / one}) for one in ("0.9.9", "0.10.0"))
    assert version_of(old.dbt_project) < version_of(new.dbt_project)
    for one in (old, new, new):
        with _journaled(one, day(1), day(1)):
            pass
    with pytest.raises(UsageError, match=r"version 0.9.9 are older than 0.10.0"), _journaled(old, day(1), day(1)):
        pass
    assert [one.outcome for one in journal.troubled()] == [BLOCKED]
    with _journaled(old.model_copy(update={"allow_older_models": True}), day(1), day(1)):
        pass
    assert str(VersionsBuilt(operations_engine(settings)).newest()) == "0.9.9"
    with _journaled(old, day(1), day(1)):
        pass


def test_a_project_without_a_version_is_refused(settings: Settings, tmp_path: Path) -> None:
    """Nobody could say whether it is older."""
    (tmp_path / "dbt_project.yml").write_text("name: x\n")
    with pytest.raises(EnvironmentUnusableError, match="no dbt project with a version"):
        version_of(tmp_path)
