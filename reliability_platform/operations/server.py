"""Connections to a PostgreSQL server: kept for the process, waited for while it restarts, and what its errors mean.

Errors are known by their SQLSTATE (PostgreSQL, appendix A), which no language or release changes, and never by their words.
A transaction that loses its connection has changed nothing; what comes after it finds a new one, or says that there is none.
"""

import os
import time
from functools import lru_cache
from typing import Any

from sqlalchemy import URL, Engine, ExceptionContext, event

from reliability_platform.causes import DAMAGE, HELD, INTERRUPTED, LIMIT, NO_RIGHTS, NO_ROOM, NO_SUCH_PATH, Cause
from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError, PlatformError
from reliability_platform.operations.address import usable

CAUSES: tuple[tuple[str, Cause], ...] = (
    ("08", INTERRUPTED),  # connection exceptions
    ("57P", INTERRUPTED),  # the server shuts down, has crashed, or is starting up
    ("25P03", INTERRUPTED),  # idle for too long within a transaction
    ("53100", NO_ROOM),
    ("53200", LIMIT),  # out of memory
    ("53300", HELD),  # too many connections
    ("53", LIMIT),
    ("55P03", HELD),  # a lock is not available
    ("55006", HELD),  # an object is in use
    ("40", HELD),  # deadlocks, and transactions that cannot be put in an order
    ("57014", HELD),  # a statement ran into its timeout
    ("25006", NO_RIGHTS),  # read-only, as a standby is
    ("42501", NO_RIGHTS),
    ("28", NO_RIGHTS),  # user or password
    ("3D000", NO_SUCH_PATH),  # no such database
    ("58", DAMAGE),  # the server's own files
    ("XX001", DAMAGE),
    ("XX002", DAMAGE),
)
"""What a SQLSTATE means, by its beginning. The first one counts."""
HOW = {
    NO_ROOM: "has no room",
    DAMAGE: "is damaged",
    INTERRUPTED: "cannot be reached",
}
REMEDIES = {
    DAMAGE: "put it back from a backup of the server",
    NO_RIGHTS: "look at the user, its password and its rights, whether there is such a database, and whether the server is a "
    "standby, which is read-only",
    NO_SUCH_PATH: "make the database, or name another",
    LIMIT: "look at the limits of the server, then run the command again",
}
"""Where a server needs another one than a file."""
CONNECT_SECONDS = 10
"""How long one attempt may take; a host that does not answer keeps others waiting for two minutes."""
PATIENCE_SECONDS = 30.0
"""How long a process that has been connected waits for a server that restarts: it takes a few seconds, a failover some more."""
LOOK_AGAIN_SECONDS = 0.25


def cause_of_state(state: str | None) -> Cause | None:
    """What a SQLSTATE says of the server; None for one that is about the statement."""
    return next((cause for sign, cause in CAUSES if state is not None and state.startswith(sign)), None)


def cause_of(error: BaseException) -> Cause | None:
    """What a driver's error says of the server. Of a connection that was refused libpq gives no SQLSTATE, but whether the server
    had asked for a password: then it is there, and does not let this user in (libpq, `PQconnectionUsedPassword`).
    """
    attempt = getattr(error, "pgconn", None)
    if state_of(error) is None and attempt is not None and (attempt.used_password or attempt.needs_password):
        return NO_RIGHTS
    return cause_of_state(state_of(error))


def state_of(error: BaseException) -> str | None:
    """The SQLSTATE of a driver's error. None where there is none: no server has answered."""
    found = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return found if isinstance(found, str) else None


def place(url: URL) -> str:
    """Where a store is, without user and password."""
    return f"at {url.host or 'the default host'}{f':{url.port}' if url.port else ''} ({url.database or 'default database'})"


def server_error(error: BaseException, cause: Cause, url: URL, setting: str) -> PlatformError:
    """The platform's error for one of the server, in words that hold neither values nor the URL."""
    state = state_of(error)
    said = f"SQLSTATE {state}, {type(error).__name__}" if state else type(error).__name__
    store = f"The store {place(url)} that {setting} names"
    if cause is HELD:
        return HomeBusyError(f"{store} is busy ({said}): {cause.remedy}.")
    remedy = REMEDIES.get(cause, cause.remedy)
    return EnvironmentUnusableError(f"{store} {HOW.get(cause, 'cannot be used')} ({said}): {remedy}.")


@lru_cache(maxsize=32)
def server_engine(setting: str, url: URL, schema: str) -> Engine:
    """The engine of one schema for the whole process. Errors about the server come out as the platform's own.

    `setting` is the variable that named the URL.
    """
    given = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_SECONDS}
    engine = usable(setting, url, connect_args=given, pool_pre_ping=True, max_overflow=-1, pool_use_lifo=True)

    @event.listens_for(engine, "handle_error")
    def _in_words(context: ExceptionContext) -> None:
        error = context.original_exception
        if not isinstance(error, engine.dialect.loaded_dbapi.Error):
            return
        lost = context.is_disconnect or context.connection is None
        cause = cause_of(error) or (INTERRUPTED if lost else None)
        if cause is not None and not context.is_pre_ping:  # a connection that died while nobody used it is made anew
            raise server_error(error, cause, url, setting) from None

    _wait_for_restarts(engine)
    event.listen(engine, "connect", lambda connection, _record: _set_path(connection, schema))
    # A connection is the parent's: what a fork said on it, the parent would read as an answer.
    os.register_at_fork(after_in_child=lambda: engine.dispose(close=False))
    return engine


def _wait_for_restarts(engine: Engine) -> None:
    """Let a process that was connected before wait until it can connect again; the first time it is told at once."""
    known: list[bool] = []

    @event.listens_for(engine, "do_connect")
    def _connect(dialect: Any, _record: object, arguments: Any, named: Any) -> Any:
        ends = time.monotonic() + (PATIENCE_SECONDS if known else 0)
        while True:
            try:
                made = dialect.connect(*arguments, **named)
            except dialect.loaded_dbapi.OperationalError as error:
                passes = cause_of(error) in (None, INTERRUPTED, HELD)
                if not passes or time.monotonic() > ends:
                    raise
                time.sleep(LOOK_AGAIN_SECONDS)
            else:
                known[:] = [True]
                return made


def _set_path(connection: Any, schema: str) -> None:
    """Let a new connection look into this schema alone, whatever becomes of its transactions."""
    before, connection.autocommit = connection.autocommit, True
    with connection.cursor() as cursor:
        cursor.execute(f'set search_path to "{schema}"')
    connection.autocommit = before
