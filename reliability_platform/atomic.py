"""Writing a file in one step: readers see the old content or the new one, whole, after a crash too."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def write_atomically(target: Path, content: bytes) -> None:
    """Replace `target` in one step, on the disk before it gets its name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)


def parquet_bytes(table: pa.Table) -> bytes:
    """The table as a Parquet file; nothing in it depends on when or where it was written."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="snappy")
    return bytes(sink.getvalue())
