"""What was decided for each alert, in the operations store: one row for each event of an incident and channel.

Nothing is deleted. A channel is held by one dispatcher at a time, for as long as a delivery may take: two daemons do
not both send, and if one dies between sending and writing it down, what it held is sent again.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Engine,
    FromClause,
    Row,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from reliability_platform.formats import printable
from reliability_platform.incidents.classes import Severity
from reliability_platform.operations.records import record
from reliability_platform.operations.tables import alert_channels, alerts

HANDOVER = "handover"
"""The event of an alert of an incident that was open before its reader came on call."""
HOLD = timedelta(seconds=90)
"""Longer than the longest delivery, so that nobody takes a channel from a dispatcher that is still sending."""


class Status(StrEnum):
    """What became of an alert."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    DRY_RUN = "dry_run"
    FAILED = "failed"
    """Given up; it is in the file of undelivered messages."""
    SUPPRESSED = "suppressed"
    """Its channel was taken out of the settings before it could go."""


WAITING = (Status.PENDING, Status.SENDING)


@dataclass(frozen=True)
class Alert:
    """One event of an incident that one channel should hear of. Times carry UTC."""

    incident_id: str
    number: int
    channel: str
    dry_run: bool
    event: str
    """`opened`, `state`, `severity`, `deadline`, `escalation`, `burn`, `update`, `reminder` or `handover`."""
    summary: str
    severity: Severity
    at: datetime
    due_at: datetime
    reason: str = ""
    """Why it waits, or why it failed."""
    status: Status = Status.PENDING
    attempts: int = 0
    sent_at: datetime | None = None
    message: str = ""
    id: int = 0


@dataclass(frozen=True)
class Health:
    """How a channel does. Times carry UTC."""

    name: str
    dry_run: bool
    position: int
    failures: int
    retry_at: datetime | None
    last_sent_at: datetime | None
    last_failed_at: datetime | None
    last_error: str

    @property
    def state(self) -> str:
        """`ok`, `failing`, or `new` where nothing was ever tried."""
        if self.failures:
            return "failing"
        return "ok" if self.last_sent_at else "new"


def _alert(row: Row[Any]) -> Alert:
    return record(Alert, row, severity=Severity, status=Status)


