"""Who destroyed or replaced what, and why. Append-only: an entry before it begins, one when it has ended.

An entry that has no end is of a command that was killed in between.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import Column, DateTime, Engine, Integer, String, Table, insert, select

from reliability_platform.clock import Clock
from reliability_platform.masking import scrub
from reliability_platform.operations import metadata

MAX_TEXT = 500


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


audit_log = Table(
    "audit_log",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("command", String(40), nullable=False),
    Column("what", String(MAX_TEXT), nullable=False),
    Column("phase", String(10), nullable=False),
    Column("who", String(200), nullable=False),
    Column("why", String(MAX_TEXT), nullable=False),
    Column("at", DateTime, nullable=False),
)


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
        values = {"what": scrub(what)[:MAX_TEXT], "who": scrub(who), "why": scrub(why)[:MAX_TEXT]}
        at = now.astimezone(UTC).replace(tzinfo=None)
        with self._engine.begin() as connection:
            connection.execute(insert(audit_log).values(command=command.value, phase=phase.value, at=at, **values))

    def all(self) -> list[Entry]:
        """Every line, oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(audit_log).order_by(audit_log.c.id)).mappings().all()
        names = Entry.__dataclass_fields__
        return [Entry(**{**{name: row[name] for name in names}, "at": row["at"].replace(tzinfo=UTC)}) for row in rows]


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
