"""The requests for long work in the operations store: who asked for what, how far it has come, what came of it.

Whoever carries one out holds a lock; a request that says that it is at work, and whose lock nobody holds, was killed.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from reliability_platform.actor import acts_from
from reliability_platform.atomic import write_atomically
from reliability_platform.audit_log import Changes, note_act
from reliability_platform.errors import UsageError
from reliability_platform.locks import claim, unclaimed
from reliability_platform.operations.records import record
from reliability_platform.operations.tables import requested_runs
from reliability_platform.settings import Settings


class RequestState(StrEnum):
    """How far a request has come."""

    WAITING = "waiting"
    """Another command is at work on the home."""
    RUNNING = "running"
    DONE = "done"
    """The command has ended; its exit code says whether all is well."""
    REFUSED = "refused"
    """The command said that the request cannot be carried out; nothing was changed."""
    FAILED = "failed"
    STOPPED = "stopped"
    """Somebody stopped it; what was finished before is kept."""
    LOST = "lost"
    """Never written down: its process was killed, and nobody carries it out."""


AT_WORK = frozenset({RequestState.WAITING, RequestState.RUNNING})


@dataclass(frozen=True)
class RunRequest:
    """One request."""

    id: str
    """By which to poll."""
    kind: str
    """As `run-backfill` or `heal`."""
    asked: dict[str, Any]
    """What was asked for, as it came."""
    asked_by: str
    """The token, or whoever started the server."""
    asked_at: datetime
    """When."""
    asked_from: str
    """`api` or `dashboard`; empty for requests of before this was noted."""
    idempotency_key: str | None
    """The key that came with it."""
    state: RequestState
    """How far it is: `waiting`, `running`, `done`, `refused`, `failed`, `stopped` or `lost`."""
    exit_code: int | None
    """Of the command: 0 all is well, 1 it ran and not all is well, 2 refused; null until it has ended."""
    result: Any
    """What the command printed for a program."""
    message: str | None
    """Its last words for a person."""
    began_at: datetime | None
    """When its command began."""
    ended_at: datetime | None
    """When it had ended."""


class KeyTakenError(UsageError):
    """The idempotency key was used for another request."""


class RunRequests:
    """The requests of one home."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._engine, self._folder = engine, settings.requests

    def lock(self, request_id: str) -> Path:
        """What whoever carries the request out holds."""
        return self._folder / f"{request_id}.lock"

    def _stop_file(self, request_id: str) -> Path:
        return self._folder / f"{request_id}.stop"

    def stop(self, request_id: str, who: str, why: str, now: datetime) -> RunRequest:
        """Ask whoever carries a request out to stop; the request as it stands. Asked twice, it is asked once.

        Raises `UsageError` for one that is at work no more.
        """
        request = self.get(request_id)
        if request.state not in AT_WORK:
            raise UsageError(f"{request.id} is {request.state.value}: there is nothing to stop.")
        if self.stopped_by(request_id) is None:
            write_atomically(self._stop_file(request_id), f"{who}: {why}".encode())
            note_act(self._engine, Changes.STOP, f"{request.kind} {request.id}", who, why, now)
        return request

    def stopped_by(self, request_id: str) -> str | None:
        """Who wants it to stop, and why; None if nobody does."""
        try:
            return self._stop_file(request_id).read_text()
        except FileNotFoundError:
            return None

    @contextmanager
    def asked(
        self, kind: str, asked: dict[str, Any], who: str, key: str | None, now: datetime
    ) -> Iterator[tuple[RunRequest, bool, int]]:
        """As `ask`, with the descriptor of the lock, which is held from before the request can be seen to the end of the block.

        Else whoever asked the same at the same moment would read that it was lost, and ask again.
        """
        request_id, is_new = str(uuid4()), False
        lock = claim(self.lock(request_id), wait=False)
        try:
            request, is_new = self.ask(kind, asked, who, key, now, request_id)
            yield request, is_new, lock
        finally:
            if not is_new:
                self.lock(request_id).unlink(missing_ok=True)
            os.close(lock)  # whoever carries it out has it: the lock is free when that ends

    def ask(
        self, kind: str, asked: dict[str, Any], who: str, key: str | None, now: datetime, request_id: str | None = None
    ) -> tuple[RunRequest, bool]:
        """Keep a request; the request, and whether it is new. One with a key that came before is that one.

        Raises `KeyTakenError` if it was another request that had the key.
        """
        values: dict[str, Any] = {
            "id": request_id or str(uuid4()),
            "kind": kind,
            "asked": json.dumps(asked, default=str, sort_keys=True),
        }
        values |= {
            "asked_by": who,
            "asked_at": now,
            "asked_from": acts_from().value,
            "idempotency_key": key,
            "state": RequestState.WAITING.value,
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(requested_runs).values(**values))
        except IntegrityError:
            query = select(requested_runs).where(
                requested_runs.c.asked_by == who, requested_runs.c.idempotency_key == key
            )
            with self._engine.connect() as connection:
                row = connection.execute(query).first()
            if row is None:
                raise
            if (row.kind, row.asked) != (kind, values["asked"]):
                raise KeyTakenError(
                    f"The idempotency key {key!r} was used for another request ({row.kind}, {row.id}): take a new one."
                ) from None
            return self._as_it_stands(row), False
        return self.get(values["id"]), True

    def begin(self, request_id: str, now: datetime) -> None:
        """Say that its command has begun."""
        self._set(request_id, state=RequestState.RUNNING.value, began_at=now)

    def wait(self, request_id: str) -> None:
        """Say that another command is at work on the home."""
        self._set(request_id, state=RequestState.WAITING.value)

    def end(
        self, request_id: str, state: RequestState, now: datetime, exit_code: int, result: str | None, message: str
    ) -> None:
        """Say how it ended."""
        self._set(
            request_id, state=state.value, ended_at=now, exit_code=exit_code, result=result, message=message or None
        )

    def _set(self, request_id: str, **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(requested_runs).where(requested_runs.c.id == request_id).values(**values))

    def get(self, request_id: str) -> RunRequest:
        """One request as it stands. Raises `UsageError` if there is none."""
        with self._engine.connect() as connection:
            row = connection.execute(select(requested_runs).where(requested_runs.c.id == request_id)).first()
        if row is None:
            raise UsageError(f"There is no requested run {request_id!r}.")
        return self._as_it_stands(row)

    def with_key(self, key: str) -> RunRequest | None:
        """The first request that came with a key, whoever asked for it; None if none did."""
        query = (
            select(requested_runs).where(requested_runs.c.idempotency_key == key).order_by(requested_runs.c.asked_at)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else self._as_it_stands(row)

    def newest(self, limit: int | None, offset: int = 0) -> tuple[list[RunRequest], int]:
        """Some of the requests, the newest first, and how many there are."""
        query = select(requested_runs).order_by(requested_runs.c.asked_at.desc(), requested_runs.c.id).offset(offset)
        with self._engine.connect() as connection:
            total = connection.execute(select(func.count()).select_from(requested_runs)).scalar_one()
            rows = connection.execute(query if limit is None else query.limit(limit)).all()
        return [self._as_it_stands(row) for row in rows], total

    def _as_it_stands(self, row: Row[Any]) -> RunRequest:
        found = record(RunRequest, row, state=RequestState, asked=json.loads, result=_read)
        if found.state in AT_WORK and not self._has_holder(found.id):
            with self._engine.connect() as connection:  # it may have ended while we looked
                again = connection.execute(select(requested_runs).where(requested_runs.c.id == found.id)).one()
            found = record(RunRequest, again, state=RequestState, asked=json.loads, result=_read)
            if found.state in AT_WORK:
                return RunRequest(**{**vars(found), "state": RequestState.LOST})
        return found

    def _has_holder(self, request_id: str) -> bool:
        try:
            with unclaimed(self.lock(request_id)) as left:
                return left is None
        except FileNotFoundError:
            return False

    def leave(self, request_id: str, descriptor: int) -> None:
        """Nobody carries it out any more."""
        self._stop_file(request_id).unlink(missing_ok=True)
        self.lock(request_id).unlink(missing_ok=True)
        os.close(descriptor)


def _read(text: str | None) -> Any:
    return None if text is None else json.loads(text)
