"""Writes a batch as a Parquet file and its manifest, each in one step.

The manifest comes last: it says that the file before it is whole. The same batch gives the same bytes.
"""

import hashlib
import json
import os
from contextlib import suppress
from datetime import date
from pathlib import Path

from reliability_platform.atomic import parquet_bytes
from reliability_platform.landing.day_folder import landing_folder as landing_folder
from reliability_platform.landing.entries import is_in_the_way, read_file
from reliability_platform.landing.manifest import MANIFEST_SUFFIX
from reliability_platform.landing.working_copy import write
from reliability_platform.settings import Settings
from reliability_platform.sources.batch import Batch


def make_landing_folder(settings: Settings, source: str, landing_date: date) -> None:
    """Make the folder of a landing day, so that a day of which nothing came has one too. What lies in its place stays."""
    folder = landing_folder(settings, source, landing_date)
    if not is_closed(folder, settings.landing):
        with suppress(FileExistsError):
            folder.mkdir(parents=True, exist_ok=True)


def is_closed(folder: Path, landing: Path) -> bool:
    """Whether this user may not look into the folder of a landing day, while landing itself is open: nothing can be put
    there, admission refuses it as a folder that cannot be read, and all others go on. A file in the place of the source's
    folder is no such thing: where nothing of the source can land ever, landing says so."""
    closed_source = folder.parent.is_dir() and not _has(folder.parent, os.X_OK)
    closed_day = os.path.lexists(folder) and not _has(folder, os.R_OK | os.X_OK)
    return (closed_source or closed_day) and _has(landing, os.R_OK | os.X_OK)


def is_unwritable(folder: Path, landing: Path) -> bool:
    """Whether nothing can be put into the folder of a day though landing itself takes files: no matter of other days."""
    return os.path.lexists(folder) and not _has(folder, os.W_OK) and _has(landing, os.W_OK)


def _has(folder: Path, rights: int) -> bool:
    return os.access(folder, rights, effective_ids=True)


def fingerprint(columns: list[dict[str, str]]) -> str:
    """A short name of a list of columns and types."""
    return hashlib.sha256(json.dumps(columns).encode()).hexdigest()[:16]


def write_batch(settings: Settings, batch: Batch) -> Path:
    """Land one batch; returns the file. One that is there already with the same bytes, or was purged of them, is left
    alone; so is whatever lies in its place and is no file, which admission refuses by its name."""
    content = parquet_bytes(batch.table) if batch.written is None else batch.written
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
        **({} if batch.vouched_for else {"vouched_for": False}),
        **({"fallback": batch.fallback} if batch.fallback else {}),
        **({"offsets": dict(batch.offsets)} if batch.offsets is not None else {}),
    }
    file = content if batch.file is None else batch.file
    said = (json.dumps(manifest, indent=2) + "\n").encode()
    return write_landed(settings, batch.source, batch.landing_date, batch.batch_id, ".parquet", file, said)


def write_landed(
    settings: Settings, source: str, landing_date: date, batch_id: str, suffix: str, content: bytes, manifest: bytes
) -> Path:
    """Put a file and its manifest into the folder of a landing day, as `write_batch` says; returns the file."""
    from reliability_platform.landing.purged import is_purged  # with all that reads files; most need the folder alone

    folder = landing_folder(settings, source, landing_date)
    target = folder / f"{batch_id}{suffix}"
    if is_closed(folder, settings.landing):
        return target
    if os.path.lexists(folder) and not folder.is_dir():  # admission refuses what lies in the place of the folder
        return target
    for path, data in ((target, content), (folder / f"{batch_id}{MANIFEST_SUFFIX}", manifest)):
        purged = path == target and is_purged(settings, source, landing_date, batch_id, data)
        if is_unwritable(folder, settings.landing):
            break  # what lies there already counts, and what cannot come is missing
        if not is_in_the_way(path, settings.landing) and _differs(path, data) and not (purged and path.exists()):
            write(settings, path, data)
    return target


def _differs(path: Path, data: bytes) -> bool:
    """Whether a file is not there with these bytes; one that cannot be read is replaced."""
    try:
        return read_file(path) != data
    except OSError:
        return True
