"""A recording as it lies in a home of the lab, and the source that replays it.

`recording.json` says what there is: the days, the contract of each source, each batch, and the checksum of each file. What
differs from it is refused: a truth that somebody changed proves nothing.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from reliability_platform.clock import days
from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Contract
from reliability_platform.damage import sha256_of
from reliability_platform.errors import UsageError
from reliability_platform.parquet import read_table
from reliability_platform.sources.batch import Batch, batch_id

RECORD = "recording.json"
REQUESTED_AFTER = timedelta(hours=6)
"""A replacement lands so long after the end of its landing day, as one of a simulated source does."""


def fingerprint_of(contract: Contract) -> str:
    """What a contract says of its rows and its schedule; descriptions and owners may change."""
    columns = tuple(replace(one, description="") for one in contract.columns)
    plain = replace(contract, columns=columns, description="", owner="", taken_over=(), is_draft=False)
    return hashlib.sha256(json.dumps(_said(plain), sort_keys=True, default=str).encode()).hexdigest()


def _said(value: Any) -> Any:
    """What differs from its default: a release that can say more of a contract leaves one that does not as it was."""
    if is_dataclass(value):
        known = ((one, getattr(value, one.name)) for one in fields(value))
        return {one.name: _said(content) for one, content in known if content != one.default}
    return [_said(one) for one in value] if isinstance(value, tuple) else value


def seal_of(document: Mapping[str, Any]) -> str:
    """The checksum of everything in a record but itself."""
    rest = {key: value for key, value in document.items() if key != "seal"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Recording:
    """Some landing days, whole."""

    folder: Path
    first: date
    last: date
    seal: str

    @classmethod
    def open(cls, folder: Path) -> "Recording":
        """The recording in a folder. Raises `UsageError` for what is none, or is not what was recorded."""
        document = _document(folder)
        first, last = date.fromisoformat(document["first"]), date.fromisoformat(document["last"])
        for source, recorded in document["contracts"].items():
            if source not in CONTRACTS or fingerprint_of(CONTRACTS[source]) != recorded:
                raise UsageError(f"{folder} was recorded under another contract of {source}: record the days again.")
        lacking = sorted(set(CONTRACTS) - set(document["contracts"]))
        if lacking:
            raise UsageError(f"{folder} has no {lacking[0]}, which the project declares: record the days again.")
        return cls(folder, first, last, document["seal"])

    def examine(self) -> None:
        """Compare every file with its checksum. Raises `UsageError`."""
        for name, expected in _document(self.folder)["files"].items():
            path = self.folder / name
            if not path.is_file() or sha256_of(path) != expected:
                raise UsageError(f"{path} is not what was recorded: record the days again.")

    @property
    def days(self) -> list[date]:
        """Its landing days."""
        return list(days(self.first, self.last))

    def batches(self, source: str, day: date) -> list[Batch]:
        """What a source delivered on a landing day. Raises `UsageError` for a day that is not recorded."""
        if not self.first <= day <= self.last:
            raise UsageError(f"Nothing of {day} is recorded: the recording has {self.first} to {self.last}.")
        return list(_batches(self, source, day))

    def has_rows(self, source: str, day: date) -> bool:
        """Whether a source delivered anything on a landing day."""
        return (source, day.isoformat()) in _filled(self)

    def reference_files(self) -> dict[str, bytes]:
        """The reference tables as they were, by name."""
        return {path.stem: path.read_bytes() for path in sorted((self.folder / "reference").glob("*.parquet"))}


def _document(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        right = document["seal"] == seal_of(document)
    except FileNotFoundError:
        raise UsageError(f"{folder} is no recording: `reliability lab record` makes one.") from None
    except (ValueError, KeyError, TypeError):
        right = False
    if not right:
        raise UsageError(f"{path} is not what was recorded: record the days again.")
    if not document["batches"]:
        raise UsageError(f"{folder} is empty: record landing days of which something landed.")
    return document


@lru_cache(maxsize=4)
def _filled(recording: Recording) -> frozenset[tuple[str, str]]:
    batches = _document(recording.folder)["batches"]
    return frozenset((one["source"], one["landing_date"]) for one in batches if one["rows"])


@lru_cache(maxsize=256)
def _batches(recording: Recording, source: str, day: date) -> tuple[Batch, ...]:
    found, document = [], _document(recording.folder)
    for one in document["batches"]:
        if (one["source"], one["landing_date"]) == (source, day.isoformat()):
            path = recording.folder / one["file"]
            if sha256_of(path) != document["files"].get(one["file"]):
                raise UsageError(f"{path} is not what was recorded: record the days again.")
            table = read_table(path, schema=CONTRACTS[source].arrow_schema)
            found.append(
                Batch(
                    batch_id=batch_id(source, day, one["sequence"]),
                    source=source,
                    landing_date=day,
                    sequence=one["sequence"],
                    attempt=1,
                    kind="scheduled",
                    table=_as_delivered(CONTRACTS[source], table),
                    produced_at=datetime.fromisoformat(one["produced_at"]),
                    landed_at=datetime.fromisoformat(one["landed_at"]),
                )
            )
    return tuple(found)


def _as_delivered(contract: Contract, table: pa.Table) -> pa.Table:
    """Moments of a declared zone say that they are in UTC already: admission would move them once more."""
    for name in contract.zones:
        place = table.column_names.index(name)
        if pa.types.is_timestamp(table.schema.field(name).type):
            table = table.set_column(place, name, table[name].cast(pa.timestamp("us", "UTC")))
    return table


@dataclass(frozen=True)
class RecordedSource:
    """A source that delivers what was recorded, clean, and the same again for whoever asks."""

    recording: Recording
    name: str

    def deliver(self, day: date) -> list[Batch]:
        """The recorded batches of a landing day."""
        return self.recording.batches(self.name, day)

    def deliver_again(self, day: date, sequence: int, attempt: int) -> Batch:
        """One recorded slot, as a replacement. Raises `UsageError` for a slot that is not recorded."""
        found = next((one for one in self.deliver(day) if one.sequence == sequence), None)
        if found is None:
            raise UsageError(f"Batch {sequence} of {self.name} on {day} is not recorded.")
        landed_at = datetime(day.year, day.month, day.day) + timedelta(days=1) + REQUESTED_AFTER
        return replace(
            found,
            batch_id=batch_id(self.name, day, sequence, f"-a{attempt}"),
            attempt=attempt,
            kind="replacement",
            produced_at=landed_at,
            landed_at=max(landed_at, found.landed_at),
        )
