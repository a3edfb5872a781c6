"""Decisions to correct rows: which corrections people have applied and taken back, and what each is about. Append-only.

The table in the operations store is the truth; which correction is in force is a fold over it. For each source and landing
day a file in the home says what is in force there, so that a build stays a function of files. It is written anew from the
table before each admission of the pipeline. What a file says that the table has never known was decided in a home that is lost,
and came from the bucket: it stays in force, before all that the table has.

A correction is about the bytes of the deliveries that were there when it was applied, and never about what comes later: a
source that sends the right numbers after all is not corrected once more.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Engine, Row, insert, select
from sqlalchemy.exc import IntegrityError

from reliability_platform.audit_log import Changes, note_act
from reliability_platform.counted import counted
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.landing.correction import Correction
from reliability_platform.landing.seals import seal_again
from reliability_platform.landing.working_copy import remove, write
from reliability_platform.masking import scrub
from reliability_platform.operations.tables import MAX_REASON, corrections
from reliability_platform.settings import Settings

LETTERS = 8
"""Of the digest, in the name of a correction."""


class Turn(StrEnum):
    """What a person decided about a correction."""

    APPLIED = "applied"
    REVERTED = "reverted"


@dataclass(frozen=True)
class CorrectedBatch:
    """The bytes of one batch that a correction changes rows of."""

    landing_date: date
    batch_id: str
    fingerprint: str
    """SHA-256 of the file as it landed."""
    rows: int
    """Rows that are corrected."""


@dataclass(frozen=True)
class Decided:
    """A correction with the deliveries that it is about, and the last decision on it."""

    correction: Correction
    deliveries: tuple[CorrectedBatch, ...]
    who: str = ""
    why: str = ""
    incident_id: str | None = None
    decided_at: datetime | None = None
    turn: Turn = Turn.APPLIED
    place: int = 0
    """Among all decisions: of two that are in force, the one with the higher place comes after the other."""

    @property
    def key(self) -> str:
        """The same correction of the same bytes has the same key, whoever applies it."""
        about = sorted([one.landing_date.isoformat(), one.batch_id, one.fingerprint] for one in self.deliveries)
        return hashlib.sha256(json.dumps([self.correction.document(), about]).encode()).hexdigest()

    @property
    def id(self) -> str:
        """What people call it."""
        return f"COR-{self.key[:LETTERS]}"

    @property
    def days(self) -> list[date]:
        """The landing days of its deliveries, in order."""
        return sorted({one.landing_date for one in self.deliveries})

    @property
    def rows(self) -> int:
        """All rows that it corrects."""
        return sum(one.rows for one in self.deliveries)


class Corrections:
    """Corrections in the operations store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, decided: Decided, turn: Turn, why: str, who: str, now: datetime) -> bool:
        """Append a decision; whether it is new. What is in force is not applied again, what is not cannot be taken back."""
        with self._engine.connect() as connection:
            query = select(corrections.c.number, corrections.c.turn).where(corrections.c.key == decided.key)
            last = connection.execute(query.order_by(corrections.c.number.desc())).first()
        if (last.turn if last is not None else Turn.REVERTED) == turn:
            return False
        try:
            with self._engine.begin() as connection:
                connection.execute(
                    insert(corrections).values(
                        key=decided.key,
                        number=last.number + 1 if last is not None else 1,
                        turn=turn,
                        source=decided.correction.source,
                        correction=json.dumps(decided.correction.document()),
                        deliveries=json.dumps([_told(one) for one in decided.deliveries]),
                        why=scrub(why)[:MAX_REASON],
                        who=scrub(who),
                        incident_id=decided.incident_id,
                        decided_at=now,
                    )
                )
        except IntegrityError:  # somebody else decided the same at this moment
            return False
        act = Changes.CORRECT if turn is Turn.APPLIED else Changes.TAKE_BACK
        what = f"{decided.id}: {decided.correction.column} of {decided.correction.source}, {counted(len(decided.days), 'day')}"
        note_act(self._engine, act, what, who, why, now)  # without values: they are of rows
        return True

    def all(self, source: str | None = None) -> list[Decided]:
        """Every correction with the last decision on it, in the order in which they came into force or left it."""
        query = select(corrections).order_by(corrections.c.id)
        if source is not None:
            query = query.where(corrections.c.source == source)
        last: dict[str, Decided] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                last.pop(row.key, None)
                last[row.key] = _decided(row)
        return list(last.values())

    def in_force(self, source: str | None = None) -> list[Decided]:
        """Those that are applied and not taken back, oldest first: each is about what those before it have left."""
        return [one for one in self.all(source) if one.turn is Turn.APPLIED]

    def named(self, name: str) -> Decided:
        """The correction that a person names; the beginning of its id is enough. Raises `UsageError`."""
        found = [one for one in self.all() if one.id.casefold().startswith(name.casefold())]
        if len(found) != 1:
            words = "is no correction" if not found else f"may be {' or '.join(one.id for one in found)}"
            raise UsageError(f"{name!r} {words}: see `reliability corrections list`.")
        return found[0]


