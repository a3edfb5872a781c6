"""Purged files: what landed with personal data in its texts, and now has a mask in their place.

The manifest, the rows and their order stay, so that every count holds. A record among the approvals names both contents,
the one that landed and the one that lies there now; admission takes the second for the first, and for nothing else. It
is no part of the landing folder, into which producers write.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reliability_platform.atomic import parquet_bytes
from reliability_platform.contracts.contract import Contract
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.json_text import fault_of
from reliability_platform.landing.delivered_file import read_delivered
from reliability_platform.landing.entries import read_file
from reliability_platform.landing.seals import seal_again
from reliability_platform.landing.working_copy import write
from reliability_platform.masking import SOMEBODYS_IN_PAYLOADS
from reliability_platform.settings import Settings

MASKED = "purged@purged.invalid"
"""An address that nobody has (RFC 2606). The rules of the warehouse take it for personal data: a purged row stays
rejected for the reasons for which it had been, and so does a decision about it."""
AS_OBJECT = f'{{"purged": "{MASKED}"}}'
AS_POISON = "[" * 200 + MASKED
"""What stands for a text that was no payload at all, for one that no parser may see: malformed stays malformed."""


@dataclass(frozen=True)
class Purged:
    """One file in landing: the SHA-256 of what landed and of what lies there since, and who wanted it."""

    batch_id: str
    landed: str
    now: str
    rows: int
    """Rows with a mask."""
    purged_by: str
    why: str


def sha256_of(content: bytes) -> str:
    """The name of a content."""
    return hashlib.sha256(content).hexdigest()


def _path(settings: Settings, source: str, landing_date: date, batch_id: str) -> Path:
    return settings.decisions / source / f"{source}-{landing_date:%Y%m%d}-purged-{batch_id}.json"


def read_purged(settings: Settings, source: str, landing_date: date, batch_id: str) -> Purged | None:
    """The record of one file, if it was purged. Raises `EnvironmentUnusableError` for a file that is none."""
    path = _path(settings, source, landing_date, batch_id)
    if not path.exists():
        return None
    try:
        return Purged(**json.loads(path.read_text()))
    except (ValueError, TypeError):
        raise EnvironmentUnusableError(
            f"{path} is no record of a purge: put it back from a snapshot, or the file that it speaks of is refused."
        ) from None


def write_purged(settings: Settings, source: str, landing_date: date, purged: Purged) -> None:
    """Say what is about to be done to a file; the next step does it."""
    content = (json.dumps(asdict(purged), indent=2, sort_keys=True) + "\n").encode()
    path = _path(settings, source, landing_date, purged.batch_id)
    if not path.exists() or path.read_bytes() != content:
        write(settings, path, content)
        seal_again(settings, path)


def fingerprint_as_landed(settings: Settings, source: str, landing_date: date, batch_id: str, content: bytes) -> str:
    """SHA-256 of the bytes that a file had when it landed, whether or not it was purged since."""
    now = sha256_of(content)
    purged = read_purged(settings, source, landing_date, batch_id)
    return purged.landed if purged is not None and purged.now == now else now


def is_purged(settings: Settings, source: str, landing_date: date, batch_id: str, content: bytes) -> bool:
    """Whether a delivery brings just what was purged: then it must not come back."""
    purged = read_purged(settings, source, landing_date, batch_id)
    return purged is not None and purged.landed == sha256_of(content)


# Masking


def _betrays(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Which texts hold somebody's data besides a mask."""
    unmasked = pc.replace_substring(texts, MASKED, "")
    found = [pc.match_substring_regex(unmasked, pattern) for pattern in SOMEBODYS_IN_PAYLOADS]
    return pc.fill_null(pc.or_(*found), False)


def _masks(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """The mask of each text: an object for an object, so that nothing else about the row changes."""
    by_fault = {None: AS_OBJECT, "poisonous": AS_POISON, "malformed": MASKED}
    return pa.chunked_array(
        [pa.array([None if one is None else by_fault[fault_of(one)] for one in texts.to_pylist()], pa.string())]
    )


def _as_texts(values: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """A column as texts to be searched; None for one that holds none."""
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pc.cast(values, pa.string())
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        # No contract has such columns, and few files: this may be slow.
        return pa.chunked_array(
            [pa.array([None if one is None else str(one) for one in values.to_pylist()], pa.string())]
        )
    return None


def without_personal_data(table: pa.Table, numbers: Collection[str]) -> tuple[pa.Table, int]:
    """The table with each text that holds somebody's data masked, and how many rows have one. Nested values go whole.

    `numbers` are columns that are read as numbers or times, however they came: a long key is no card.
    """
    touched = pa.chunked_array([pa.repeat(False, table.num_rows)])
    for place, name in enumerate(table.column_names):
        values = table.column(place)
        texts = _as_texts(values) if name not in numbers else None
        if texts is None:
            continue
        betrays = _betrays(texts)
        if not pc.any(betrays).as_py():
            continue
        touched = pc.or_(touched, betrays)
        if not pa.types.is_string(values.type):
            kept = [None if bad else one for one, bad in zip(values.to_pylist(), betrays.to_pylist(), strict=True)]
            values = pa.chunked_array([pa.array(kept, values.type)])
        else:
            values = pc.if_else(betrays, _masks(texts), values)
        table = table.set_column(place, name, values)
    return table, pc.sum(touched).as_py() or 0


def purged_content(contract: Contract, path: Path, numbers: Collection[str]) -> tuple[bytes, int] | None:
    """A file with masks, as Parquet, and in how many rows; None if it cannot be read."""
    try:
        content = read_file(path)
        if path.name.endswith(".parquet"):
            table = pq.ParquetFile(pa.BufferReader(content)).read()
            table.validate(full=True)
        else:
            table = read_delivered(contract, path.name, content)
    except Exception:  # whatever a producer may call Parquet
        return None
    masked, rows = without_personal_data(table, numbers)
    # What a writer notes beside a schema may quote rows, and no reader of ours needs it.
    return parquet_bytes(masked.replace_schema_metadata(None)), rows
