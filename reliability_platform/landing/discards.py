"""Decisions to discard: which dead letters a person has given up, and why. Append-only; obeyed by admission.

The table in the operations store is the truth. For each source and landing day a file in the home says the same, so
that admission stays a function of files; it is written anew from the table before each admission of the pipeline, and
whoever dies between the two loses nothing. What a file says that the table does not know was decided in a home that is lost:
it stays.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.landing.seals import seal_again
from reliability_platform.landing.working_copy import write
from reliability_platform.masking import scrub
from reliability_platform.operations.records import record
from reliability_platform.operations.tables import MAX_REASON, discards
from reliability_platform.settings import Settings

FILE = "file"
"""What is discarded: a file that was refused whole …"""
ROWS = "rows"
"""… or the rows of an admitted batch that were rejected for exactly the same reasons."""

OF_THE_MANIFEST = frozenset(
    {"no_manifest", "manifest_unreadable", "checksum_mismatch", "row_count_mismatch", "batch_of_another_day"}
)
"""Reasons for which a delivery is refused that another manifest of the same bytes ends."""


@dataclass(frozen=True)
class Discard:
    """One decision. It concerns what lay there when it was taken, never what comes later."""

    source: str
    landing_date: date
    batch_id: str
    what: str
    reasons: str
    """Why it had been refused or rejected: the reason codes of a dead letter, as they stand on it."""
    fingerprint: str
    """SHA-256 of the bytes of the batch's file; empty for a manifest without one."""
    rows: int
    why: str = ""
    who: str = ""
    discarded_at: datetime | None = None

    @property
    def key(self) -> str:
        """The same decision has the same key, whoever takes it."""
        # Rejected rows of a batch may have many reasons; a file is discarded as a whole, whatever its reason.
        reasons = self.reasons if self.what == ROWS else ""
        identity = [self.source, self.landing_date.isoformat(), self.batch_id, self.what, reasons, self.fingerprint]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


@dataclass(frozen=True)
class Discarded:
    """What admission must obey on one source and landing day."""

    files: dict[tuple[str, str], str] = field(default_factory=dict)
    """Batch id and fingerprint of discarded files → the reason for which each had been refused."""
    rows: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """Batch id and fingerprint → the reasons for which rejected rows are discarded, each as it stands on the row."""

    def covers(self, batch_id: str, fingerprint: str, *, readable: bool = False) -> bool:
        """Whether a decision speaks of this delivery. If it is `readable` now and was refused for its manifest, another
        manifest has come since: the same bytes with another manifest are another delivery."""
        reason = self.files.get((batch_id, fingerprint))
        return reason is not None and not (readable and reason in OF_THE_MANIFEST)


class Discards:
    """Discards in the operations store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, decisions: Iterable[Discard], why: str, who: str, now: datetime) -> list[Discard]:
        """Append decisions; returns those that are new. One that was taken before stays as it is."""
        taken = []
        for one in decisions:
            try:
                with self._engine.begin() as connection:
                    connection.execute(
                        insert(discards).values(
                            key=one.key,
                            source=one.source,
                            landing_date=one.landing_date,
                            batch_id=one.batch_id,
                            what=one.what,
                            reasons=one.reasons,
                            fingerprint=one.fingerprint,
                            rows=one.rows,
                            why=scrub(why)[:MAX_REASON],
                            who=scrub(who),
                            discarded_at=now,
                        )
                    )
            except IntegrityError:
                continue
            taken.append(one)
        return taken

    def of(self, source: str, days: Sequence[date]) -> list[Discard]:
        """The decisions on some landing days of a source, oldest first."""
        query = select(discards).where(discards.c.source == source, discards.c.landing_date.in_(days))
        with self._engine.connect() as connection:
            return [record(Discard, row) for row in connection.execute(query.order_by(discards.c.id))]


def _path(settings: Settings, source: str, landing_date: date) -> Path:
    return settings.decisions / source / f"{source}-{landing_date:%Y%m%d}-discarded.json"


def write_discards(settings: Settings, engine: Engine, source: str, days: Sequence[date]) -> None:
    """Bring the files of some landing days in line with the table. What says the same already is not written."""
    by_day: dict[date, list[Discard]] = {}
    for one in Discards(engine).of(source, days):
        by_day.setdefault(one.landing_date, []).append(one)
    for day, decisions in by_day.items():
        told = [
            {"batch_id": one.batch_id, "what": one.what, "reasons": one.reasons, "fingerprint": one.fingerprint}
            for one in decisions
        ]
        path = _path(settings, source, day)
        told = [*[one for one in _said(path) if one not in told], *told]
        content = (json.dumps(told, indent=2, sort_keys=True) + "\n").encode()
        if not path.exists() or path.read_bytes() != content:
            write(settings, path, content)
            seal_again(settings, path)


def _said(path: Path) -> list[dict[str, str]]:
    """What a file says; nothing of one that is damaged, which is written anew."""
    try:
        said = json.loads(path.read_text())
    except (OSError, ValueError):
        return []
    return said if isinstance(said, list) else []


def read_discards(settings: Settings, source: str, landing_date: date) -> Discarded:
    """What was discarded of one source and landing day. Raises `EnvironmentUnusableError` for a file that is none."""
    path = _path(settings, source, landing_date)
    if not path.exists():
        return Discarded()
    try:
        told = [
            (one["what"], (one["batch_id"], one["fingerprint"]), one["reasons"]) for one in json.loads(path.read_text())
        ]
    except (ValueError, KeyError, TypeError):
        raise EnvironmentUnusableError(
            f"{path} is no list of discards: delete it and run the day again, then it is written anew."
        ) from None
    rows: dict[tuple[str, str], tuple[str, ...]] = {}
    for what, batch, reasons in told:
        if what == ROWS:
            rows[batch] = (*rows.get(batch, ()), reasons)
    return Discarded({batch: reason for what, batch, reason in told if what == FILE}, rows)
