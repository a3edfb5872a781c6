"""Writes a batch as a Parquet file and its manifest, each in one step.

The manifest comes last: it says that the file before it is whole. The same batch gives the same bytes.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from reliability_platform.atomic import parquet_bytes, write_atomically
from reliability_platform.settings import Settings
from reliability_platform.sources.batch import Batch

MANIFEST_SUFFIX = ".manifest.json"


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
        raw: dict[str, Any] = json.loads(path.read_text())
        try:
            return cls(
                batch_id=str(raw["batch_id"]),
                source=str(raw["source"]),
                landing_date=date.fromisoformat(raw["landing_date"]),
                sequence=int(raw["sequence"]),
                attempt=int(raw["attempt"]),
                kind=str(raw["kind"]),
                expected_rows=int(raw["expected_rows"]),
                checksum=str(raw["checksum"]),
                columns=list(raw["columns"]),
                schema_fingerprint=str(raw["schema_fingerprint"]),
                produced_at=datetime.fromisoformat(raw["produced_at"]),
                landed_at=datetime.fromisoformat(raw["landed_at"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"the manifest lacks or garbles {error}") from None


def landing_folder(settings: Settings, source: str, landing_date: date) -> Path:
    """Where the deliveries of a source and landing day are."""
    return settings.landing / source / f"landing_date={landing_date.isoformat()}"


def fingerprint(columns: list[dict[str, str]]) -> str:
    """A short name of a list of columns and types."""
    return hashlib.sha256(json.dumps(columns).encode()).hexdigest()[:16]


def write_batch(settings: Settings, batch: Batch, *, expected_rows: int | None = None) -> Path:
    """Land one batch; returns the file. A file that is there already with the same bytes is left alone."""
    content = parquet_bytes(batch.table)
    columns = [{"name": field.name, "type": str(field.type)} for field in batch.table.schema]
    manifest = {
        "batch_id": batch.batch_id,
        "source": batch.source,
        "landing_date": batch.landing_date.isoformat(),
        "sequence": batch.sequence,
        "attempt": batch.attempt,
        "kind": batch.kind,
        "expected_rows": batch.table.num_rows if expected_rows is None else expected_rows,
        "checksum": hashlib.sha256(content).hexdigest(),
        "columns": columns,
        "schema_fingerprint": fingerprint(columns),
        "produced_at": batch.produced_at.isoformat(),
        "landed_at": batch.landed_at.isoformat(),
    }
    folder = landing_folder(settings, batch.source, batch.landing_date)
    target = folder / f"{batch.batch_id}.parquet"
    for path, data in (
        (target, content),
        (folder / f"{batch.batch_id}{MANIFEST_SUFFIX}", (json.dumps(manifest, indent=2) + "\n").encode()),
    ):
        if not path.exists() or path.read_bytes() != data:
            write_atomically(path, data)
    return target
