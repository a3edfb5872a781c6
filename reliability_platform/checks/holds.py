"""Landing days that people hold: kept out of publication whatever the checks say, until somebody releases them.

Append-only: the last word on a source and day counts. A release frees the day from people alone; the gate goes on
holding what its checks object to.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine, func, insert, select

from reliability_platform.audit_log import Changes, note_act
from reliability_platform.masking import scrub
from reliability_platform.operations.records import record
from reliability_platform.operations.tables import holds


@dataclass(frozen=True)
class Hold:
    """A day that somebody holds."""

    source: str
    landing_date: date
    actor: str
    why: str
    at: datetime

    @property
    def reason(self) -> str:
        """In words, as it stands beside the objections of checks."""
        return f"held by {self.actor}: {self.why}"


class Holds:
    """The holds in the operations store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def _say(self, source: str, day: date, is_held: bool, actor: str, why: str, now: datetime) -> bool:
        standing = (source, day) in self.standing()
        if standing is is_held:
            return False
        with self._engine.begin() as connection:
            connection.execute(
                insert(holds).values(
                    source=source, landing_date=day, is_held=is_held, actor=actor, why=scrub(why), at=now
                )
            )
        act = Changes.HOLD if is_held else Changes.RELEASE
        note_act(self._engine, act, f"{source} {day}", actor, why, now)
        return True

    def hold(self, source: str, day: date, actor: str, why: str, now: datetime) -> bool:
        """Keep a day out of publication; whether that is new."""
        return self._say(source, day, True, actor, why, now)

    def release(self, source: str, day: date, actor: str, why: str, now: datetime) -> bool:
        """Free a day that somebody holds; whether anybody did."""
        return self._say(source, day, False, actor, why, now)

    def standing(self) -> dict[tuple[str, date], Hold]:
        """What is held now."""
        last = select(func.max(holds.c.id)).group_by(holds.c.source, holds.c.landing_date)
        with self._engine.connect() as connection:
            rows = connection.execute(select(holds).where(holds.c.id.in_(last), holds.c.is_held))
            return {(row.source, row.landing_date): record(Hold, row) for row in rows}
