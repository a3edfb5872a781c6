"""A circuit breaker per source, in the operations store: one for all processes of a home.

Closed: requests pass. After a few failures in a row it opens: nobody asks the source until a cool-down is over. Then
exactly one request is let through (half-open): it closes the breaker, or opens it again for twice as long. A probe
whose process dies loses its right after a while, so that a kill cannot keep a source shut for ever.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Engine, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from reliability_platform.clock import Clock
from reliability_platform.errors import SourceUnavailableError
from reliability_platform.operations.records import record
from reliability_platform.operations.tables import breakers

BREAKS_AFTER = 2
"""Requests in a row that stay unanswered, each with its retries, before the breaker opens."""
FIRST_COOL_DOWN = timedelta(seconds=30)
LONGEST_COOL_DOWN = timedelta(minutes=15)
PROBE_LASTS = timedelta(minutes=2)
"""How long a probe may take before another process may try: longer than one request without retries can."""


class BreakerState(StrEnum):
    """Whether requests pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True)
class BreakerView:
    """How a breaker stands."""

    source: str
    state: BreakerState = BreakerState.CLOSED
    since: datetime | None = None
    """None if the source has never failed."""
    failures: int = 0
    """Unanswered requests in a row."""
    trips: int = 0
    """How often it has opened in a row."""
    next_probe_at: datetime | None = None

    @property
    def cool_down(self) -> timedelta:
        """How long it would stay open if it opened now."""
        doubled: timedelta = FIRST_COOL_DOWN * (1 << min(self.trips, 16))
        return min(doubled, LONGEST_COOL_DOWN)

    def passes(self, now: datetime) -> bool:
        """Whether a request would be let through, as one of many or as the probe."""
        due = self.next_probe_at is not None and self.next_probe_at <= now
        return self.state is BreakerState.CLOSED or due


@dataclass(frozen=True)
class Permit:
    """The right to make one request."""

    probe_since: datetime | None = None
    """Set if the request is the one probe of a half-open breaker; it tells this probe from others."""
    after_failures: int = 0
    """Unanswered requests in a row before it."""

    @property
    def is_probe(self) -> bool:
        """Whether all others have to wait for its outcome."""
        return self.probe_since is not None


def _view(row: Row[Any]) -> BreakerView:
    return record(BreakerView, row, state=BreakerState)


class Breaker:
    """The breaker of one source. Each change is one statement with its condition, so that of two processes one wins."""

    def __init__(self, engine: Engine, source: str) -> None:
        self._engine, self._source = engine, source

    def view(self) -> BreakerView:
        """How it stands now."""
        with self._engine.connect() as connection:
            row = connection.execute(select(breakers).where(breakers.c.source == self._source)).first()
        return BreakerView(self._source) if row is None else _view(row)

    def enter(self, now: datetime) -> Permit | None:
        """Leave to make one request; None while the source is to be left alone."""
        view = self.view()
        if view.state is BreakerState.CLOSED:
            return Permit(after_failures=view.failures)
        if not view.passes(now):
            return None
        # Whoever finds the row as it was read has the probe. A half-open one that is due lost its process.
        claimed = self._change(
            (breakers.c.state == view.state) & (breakers.c.next_probe_at == view.next_probe_at),
            state=BreakerState.HALF_OPEN,
            since=now,
            next_probe_at=now + PROBE_LASTS,
        )
        return Permit(probe_since=now) if claimed else None

    def succeeded(self, permit: Permit, now: datetime) -> None:
        """The source has answered: a probe closes the breaker; failures in a row end."""
        if permit.is_probe or permit.after_failures:
            self._change(self._is(permit), **self._closed(now))

    def failed(self, permit: Permit, now: datetime, wait: timedelta = timedelta()) -> None:
        """The source has not answered; `wait` is how long it asked to be left alone: a long one opens at once."""
        if not permit.is_probe:
            self._know(now)
        with self._engine.begin() as connection:
            # The write comes first: on SQLite it takes the lock under which the rest of the transaction reads.
            counted = connection.execute(
                update(breakers)
                .where(breakers.c.source == self._source, self._is(permit))
                .values(failures=breakers.c.failures + 1)
            )
            if counted.rowcount != 1:
                return  # another process has opened it meanwhile, or has taken over the probe
            view = self._read(connection)
            if permit.is_probe or view.failures >= BREAKS_AFTER or wait > view.cool_down:
                rest = max(view.cool_down, min(wait, LONGEST_COOL_DOWN))
                connection.execute(
                    update(breakers)
                    .where(breakers.c.source == self._source)
                    .values(state=BreakerState.OPEN, since=now, trips=view.trips + 1, next_probe_at=now + rest)
                )

    @contextmanager
    def permitted(self, clock: Clock, *unanswered: type[Exception]) -> Iterator[None]:
        """Leave to ask once; which errors mean that the source has not answered, the breaker hears. Raises
        `SourceUnavailableError` where it gives none."""
        permit = self.enter(clock())
        if permit is None:
            raise SourceUnavailableError(f"{self._source} is left alone until its breaker lets a probe through.")
        try:
            yield
        except unanswered:
            self.failed(permit, clock())
            raise
        self.succeeded(permit, clock())

    def _is(self, permit: Permit) -> Any:
        """The row is still the one under which the permit was given."""
        if permit.is_probe:
            return (breakers.c.state == BreakerState.HALF_OPEN) & (breakers.c.since == permit.probe_since)
        return breakers.c.state == BreakerState.CLOSED

    def _closed(self, now: datetime) -> dict[str, Any]:
        return {
            "state": BreakerState.CLOSED,
            "since": now,
            "failures": 0,
            "trips": 0,
            "next_probe_at": None,
        }

    def _change(self, condition: Any, **values: Any) -> bool:
        with self._engine.begin() as connection:
            changed = connection.execute(
                update(breakers).where(breakers.c.source == self._source, condition).values(**values)
            )
        return changed.rowcount == 1

    def _know(self, moment: datetime) -> None:
        """Make the row of a source that has never failed."""
        if self.view().since is None:
            try:
                with self._engine.begin() as connection:
                    first = {"state": BreakerState.CLOSED, "since": moment, "failures": 0, "trips": 0}
                    connection.execute(insert(breakers).values(source=self._source, **first))
            except IntegrityError:
                return  # another process was quicker

    def _read(self, connection: Connection) -> BreakerView:
        return _view(connection.execute(select(breakers).where(breakers.c.source == self._source)).one())
