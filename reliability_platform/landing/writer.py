"""Writes a batch as a Parquet file and its manifest, each in one step.

The manifest comes last: it says that the file before it is whole. The same batch gives the same bytes.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from reliability_platform.atomic import parquet_bytes, write_atomically
from reliability_platform.landing.purged import is_purged
from reliability_platform.settings import Settings
from reliability_platform.sources.batch import Batch

MANIFEST_SUFFIX = ".manifest.json"
MANIFEST_MAX_BYTES = 1_000_000
"""A thousand times what a manifest needs; more is not one, and must not fill the memory."""
KINDS = ("scheduled", "resend", "replacement")
SAFE_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
SAFE_NAME_LENGTH = 100
"""Leaves room for the suffixes of drafts, copies and reasons within the 255 bytes of a file name."""
INT32_MAX, INT64_MAX = 2**31 - 1, 2**63 - 1


def is_safe_name(name: str) -> bool:
    """Whether a name can be part of a path, a document or a query result without harm."""
    return 0 < len(name) <= SAFE_NAME_LENGTH and set(name) <= SAFE_NAME and not name.startswith(".")


def _whole(value: Any, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError("a number is not whole or out of its range")
    return value


def _text(value: Any) -> str:
    """A short text that can be stored: no half of a surrogate pair, which JSON may smuggle in."""
    if not isinstance(value, str) or len(value.encode()) > 200:
        raise ValueError("a text is too long or none")
    return value


def _moment(value: Any) -> datetime:
    """A data time: UTC, without its zone."""
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Manifest:
    """What the producer says of a delivered file."""

    batch_id: str
    source: str
    landing_date: date
    sequence: int
    attempt: int
    kind: str
    expected_rows: int
    checksum: str
    """SHA-256 of the file's bytes."""
    columns: list[dict[str, str]]
    schema_fingerprint: str
    produced_at: datetime
    landed_at: datetime

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Read and check one manifest. Raises `ValueError` if it is not one."""
        if path.stat().st_size > MANIFEST_MAX_BYTES:
            raise ValueError("the manifest is too large to be one")
        try:
            raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            manifest = cls(
                batch_id=_text(raw["batch_id"]),
                source=_text(raw["source"]),
                landing_date=date.fromisoformat(raw["landing_date"]),
                sequence=_whole(raw["sequence"], 1, INT32_MAX),
                attempt=_whole(raw["attempt"], 1, INT32_MAX),
                kind=_text(raw["kind"]),
                expected_rows=_whole(raw["expected_rows"], 0, INT64_MAX),
                checksum=_text(raw["checksum"]),
                columns=list(raw["columns"]),
                schema_fingerprint=_text(raw["schema_fingerprint"]),
                produced_at=_moment(raw["produced_at"]),
                landed_at=_moment(raw["landed_at"]),
            )
        except (KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError(f"the manifest lacks or garbles something: {type(error).__name__}") from None
        if manifest.kind not in KINDS or not is_safe_name(manifest.batch_id):
            raise ValueError("the manifest names a batch or a kind that cannot be")
        return manifest


def landing_folder(settings: Settings, source: str, landing_date: date) -> Path:
    """Where the deliveries of a source and landing day are."""
    return settings.landing / source / f"landing_date={landing_date.isoformat()}"


def fingerprint(columns: list[dict[str, str]]) -> str:
    """A short name of a list of columns and types."""
    return hashlib.sha256(json.dumps(columns).encode()).hexdigest()[:16]


def write_batch(settings: Settings, batch: Batch) -> Path:
    """Land one batch; returns the file. One that is there already with the same bytes, or was purged of them, is left
    alone."""
    content = parquet_bytes(batch.table)
    columns = [{"name": field.name, "type": str(field.type)} for field in batch.table.schema]
    manifest = {
        "batch_id": batch.batch_id,
        "source": batch.source,
        "landing_date": batch.landing_date.isoformat(),
        "sequence": batch.sequence,
        "attempt": batch.attempt,
        "kind": batch.kind,
        "expected_rows": batch.table.num_rows if batch.declared_rows is None else batch.declared_rows,
        "checksum": hashlib.sha256(content).hexdigest(),
        "columns": columns,
        "schema_fingerprint": fingerprint(columns),
        "produced_at": batch.produced_at.isoformat(),
        "landed_at": batch.landed_at.isoformat(),
    }
    folder = landing_folder(settings, batch.source, batch.landing_date)
    target = folder / f"{batch.batch_id}.parquet"
    for path, data in (
        (target, content[: int(len(content) * batch.arriving_share)]),
        (folder / f"{batch.batch_id}{MANIFEST_SUFFIX}", (json.dumps(manifest, indent=2) + "\n").encode()),
    ):
        purged = path == target and is_purged(settings, batch.source, batch.landing_date, batch.batch_id, data)
        if not path.exists() or (path.read_bytes() != data and not purged):
            write_atomically(path, data)
    return target
