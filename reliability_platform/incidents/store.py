"""The append-only timeline in the operations store. Entries are chained by hash; nothing is ever changed."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Engine,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError

from reliability_platform.errors import HomeBusyError, UsageError
from reliability_platform.incidents.model import Incident, State, TimelineEntry, check_transition, fold
from reliability_platform.operations import metadata

timeline = Table(
    "incident_timeline",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("incident_id", String(200), nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", DateTime, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("why", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    # Two writers that read the same last entry cannot both append the next one.
    UniqueConstraint("incident_id", "number"),
)
attached = Table(
    "incident_signals",
    metadata,
    # A check result belongs to one incident, once, however often a sensor reads it.
    Column("result_id", Integer, primary_key=True, autoincrement=False),
    Column("incident_id", String(200), nullable=False),
)
keys = Table(
    "incident_keys",
    metadata,
    # What a caller wants to be on the timeline once, however often it says so.
    Column("key", String(300), primary_key=True),
    Column("incident_id", String(200), nullable=False),
)
numbers = Table(
    "incident_numbers", metadata, Column("number", Integer, primary_key=True), Column("incident_id", String(200))
)

ATTEMPTS = 50
"""Writers that lose the race for the next entry read again and retry; each round, one of them wins."""
PARAMETERS = 500
"""Values in one `in (…)`: databases limit how many a statement may bind."""


def _hash(previous: str, fields: Mapping[str, Any]) -> str:
    return hashlib.sha256((previous + json.dumps(fields, sort_keys=True, default=str)).encode()).hexdigest()


class IncidentStore:
    """Incidents as folds over the timeline."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> list[Incident]:
        """Every incident, oldest first."""
        entries: dict[str, list[TimelineEntry]] = defaultdict(list)
        with self._engine.connect() as connection:
            for row in connection.execute(select(timeline).order_by(timeline.c.id)):
                entries[row.incident_id].append(_entry(row))
        return [fold(incident_id, history) for incident_id, history in entries.items()]

    def get(self, incident_id: str) -> Incident:
        """One incident, by its id or an unambiguous beginning of it. Raises `UsageError`."""
        found = [incident for incident in self.all() if incident_id and incident.id.startswith(incident_id)]
        exact = [incident for incident in found if incident.id == incident_id]
        if len(exact or found) != 1:
            what = f"{len(found)} incidents begin with" if found else "There is no incident"
            raise UsageError(f"{what} {incident_id!r}: see `reliability incidents list`.")
        return (exact or found)[0]

    def known_results(self, result_ids: Sequence[int]) -> set[int]:
        """Which of these check results belong to an incident already."""
        known: set[int] = set()
        with self._engine.connect() as connection:
            for start in range(0, len(result_ids), PARAMETERS):
                some = list(result_ids[start : start + PARAMETERS])
                rows = connection.execute(select(attached.c.result_id).where(attached.c.result_id.in_(some)))
                known.update(row.result_id for row in rows)
        return known

    def open(
        self,
        name: str,
        now: datetime,
        actor: str,
        why: str,
        data: Mapping[str, Any],
        results: Sequence[int],
        contained: str | None = None,
    ) -> str | None:
        """Open an incident with its first signals; its id, or None if another process opened it in the meantime.

        `contained` says in words what keeps consumers safe already, if anything does.
        """
        opened: list[str] = []

        def write(connection: Connection) -> None:
            number = (connection.execute(select(func.max(numbers.c.number))).scalar() or 0) + 1
            incident_id = f"INC-{number:04d}-{name}"
            connection.execute(insert(numbers).values(number=number, incident_id=incident_id))
            self._append(connection, incident_id, now, actor, "opened", why, data)
            if contained is not None:
                self._append(connection, incident_id, now, actor, "transition", contained, {"to": State.CONTAINED})
            self._attach(connection, incident_id, results)
            opened[:] = [incident_id]

        written = self._write(write, lambda: bool(results) and bool(self.known_results(results)))
        return opened[0] if written else None

    def append(
        self,
        incident_id: str,
        now: datetime,
        actor: str,
        kind: str,
        why: str,
        data: Mapping[str, Any] | None = None,
        results: Sequence[int] = (),
        key: str | None = None,
    ) -> bool:
        """Append one entry, with the check results that belong to it; whether it was appended.

        It is not if one of the results belongs to an incident already, or if an entry with the same `key` was made.
        """

        def write(connection: Connection) -> None:
            if key is not None:
                connection.execute(insert(keys).values(key=key, incident_id=incident_id))
            self._attach(connection, incident_id, results)
            self._append(connection, incident_id, now, actor, kind, why, data or {})

        def repeated() -> bool:
            return (bool(results) and bool(self.known_results(results))) or (key is not None and self._has_key(key))

        return self._write(write, repeated)

    def move(self, incident_id: str, target: State, now: datetime, actor: str, why: str, **data: Any) -> None:
        """Bring an incident into another state. Raises `UsageError` where the table of transitions forbids it."""
        self.move_through(incident_id, [(target, why)], now, actor, **data)

    def move_through(
        self, incident_id: str, steps: Sequence[tuple[State, str]], now: datetime, actor: str, **data: Any
    ) -> None:
        """Take several transitions in one go: all of them or none. `data` goes with the first."""

        def write(connection: Connection) -> None:
            # Judged on what this very transaction follows upon: of two that move at once, the second is refused.
            incident = self._fold(connection, incident_id)
            for place, (target, why) in enumerate(steps):
                check_transition(incident, target)
                what = {**(data if place == 0 else {}), "to": target.value}
                entry = self._append(
                    connection, incident_id, now, actor, "transition", why, what, incident.timeline[-1]
                )
                incident = fold(incident_id, [*incident.timeline, entry])

        self._write(write, lambda: False)

    def broken_links(self) -> list[str]:
        """Incidents whose timeline was edited: an entry whose hash does not follow from the one before."""
        broken = []
        for incident in self.all():
            previous = ""
            for place, entry in enumerate(incident.timeline, start=1):
                expected = _hash(previous, _hashed(incident.id, entry))
                if (entry.number, entry.previous_hash, entry.hash) != (place, previous, expected):
                    broken.append(f"{incident.id} entry {entry.number}")
                    break
                previous = entry.hash
        return broken

    def _write(self, write: Callable[[Connection], None], repeated: Callable[[], bool]) -> bool:
        """Run one transaction until it wins; False if what it would write is there already."""
        for _ in range(ATTEMPTS):
            try:
                with self._engine.begin() as connection:
                    write(connection)
                    return True
            except IntegrityError:
                if repeated():
                    return False
        raise HomeBusyError("The incident store is busy; try again.")

    def _has_key(self, key: str) -> bool:
        with self._engine.connect() as connection:
            return connection.execute(select(keys.c.key).where(keys.c.key == key)).first() is not None

    def _fold(self, connection: Connection, incident_id: str) -> Incident:
        rows = connection.execute(
            select(timeline).where(timeline.c.incident_id == incident_id).order_by(timeline.c.number)
        ).all()
        if not rows:
            raise UsageError(f"There is no incident {incident_id!r}: see `reliability incidents list`.")
        return fold(incident_id, [_entry(row) for row in rows])

    def _append(
        self,
        connection: Connection,
        incident_id: str,
        now: datetime,
        actor: str,
        kind: str,
        why: str,
        data: Mapping[str, Any],
        last: TimelineEntry | None = None,
    ) -> TimelineEntry:
        """Write the entry that follows `last`, or whatever is the last one now. Only one writer can follow an entry."""
        if last is None:
            query = select(timeline).where(timeline.c.incident_id == incident_id)
            row = connection.execute(query.order_by(timeline.c.number.desc()).limit(1)).first()
            last = _entry(row) if row is not None else None
        draft = TimelineEntry(
            number=last.number + 1 if last else 1,
            at=now.astimezone(UTC),
            actor=actor,
            kind=kind,
            why=why,
            data=json.loads(json.dumps(dict(data), default=str)),
            previous_hash=last.hash if last else "",
            hash="",
        )
        entry = replace(draft, hash=_hash(draft.previous_hash, _hashed(incident_id, draft)))
        connection.execute(
            insert(timeline).values(
                incident_id=incident_id,
                number=entry.number,
                at=entry.at.replace(tzinfo=None),
                actor=actor,
                kind=kind,
                why=why,
                data=json.dumps(entry.data),
                previous_hash=entry.previous_hash,
                hash=entry.hash,
            )
        )
        return entry

    @staticmethod
    def _attach(connection: Connection, incident_id: str, results: Sequence[int]) -> None:
        if results:
            connection.execute(insert(attached), [{"result_id": one, "incident_id": incident_id} for one in results])


def _hashed(incident_id: str, entry: TimelineEntry) -> dict[str, Any]:
    return {
        "incident_id": incident_id,
        "number": entry.number,
        "at": entry.at.isoformat(),
        "actor": entry.actor,
        "kind": entry.kind,
        "why": entry.why,
        "data": entry.data,
    }


def _entry(row: Any) -> TimelineEntry:
    return TimelineEntry(
        number=row.number,
        at=row.at.replace(tzinfo=UTC),
        actor=row.actor,
        kind=row.kind,
        why=row.why,
        data=json.loads(row.data),
        hash=row.hash,
        previous_hash=row.previous_hash,
    )
