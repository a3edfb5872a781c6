"""Decisions to discard: which dead letters a person has given up, and why. Append-only; obeyed by admission.

The table in the operations store is the truth. For each source and landing day a file in the home says the same, so
that admission stays a function of files; it is written anew from the table before each admission of the pipeline, and
whoever dies between the two loses nothing. What a file says that the table does not know was decided in a home that is lost,
and came from the bucket: the table takes it in, with who decided it, when and why. Files of earlier releases do not say that: what
they say stays in force beside it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.formats import printable
from reliability_platform.landing.said_elsewhere import moment, whole_number
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

OBEYED = ("batch_id", "what", "reasons", "fingerprint")
"""What admission reads of a decision, and what makes it this one and no other on its landing day."""
ROOM = {"batch_id": 200, "reasons": 2000, "fingerprint": 64}
"""Characters that the operations store has for it."""
MAX_WHO = 200

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
        decided = [replace(one, why=why, who=who, discarded_at=now) for one in decisions]
        return [one for one in decided if self.take_in(one)]

    def take_in(self, decided: Discard) -> bool:
        """Know a decision; whether it is new."""
        said = {"why": scrub(decided.why)[:MAX_REASON], "who": scrub(decided.who)[:MAX_WHO]}
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(discards).values({"key": decided.key, **vars(decided), **said}))
        except IntegrityError:
            return False
        return True

    def of(self, source: str, days: Sequence[date]) -> list[Discard]:
        """The decisions on some landing days of a source, oldest first."""
        query = select(discards).where(discards.c.source == source, discards.c.landing_date.in_(days))
        with self._engine.connect() as connection:
            return [record(Discard, row) for row in connection.execute(query.order_by(discards.c.id))]


def _path(settings: Settings, source: str, landing_date: date) -> Path:
    return settings.decisions / source / f"{source}-{landing_date:%Y%m%d}-discarded.json"


def write_discards(settings: Settings, engine: Engine, source: str, days: Sequence[date]) -> None:
    """Let the table know what the files of some landing days say, and bring these in line with it. What says the same already is not
    written.
    """
    said = {day: found for day in days if (found := _said(_path(settings, source, day)))}
    for day, found in said.items():
        for one in found:
            decided = _decided(source, day, one)
            if decided is not None:
                Discards(engine).take_in(decided)
    by_day: dict[date, list[Discard]] = {}
    for known in Discards(engine).of(source, days):
        by_day.setdefault(known.landing_date, []).append(known)
    for day, decisions in by_day.items():
        told = [_document(one) for one in decisions]
        identities = [_identity(one) for one in told]
        told = [*[one for one in said.get(day, ()) if _identity(one) not in identities], *told]
        path = _path(settings, source, day)
        content = (json.dumps(told, indent=2, sort_keys=True) + "\n").encode()
        if not path.exists() or path.read_bytes() != content:
            write(settings, path, content)
            seal_again(settings, path)


def _document(one: Discard) -> dict[str, Any]:
    """A decision as the file of its day says it."""
    at = None if one.discarded_at is None else one.discarded_at.isoformat()
    told = {name: getattr(one, name) for name in (*OBEYED, "rows", "who", "why")}
    return {**told, "discarded_at": at}


def _identity(said: Mapping[str, Any]) -> list[Any]:
    return [said.get(name) for name in OBEYED]


def _decided(source: str, day: date, said: Mapping[str, Any]) -> Discard | None:
    """A decision of another home; None for one that does not say who took it and when, or says what cannot be."""
    try:
        found = Discard(
            source=source,
            landing_date=day,
            **{name: str(said[name]) for name in OBEYED},
            rows=whole_number(said["rows"]),
            why=printable(str(said["why"]), MAX_REASON),
            who=printable(str(said["who"]), MAX_WHO),
            discarded_at=moment(said["discarded_at"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
    is_said_well = found.what in (FILE, ROWS) and all(
        said[name] == str(said[name]) and str(said[name]).isprintable() for name in OBEYED
    )
    has_room = all(len(getattr(found, name)) <= room for name, room in ROOM.items())
    return found if is_said_well and has_room else None


def _said(path: Path) -> list[dict[str, Any]]:
    """What a file says; nothing of one that is damaged, which is written anew."""
    try:
        said = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return []
    return [one for one in said if isinstance(one, dict)] if isinstance(said, list) else []


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
