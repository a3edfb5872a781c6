"""Trouble around a process that is not killed: no room on the disk, files that others hold, a clock that jumps,
a database server that stops."""

import os
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import duckdb

from reliability_platform import clock
from reliability_platform.operations import engine, operations_engine
from reliability_platform.operations.portable import put_back_from_file
from reliability_platform.operations.postgresql import Installation
from reliability_platform.settings import Settings, load_settings, variable
from reliability_platform.warehouse.snapshots.manifest import OPERATIONS
from tests.postgresql_server import PostgresqlServer, postgresql_server
from tests.torture.killing import Process, start

PAGE = 4096
Resize = Callable[[int], bool]
"""Sets the size of a disk in bytes; whether it could."""


def size_of(home: Path) -> int:
    """The room that the files of a folder take, in whole pages."""
    return sum(-(-path.stat().st_size // PAGE) * PAGE for path in home.rglob("*") if path.is_file())


def used(disk: Path) -> int:
    """The room that is taken on a disk."""
    found = os.statvfs(disk)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


@contextmanager
def small_disk(target: Path) -> Iterator[Resize]:
    """A disk of its own at `target`; what it yields sets its size in bytes, and says whether it could be had at all."""
    target.mkdir(parents=True, exist_ok=True)
    mounted = False

    def resize(size: int) -> bool:
        nonlocal mounted
        options = f"{'remount,' if mounted else ''}size={size}"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", target], capture_output=True, check=False
        )
        mounted = mounted or done.returncode == 0
        return done.returncode == 0

    try:
        yield resize
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", target], check=True)


def no_file_beyond(size: int) -> Callable[[], None]:
    """Where no disk of one's own can be had: the kernel refuses this process whatever makes a file larger."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _hold(take: Callable[[], object], seconds: float, log: Path) -> Process:
    """A process that takes something, says so, and keeps it for a while."""
    taken = log.with_suffix(".taken")
    taken.unlink(missing_ok=True)

    def holding() -> None:
        held = take()
        taken.touch()
        time.sleep(seconds)
        del held

    process = start(holding, log.with_suffix(".holder"))
    while not taken.exists():
        time.sleep(0.02)
    return process


def hold_warehouse(home: Path, seconds: float, log: Path) -> Process:
    """A stranger, as a DuckDB shell is: it knows no lease."""
    return _hold(lambda: duckdb.connect(str(load_settings(home).warehouse)), seconds, log)


def hold_store(home: Path, seconds: float, log: Path) -> Process:
    """Somebody who writes into the operations store for a long time."""

    def take() -> sqlite3.Connection:
        connection = sqlite3.connect(home / "operations.sqlite", isolation_level=None)
        connection.execute("begin exclusive")
        return connection

    return _hold(take, seconds, log)


def impatient() -> None:
    """Processes that wait for one second only, so that a test need not wait for thirty."""
    os.environ["RELIABILITY_STRANGER_TIMEOUT_SECONDS"] = "1"
    engine.BUSY_TIMEOUT_MILLISECONDS = 1000


def _set_clock(now: Callable[[], datetime]) -> None:
    original = clock.utc_now
    for module in list(sys.modules.values()):
        if getattr(module, "utc_now", None) is original:
            module.utc_now = now  # type: ignore[attr-defined]


def shifted(by: timedelta) -> Callable[[], None]:
    """A machine whose clock is wrong."""
    return lambda: _set_clock(lambda: datetime.now(UTC) + by)


def jumping(rng: Random) -> Callable[[], None]:
    """A clock that is set anew again and again while the process runs: up to a day forth or back."""

    def install() -> None:
        _set_clock(lambda: datetime.now(UTC) + timedelta(hours=rng.uniform(-24, 24)))

    return install


def spoil(path: Path, rng: Random, places: int) -> None:
    """Overwrite random bytes of a file, as a failing disk does."""
    with path.open("r+b") as file:
        length = file.seek(0, os.SEEK_END)
        for _ in range(places):
            file.seek(rng.randrange(length))
            file.write(rng.randbytes(64))


@contextmanager
def store_in_server() -> Iterator[PostgresqlServer]:
    """Homes that are opened in the block have their operations store in a server, which waits for the disk."""
    name = variable("operations_url")
    with postgresql_server(durable=True) as server:
        os.environ[name] = server.url
        try:
            yield server
        finally:
            del os.environ[name]


def move_store(settings: Settings) -> None:
    """Bring the store in a home's file into the server that its settings name."""
    engine = operations_engine(settings, begin=True)
    put_back_from_file(engine, Installation.of(settings).schema, settings.home / OPERATIONS)
