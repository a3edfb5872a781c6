"""Decisions to correct rows: which corrections people have applied and taken back, and what each is about. Append-only.

The table in the operations store is the truth; which correction is in force is a fold over it. For each source and landing
day a file in the home says what was decided there, by whom and why, so that a build stays a function of files. It is written anew
from the table before each admission of the pipeline. What a file says that the table does not know was decided in a home that is
lost, or since the snapshot that this one has come back from, and came from the bucket: the table takes it in, as the newest.

A correction is about the bytes of the deliveries that were there when it was applied, and never about what comes later: a
source that sends the right numbers after all is not corrected once more.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Row, func, insert, select
from sqlalchemy.exc import IntegrityError

from reliability_platform.audit_log import Changes, note_act
from reliability_platform.counted import counted
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.formats import printable
from reliability_platform.landing.correction import Correction
from reliability_platform.landing.said_elsewhere import moment, whole_number
from reliability_platform.landing.seals import seal_again
from reliability_platform.landing.working_copy import remove, write
from reliability_platform.masking import scrub
from reliability_platform.operations.tables import MAX_REASON, corrections
from reliability_platform.settings import Settings

LETTERS = 8
"""Of the digest, in the name of a correction."""
MAX_WHO = 200
"""Characters that the operations store has for a name, and for the number of an incident."""


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
    number: int = 1
    """Of the last decision on this correction: applied, reverted, applied again."""

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
        number = last.number + 1 if last is not None else 1
        if not self._append(replace(decided, turn=turn, number=number, who=who, why=why, decided_at=now)):
            return False
        act = Changes.CORRECT if turn is Turn.APPLIED else Changes.TAKE_BACK
        what = f"{decided.id}: {decided.correction.column} of {decided.correction.source}, {counted(len(decided.days), 'day')}"
        note_act(self._engine, act, what, who, why, now)  # without values: they are of rows
        return True

    def take_in(self, decided: Decided) -> None:
        """Know a decision of another home, with who made it and why, unless it is known, or a later one on the same correction."""
        with self._engine.connect() as connection:
            query = select(func.max(corrections.c.number)).where(corrections.c.key == decided.key)
            known = connection.execute(query).scalar() or 0
        if known < decided.number:
            self._append(decided)

    def _append(self, decided: Decided) -> bool:
        """Write one decision; False if somebody else has decided the same at this moment."""
        row = {
            "key": decided.key,
            "number": decided.number,
            "turn": decided.turn,
            "source": decided.correction.source,
            "correction": json.dumps(decided.correction.document()),
            "deliveries": json.dumps([_told(one) for one in decided.deliveries]),
            "why": scrub(decided.why)[:MAX_REASON],
            "who": scrub(decided.who)[:MAX_WHO],
            "incident_id": decided.incident_id,
            "decided_at": decided.decided_at,
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(corrections).values(row))
        except IntegrityError:
            return False
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
        number=row.number,
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
    """Let the table know what the files of a source say, and bring those of some landing days in line with it. What says the same
    already is not written."""
    take_in_corrections(settings, engine, source)
    decided = Corrections(engine).all(source)
    known = {one.id for one in decided}
    unknown = {day: _unknown(settings, source, day, known) for day in _decided_days(settings, source)}
    last = max((one.place for found in unknown.values() for _, one in found), default=0)
    for day in days:
        own = [
            (one.id, replace(one, place=last + one.place, deliveries=of_day))
            for one in decided
            if (of_day := tuple(it for it in one.deliveries if it.landing_date == day))
        ]
        told = [_document(name, one) for name, one in [*unknown.get(day, ()), *own]]
        path = _path(settings, source, day)
        content = (json.dumps(told, indent=2, sort_keys=True) + "\n").encode()
        if not told and path.exists():
            remove(settings, path)
            seal_again(settings, path)
        elif told and not (path.exists() and path.read_bytes() == content):
            write(settings, path, content)
            seal_again(settings, path)


def take_in_corrections(settings: Settings, engine: Engine, source: str) -> None:
    """Let the table know what the files of a source say of decisions that were made elsewhere, in their order.

    The files of all landing days that a correction is about have to be there: its name is a digest over them.
    """
    parts: dict[str, list[Decided]] = {}
    for day in _decided_days(settings, source):
        for name, one in _unknown(settings, source, day, ()):
            parts.setdefault(name, []).append(one)
    for name, found in sorted(parts.items(), key=lambda item: max(one.place for one in item[1])):
        newest = max(found, key=lambda one: one.number)
        whole = replace(newest, deliveries=tuple(it for one in found for it in one.deliveries))
        is_whole = whole.id == name and whole.correction.source == source
        if is_whole and whole.decided_at is not None:  # an earlier release did not say when
            Corrections(engine).take_in(whole)


def _unknown(settings: Settings, source: str, day: date, known: Collection[str]) -> list[tuple[str, Decided]]:
    """What the file of a day says besides what the table knows; nothing of one that is damaged, which is written anew."""
    with suppress(EnvironmentUnusableError):
        return [(name, one) for name, one in _read(settings, source, day) if name not in known]
    return []


def _decided_days(settings: Settings, source: str) -> list[date]:
    """The landing days of a source on which anything was decided, by the names of the files."""
    found = (settings.decisions / source).glob(f"{source}-*{SUFFIX}")
    days = []
    for path in found:
        with suppress(ValueError):  # a name of no day was not written here
            days.append(datetime.strptime(path.name.removeprefix(f"{source}-"), f"%Y%m%d{SUFFIX}").date())  # noqa: DTZ007 (a day)
    return sorted(days)


def corrected_days(settings: Settings, source: str) -> list[date]:
    """The landing days of a source on which a correction is in force, by the files. Raises as `read_corrections`."""
    return [day for day in _decided_days(settings, source) if read_corrections(settings, source, day)]


def read_corrections(settings: Settings, source: str, landing_date: date) -> list[InForce]:
    """What is in force on one landing day, in its order. Raises `EnvironmentUnusableError` for a file that says nothing."""
    return [
        InForce(name, one.place, one.correction, {it.batch_id: it.fingerprint for it in one.deliveries})
        for name, one in _read(settings, source, landing_date)
        if one.turn is Turn.APPLIED
    ]


def _document(name: str, one: Decided) -> dict[str, Any]:
    """A decision as the file of a day says it, of the deliveries of that day."""
    return {
        "id": name,
        "number": one.number,
        "turn": one.turn,
        "place": one.place,
        "correction": one.correction.document(),
        "batches": {it.batch_id: it.fingerprint for it in one.deliveries},
        "rows": {it.batch_id: it.rows for it in one.deliveries},
        "who": one.who,
        "why": one.why,
        "incident_id": one.incident_id,
        "decided_at": None if one.decided_at is None else one.decided_at.isoformat(),
    }


def _read(settings: Settings, source: str, day: date) -> list[tuple[str, Decided]]:
    """What the file of a day says, by the names of the corrections. Files of earlier releases say what was in force, and no more."""
    path = _path(settings, source, day)
    if not path.exists():
        return []
    try:
        return [
            (
                str(one["id"]),
                Decided(
                    correction=Correction.of(one["correction"]),
                    deliveries=tuple(
                        CorrectedBatch(
                            day, str(batch), str(fingerprint), whole_number(one.get("rows", {}).get(batch, 0))
                        )
                        for batch, fingerprint in one["batches"].items()
                    ),
                    who=printable(str(one.get("who", "")), MAX_WHO),
                    why=printable(str(one.get("why", "")), MAX_REASON),
                    incident_id=printable(str(one["incident_id"]), MAX_WHO) if one.get("incident_id") else None,
                    decided_at=moment(one["decided_at"]) if one.get("decided_at") else None,
                    turn=Turn(one.get("turn", Turn.APPLIED)),
                    place=whole_number(one["place"]),
                    number=whole_number(one.get("number", 1)),
                ),
            )
            for one in json.loads(path.read_text())
        ]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise EnvironmentUnusableError(
            f"{path} is no list of corrections: delete it and run the day again, then it is written anew."
        ) from None
