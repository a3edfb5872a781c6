"""What people have paused on purpose: sources that are not asked, published tables that stay as they are, tables taken from consumers.

Append-only: the last word on a source or a table counts, until its end where one was given. Each is in the audit log as well.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import Engine, func, insert, select

from reliability_platform.audit_log import Changes, note_act
from reliability_platform.errors import UsageError
from reliability_platform.formats import moment
from reliability_platform.masking import scrub
from reliability_platform.operations.tables import MAX_REASON, pauses


class Pausable(StrEnum):
    """What can be paused."""

    SOURCE = "source"
    TABLE = "table"


class PauseState(StrEnum):
    """What somebody has said of it."""

    ACTIVE = "active"
    PAUSED = "paused"
    """A source is not asked for deliveries; a table stays as it was published last."""
    WITHDRAWN = "withdrawn"
    """A table is in no version that is published: consumers find none."""


_ACTS = {
    PauseState.ACTIVE: Changes.RESUME,
    PauseState.PAUSED: Changes.PAUSE,
    PauseState.WITHDRAWN: Changes.WITHDRAW_TABLE,
}


@dataclass(frozen=True)
class Pause:
    """One source or table that is paused or withdrawn now."""

    kind: Pausable
    name: str
    state: PauseState
    actor: str
    why: str
    until: datetime | None
    """When it ends by itself; None if somebody must end it."""
    at: datetime

    @property
    def words(self) -> str:
        """Who, since when, until when and why, in words that follow upon the name."""
        end = "" if self.until is None else f" until {moment(self.until)}"
        return f"is {self.state.value} by {self.actor} since {moment(self.at)}{end}: {self.why}"


class Pauses:
    """The pauses in the operations store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def say(
        self,
        kind: Pausable,
        name: str,
        state: PauseState,
        actor: str,
        why: str,
        now: datetime,
        until: datetime | None = None,
    ) -> bool:
        """Pause, withdraw or resume; whether that is new. Raises `UsageError` for an empty reason or an end that has passed."""
        if not why.strip():
            raise UsageError("The reason is empty: say it in a few words.")
        if until is not None and until <= now:
            raise UsageError(f"{moment(until)} has passed: give an end that lies ahead, or none.")
        standing = self.standing(now).get((kind, name))
        before = PauseState.ACTIVE if standing is None else standing.state
        if before is state and (standing is None or standing.until == until):
            return False
        why = scrub(why.strip())[:MAX_REASON]
        values = {"kind": kind.value, "name": name, "state": state.value, "actor": actor, "why": why}
        with self._engine.begin() as connection:
            end = None if until is None else until.astimezone(UTC)
            connection.execute(insert(pauses).values(**values, until=end, at=now))
        what = f"{kind.value} {name}" + ("" if until is None else f" until {moment(until)}")
        note_act(self._engine, _ACTS[state], what, actor, why, now)
        return True

    def standing(self, now: datetime) -> dict[tuple[Pausable, str], Pause]:
        """What is paused or withdrawn now."""
        last = select(func.max(pauses.c.id)).group_by(pauses.c.kind, pauses.c.name)
        query = select(pauses).where(pauses.c.id.in_(last), pauses.c.state != PauseState.ACTIVE.value)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(pauses.c.id)).all()
        found = [
            Pause(Pausable(row.kind), row.name, PauseState(row.state), row.actor, row.why, row.until, row.at)
            for row in rows
        ]
        return {(one.kind, one.name): one for one in found if one.until is None or one.until > now}

    def spells(self, now: datetime) -> dict[str, list[tuple[datetime, datetime]]]:
        """Source → from when to when it was paused, each time; the present pause ends now."""
        query = select(pauses).where(pauses.c.kind == Pausable.SOURCE.value).order_by(pauses.c.name, pauses.c.id)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        found: dict[str, list[tuple[datetime, datetime]]] = {}
        for place, row in enumerate(rows):
            after = next((one.at for one in rows[place + 1 : place + 2] if one.name == row.name), now)
            if row.state == PauseState.PAUSED.value:
                found.setdefault(row.name, []).append((row.at, min(row.until or after, after)))
        return found

    def sources(self, now: datetime) -> dict[str, Pause]:
        """The sources that are not asked now."""
        return {name: one for (kind, name), one in self.standing(now).items() if kind is Pausable.SOURCE}

    def tables(self, now: datetime) -> dict[str, Pause]:
        """The tables that are not published now."""
        return {name: one for (kind, name), one in self.standing(now).items() if kind is Pausable.TABLE}
