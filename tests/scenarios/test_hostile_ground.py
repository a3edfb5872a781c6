"""What a stranger, a damaged file or a second platform can do to a home, as whoever types a command meets it."""

import fcntl
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random

import duckdb
import pytest

from reliability_platform.checks.run_monitor import monitor_builds
from reliability_platform.clock import utc_now
from reliability_platform.errors import EnvironmentUnusableError, ExitCode
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.dbt_runner import build
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.publication import current_version
from tests.ground import Platform, day
from tests.torture.state import broken, differences, state_of
from tests.torture.troubles import spoil

pytestmark = pytest.mark.exhaustive

RELIABILITY = (sys.executable, "-c", "from reliability_platform.cli import main; main()")


def command(*words: str, home: Path, **environment: str) -> subprocess.Popen[str]:
    """`reliability …` in a process of its own."""
    return subprocess.Popen(
        [*RELIABILITY, *words, "--home", str(home)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code and what it said on stderr, which holds no traceback."""
    _, said = process.communicate(timeout=240)
    assert "Traceback" not in said, said
    return process.returncode, said.strip()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A small home with two days published; tests copy it."""
    platform = Platform(tmp_path_factory.mktemp("crash") / "home", events_per_day=300)
    platform.run(day(1), day(2))
    return platform.settings


@pytest.fixture
def settings(made: Settings, tmp_path: Path) -> Settings:
    """A home of one's own."""
    shutil.copytree(made.home, tmp_path / "home", symlinks=True)
    return made.model_copy(update={"home": tmp_path / "home"})


def damage(settings: Settings) -> None:
    """Overwrite bytes so that the file opens, and a mart cannot be read."""
    healthy = settings.warehouse.read_bytes()
    for seed in range(200):
        settings.warehouse.write_bytes(healthy)
        spoil(settings.warehouse, Random(seed), 8)
        with suppress(duckdb.Error), duckdb.connect(str(settings.warehouse), read_only=True) as connection:
            try:
                for mart in marts(ensure_manifest()):
                    connection.execute(f"select sum(hash(t)::hugeint) from {mart.name} as t").fetchall()
            except duckdb.Error:
                return
    raise AssertionError("no seed damages the file in this way")


def test_a_damaged_warehouse_is_never_published_and_rebuilds_as_the_message_says(settings: Settings) -> None:
    """DuckDB opens it, and finds the damage only when it reads the block; each command names the same way back."""
    before, version = state_of(settings), current_version(settings)
    damage(settings)
    code, said = ended(command("publish", home=settings.home))
    assert (code, said.count("\n")) == (ExitCode.ENVIRONMENT, 0)
    again = f"`reliability run --home {settings.home}`"
    assert f"or move it away and rebuild it from bronze with {again} over all its days" in said
    with pytest.raises(EnvironmentUnusableError, match="move it away"):
        build(settings, day(1), day(2))
    engine = operations_engine(settings)
    written = {one.message for one in monitor_builds(settings, engine, utc_now()) if one.check == "dbt_build__written"}
    assert len(written) == 1
    assert "move it away" in written.pop()
    assert (current_version(settings), broken(settings)) == (version, [])
    settings.warehouse.rename(settings.warehouse.with_suffix(".damaged"))
    assert ended(command("run", "--from", str(day(1)), "--to", str(day(2)), home=settings.home))[0] == ExitCode.OK
    after = state_of(settings)
    # What met the damage is on the record: the checks that could not judge, and the build that could not write.
    assert {name.split("-")[0] for name in after["incidents"]} == {"check_not_evaluated", "write_failure"}
    assert differences({**after, "incidents": {}}, before) == []


def test_a_locked_operations_store_is_said_in_one_line(settings: Settings) -> None:
    """Longer than anybody waits: nothing is changed, and it works as soon as the other one has ended."""
    before = state_of(settings)
    impatient = (
        "import runpy; from reliability_platform.operations import engine; engine.BUSY_TIMEOUT_MILLISECONDS = 300; "
        "runpy.run_module('reliability_platform.warehouse', run_name='__main__')"
    )
    words = [sys.executable, "-c", impatient, str(settings.home), str(day(1)), str(day(2))]
    with closing(sqlite3.connect(settings.home / "operations.sqlite", isolation_level=None)) as other:
        other.execute("begin exclusive")
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (ExitCode.BUSY, 1), done.stderr
    assert "Another program holds the operations store" in done.stderr
    assert subprocess.run(words, capture_output=True, timeout=120, check=False).returncode == 0
    assert differences(state_of(settings), before) == []


def test_a_stranger_who_keeps_the_warehouse_is_named_in_one_line(settings: Settings) -> None:
    """As above, for a DuckDB shell that somebody has left open."""
    before = state_of(settings)
    shell = f"import duckdb, time; held = duckdb.connect({str(settings.warehouse)!r}); print('held', flush=True); time.sleep(60)"
    stranger = subprocess.Popen([sys.executable, "-c", shell], stdout=subprocess.PIPE, text=True)
    assert stranger.stdout is not None
    assert stranger.stdout.readline() == "held\n"
    code, said = ended(command("publish", home=settings.home, RELIABILITY_STRANGER_TIMEOUT_SECONDS="0.5"))
    stranger.kill()
    stranger.communicate()
    assert (code, said.count("\n")) == (ExitCode.BUSY, 0)
    assert "A program outside the platform has had warehouse.duckdb open" in said
    assert ended(command("publish", home=settings.home))[0] == ExitCode.OK
    after = state_of(settings)
    # That a run could not write is on the record, and over with the next one that could.
    assert {name.split("-")[0]: one[0][0] for name, one in after["incidents"].items()} == {"write_failure": "resolved"}
    assert differences({**after, "incidents": {}}, before) == []


def wait_until(happened: Callable[[], bool], seconds: float = 60) -> None:
    """Poll."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_held(lock: Path) -> bool:
    """Whether a process holds this lock file."""
    if not lock.exists():
        return False
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def first(*words: str, home: Path, lock: str) -> Iterator[subprocess.Popen[str]]:
    """A command that has taken its home; stopped as a person stops it."""
    process = command(*words, home=home)
    try:
        wait_until(lambda: is_held(home / lock))
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


RUN = ("run", "--from", str(day(1)), "--to", str(day(2)))


def test_the_second_of_two_runs_on_one_home_is_refused(settings: Settings) -> None:
    """At once, in one line; the first one is not disturbed."""
    before = state_of(settings)
    process = command(*RUN, home=settings.home)
    wait_until(lambda: is_held(settings.home / ".session.lock"))
    code, said = ended(command(*RUN, home=settings.home))
    assert (code, said.count("\n")) == (ExitCode.BUSY, 0)
    assert "Another command is at work" in said
    assert ended(process)[0] == ExitCode.OK
    assert differences(state_of(settings), before) == []


def test_a_served_home_is_neither_served_twice_nor_emptied_by_a_demo(tmp_path: Path) -> None:
    """Two daemons would do everything twice; the demo would empty the home under the first one."""
    home, port = tmp_path / "home", ("--port", "39217")
    with first("dev", *port, home=home, lock=".served.lock"):
        for words in (("dev", *port), ("demo", "--days", "5", "--plan", "clean")):
            code, said = ended(command(*words, home=home))
            assert (code, said.count("\n")) == (ExitCode.BUSY, 0), said
            assert "reliability dev is at work" in said
    assert not is_held(home / ".served.lock")
