"""The shape of bronze files and of the admission records, and where they are."""

import shutil
from datetime import date
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from reliability_platform.atomic import parquet_bytes, write_atomically
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.landing.bronze_files import admissions_file as admissions_file
from reliability_platform.landing.bronze_files import bronze_folder as bronze_folder
from reliability_platform.settings import Settings

SENTINEL_DAY = date(1970, 1, 1)
"""A partition with a file of no rows: globs always match, and an empty platform builds."""

LINEAGE = [
    ("_rescued", pa.string()),
    ("_batch_id", pa.string()),
    ("_batch_sequence", pa.int32()),
    ("_batch_attempt", pa.int32()),
    ("_row_number", pa.int64()),
    ("_landed_at", pa.timestamp("us")),
]

ADMISSION_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("batch_id", pa.string()),
        ("batch_sequence", pa.int32()),
        ("batch_attempt", pa.int32()),
        ("kind", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("delivered_rows", pa.int64()),
        ("admitted_rows", pa.int64()),
        ("checksum", pa.string()),
        ("schema_fingerprint", pa.string()),
        ("rescued_columns", pa.string()),
        ("shim", pa.string()),
        ("state", pa.string()),
        ("late_accepted", pa.bool_()),
        ("discarded_reasons", pa.string()),
        ("produced_at", pa.timestamp("us")),
        ("landed_at", pa.timestamp("us")),
        ("file", pa.string()),
        ("contract_version", pa.string()),
        ("contract", pa.string()),
        ("fallback", pa.string()),
    ]
)


def bronze_schema(source: str) -> pa.Schema:
    """The contract's columns, then where each row came from."""
    return pa.schema([*CONTRACTS[source].arrow_schema, *(pa.field(name, kind) for name, kind in LINEAGE)])


def ensure_bronze(settings: Settings) -> None:
    """Write the sentinels where they are missing."""
    for source in SOURCES:
        sentinel = bronze_folder(settings, source, SENTINEL_DAY) / "sentinel.parquet"
        record = admissions_file(settings, source, SENTINEL_DAY)
        for path, schema in ((sentinel, bronze_schema(source)), (record, ADMISSION_SCHEMA)):
            ensure_without_rows(path, schema)


@lru_cache
def _without_rows(schema: pa.Schema) -> bytes:
    return parquet_bytes(schema.empty_table())


def ensure_without_rows(path: Path, schema: pa.Schema) -> None:
    """Write a file of no rows where it is missing, or is one of an older release: that has other columns, and globs would
    not find the new ones. Bytes are compared, for every admission asks: reading the schemas of nine files took 8 ms.
    """
    if not path.exists() or path.read_bytes() != _without_rows(schema):
        write_atomically(path, _without_rows(schema))


def swap_folder(draft: Path, target: Path) -> None:
    """Put a finished folder in the place of an old one. A crash in between leaves none, which a re-run mends."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    draft.rename(target)
    shutil.rmtree(old, ignore_errors=True)
