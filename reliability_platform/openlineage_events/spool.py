"""Events that wait for the endpoint, in the operations store: in order, durable, shared by all processes."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, delete, func, insert, select, update

from reliability_platform.operations.tables import openlineage_spool

_waits = openlineage_spool.c.dead_letter_reason.is_(None)


class EventSpool:
    """A queue of events; those that the endpoint refused are dead letters and hold up nobody."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, events: Sequence[dict[str, Any]]) -> None:
        """Add events at the end, all or none."""
        rows = [{"event": json.dumps(event, sort_keys=True)} for event in events]
        if rows:
            with self._engine.begin() as connection:
                connection.execute(insert(openlineage_spool), rows)

    def next(self, limit: int) -> list[tuple[int, dict[str, Any]]]:
        """The oldest events that wait, as (number, event)."""
        query = select(openlineage_spool).where(_waits).order_by(openlineage_spool.c.id).limit(limit)
        with self._engine.connect() as connection:
            return [(row.id, json.loads(row.event)) for row in connection.execute(query)]

    def remove(self, number: int) -> None:
        """The event has been delivered."""
        with self._engine.begin() as connection:
            connection.execute(delete(openlineage_spool).where(openlineage_spool.c.id == number))

    def dead_letter(self, number: int, reason: str) -> None:
        """The endpoint will never take this event as it is: keep it with the reason, as a dead letter."""
        with self._engine.begin() as connection:
            connection.execute(
                update(openlineage_spool)
                .where(openlineage_spool.c.id == number)
                .values(dead_letter_reason=reason[:200])
            )

    def put_back(self) -> int:
        """Let the dead letters wait again, each at its old place; returns how many."""
        with self._engine.begin() as connection:
            return connection.execute(update(openlineage_spool).where(~_waits).values(dead_letter_reason=None)).rowcount

    def waiting(self) -> int:
        """How many events wait."""
        with self._engine.connect() as connection:
            return int(connection.execute(select(func.count()).where(_waits)).scalar_one())

    def dead_letters(self) -> dict[str, int]:
        """Reason → how many dead letters have it."""
        reason = openlineage_spool.c.dead_letter_reason
        query = select(reason, func.count()).where(~_waits).group_by(reason).order_by(reason)
        with self._engine.connect() as connection:
            return {str(row[0]): int(row[1]) for row in connection.execute(query)}

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """All events that wait and all dead letters, as (`spool:number`, event)."""
        query = select(openlineage_spool).order_by(openlineage_spool.c.id)
        with self._engine.connect() as connection:
            return [(f"spool:{row.id}", json.loads(row.event)) for row in connection.execute(query)]
