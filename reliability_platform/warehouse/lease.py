"""One lease on the warehouse: whoever opens the DuckDB file holds it, and the others wait for their turn.

DuckDB lets one process write and then nobody else may open the file, not even to read. The lease is a lock of a file, or in
the server that has the operations store: then several hosts may work on one home.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reliability_platform.causes import NO_RIGHTS, NO_ROOM, cause_in
from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError
from reliability_platform.locks import Held, is_ours, take
from reliability_platform.operations import operations_engine, store_url
from reliability_platform.settings import Settings
from reliability_platform.warehouse.failures import damaged, is_damage

if TYPE_CHECKING:
    import duckdb  # 80 ms of CPU, and whoever looks at an incident opens no warehouse

    from reliability_platform.operations.server_lease import ServerLease


def take_lease(settings: Settings) -> Held:
    """Wait for the lease and hold it until it is released or the process ends. Re-entrant within a process."""
    seconds = settings.lease_timeout_seconds
    in_server = _in_server(settings)
    if in_server is not None:
        return in_server.take(seconds, _busy(seconds))
    return take(settings.lease, _busy(seconds), wait_seconds=seconds, reentrant=True)


def is_held(settings: Settings) -> bool:
    """Whether this process holds the lease of the home already: as a file first, for that is what an oracle or a clone has, of
    which the environment does not know that its store is another one.
    """
    if is_ours(settings.lease):
        return True
    in_server = _in_server(settings)
    return in_server is not None and in_server.is_held


def confirm_lease(settings: Settings) -> None:
    """Call under the lease, before something is written that others read: raises `HomeBusyError` if this process was stopped
    for so long that another one has it now. The kernel takes no lock of a file from a process that lives.
    """
    in_server = _in_server(settings)
    if in_server is not None and in_server.is_held:
        in_server.confirm()


def _in_server(settings: Settings) -> "ServerLease | None":
    if settings.operations_url is None or store_url(settings).get_backend_name() != "postgresql":
        return None
    from reliability_platform.operations.server_lease import server_lease

    return server_lease(operations_engine(settings), settings.lease_silence_seconds)


def _busy(waited_seconds: float) -> str:
    return (
        f"Another process has held the warehouse for {waited_seconds:.0f} s; try again when it has ended "
        "(RELIABILITY_LEASE_TIMEOUT_SECONDS sets how long to wait)."
    )


@contextmanager
def warehouse_lease(settings: Settings) -> Iterator[None]:
    """Hold the warehouse for the length of the block. Re-entrant within a process."""
    held = take_lease(settings)
    try:
        yield
    finally:
        held.release()


def hurried(settings: Settings, seconds: float) -> Settings:
    """The same settings for whoever waits so long for the warehouse and then does without it."""
    return settings.model_copy(update={"lease_timeout_seconds": seconds, "stranger_timeout_seconds": seconds})


def open_when_free(settings: Settings, *, read_only: bool) -> "duckdb.DuckDBPyConnection":
    """Open the file under the lease; wait for a while if a program that knows no lease has it open.

    Raises `HomeBusyError` if that program does not let go, `EnvironmentUnusableError` if the file is no database.
    """
    import duckdb

    warehouse, patience = settings.warehouse, settings.stranger_timeout_seconds
    deadline = time.monotonic() + patience
    while True:
        try:
            if not read_only:
                confirm_lease(settings)
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
def warehouse_reader(settings: Settings) -> Iterator["duckdb.DuckDBPyConnection"]:
    """A read-only connection to the warehouse under the lease, for checks, publication and documents.

    Consumers never come here: they read the published version.
    """
    import duckdb

    with warehouse_lease(settings):
        if not settings.warehouse.exists():
            raise EnvironmentUnusableError(
                f"The warehouse {settings.warehouse} does not exist: `reliability run` makes the first one, "
                "`reliability restore --damaged` puts back one that was lost."
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
