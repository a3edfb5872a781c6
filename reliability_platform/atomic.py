"""Writing a file in one step: readers see the old content or the new one, whole, after a crash too."""

import fcntl
import os
import re
import shutil
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq


def write_atomically(target: Path, content: bytes) -> None:
    """Replace `target` in one step, on the disk before it gets its name.

    Drafts of this target that killed processes have left are removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    draft = target.with_name(f".{target.name}.{threading.get_native_id()}")
    with _locked(draft) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            draft.replace(target)
        except BaseException:  # no room: what was written of the draft only takes more of it
            draft.unlink(missing_ok=True)
            raise


def make_way(target: Path) -> None:
    """Move a folder that stands in the place of a file beside it: no file replaces a folder."""
    if target.is_dir() and not target.is_symlink():
        shutil.move(target, target.with_name(f".{target.name}.replaced"))


def _locked(draft: Path) -> BinaryIO:
    """The new draft, locked for as long as its writer lives."""
    while True:
        file = draft.open("wb")
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # somebody took it for a dead one's before it was locked


def _sweep(target: Path) -> None:
    """Remove the drafts that nobody has locked: the kernel lets go of the lock of a process that dies."""
    name = re.compile(rf"\.{re.escape(target.name)}\.\d+")
    for draft in [path for path in target.parent.iterdir() if name.fullmatch(path.name)]:
        with suppress(FileNotFoundError, BlockingIOError), draft.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.unlink()


def parquet_bytes(table: pa.Table) -> bytes:
    """The table as a Parquet file; nothing in it depends on when or where it was written."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="snappy")
    return bytes(sink.getvalue())
