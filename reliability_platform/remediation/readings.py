"""Which refused files can be read in another way, and what speaks for it: never a name or a place alone.

A refusal names a candidate: columns under other names, casts. Each such column is compared with the source's own past
(`checks.agreement`). Only a file of which every one agrees is offered. One with a column under another name waits for a
person besides, who is shown the column beside its past; casts that agree need nobody. What does not agree, and what the
past does not tell, stays refused: the source is asked for it again, or the contract declares the alias.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reliability_platform.checks.agreement import (
    CAST,
    PAST_DAYS,
    RENAMED,
    Agreement,
    agreement,
    beside_its_past,
)
from reliability_platform.checks.column_measures import Companion, Past
from reliability_platform.checks.gate import held
from reliability_platform.checks.history import LOOK_BACK_DAYS
from reliability_platform.checks.results import CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.contracts import CONTRACTS
from reliability_platform.landing.breach import Breach
from reliability_platform.landing.bronze import bronze_folder
from reliability_platform.landing.canonical import canonical
from reliability_platform.landing.casts import CASTS
from reliability_platform.landing.columns import Reading, read_as
from reliability_platform.landing.delivered_file import read_delivered
from reliability_platform.landing.file_quarantine import quarantined_file
from reliability_platform.landing.parquet_file import NotReadableError
from reliability_platform.masking import shown_name
from reliability_platform.operations import operations_engine
from reliability_platform.parquet import read_table
from reliability_platform.remediation import evidence
from reliability_platform.settings import Settings


@dataclass(frozen=True)
class Readable:
    """A refused file whose refusal names a reading that would mend all that is wrong with its columns."""

    batch_id: str
    day: date
    slot: int
    reading: Reading


@dataclass(frozen=True)
class JudgedReading:
    """Such a file, and what the past says about each column that would be read in another way."""

    file: Readable
    columns: tuple[Agreement, ...]

    @property
    def agrees(self) -> bool:
        """Whether every column is what it has always been."""
        return all(one.status is CheckStatus.PASSED for one in self.columns)

    @property
    def waits_for_a_person(self) -> bool:
        """Whether it may be read so once a person approves: another name can be another thing."""
        return self.agrees and bool(self.file.reading.rename)

    @property
    def words(self) -> str:
        """How it would be read, and beside which past; or why not."""
        named = f"{self.file.batch_id} ({reading_words(self.file.reading)})"
        if not self.agrees:
            apart = next(one for one in self.columns if one.status is not CheckStatus.PASSED)
            judged = "does not agree with the past" if apart.status is CheckStatus.FAILED else "not evaluated"
            return f"{named}: {judged}, {apart.why}"
        return f"{named}: {'; '.join(beside_its_past(one) for one in self.columns)}"


def reading_words(reading: Reading) -> str:
    """How a file is read, for people."""
    said = [f"{shown_name(found)} read as {expected}" for found, expected in sorted(reading.rename.items())]
    return ", ".join([*said, *(f"{name}: {cast.replace('_', ' ')}" for name, cast in sorted(reading.casts.items()))])


def candidates(source: str, day: date, records: Sequence[Mapping[str, Any]]) -> list[Readable]:
    """The refused files among admission records whose refusal names a reading."""
    found = []
    for record in records:
        if record["state"] == "quarantined" and record["reason"] in ("schema_column_renamed", "schema_type_changed"):
            reading = _reading_of(source, record)
            if reading is not None:
                found.append(Readable(record["batch_id"], day, record["batch_sequence"], reading))
    return found


def _reading_of(source: str, record: Mapping[str, Any]) -> Reading | None:
    """The reading that a refusal names, if all that is wrong is mended by it."""
    columns = set(CONTRACTS[source].arrow_schema.names)
    broken = Breach.read(record["reason"], record["detail"])
    # A shim may only give a column of the contract back its name; it must not hide another one.
    names_fit = set(broken.rename.values()) <= columns and not set(broken.rename) & columns
    types_fit = set(broken.casts) == set(broken.changed) <= columns and set(broken.casts.values()) <= CASTS.keys()
    named = (broken.rename or broken.casts) and names_fit and types_fit
    return Reading(broken.rename, broken.casts) if named else None


def judged_readings(settings: Settings, source: str, day: date) -> list[JudgedReading]:
    """The refused files of a landing day for which a reading is named, each compared with the past."""
    files = candidates(source, day, evidence.admissions(settings, source, day))
    if not files:
        return []
    days = _good_days(settings, source, day)
    return [JudgedReading(file, _judged(settings, source, file, days)) for file in files]


def _judged(settings: Settings, source: str, file: Readable, days: tuple[date, ...]) -> tuple[Agreement, ...]:
    path = quarantined_file(settings, source, file.day, file.batch_id)
    seen = tuple(
        (str(one), one.stat().st_mtime_ns) for day in days for one in _admitted(settings, source, day).values()
    )
    reading = (tuple(sorted(file.reading.rename.items())), tuple(sorted(file.reading.casts.items())))
    beside = tuple(
        (str(one), one.stat().st_mtime_ns)
        for other in _companions(source)
        for day in (*days, file.day)
        for one in _admitted(settings, other, day).values()
    )
    stamp = path.stat().st_mtime_ns if path.exists() else 0
    return _compared(_Question(settings.home, source, file.day, file.slot, path, stamp, reading, days, seen, beside))


@dataclass(frozen=True)
class _Question:
    """All on which an answer depends: asked at every tick of a sensor while a file waits, answered once."""

    home: Path
    source: str
    day: date
    slot: int
    path: Path
    stamp: int
    reading: tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]
    days: tuple[date, ...]
    past: tuple[tuple[str, int], ...]
    beside: tuple[tuple[str, int], ...]


@lru_cache(maxsize=64)
def _compared(asked: _Question) -> tuple[Agreement, ...]:
    contract = CONTRACTS[asked.source].on(asked.day)
    rename, casts = dict(asked.reading[0]), dict(asked.reading[1])
    columns = sorted({*rename.values(), *casts})
    try:
        table = canonical(read_delivered(contract, asked.path.name, asked.path.read_bytes()), contract)
        table, lost = read_as(table, Reading(rename, casts), contract)
        whole = lost is None and table.select(contract.arrow_schema.names).schema.equals(contract.arrow_schema)
    except (OSError, KeyError, pa.ArrowException, NotReadableError):
        whole = False
    if not whole:
        why = "the file cannot be read so any more"
        return tuple(Agreement(name, CheckStatus.NOT_EVALUATED, why) for name in columns)
    table = table.select(contract.arrow_schema.names)
    past = _past(asked)
    # What came in another way itself is no evidence for a column beside it: both may have moved together.
    others = [name for name in table.column_names if name not in columns]
    return tuple(
        agreement(name, table, asked.day, past, RENAMED if name in rename.values() else CAST, others)
        for name in columns
    )


def _good_days(settings: Settings, source: str, day: date) -> tuple[date, ...]:
    """The last days before one that have been judged and that no check holds, oldest first."""
    good: list[date] = []
    for nearer in range(0, LOOK_BACK_DAYS, PAST_DAYS):  # seldom more than the nearest ones are asked about
        further = min(nearer + PAST_DAYS, LOOK_BACK_DAYS)
        back = [day - timedelta(days=number) for number in range(nearer + 1, further + 1)]
        landed = [one for one in back if _admitted(settings, source, one)]
        strange = held(CheckStore(operations_engine(settings)), [(source, one) for one in landed])
        good += [one for one in landed if (source, one) not in strange]
        if len(good) >= PAST_DAYS:
            break
    return tuple(reversed(good[:PAST_DAYS]))


def _admitted(settings: Settings, source: str, day: date) -> dict[int, Path]:
    """By slot, the bronze file that counts: as the source sent it, not read in another way."""
    counts: dict[int, tuple[int, str]] = {}
    for record in evidence.admissions(settings, source, day):
        if record["status"] == "admitted" and record["shim"] is None:
            here = (record["batch_attempt"], record["batch_id"])
            counts[record["batch_sequence"]] = max(counts.get(record["batch_sequence"], (0, "")), here)
    folder = bronze_folder(settings, source, day)
    paths = {slot: folder / f"{name}.parquet" for slot, (_, name) in counts.items()}
    return {slot: path for slot, path in sorted(paths.items()) if path.exists()}


def _companions(source: str) -> dict[str, str]:
    """Other sources that speak of the same things, and the key by which they do: it is unique in one of the two."""
    own, found = CONTRACTS[source], {}
    for name, other in CONTRACTS.items():
        for key in (one.key[0] for one in (own, other) if len(one.key) == 1):
            if name != source and key in own.arrow_schema.names and key in other.arrow_schema.names:
                found[name] = key
    return found


def _past(asked: _Question) -> Past:
    schema = CONTRACTS[asked.source].arrow_schema
    number = {one: place for place, one in enumerate(asked.days)}
    tables, days, in_slot = [schema.empty_table()], [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=bool)]
    for path, _ in asked.past:
        table = _rows(path, schema, "_batch_sequence")
        if table is not None:
            day = date.fromisoformat(Path(path).parent.name.removeprefix("landing_date="))
            tables.append(table.select(schema.names))
            days.append(np.full(table.num_rows, number[day], dtype=np.int64))
            in_slot.append(table["_batch_sequence"].to_numpy() == asked.slot)
    companions = []
    for name, key in _companions(asked.source).items():
        theirs = CONTRACTS[name].arrow_schema
        shared = pa.schema(
            [one for one in theirs if one.name in schema.names and one.type == schema.field(one.name).type]
        )
        parts = [_rows(path, shared) for path, _ in asked.beside if Path(path).parent.parent.name == name]
        told = [part for part in parts if part is not None]
        if told:
            companions.append(Companion(name, key, pa.concat_tables(told)))
    return Past(asked.days, pa.concat_tables(tables), np.concatenate(days), np.concatenate(in_slot), tuple(companions))


def _rows(path: str, schema: pa.Schema, *more: str) -> pa.Table | None:
    """Some columns of a bronze file; None if it is of a time when the contract was another one."""
    found = pq.read_schema(path)
    if any(one.name not in found.names or found.field(one.name).type != one.type for one in schema):
        return None
    return read_table(Path(path), columns=[*schema.names, *more])
