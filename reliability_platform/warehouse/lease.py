"""One lease on the warehouse: whoever opens the DuckDB file holds it, and the others wait for their turn.

DuckDB lets one process write and then nobody else may open the file, not even to read. The kernel releases the
lease of a process that dies, so a crash never blocks the next run.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from reliability_platform.causes import NO_RIGHTS, NO_ROOM, cause_in
from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError
from reliability_platform.settings import Settings
from reliability_platform.warehouse.failures import damaged, is_damage


def _lock(path: Path) -> FileLock:
    # A singleton per path that is not bound to a thread: the same process may take the lease again inside itself.
    return FileLock(path, is_singleton=True, thread_local=False)


def lease_is_ours(path: Path) -> bool:
    """Whether this process holds the lease already."""
    return _lock(path).is_locked


def take_lease(path: Path, timeout_seconds: float) -> FileLock:
    """Wait for the lease and hold it until the returned lock is released or the process ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = _lock(path)
    try:
        lock.acquire(timeout=timeout_seconds)
    except Timeout:
        raise HomeBusyError(
            f"Another process has held the warehouse for {timeout_seconds:.0f} s; try again when it has ended "
            "(RELIABILITY_LEASE_TIMEOUT_SECONDS sets how long to wait)."
        ) from None
    return lock


@contextmanager
def warehouse_lease(settings: Settings) -> Iterator[None]:
    """Hold the warehouse for the length of the block. Re-entrant within a process."""
    lock = take_lease(settings.lease, settings.lease_timeout_seconds)
    try:
        yield
    finally:
        lock.release()


def open_when_free(settings: Settings, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open the file under the lease; wait for a while if a program that knows no lease has it open.

    Raises `HomeBusyError` if that program does not let go, `EnvironmentUnusableError` if the file is no database.
    """
    warehouse, patience = settings.warehouse, settings.stranger_timeout_seconds
    deadline = time.monotonic() + patience
    while True:
        try:
            connection = duckdb.connect(str(warehouse), read_only=read_only)
            connection.execute("set enable_progress_bar = false")  # it would end up in the output of `--json`
            return connection
        except duckdb.Error as error:
            if is_damage(str(error)):
                raise damaged(str(error).splitlines()[0]) from None
            if cause_in(str(error)) in (NO_ROOM, NO_RIGHTS):
                raise EnvironmentUnusableError(
                    f"The warehouse file may not be opened, and nothing in it was changed; give {warehouse.name} the "
                    f"rights or the room that it needs, then try again: {str(error).splitlines()[0]}"
                ) from None
            if "Could not set lock" not in str(error):
                raise damaged(str(error).splitlines()[0]) from None
        if time.monotonic() > deadline:
            raise HomeBusyError(
                f"A program outside the platform has had {warehouse.name} open for {patience:g} s: close it."
            )
        time.sleep(0.25)


@contextmanager
def warehouse_reader(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection to the warehouse under the lease, for checks, publication and documents.

    Consumers never come here: they read the published version.
    """
    with warehouse_lease(settings):
        if not settings.warehouse.exists():
            raise EnvironmentUnusableError(
                f"The warehouse {settings.warehouse} does not exist yet: "
                "make it with `reliability demo` or `reliability run`."
            )
        connection = open_when_free(settings, read_only=True)
        try:
            yield connection
        except duckdb.Error as error:
            if is_damage(str(error)):
                raise damaged(str(error)) from error
            raise
        finally:
            connection.close()
