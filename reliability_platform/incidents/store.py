"""The append-only timeline in the operations store. Entries are chained by hash; nothing is ever changed.

One chain runs through all incidents: each entry carries the hash of the one before it in the store, so that neither an
entry nor a whole incident can be taken out unnoticed. Beside it stand the heads, one line per incident made from its
fold in the same transaction: they answer "which are open" without reading ten thousand histories, and remember where
each timeline ended.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError

from reliability_platform.counted import counted
from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError, UsageError
from reliability_platform.incidents.model import KINDS, Incident, State, TimelineEntry, check_transition, fold
from reliability_platform.log_lines import log_event
from reliability_platform.operations.chain import link
from reliability_platform.operations.records import record
from reliability_platform.operations.tables import (
    incident_heads,
    incident_keys,
    incident_numbers,
    incident_signals,
    incident_timeline,
)

ATTEMPTS = 50
"""Writers that lose the race for the next entry read again and retry; each round, one of them wins."""
FollowUp = tuple[str, str, Mapping[str, Any]]
"""An entry that follows from another, in its transaction: its kind, why, its data."""
PARAMETERS = 500
"""Values in one `in (…)`: databases limit how many a statement may bind."""


class IncidentStore:
    """Incidents as folds over the timeline."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._appended: list[Incident] = []
        """As they are after each entry of the transaction that is being written."""

    @property
    def engine(self) -> Engine:
        """The operations store that it is in."""
        return self._engine

    def all(self) -> list[Incident]:
        """Every incident, oldest first."""
        return self.find()

    def open(self) -> list[Incident]:
        """Those that are not over."""
        return self.find(incident_heads.c.is_open)

    def open_with(self, kind: str) -> list[Incident]:
        """Those that are not over and have an entry of a kind."""
        ids = select(incident_timeline.c.incident_id).where(incident_timeline.c.kind == kind)
        return self.find(incident_heads.c.is_open, incident_heads.c.incident_id.in_(ids))

    def open_around(self, first: date, last: date) -> list[Incident]:
        """Those that are not over and touch one of the landing days."""
        return self.find(
            incident_heads.c.is_open, incident_heads.c.first_day <= last, incident_heads.c.last_day >= first
        )

    def find(self, *conditions: ColumnElement[bool]) -> list[Incident]:
        """The incidents whose heads meet all conditions, oldest first."""
        with self._engine.connect() as connection:
            self._catch_up(connection)
            ids = select(incident_heads.c.incident_id).where(*conditions)
            rows = connection.execute(
                select(incident_timeline)
                .where(incident_timeline.c.incident_id.in_(ids))
                .order_by(incident_timeline.c.id)
                if conditions
                else select(incident_timeline).order_by(incident_timeline.c.id)
            )
            return _folded(rows)

    def newest(
        self, conditions: Sequence[ColumnElement[bool]], limit: int | None, offset: int = 0
    ) -> tuple[list[Incident], int]:
        """Some of the incidents whose heads meet all conditions, the newest first; and how many there are in all."""
        with self._engine.connect() as connection:
            self._catch_up(connection)
            total = connection.execute(select(func.count()).select_from(incident_heads).where(*conditions)).scalar_one()
            query = (
                select(incident_heads.c.incident_id)
                .where(*conditions)
                .order_by(incident_heads.c.detected_at.desc(), incident_heads.c.incident_id.desc())
                .offset(offset)
            )
            ids: list[str] = list(connection.execute(query if limit is None else query.limit(limit)).scalars())
            found: dict[str, Incident] = {}
            for start in range(0, len(ids), PARAMETERS):
                some = incident_timeline.c.incident_id.in_(ids[start : start + PARAMETERS])
                rows = connection.execute(select(incident_timeline).where(some).order_by(incident_timeline.c.id))
                found.update((one.id, one) for one in _folded(rows))
        return [found[one] for one in ids if one in found], total

    def read(self, query: Select[Any]) -> Sequence[Any]:
        """The rows of a question to the heads, which know all that the timeline does."""
        with self._engine.connect() as connection:
            self._catch_up(connection)
            return connection.execute(query).all()

    def get(self, incident_id: str) -> Incident:
        """One incident, by its id or an unambiguous beginning of it. Raises `UsageError`."""
        with self._engine.connect() as connection:
            self._catch_up(connection)
            query = select(incident_heads.c.incident_id).where(
                incident_heads.c.incident_id.startswith(incident_id, autoescape=True)
            )
            found: list[str] = list(connection.execute(query).scalars()) if incident_id else []
            exact = [one for one in found if one == incident_id]
            if len(exact or found) != 1:
                what = f"{counted(len(found), 'incident')} begin with" if found else "There is no incident"
                raise UsageError(f"{what} {incident_id!r}: see `reliability incidents list`.")
            return self._fold(connection, (exact or found)[0])

    def entries_after(self, position: int, limit: int) -> list[tuple[int, str, TimelineEntry]]:
        """The entries that follow upon a place in the chain, of whichever incident: place, incident, entry."""
        query = (
            select(incident_timeline)
            .where(incident_timeline.c.id > position)
            .order_by(incident_timeline.c.id)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [(row.id, row.incident_id, _entry(row)) for row in connection.execute(query)]

    def actions_since(self, moment: datetime) -> int:
        """How many remediation actions were begun after a moment, of all incidents."""
        begun = select(func.count()).where(
            incident_timeline.c.at > moment,
            incident_timeline.c.kind.in_(("transition", "action")),
            incident_timeline.c.data.contains('"phase": "begun"', autoescape=True),
        )
        with self._engine.connect() as connection:
            return connection.execute(begun).scalar() or 0

    def last_position(self) -> int:
        """The place of the last entry in the chain; 0 if there is none."""
        with self._engine.connect() as connection:
            return connection.execute(select(func.max(incident_timeline.c.id))).scalar() or 0

    def last_result(self) -> int:
        """The number of the newest check result that belongs to an incident; 0 if none does."""
        with self._engine.connect() as connection:
            return connection.execute(select(func.max(incident_signals.c.result_id))).scalar() or 0

    def owner_of(self, result_id: int) -> str | None:
        """The incident to which a check result belongs; None if it belongs to none."""
        query = select(incident_signals.c.incident_id).where(incident_signals.c.result_id == result_id)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    def known_results(self, result_ids: Sequence[int]) -> set[int]:
        """Which of these check results belong to an incident already."""
        known: set[int] = set()
        with self._engine.connect() as connection:
            for start in range(0, len(result_ids), PARAMETERS):
                some = list(result_ids[start : start + PARAMETERS])
                rows = connection.execute(
                    select(incident_signals.c.result_id).where(incident_signals.c.result_id.in_(some))
                )
                known.update(row.result_id for row in rows)
        return known

    def create(
        self,
        name: str,
        now: datetime,
        actor: str,
        why: str,
        data: Mapping[str, Any],
        results: Sequence[int],
        contained: str | None = None,
        symptoms: Sequence[str] = (),
    ) -> str | None:
        """Open an incident with its first signals; its id, or None if another process opened it in the meantime.

        `contained` says in words what keeps consumers safe already, if anything does. `symptoms` are incidents that
        turn out to be of this one.
        """
        opened: list[str] = []

        def write(connection: Connection) -> None:
            number = (connection.execute(select(func.max(incident_numbers.c.number))).scalar() or 0) + 1
            incident_id = f"INC-{number:04d}-{name}"
            connection.execute(insert(incident_numbers).values(number=number, incident_id=incident_id))
            incident = self._append(connection, incident_id, now, actor, "opened", why, data)
            if contained is not None:
                what = {"to": State.CONTAINED.value}
                self._append(connection, incident_id, now, actor, "transition", contained, what, incident)
            self._attach(connection, incident_id, results)
            self._take_over(connection, symptoms, incident_id, now, actor)
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
        then: Sequence[FollowUp] = (),
        symptoms: Sequence[str] = (),
    ) -> bool:
        """Append one entry, with the check results that belong to it, what follows from it, and the incidents that turn
        out to be its symptoms; whether it was appended.

        It is not if one of the results belongs to an incident already, or if an entry with the same `key` was made.
        """

        def write(connection: Connection) -> None:
            if key is not None:
                connection.execute(insert(incident_keys).values(key=key, incident_id=incident_id))
            self._attach(connection, incident_id, results)
            incident = self._append(connection, incident_id, now, actor, kind, why, data or {})
            for kind_of_it, because, more in then:
                if kind_of_it == "transition":
                    check_transition(incident, State(more["to"]))
                incident = self._append(connection, incident_id, now, actor, kind_of_it, because, more, incident)
            self._take_over(connection, symptoms, incident_id, now, actor)

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
                incident = self._append(connection, incident_id, now, actor, "transition", why, what, incident)

        self._write(write, lambda: False)

    def broken_links(self) -> list[str]:
        """What shows that a timeline was edited or has lost something: entries that do not follow from the one before."""
        broken = []
        previous, position = "", 0
        ends: dict[str, int] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(select(incident_timeline).order_by(incident_timeline.c.id)):
                follows = (row.id, row.previous_hash) == (position + 1, previous)
                if not follows or not _is_as_written(row):
                    broken.append(f"{row.incident_id} entry {row.number}")
                previous, position = row.hash, row.id
                ends[row.incident_id] = row.id
            for head in connection.execute(select(incident_heads.c.incident_id, incident_heads.c.position)):
                # A later entry that is gone leaves a gap in the chain; the last ones of all leave none.
                if head.position > max(position, ends.get(head.incident_id, 0)):
                    broken.append(f"{head.incident_id} its last entry")
        return broken

    def head(self) -> str:
        """The hash of the last entry. Who keeps it elsewhere can prove later that nothing before it was changed."""
        with self._engine.connect() as connection:
            query = select(incident_timeline.c.hash).order_by(incident_timeline.c.id.desc()).limit(1)
            return connection.execute(query).scalar() or ""

    def has_hash(self, noted: str) -> bool:
        """Whether an entry with this hash is in the chain."""
        with self._engine.connect() as connection:
            return (
                connection.execute(select(incident_timeline.c.id).where(incident_timeline.c.hash == noted)).first()
                is not None
            )

    def _write(self, write: Callable[[Connection], None], repeated: Callable[[], bool]) -> bool:
        """Run one transaction until it wins, and tell of it; False if what it would write is there already."""
        with self._engine.connect() as connection:
            self._catch_up(connection)
        for _ in range(ATTEMPTS):
            self._appended = []
            try:
                with self._engine.begin() as connection:
                    write(connection)
            except IntegrityError:
                if repeated():
                    return False
            else:
                for incident in self._appended:
                    _tell(incident)
                return True
        raise HomeBusyError("The incident store is busy; try again.")

    def _has_key(self, key: str) -> bool:
        with self._engine.connect() as connection:
            return connection.execute(select(incident_keys.c.key).where(incident_keys.c.key == key)).first() is not None

    def _fold(self, connection: Connection, incident_id: str) -> Incident:
        history = self._history(connection, incident_id)
        if not history:
            raise UsageError(f"There is no incident {incident_id!r}: see `reliability incidents list`.")
        incident = _read(incident_id, history)
        if incident is None:
            raise EnvironmentUnusableError(
                f"The timeline of {incident_id} cannot be read: `reliability incidents audit` names the entry, "
                "`reliability restore --damaged` puts the store back."
            )
        return incident

    def _append(
        self,
        connection: Connection,
        incident_id: str,
        now: datetime,
        actor: str,
        kind: str,
        why: str,
        data: Mapping[str, Any],
        before: Incident | None = None,
    ) -> Incident:
        """Write the entry that follows upon `before`, or upon what is there now; the incident after it.

        Only one writer can follow an entry: the place in the chain is a key.
        """
        if kind not in KINDS:
            raise ValueError(f"there is no kind of entry {kind!r}")
        history = before.timeline if before else [_entry(row) for row in self._history(connection, incident_id)]
        chain = (
            select(incident_timeline.c.id, incident_timeline.c.hash).order_by(incident_timeline.c.id.desc()).limit(1)
        )
        last = connection.execute(chain).first()
        draft = TimelineEntry(
            number=len(history) + 1,
            # A clock that was set back must not make durations negative.
            at=max([now.astimezone(UTC), *(entry.at for entry in history[-1:])]),
            actor=actor,
            kind=kind,
            why=why,
            data=json.loads(json.dumps(dict(data), default=str)),
            previous_hash=last.hash if last else "",
            hash="",
        )
        entry = replace(draft, hash=link(draft.previous_hash, _hashed(incident_id, draft)))
        position = last.id + 1 if last else 1
        connection.execute(
            insert(incident_timeline).values(
                id=position,
                incident_id=incident_id,
                number=entry.number,
                at=entry.at,
                actor=actor,
                kind=kind,
                why=why,
                data=json.dumps(entry.data),
                previous_hash=entry.previous_hash,
                hash=entry.hash,
            )
        )
        incident = fold(incident_id, [*history, entry])
        _write_head(connection, incident, position)
        self._appended.append(incident)
        return incident

    def _take_over(
        self, connection: Connection, symptoms: Sequence[str], cause: str, now: datetime, actor: str
    ) -> None:
        """End what turns out to be a symptom, unless somebody has begun to work on it."""
        for one in symptoms:
            incident = self._fold(connection, one)
            if incident.untouched:
                what = {"linked_to": cause, "to": State.FALSE_ALARM.value}
                why = f"Not a failure of its own: a symptom of {cause}."
                self._append(connection, one, now, actor, "transition", why, what, incident)

    def _history(self, connection: Connection, incident_id: str) -> list[Any]:
        query = (
            select(incident_timeline)
            .where(incident_timeline.c.incident_id == incident_id)
            .order_by(incident_timeline.c.number)
        )
        return list(connection.execute(query))

    def _catch_up(self, connection: Connection) -> None:
        """Make the heads of what the timeline knows and they do not: a store that was written before there were any."""
        written = connection.execute(select(func.max(incident_timeline.c.id))).scalar() or 0
        if written <= (connection.execute(select(func.max(incident_heads.c.position))).scalar() or 0):
            return
        with suppress(IntegrityError), self._engine.begin() as writer:  # somebody else may be doing the same
            ends = select(incident_timeline.c.incident_id, func.max(incident_timeline.c.id)).group_by(
                incident_timeline.c.incident_id
            )
            positions = {row[0]: row[1] for row in writer.execute(ends)}
            for incident in _folded(writer.execute(select(incident_timeline).order_by(incident_timeline.c.id))):
                _write_head(writer, incident, positions[incident.id])

    @staticmethod
    def _attach(connection: Connection, incident_id: str, results: Sequence[int]) -> None:
        if results:
            connection.execute(
                insert(incident_signals), [{"result_id": one, "incident_id": incident_id} for one in results]
            )


