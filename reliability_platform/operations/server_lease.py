"""The lease of a home whose operations store is in a server: one holder among all processes of all hosts.

Who holds it is the session that has the server's advisory lock; a process that dies lets go of it with its connection. A
holder that lives and says nothing (stopped, swapped out, cut off) loses it after a while: whoever waits ends its session.
Each holder has a token, one higher than the one before. A holder whose token is not the last one is refused: each of its
transactions in the store asks for it before it commits, and `confirm` before it writes anything else.
"""

import os
import socket
import threading
import time
from contextlib import suppress
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Engine, event, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from reliability_platform.clock import utc_now
from reliability_platform.errors import HomeBusyError, PlatformError
from reliability_platform.operations.tables import leases

NAME = "warehouse"
LOOK_AGAIN_SECONDS = 0.25
BEATS = 6
"""So often a holder speaks within the time after which it is taken for gone."""
_KEYS = "5715004, hashtext(current_schema())"
_TRY = text(f"select pg_try_advisory_lock({_KEYS})")
_RELEASE = text(f"select pg_advisory_unlock({_KEYS})")
_END_SILENT = text("""
    select pg_terminate_backend(pid) from pg_locks join pg_stat_activity using (pid)
    where locktype = 'advisory' and classid = 5715004 and objid = hashtext(current_schema())::oid and granted
      and database = (select oid from pg_database where datname = current_database())
      and pg_stat_activity.state = 'idle' and clock_timestamp() - state_change > make_interval(secs => :seconds)
""")
"""Ends the session of a holder that has not spoken for so long; a user may end its own sessions."""
TAKEN = (
    "Another process has taken the warehouse over while this one was stopped or cut off: nothing more of it is written; "
    "run the command again."
)


class ServerLease:
    """The lease of one home in this process. Re-entrant; every thread of the process is the same holder."""

    def __init__(self, engine: Engine, silence_seconds: float) -> None:
        self._engine, self._silence = engine, silence_seconds
        self._guard = threading.RLock()
        self._depth, self._process = 0, os.getpid()
        self._session: Connection | None = None
        self._of_parent: Connection | None = None
        self._token = 0
        event.listen(engine, "commit", self._refuse_stale)
        os.register_at_fork(after_in_child=self._leave_to_parent)

    def _leave_to_parent(self) -> None:
        """In a fork. The session is kept in the hand and never used: closing it would end the parent's."""
        self._guard, self._depth, self._of_parent, self._session = threading.RLock(), 0, self._session, None

    @property
    def is_held(self) -> bool:
        """Whether this process has taken it, and not its parent."""
        return self._depth > 0 and self._process == os.getpid()

    def take(self, wait_seconds: float, busy: str) -> "ServerLease":
        """Wait for it. Raises `HomeBusyError`, with `busy` if nobody lets go of it in time."""
        with self._guard:
            if self.is_held:
                self.confirm()
            else:
                self._begin(wait_seconds, busy)
            self._depth += 1
            return self

    def release(self, force: bool = False) -> None:
        """Let go of it, once as often as it was taken; with `force` for good."""
        with self._guard:
            self._depth = 0 if force else self._depth - 1
            if self._depth == 0:
                self._end()

    def confirm(self) -> None:
        """Raise `HomeBusyError` if it was taken by another process. One that has lost its connection alone has it again."""
        with self._guard:
            if self._answers():
                return
            self._end()
            session = self._connected()
            if not session.scalar(_TRY) or session.scalar(_token()) != self._token:
                session.close()
                raise HomeBusyError(TAKEN)
            self._session = session

    def _answers(self) -> bool:
        """Whether its session is there; then nobody else can have the lease."""
        if self._session is None:
            return False
        try:
            self._session.exec_driver_sql("select 1")
        except (PlatformError, SQLAlchemyError):
            return False
        return True

    def _connected(self) -> Connection:
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def _begin(self, wait_seconds: float, busy: str) -> None:
        ends, session = time.monotonic() + wait_seconds, self._connected()
        while not session.scalar(_TRY):
            if time.monotonic() > ends:
                session.close()
                raise HomeBusyError(busy)
            session.execute(_END_SILENT, {"seconds": self._silence})
            time.sleep(LOOK_AGAIN_SECONDS)
        self._session, self._process, self._depth = session, os.getpid(), 0
        self._token = _next_token(session)
        threading.Thread(target=self._speak, args=(self._token,), daemon=True, name="lease").start()

    def _end(self) -> None:
        """The session is closed, not put back: the lock is its own."""
        if self._session is not None:
            with suppress(PlatformError, SQLAlchemyError):
                self._session.execute(_RELEASE)
            with suppress(PlatformError, SQLAlchemyError):
                self._session.invalidate()
            self._session.close()
            self._session = None

    def _speak(self, token: int) -> None:
        """Let others see that the holder lives. What is wrong with the server, whoever asks for `confirm` is told."""
        while True:
            time.sleep(self._silence / BEATS)
            with self._guard:
                if not self.is_held or self._token != token:
                    return
                with suppress(PlatformError, SQLAlchemyError):
                    self.confirm()

    def _refuse_stale(self, connection: Connection) -> None:
        """SQLAlchemy's hook before a commit: the transaction of a holder that was overtaken is undone."""
        if self.is_held and connection.scalar(_token().with_for_update(read=True)) != self._token:
            raise HomeBusyError(TAKEN)


def _token() -> Any:
    return select(leases.c.token).where(leases.c.name == NAME)


def _next_token(session: Connection) -> int:
    """One higher than that of the holder before."""
    mine = {"holder": f"{socket.gethostname()}, process {os.getpid()}"[:200], "taken_at": utc_now()}
    further = update(leases).where(leases.c.name == NAME).values(token=leases.c.token + 1, **mine)
    found = session.scalar(further.returning(leases.c.token))
    if found is None:
        found = session.scalar(insert(leases).values(name=NAME, token=1, **mine).returning(leases.c.token))
    return int(found)


@lru_cache(maxsize=32)
def server_lease(engine: Engine, silence_seconds: float) -> ServerLease:
    """The lease of an installation, one a process."""
    return ServerLease(engine, silence_seconds)
