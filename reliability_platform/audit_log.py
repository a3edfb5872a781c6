"""Who did what to the data, to what consumers read or to what the platform does by itself: when, why, from where.

Append-only. What destroys something has an entry before it begins and one when it has ended, any other act one when it is done.

Each entry carries a hash over itself and the entry before, so that one that was edited or taken away is noticed; where
the log ends is noted outside the store, with the end of the timeline (`incidents/anchor.py`).
An entry that has no end is of a command that was killed in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Engine, func, insert, select
from sqlalchemy.exc import IntegrityError

from reliability_platform.actor import acts_from
from reliability_platform.formats import moment
from reliability_platform.masking import scrub
from reliability_platform.operations.chain import link
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


class Grants(StrEnum):
    """The commands after which somebody may do something over the API, or may not any more."""

    KEY_MADE = "tokens make"
    KEY_REVOKED = "tokens revoke"


class Changes(StrEnum):
    """What else somebody does that others must be able to find out about."""

    PUBLISH = "publish"
    HOLD = "hold"
    RELEASE = "release"
    HEAL = "heal"
    REPLAY = "quarantine replay"
    UNMASK = "quarantine show --unmasked"
    OVERRULE = "backfill --approve"
    PAUSE = "pause"
    RESUME = "resume"
    WITHDRAW_TABLE = "tables withdraw"
    STOP = "requested run stop"
    READ_OTHERWISE = "read otherwise"
    READ_AS_DELIVERED = "read otherwise revert"
    ACCEPT_LATE = "accept late rows"
    HOLD_LATE = "accept late rows revert"
    REHEARSE = "rehearse"
    CORRECT = "corrections apply"
    TAKE_BACK = "corrections revert"
    TAKE_OVER = "take-over"


Audited = Destroys | Grants | Changes
COMMANDS = tuple(sorted(one.value for kind in (Destroys, Grants, Changes) for one in kind))
"""Whatever stands in the log."""


class Phase(StrEnum):
    """How far it has come."""

    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class AuditEntry:
    """One line of the log."""

    command: str
    what: str
    phase: str
    who: str
    why: str
    at: datetime
    acted_from: str = ""
    """`command line`, `api`, `dashboard` or `daemon`; empty in entries of before this was noted."""

    @property
    def hashed(self) -> dict[str, object]:
        """What its hash is over. Entries of before had no place, and keep their hash."""
        return {name: value for name, value in vars(self).items() if name != "acted_from" or value}


class AuditLog:
    """The log in the operations store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def append(self, command: Audited, phase: Phase, what: str, who: str, why: str, now: datetime) -> None:
        """Write one line."""
        what, who, why = scrub(what)[:MAX_REASON], scrub(who), scrub(why)[:MAX_REASON]
        entry = AuditEntry(command.value, what, phase.value, who, why, now.astimezone(UTC), acts_from().value)
        while True:
            place, previous = self.end()
            values = {**vars(entry), "id": place + 1, "hash": link(previous, entry.hashed)}
            try:
                with self._engine.begin() as connection:
                    connection.execute(insert(audit_log).values(values))
                return
            except IntegrityError:
                if self.end()[0] == place:  # else another process has written in between: after that one, then
                    raise

    def end(self) -> tuple[int, str]:
        """The place and the hash of the last entry; 0 and nothing if there is none."""
        query = select(audit_log.c.id, audit_log.c.hash).order_by(audit_log.c.id.desc()).limit(1)
        with self._engine.connect() as connection:
            last = connection.execute(query).first()
        return (last.id, last.hash) if last is not None else (0, "")

    def has_hash(self, noted: str) -> bool:
        """Whether an entry with this hash is in the chain."""
        with self._engine.connect() as connection:
            return connection.execute(select(audit_log.c.id).where(audit_log.c.hash == noted)).first() is not None

    def unlinked(self, last: int) -> int:
        """How many of the entries up to this one have no hash."""
        query = select(func.count()).where(audit_log.c.hash == "", audit_log.c.id <= last)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar_one()

    def broken_links(self) -> list[str]:
        """Entries that do not follow from the one before: they were edited, or some before them are gone."""
        broken, previous, place = [], "", 0
        with self._engine.connect() as connection:
            for row in connection.execute(select(audit_log).order_by(audit_log.c.id)):
                if row.hash or previous:  # entries that are older than the chain have no hash
                    expected = link(previous, record(AuditEntry, row).hashed)
                    if (row.id, row.hash) != (place + 1, expected):
                        broken.append(f"{row.command} of {moment(row.at)} (entry {row.id})")
                previous, place = row.hash, row.id
        return broken

    def newest(
        self, conditions: Sequence[ColumnElement[bool]], limit: int | None, offset: int = 0
    ) -> tuple[list[AuditEntry], int]:
        """Some of the lines that meet all conditions, the newest first, and how many there are."""
        query = select(audit_log).where(*conditions).order_by(audit_log.c.id.desc()).offset(offset)
        with self._engine.connect() as connection:
            total = connection.execute(select(func.count()).select_from(audit_log).where(*conditions)).scalar_one()
            rows = connection.execute(query if limit is None else query.limit(limit)).all()
        return [record(AuditEntry, row) for row in rows], total

    def all(self) -> list[AuditEntry]:
        """Every line, oldest first."""
        with self._engine.connect() as connection:
            return [record(AuditEntry, row) for row in connection.execute(select(audit_log).order_by(audit_log.c.id))]


def note_act(engine: Engine, act: Changes, what: str, who: str, why: str, now: datetime) -> None:
    """Write down an act that is done. `why` is empty where nobody was asked for a reason."""
    AuditLog(engine).append(act, Phase.DONE, what, who, why, now)
