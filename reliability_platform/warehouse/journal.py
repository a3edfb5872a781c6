"""The journal of builds: which landing days were being built when, by which process, and how it ended.

A build that never says how it ended, and whose process is gone, was killed. Nothing else could tell: the warehouse
file itself is whole after a crash, only its content is of two times.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import Column, Date, DateTime, Engine, Integer, String, Table, Text, insert, select, update

from reliability_platform.operations import metadata

RUNNING, SUCCEEDED, FAILED, BLOCKED = "running", "succeeded", "failed", "blocked"
MAX_ERROR = 500

builds = Table(
    "builds",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    Column("process", Integer, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("error", Text),
    Column("began_at", DateTime, nullable=False),
    Column("ended_at", DateTime),
)


@dataclass(frozen=True)
class Build:
    """One entry."""

    id: int
    first_day: date
    last_day: date
    process: int
    outcome: str
    error: str | None
    began_at: datetime
    ended_at: datetime | None

    def covers(self, day: date) -> bool:
        """Whether the landing day is one of those built."""
        return self.first_day <= day <= self.last_day

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        if self.outcome != RUNNING:
            return False
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True  # somebody else's, and there
        return True

    @property
    def was_killed(self) -> bool:
        """Whether its process is gone without a word."""
        return self.outcome == RUNNING and not self.is_alive


def _stored(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


class BuildJournal:
    """The entries in the operations store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, first: date, last: date, now: datetime) -> int:
        """Say that this process begins to build; returns the number of the entry."""
        values = {
            "first_day": first,
            "last_day": last,
            "process": os.getpid(),
            "outcome": RUNNING,
            "began_at": _stored(now),
        }
        with self._engine.begin() as connection:
            key = connection.execute(insert(builds).values(**values)).inserted_primary_key
        assert key is not None
        return int(key[0])

    def end(self, number: int, now: datetime, outcome: str, error: str | None = None) -> None:
        """Say how it ended."""
        values = {"outcome": outcome, "ended_at": _stored(now), "error": error[:MAX_ERROR] if error else None}
        with self._engine.begin() as connection:
            connection.execute(update(builds).where(builds.c.id == number).values(**values))

    def overlapping(self, first: date, last: date, before: int) -> Build | None:
        """A build of another process that is at work on one of these days, and said so before entry `before`."""
        query = select(builds).where(
            builds.c.outcome == RUNNING,
            builds.c.first_day <= last,
            builds.c.last_day >= first,
            builds.c.process != os.getpid(),
            builds.c.id < before,
        )
        return next((build for build in self._read(query) if build.is_alive), None)

    def troubled(self) -> list[Build]:
        """Builds that were killed, failed or blocked, oldest first."""
        query = select(builds).where(builds.c.outcome != SUCCEEDED).order_by(builds.c.id)
        return [build for build in self._read(query) if not build.is_alive]

    def successes_after(self, number: int) -> list[Build]:
        """Builds that ended well and were begun after an entry."""
        query = select(builds).where(builds.c.outcome == SUCCEEDED, builds.c.id > number).order_by(builds.c.id)
        return self._read(query)

    def _read(self, query: object) -> list[Build]:
        with self._engine.connect() as connection:
            rows: Sequence[object] = connection.execute(query).all()  # type: ignore[call-overload]
        return [Build(*row) for row in rows]  # type: ignore[misc]
