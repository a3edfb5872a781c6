"""When an open connection to a SQLite file is used again: only where nobody has touched the file since, and never in a fork.

A file that was put back from a snapshot, deleted or damaged is another one than the connection remembers: SQLite would
go on with the pages that it has in memory, or write into a file that has no name any more.
"""

import os
from ctypes import py_object, pythonapi
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError


class _State(NamedTuple):
    """What the file system says. A commit goes to the end of the log beside the file, and changes nothing of this."""

    process: int
    log: int | None
    file: tuple[int, ...]


def reuse_untouched(engine: Engine) -> None:
    """Let the pool of this engine give out a connection again only if the file is as it was when it was put back."""
    file = Path(engine.url.database or "")
    log = file.with_name(f"{file.name}-wal")

    @event.listens_for(engine, "checkin")
    def leave(_connection: Any, record: Any) -> None:
        record.info["as left"] = _state(file, log)

    @event.listens_for(engine, "checkout")
    def take(connection: Any, record: Any, holder: Any) -> None:
        left, found = record.info.pop("as left", None), _state(file, log)
        if left is None or left == found:
            return
        if (left.process, left.log) != (found.process, found.log):
            _never_close(connection)
            record.dbapi_connection = holder.dbapi_connection = None
        raise DisconnectionError("the file is another one")


def _state(file: Path, log: Path) -> _State:
    try:
        one = file.stat()
        identity: tuple[int, ...] = (one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns)
    except OSError:
        identity = ()
    try:
        return _State(os.getpid(), log.stat().st_ino, identity)
    except OSError:
        return _State(os.getpid(), None, identity)


def _never_close(connection: Any) -> None:
    """Not even at the end of the process: who closes a file last writes the log that it has open into it. Ours is the
    parent's, or was taken away together with what is in it.
    """
    pythonapi.Py_IncRef(py_object(connection))