def _folded(rows: Iterable[Any]) -> list[Incident]:
    histories: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        histories[row.incident_id].append(row)
    found = (_read(incident_id, history) for incident_id, history in histories.items())
    return [incident for incident in found if incident is not None]


def _read(incident_id: str, history: Sequence[Any]) -> Incident | None:
    """The fold of these rows; None for what is damaged. That costs its own incident, and the chain says so: `broken_links`."""
    try:
        return fold(incident_id, [_entry(row) for row in history])
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _is_as_written(row: Any) -> bool:
    try:
        return bool(row.hash == link(row.previous_hash, _hashed(row.incident_id, _entry(row))))
    except (ValueError, TypeError):
        return False


def _tell(incident: Incident) -> None:
    """Tell of the last entry of a timeline."""
    entry = incident.timeline[-1]
    log_event(
        f"incident {entry.kind}",
        incident=incident.id,
        **{"class": incident.failure_class},
        severity=incident.severity.value,
        state=incident.state.value,
        runbook=f"reliability incidents runbook {incident.id}",
        dataset=incident.root_dataset,
        source=incident.source,
        first_day=incident.partitions[0],
        last_day=incident.partitions[-1],
        actor=entry.actor,
        why=entry.why,
    )


_OVER = frozenset({State.VERIFIED, State.RESOLVED, State.CLOSED})


def _write_head(connection: Connection, incident: Incident, position: int) -> None:
    ended = max((entry.at for entry in incident.timeline if entry.kind in ("transition", "opened")), default=None)
    connection.execute(delete(incident_heads).where(incident_heads.c.incident_id == incident.id))
    connection.execute(
        insert(incident_heads).values(
            incident_id=incident.id,
            position=position,
            state=incident.state.value,
            is_open=incident.is_open,
            is_symptom=incident.is_symptom,
            severity=incident.severity.value,
            source=incident.source,
            failure_class=incident.failure_class,
            assignee=incident.assignee,
            first_day=incident.partitions[0],
            last_day=incident.partitions[-1],
            detected_at=incident.detected_at,
            ended_at=None if incident.is_open or ended is None else ended,
            awaits_response=incident.is_open and incident.times.answered is None and "response" not in incident.missed,
            awaits_postmortem=incident.state in _OVER
            and incident.postmortem_at is None
            and "postmortem" not in incident.missed,
        )
    )


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
    return record(TimelineEntry, row, data=json.loads)