def _told(delivery: CorrectedBatch) -> dict[str, str | int]:
    return {**vars(delivery), "landing_date": delivery.landing_date.isoformat()}


def _delivery(told: Mapping[str, str | int]) -> CorrectedBatch:
    return CorrectedBatch(
        date.fromisoformat(str(told["landing_date"])),
        str(told["batch_id"]),
        str(told["fingerprint"]),
        int(told["rows"]),
    )


def _decided(row: Row[tuple[object, ...]]) -> Decided:
    return Decided(
        correction=Correction.of(json.loads(row.correction)),
        deliveries=tuple(_delivery(one) for one in json.loads(row.deliveries)),
        who=row.who,
        why=row.why,
        incident_id=row.incident_id,
        decided_at=row.decided_at,
        turn=Turn(row.turn),
        place=row.id,
    )


@dataclass(frozen=True)
class InForce:
    """A correction as a build obeys it, of one landing day."""

    id: str
    place: int
    correction: Correction
    batches: dict[str, str]
    """Batch id → the fingerprint of the bytes that are meant."""


SUFFIX = "-corrected.json"


def _path(settings: Settings, source: str, landing_date: date) -> Path:
    return settings.decisions / source / f"{source}-{landing_date:%Y%m%d}{SUFFIX}"


def write_corrections(settings: Settings, engine: Engine, source: str, days: Sequence[date]) -> None:
    """Bring the files of some landing days in line with the table. What says the same already is not written."""
    decided = Corrections(engine).all(source)
    known = {one.id for one in decided}
    inherited = {day: _unknown(settings, source, day, known) for day in corrected_days(settings, source)}
    last = max((one.place for found in inherited.values() for one in found), default=0)
    for day in days:
        own = [
            InForce(one.id, last + one.place, one.correction, batches)
            for one in decided
            if one.turn is Turn.APPLIED
            and (batches := {it.batch_id: it.fingerprint for it in one.deliveries if it.landing_date == day})
        ]
        told = [
            {"id": one.id, "place": one.place, "correction": one.correction.document(), "batches": one.batches}
            for one in [*inherited.get(day, ()), *own]
        ]
        path = _path(settings, source, day)
        content = (json.dumps(told, indent=2, sort_keys=True) + "\n").encode()
        if not told and path.exists():
            remove(settings, path)
            seal_again(settings, path)
        elif told and not (path.exists() and path.read_bytes() == content):
            write(settings, path, content)
            seal_again(settings, path)


def _unknown(settings: Settings, source: str, day: date, known: Collection[str]) -> list[InForce]:
    """What the file of a day says besides what the table knows; nothing of one that is damaged, which is written anew."""
    with suppress(EnvironmentUnusableError):
        return [one for one in read_corrections(settings, source, day) if one.id not in known]
    return []


def corrected_days(settings: Settings, source: str) -> list[date]:
    """The landing days of a source on which a correction is in force, by the files."""
    found = (settings.decisions / source).glob(f"{source}-*{SUFFIX}")
    texts = (path.name.removeprefix(f"{source}-").removesuffix(SUFFIX) for path in found)
    return sorted(date(int(text[:4]), int(text[4:6]), int(text[6:])) for text in texts if text.isdecimal())


def read_corrections(settings: Settings, source: str, landing_date: date) -> list[InForce]:
    """What is in force on one landing day, in its order. Raises `EnvironmentUnusableError` for a file that says nothing."""
    path = _path(settings, source, landing_date)
    if not path.exists():
        return []
    try:
        return [
            InForce(
                str(one["id"]),
                int(one["place"]),
                Correction.of(one["correction"]),
                {str(batch): str(fingerprint) for batch, fingerprint in one["batches"].items()},
            )
            for one in json.loads(path.read_text())
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise EnvironmentUnusableError(
            f"{path} is no list of corrections: delete it and run the day again, then it is written anew."
        ) from None
