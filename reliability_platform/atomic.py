"""Writing a file in one step: readers see the old content or the new one, whole, after a crash too."""

import os
import shutil
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from reliability_platform.locks import claim, unclaimed

if TYPE_CHECKING:
    import pyarrow as pa  # 0.2 s, for the few that write tables


def write_atomically(target: Path, content: bytes) -> None:
    """Replace `target` in one step, on the disk before it gets its name.

    Drafts of this target that killed processes have left are removed.
    """
    _sweep(target)
    draft = target.with_name(f".{target.name}.{threading.get_native_id()}")
    with os.fdopen(claim(draft, wait=True), "wb") as file:
        try:
            file.truncate()
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            draft.replace(target)
        except BaseException:  # no room: what was written of the draft only takes more of it
            draft.unlink(missing_ok=True)
            raise


def link(source: Path, target: Path) -> None:
    """Give a file that never changes one more name; a copy where the file system has no hard links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def make_way(target: Path) -> None:
    """Move a folder that stands in the place of a file beside it: no file replaces a folder."""
    if target.is_dir() and not target.is_symlink():
        shutil.move(target, target.with_name(f".{target.name}.replaced"))


def _sweep(target: Path) -> None:
    """Remove the drafts that dead processes have left."""
    beginning = f".{target.name}."
    try:
        names = os.listdir(target.parent)  # noqa: PTH208  no path of each of a thousand names
    except FileNotFoundError:
        return
    for name in names:
        if not (name.startswith(beginning) and name.removeprefix(beginning).isdecimal()):
            continue
        draft = target.with_name(name)
        with suppress(FileNotFoundError), unclaimed(draft) as left:
            if left is not None:
                draft.unlink()


def parquet_bytes(table: "pa.Table") -> bytes:
    """The table as a Parquet file; nothing in it depends on when or where it was written."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="snappy")
    return bytes(sink.getvalue())
