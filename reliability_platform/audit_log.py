"""Who destroyed or replaced what, and why. Append-only: an entry before it begins, one when it has ended.

An entry that has no end is of a command that was killed in between.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Engine, insert, select

from reliability_platform.clock import Clock
from reliability_platform.masking import scrub
from reliability_platform.operations.records import record
from reliability_platform.operations.tables import MAX_REASON, audit_log


class Destroys(StrEnum):
    """The commands after which something is gone that was there before."""

    RESTORE = "restore"
    PRUNE = "snapshot prune"
    PURGE = "quarantine purge"
    DISCARD = "quarantine discard"
    ROLLBACK = "publish --rollback"
    WITHDRAW = "withdraw"


class Phase(StrEnum):
    """How far it has come."""

    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Entry:
    """One line of the log."""

    command: str
    what: str
    phase: str
    who: str
    why: str
    at: datetime


class AuditLog:
    """The log in the operations store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def append(self, command: Destroys, phase: Phase, what: str, who: str, why: str, now: datetime) -> None:
        """Write one line."""
        values = {"what": scrub(what)[:MAX_REASON], "who": scrub(who), "why": scrub(why)[:MAX_REASON]}
        with self._engine.begin() as connection:
            connection.execute(insert(audit_log).values(command=command.value, phase=phase.value, at=now, **values))

    def all(self) -> list[Entry]:
        """Every line, oldest first."""
        with self._engine.connect() as connection:
            return [record(Entry, row) for row in connection.execute(select(audit_log).order_by(audit_log.c.id))]


@contextmanager
def recorded(engine: Engine, command: Destroys, what: str, who: str, why: str, clock: Clock) -> Iterator[None]:
    """Write before the block what it is about to destroy, and after it how it ended."""
    log = AuditLog(engine)
    log.append(command, Phase.BEGUN, what, who, why, clock())
    try:
        yield
    except BaseException:
        log.append(command, Phase.FAILED, what, who, why, clock())
        raise
    log.append(command, Phase.DONE, what, who, why, clock())
