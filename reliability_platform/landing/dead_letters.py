"""The file of dead letters of one landing day: which rows have been rejected, whatever became of them.

Rows are known by batch, number and key; no other value of theirs is kept. It lies beside the refused files, so that a
landing day that is delivered anew forgets both.
"""

from datetime import date
from pathlib import Path

import pyarrow as pa

from reliability_platform.contracts import SOURCES
from reliability_platform.landing.bronze import SENTINEL_DAY, ensure_without_rows
from reliability_platform.landing.file_quarantine import quarantine_folder
from reliability_platform.settings import Settings

NAME = "dead_letters.parquet"
SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("landing_date", pa.date32()),
        ("batch_id", pa.string()),
        ("row_number", pa.int64()),
        ("record_key", pa.string()),
        ("reject_reasons", pa.string()),
        ("first_failed_at", pa.timestamp("us")),
        ("last_failed_at", pa.timestamp("us")),
        ("attempts", pa.int64()),
        ("reading", pa.string()),
    ]
)


def dead_letter_file(settings: Settings, source: str, landing_date: date) -> Path:
    """Where the dead letters of a source and landing day are remembered."""
    return quarantine_folder(settings, source, landing_date) / NAME


def ensure_dead_letters(settings: Settings) -> None:
    """Write a file without rows where there is none, so that a glob over all of them finds one."""
    ensure_without_rows(dead_letter_file(settings, SOURCES[0], SENTINEL_DAY), SCHEMA)
