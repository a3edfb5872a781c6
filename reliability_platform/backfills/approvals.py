"""Approvals of backfills that a guard objects to: who let which days through, why, and against what.

Append-only. An approval is for exactly its days and for the objections that it names, and for an hour.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Engine, insert, select

from reliability_platform.audit_log import Changes, note_act
from reliability_platform.backfills.guard import bound_by
from reliability_platform.clock import days
from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.masking import scrub
from reliability_platform.operations.records import record
from reliability_platform.operations.tables import backfill_approvals

STANDS_FOR = timedelta(hours=1)
MAX_WHY = 2000
SEPARATOR = ", "


@dataclass(frozen=True)
class Approval:
    """One entry."""

    id: int
    first_day: date
    last_day: date
    actor: str
    why: str
    guards: tuple[str, ...]
    """The guards that it overrules."""
    at: datetime


def reason(why: str) -> str:
    """A reason as it may be kept. Raises `UsageError` for one that is empty or endless."""
    if not why.strip():
        raise UsageError("The reason is empty: say in a few words why the days must be run again, with --why.")
    if len(why) > MAX_WHY:
        raise UsageError(f"The reason has {counted(len(why), 'character')}: {MAX_WHY} is the most.")
    return scrub(why.strip())


class Approvals:
    """The approvals in the operations store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def approve(self, first: date, last: date, guards: Collection[str], actor: str, why: str, now: datetime) -> int:
        """Let the days through, against these guards; the number of the entry. It stands on the timelines of the
        incidents that bind the days. Raises `UsageError` for a reason that is none.
        """
        why, actor = reason(why), scrub(actor)[:200]
        values = {
            "first_day": first,
            "last_day": last,
            "actor": actor,
            "why": why,
            "guards": SEPARATOR.join(sorted(guards)),
            "at": now,
        }
        with self._engine.begin() as connection:
            key = connection.execute(insert(backfill_approvals).values(**values)).inserted_primary_key
            assert key is not None
            number = int(key[0])
        note_act(
            self._engine, Changes.OVERRULE, f"{first} to {last}: {SEPARATOR.join(sorted(guards))}", actor, why, now
        )
        store = IncidentStore(self._engine)
        words = f"A backfill of {first} to {last} was approved against {SEPARATOR.join(sorted(guards))}: {why}"
        for incident_id in bound_by(self._engine, frozenset(days(first, last))):
            data = {"backfill_approval": number, "guards": sorted(guards)}
            store.append(incident_id, now, actor, "note", words, data, key=f"backfill-{number}-{incident_id}")
        return number

    def overruled(self, first: date, last: date, now: datetime) -> set[str]:
        """The guards that approvals overrule now, for exactly these days."""
        since = now - STANDS_FOR
        return {
            guard
            for one in self.all()
            if (one.first_day, one.last_day) == (first, last) and one.at > since
            for guard in one.guards
        }

    def all(self) -> list[Approval]:
        """Every approval, oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(backfill_approvals).order_by(backfill_approvals.c.id))
            return [record(Approval, row, guards=lambda text: tuple(text.split(SEPARATOR))) for row in rows]
