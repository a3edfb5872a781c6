"""The replay ledger: which batch was asked for again or replayed from quarantine, for which incident. Append-only.

That an action was begun and how it ended stands on the incident's timeline; here is what came of it, batch by batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from reliability_platform.operations.records import record
from reliability_platform.operations.tables import replay_ledger

REPLACEMENT = "replacement"
SHIM = "shim"
CONTRACT = "contract"
ACCEPTED = "accepted"
NO_INCIDENT = ""
"""A run alone found that a refused file fits now."""


@dataclass(frozen=True)
class Replay:
    """One batch that came again."""

    batch_id: str
    source: str
    landing_date: date
    how: str
    """`replacement`: the source was asked again; `shim`: the refused file was read in another way; `contract`: it was
    read again as it is, under a changed contract; `accepted`: a person took an attempt that nobody had asked for."""
    fingerprint: str
    """What makes this replay another one than the last: SHA-256 of a replacement's bytes, of the shim, or of the content
    together with the contract that it is judged by."""
    incident_id: str = ""
    attempt: int = 0
    replayed_at: datetime | None = None


class ReplayLedger:
    """Replays in the operations store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, done: Sequence[Replay], incident_id: str, attempt: int, now: datetime) -> None:
        """Append replays; one that is there already stays as it is."""
        for one in done:
            try:
                with self._engine.begin() as connection:
                    connection.execute(
                        insert(replay_ledger).values(
                            batch_id=one.batch_id,
                            source=one.source,
                            landing_date=one.landing_date,
                            how=one.how,
                            fingerprint=one.fingerprint,
                            incident_id=incident_id,
                            attempt=attempt,
                            replayed_at=now,
                        )
                    )
            except IntegrityError:
                continue

    def all(self, incident_id: str | None = None) -> list[Replay]:
        """Every replay, or those of one incident, oldest first."""
        query = select(replay_ledger).order_by(replay_ledger.c.id)
        if incident_id is not None:
            query = query.where(replay_ledger.c.incident_id == incident_id)
        with self._engine.connect() as connection:
            return [record(Replay, row) for row in connection.execute(query)]