class AlertLedger:
    """The alerts and the health of the channels."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def channels(self) -> dict[tuple[str, bool], Health]:
        """Every channel ever seen, by name and whether it was a dry run."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(alert_channels).order_by(alert_channels.c.name))
            return {(row.name, row.dry_run): record(Health, row) for row in rows}

    def all(self) -> list[Alert]:
        """Every alert, oldest first."""
        return self._read()

    def waiting(self) -> list[Alert]:
        """Alerts that are not settled yet, oldest first."""
        return self._read(alerts.c.status.in_(WAITING))

    def unfinished(self) -> list[Alert]:
        """Alerts that wait, or that could not be delivered."""
        return self._read(alerts.c.status.in_([*WAITING, Status.FAILED]))

    def newest(self, limit: int) -> list[Alert]:
        """The last alerts, oldest first."""
        ids = select(alerts.c.id).order_by(alerts.c.id.desc()).limit(limit)
        return self._read(alerts.c.id.in_(ids))

    def _read(self, *conditions: ColumnElement[bool]) -> list[Alert]:
        with self._engine.connect() as connection:
            rows = connection.execute(select(alerts).where(*conditions).order_by(alerts.c.id))
            return [_alert(row) for row in rows]

    def told(self, channel: str, dry_run: bool, incidents: Iterable[str]) -> dict[str, set[int]]:
        """Which entries of which of these incidents the channel has an alert of already."""
        found: dict[str, set[int]] = {one: set() for one in incidents}
        query = select(alerts.c.incident_id, alerts.c.number).where(
            alerts.c.channel == channel, alerts.c.dry_run == dry_run, alerts.c.incident_id.in_(list(found))
        )
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                found[row.incident_id].add(row.number)
        return found

    def heard(self, channel: str, dry_run: bool, incidents: Iterable[str]) -> frozenset[str]:
        """Which of these incidents the channel has heard of."""
        query = select(alerts.c.incident_id).where(
            alerts.c.channel == channel,
            alerts.c.dry_run == dry_run,
            alerts.c.incident_id.in_(list(incidents)),
            alerts.c.sent_at.is_not(None),
        )
        with self._engine.connect() as connection:
            return frozenset(connection.execute(query.distinct()).scalars())

    def undelivered(self, health: Health) -> int:
        """How many alerts were given up since the channel last took one."""
        query = select(func.count()).where(
            alerts.c.channel == health.name, alerts.c.dry_run == health.dry_run, alerts.c.status == Status.FAILED
        )
        if health.last_sent_at is not None:
            query = query.where(alerts.c.due_at > health.last_sent_at)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar_one()

    def sent_times(self, channel: str, dry_run: bool, after: datetime) -> list[datetime]:
        """When messages that count against the cap went to the channel."""
        query = select(alerts.c.message, alerts.c.sent_at).where(
            alerts.c.channel == channel, alerts.c.dry_run == dry_run, alerts.c.capped, alerts.c.sent_at > after
        )
        with self._engine.connect() as connection:
            return [row.sent_at for row in connection.execute(query.distinct())]

    def record(self, channel: str, dry_run: bool, position: int, new: Sequence[Alert]) -> None:
        """Write new alerts and how far the channel has been read, in one step; what is there already stays."""
        place = (alert_channels.c.name == channel) & (alert_channels.c.dry_run == dry_run)
        try:
            self._insert(new)
        except IntegrityError:  # another dispatcher read some of the same entries: one by one, then
            for one in new:
                with suppress(IntegrityError):
                    self._insert([one])
        try:
            with self._engine.begin() as connection:
                moved = connection.execute(update(alert_channels).where(place).values(position=position))
                if not moved.rowcount:
                    connection.execute(insert(alert_channels).values(name=channel, dry_run=dry_run, position=position))
        except IntegrityError:
            pass  # another dispatcher met the channel first

    def _insert(self, new: Sequence[Alert]) -> None:
        if new:
            with self._engine.begin() as connection:
                connection.execute(insert(alerts), [_row(one) for one in new])

    @contextmanager
    def held(self, channel: str, dry_run: bool, now: datetime) -> Iterator[bool]:
        """Hold a channel; False if another dispatcher has it."""
        token = secrets.token_hex(8)
        place = (alert_channels.c.name == channel) & (alert_channels.c.dry_run == dry_run)
        free = or_(alert_channels.c.held_until.is_(None), alert_channels.c.held_until < now)
        with self._engine.begin() as connection:
            taken = connection.execute(
                update(alert_channels).where(place, free).values(held_by=token, held_until=now + HOLD)
            )
            mine = bool(taken.rowcount)
        try:
            yield mine
        finally:
            if mine:
                with self._engine.begin() as connection:
                    connection.execute(
                        update(alert_channels)
                        .where(place, alert_channels.c.held_by == token)
                        .values(held_by=None, held_until=None)
                    )

    def mark(self, ids: Sequence[int], **values: Any) -> None:
        """Change alerts that are not settled yet."""
        unsettled = (alerts.c.id.in_(list(ids)), alerts.c.status.in_(WAITING))
        with self._engine.begin() as connection:
            connection.execute(update(alerts).where(*unsettled).values(**_fitted(alerts, values)))

    def note_health(self, channel: str, dry_run: bool, **values: Any) -> None:
        """Write how a channel does."""
        place = (alert_channels.c.name == channel) & (alert_channels.c.dry_run == dry_run)
        with self._engine.begin() as connection:
            connection.execute(update(alert_channels).where(place).values(**_fitted(alert_channels, values)))


def _row(alert: Alert) -> dict[str, Any]:
    return _fitted(alerts, {name: value for name, value in vars(alert).items() if name != "id"})


def _fitted(table: FromClause, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with every text for people cut to its column: SQLite takes any length, PostgreSQL refuses the row."""
    texts = {name: printable(values[name], table.c[name].type.length) for name in _TEXTS if name in values}  # type: ignore[attr-defined]
    return {**values, **texts}


_TEXTS = ("summary", "reason", "last_error")
