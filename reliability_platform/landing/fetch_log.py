"""The log of fetches: how each went that brought deliveries over HTTP or from a database. Whoever asks about it needs no client."""

from dataclasses import dataclass
from datetime import date, datetime
from statistics import median

from sqlalchemy import Engine, func, insert, select

from reliability_platform.operations.records import record
from reliability_platform.operations.tables import fetch_durations, fetches

DURATIONS = 20
"""Fetches whose median is the typical one."""


@dataclass(frozen=True)
class Fetch:
    """How one fetch went."""

    id: int
    source: str
    landing_date: date
    refusals: int
    """Attempts that were turned away, failed or broke off, those that a retry made good among them."""
    missing: int
    """Batches that did not come."""
    breaker: str
    """The state of the source's breaker when the fetch ended."""
    fetched_at: datetime


class FetchLog:
    """The fetches in the operations store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(
        self, source: str, day: date, refusals: int, missing: int, breaker: str, now: datetime, seconds: float
    ) -> Fetch:
        """Append one. Only one that brought something to the end says how long fetches take."""
        values = {"source": source, "landing_date": day, "refusals": refusals, "missing": missing, "breaker": breaker}
        with self._engine.begin() as connection:
            [number] = connection.execute(insert(fetches).values(**values, fetched_at=now)).inserted_primary_key or []
            if not missing:
                connection.execute(insert(fetch_durations).values(fetch_id=number, source=source, seconds=seconds))
        return Fetch(number, source, day, refusals, missing, breaker, now)

    def all(self) -> list[Fetch]:
        """Every fetch, oldest first."""
        with self._engine.connect() as connection:
            return [record(Fetch, row) for row in connection.execute(select(fetches).order_by(fetches.c.id))]

    def last(self) -> dict[str, Fetch]:
        """The newest fetch of each source that has been fetched."""
        newest = select(func.max(fetches.c.id)).group_by(fetches.c.source)
        with self._engine.connect() as connection:
            rows = connection.execute(select(fetches).where(fetches.c.id.in_(newest)))
            return {row.source: record(Fetch, row) for row in rows}

    def typical_seconds(self, source: str) -> float | None:
        """How long a fetch takes that brings a day to its end: the median of the last ones; None if there was none."""
        query = (
            select(fetch_durations.c.seconds)
            .where(fetch_durations.c.source == source)
            .order_by(fetch_durations.c.fetch_id.desc())
            .limit(DURATIONS)
        )
        with self._engine.connect() as connection:
            seconds: list[float] = list(connection.execute(query).scalars())
        return median(seconds) if seconds else None
