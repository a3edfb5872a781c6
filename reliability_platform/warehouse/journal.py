"""The journal of builds: which landing days were being built when, by which process, and how it ended.

A build that never says how it ended, and that nobody is at work on, was killed. Nothing else could tell: the warehouse
file itself is whole after a crash, only its content is of two times. One that cannot say so in the store, because there
is no room, says it in the file of its lock, which has room for that (`ending`).

Who is at work holds the lock of his build, and the kernel lets go of it when he dies. The number of a process would
not do: it is given to another one after a restart, and means nothing in another container.
"""

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Select, func, insert, select, update

from reliability_platform.clock import days
from reliability_platform.ending import STOPPED_WORDS, Ending, begun, ended, reserve, tell, told
from reliability_platform.errors import PlatformError
from reliability_platform.locks import claim, unclaimed
from reliability_platform.log_lines import log_event
from reliability_platform.operations.records import record
from reliability_platform.operations.tables import builds

RUNNING, SUCCEEDED, FAILED, BLOCKED = "running", "succeeded", "failed", "blocked"
KILLED = "killed"
"""Never written down: what a build that says `running` is, once nobody is at work on it."""
MAX_ERROR = 500


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


class BuildJournal:
    """The entries in the operations store, and the locks of those that run in a folder of the home."""

    def __init__(self, engine: Engine, locks: Path) -> None:
        self._engine, self._locks = engine, locks
        self._held: dict[int, int] = {}

    def begin(self, first: date, last: date, now: datetime) -> int:
        """Say that this process begins to build; returns the number of the entry."""
        values = {
            "first_day": first,
            "last_day": last,
            "process": os.getpid(),
            "outcome": RUNNING,
            "began_at": now,
        }
        number = None
        try:
            with self._engine.begin() as connection:
                key = connection.execute(insert(builds).values(**values)).inserted_primary_key
                assert key is not None
                number = int(key[0])
                # Before anybody can read the entry: one without its lock would be taken for dead.
                self._take(number)
        except BaseException:
            if number is not None:
                self._release(number)  # the next build gets this number, and must not wait for its lock
            raise
        return number

    def _path(self, number: int) -> Path:
        return self._locks / f"{number}.lock"

    def _take(self, number: int) -> None:
        self._held[number] = claim(self._path(number), wait=True)
        reserve(self._held[number])
        begun(self._path(number), partial(tell, self._held[number], Ending(FAILED, STOPPED_WORDS)))

    def _release(self, number: int) -> None:
        ended(self._path(number))
        descriptor = self._held.pop(number, None)
        if descriptor is not None:
            self._path(number).unlink(missing_ok=True)
            os.close(descriptor)

    def _as_it_stands(self, build: Build) -> Build | None:
        """A build that says `running` with the outcome that it has by now; None if somebody is at work on it."""
        try:
            with unclaimed(self._path(build.id)) as left:
                if left is None:
                    return None
                ending = told(left)
                if ending is not None:
                    build = replace(build, outcome=ending.outcome, error=ending.error)
                    with suppress(PlatformError):  # there is no room yet: it stays in the file, and is as true
                        self._enter(build.id, ending, None)
                        self._path(build.id).unlink(missing_ok=True)
                    return build
                self._path(build.id).unlink(missing_ok=True)  # of a dead one, and nobody takes this number again
        except FileNotFoundError:
            pass
        return replace(build, outcome=KILLED)

    def end(self, number: int, now: datetime, outcome: str, error: str | None = None) -> None:
        """Say how it ended, in the store or beside it. Raises if one that ended well cannot be entered as such."""
        ending = Ending(outcome, (error or "")[:MAX_ERROR])
        log_event("build ended", build=number, outcome=outcome, error=ending.error or None)
        try:
            self._enter(number, ending, now)
        except Exception:
            if outcome == SUCCEEDED:
                raise  # then it has failed: nobody could rely on it
            self._leave_word(number, ending)
        else:
            self._release(number)

    def _enter(self, number: int, ending: Ending, now: datetime | None) -> None:
        values = {"outcome": ending.outcome, "error": ending.error or None, "ended_at": now}
        with self._engine.begin() as connection:
            connection.execute(update(builds).where(builds.c.id == number).values(**values))

    def _leave_word(self, number: int, ending: Ending) -> None:
        ended(self._path(number))
        descriptor = self._held.pop(number)
        with suppress(OSError):
            tell(descriptor, ending)
        os.close(descriptor)

    def _working(self, query: Select[Any]) -> Build | None:
        """The first of these that somebody is at work on; the query asks for running ones."""
        return next((build for build in self._read(query) if self._as_it_stands(build) is None), None)

    def at_work(self, first: date, last: date) -> Build | None:
        """A build that is at work on one of these days now."""
        query = select(builds).where(
            builds.c.outcome == RUNNING, builds.c.first_day <= last, builds.c.last_day >= first
        )
        return self._working(query)

    def overlapping(self, first: date, last: date, before: int) -> Build | None:
        """A build that is at work on one of these days, and said so before entry `before`."""
        query = select(builds).where(
            builds.c.outcome == RUNNING,
            builds.c.first_day <= last,
            builds.c.last_day >= first,
            builds.c.id < before,
        )
        return self._working(query)

    def troubled(self) -> list[Build]:
        """Builds that were killed, failed or blocked, oldest first."""
        running = self._read(select(builds).where(builds.c.outcome == RUNNING))
        stands = {build.id: self._as_it_stands(build) for build in running}
        # Read afterwards: one that ended well while we looked is not among them, and one that has just begun is not in
        # `stands`.
        found = self._read(select(builds).where(builds.c.outcome != SUCCEEDED).order_by(builds.c.id))
        ended = [build if build.outcome != RUNNING else stands.get(build.id) for build in found]
        return [build for build in ended if build is not None]

    def newest(
        self, outcome: str | None, day: date | None, limit: int | None, offset: int = 0
    ) -> tuple[list[Build], int]:
        """Some of the entries, the newest first, and how many there are; looked at only, whatever became of their processes.

        One that says `running` and that nobody is at work on is `killed`.
        """
        running = self._read(select(builds).where(builds.c.outcome == RUNNING))
        dead = [build.id for build in running if not self._has_holder(build.id)]
        query = select(builds)
        if outcome == KILLED:
            query = query.where(builds.c.id.in_(dead))
        elif outcome is not None:
            query = query.where(builds.c.outcome == outcome, builds.c.id.not_in(dead))
        if day is not None:
            query = query.where(builds.c.first_day <= day, builds.c.last_day >= day)
        with self._engine.connect() as connection:
            total = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
        query = query.order_by(builds.c.id.desc()).offset(offset)
        found = self._read(query if limit is None else query.limit(limit))
        return [replace(build, outcome=KILLED) if build.id in dead else build for build in found], total

    def _has_holder(self, number: int) -> bool:
        try:
            with unclaimed(self._path(number)) as left:
                return left is None
        except FileNotFoundError:
            return False

    def settled(self) -> int:
        """The number of an entry up to which every build has ended, well or not; later ones may still be at work."""
        query = select(builds).where(builds.c.outcome == RUNNING).order_by(builds.c.id)
        with self._engine.connect() as connection:
            newest = connection.execute(select(func.max(builds.c.id))).scalar()
        working = self._working(query)
        return int(newest or 0) if working is None else working.id - 1

    def days_after(self, number: int) -> set[date]:
        """The landing days of all builds after an entry, however they ended: each may have written."""
        query = select(builds).where(builds.c.id > number, builds.c.outcome != BLOCKED)
        return {day for build in self._read(query) for day in days(build.first_day, build.last_day)}

    def first_began_at(self) -> datetime | None:
        """When the first build began; None if there was none."""
        with self._engine.connect() as connection:
            return connection.execute(select(func.min(builds.c.began_at))).scalar()

    def built(self, first: date, last: date, since: datetime | None = None) -> set[date]:
        """Which of these days a build has ended well on; with `since`, one that began then or later."""
        query = select(builds).where(
            builds.c.outcome == SUCCEEDED, builds.c.first_day <= last, builds.c.last_day >= first
        )
        if since is not None:
            query = query.where(builds.c.began_at >= since)
        wanted = set(days(first, last))
        return {day for build in self._read(query) for day in days(build.first_day, build.last_day)} & wanted

    def last_began(self, day: date) -> datetime | None:
        """When the last build of a day began. One that was refused has taken nothing in."""
        covers = (builds.c.first_day <= day) & (builds.c.last_day >= day) & (builds.c.outcome != BLOCKED)
        with self._engine.connect() as connection:
            return connection.execute(select(func.max(builds.c.began_at)).where(covers)).scalar()

    def begun(self, first: date, last: date) -> set[date]:
        """Which of these days a build was begun on, however it ended."""
        query = select(builds).where(builds.c.first_day <= last, builds.c.last_day >= first)
        wanted = set(days(first, last))
        return {day for build in self._read(query) for day in days(build.first_day, build.last_day)} & wanted

    def refused(self, first: date, last: date, now: datetime, words: str) -> int:
        """Say that a build was refused before it began; the number of the entry."""
        # Never `running`, not for a moment: nobody else's build is to make way for one that does not come.
        values = {
            "first_day": first,
            "last_day": last,
            "process": os.getpid(),
            "outcome": BLOCKED,
            "error": words[:MAX_ERROR],
            "began_at": now,
            "ended_at": now,
        }
        with self._engine.begin() as connection:
            key = connection.execute(insert(builds).values(**values)).inserted_primary_key
            assert key is not None
            return int(key[0])

    def last_success(self) -> int:
        """The number of the last build that ended well; 0 if none has."""
        query = select(func.max(builds.c.id)).where(builds.c.outcome == SUCCEEDED)
        with self._engine.connect() as connection:
            return int(connection.execute(query).scalar() or 0)

    def successes_after(self, number: int) -> list[Build]:
        """Builds that ended well and were begun after an entry."""
        query = select(builds).where(builds.c.outcome == SUCCEEDED, builds.c.id > number).order_by(builds.c.id)
        return self._read(query)

    def _read(self, query: Select[Any]) -> list[Build]:
        with self._engine.connect() as connection:
            return [record(Build, row) for row in connection.execute(query)]
