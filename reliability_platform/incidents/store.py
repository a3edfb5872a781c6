"""The append-only timeline in the operations store. Entries are chained by hash; nothing is ever changed."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
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
numbers = Table(
    "incident_numbers", metadata, Column("number", Integer, primary_key=True), Column("incident_id", String(200))
)

ATTEMPTS = 8


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
        found = [incident for incident in self.all() if incident.id.startswith(incident_id)]
        exact = [incident for incident in found if incident.id == incident_id]
        if len(exact or found) != 1:
            raise UsageError(f"There is no incident {incident_id!r}: see `reliability incidents list`.")
        return (exact or found)[0]

    def known_results(self, result_ids: Sequence[int]) -> set[int]:
        """Which of these check results belong to an incident already."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(attached.c.result_id).where(attached.c.result_id.in_(result_ids)))
            return {row.result_id for row in rows}

    def open(
        self, name: str, now: datetime, actor: str, why: str, data: Mapping[str, Any], results: Sequence[int]
    ) -> str | None:
        """Open an incident with its first signals; its id, or None if another process opened it in the meantime."""
        for _ in range(ATTEMPTS):
            try:
                with self._engine.begin() as connection:
                    number = (connection.execute(select(func.max(numbers.c.number))).scalar() or 0) + 1
                    incident_id = f"INC-{number:04d}-{name}"
                    connection.execute(insert(numbers).values(number=number, incident_id=incident_id))
                    self._append(connection, incident_id, now, actor, "opened", why, data)
                    self._attach(connection, incident_id, results)
                    return incident_id
            except IntegrityError:
                if self.known_results(results):
                    return None
        raise HomeBusyError("The incident store is busy; try again.")

    def append(
        self,
        incident_id: str,
        now: datetime,
        actor: str,
        kind: str,
        why: str,
        data: Mapping[str, Any] | None = None,
        results: Sequence[int] = (),
    ) -> None:
        """Append one entry, with the check results that belong to it. Results that are attached already are refused."""
        for _ in range(ATTEMPTS):
            try:
                with self._engine.begin() as connection:
                    self._append(connection, incident_id, now, actor, kind, why, data or {})
                    self._attach(connection, incident_id, results)
                    return
            except IntegrityError:
                if results and self.known_results(results):
                    return
        raise HomeBusyError("The incident store is busy; try again.")

    def move(self, incident_id: str, target: State, now: datetime, actor: str, why: str) -> None:
        """Bring an incident into another state. Raises `UsageError` where the table of transitions forbids it."""
        check_transition(self.get(incident_id), target)
        self.append(incident_id, now, actor, "transition", why, {"to": target.value})

    def broken_links(self) -> list[str]:
        """Incidents whose timeline was edited: an entry whose hash does not follow from the one before."""
        broken = []
        for incident in self.all():
            previous = ""
            for entry in incident.timeline:
                if entry.previous_hash != previous or entry.hash != _hash(previous, _hashed(incident.id, entry)):
                    broken.append(f"{incident.id} entry {entry.number}")
                    break
                previous = entry.hash
        return broken

    def _append(
        self,
        connection: Connection,
        incident_id: str,
        now: datetime,
        actor: str,
        kind: str,
        why: str,
        data: Mapping[str, Any],
    ) -> None:
        last = connection.execute(
            select(timeline.c.number, timeline.c.hash)
            .where(timeline.c.incident_id == incident_id)
            .order_by(timeline.c.number.desc())
            .limit(1)
        ).first()
        entry = TimelineEntry(
            number=last.number + 1 if last else 1,
            at=now.astimezone(UTC),
            actor=actor,
            kind=kind,
            why=why,
            data=json.loads(json.dumps(dict(data), default=str)),
            previous_hash=last.hash if last else "",
            hash="",
        )
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
                hash=_hash(entry.previous_hash, _hashed(incident_id, entry)),
            )
        )

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
