"""One engine a process for each of Dagster's SQLite files.

Dagster makes an engine, a connection and the text of a statement anew for every query, and asks each file for its version
whenever an instance is made, which each tick of a sensor does: 0.1 s of CPU a tick.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy
from dagster import StringSource
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS, create_db_conn_string
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine

_WHOLE: dict[str, tuple[int, int]] = {}
"""By path, the files that have been found to be of Dagster's version, known by device and number."""


@lru_cache(maxsize=16)
def kept_engine(url: str) -> Engine:
    """The engine of a file. Its connections are closed by `dispose`; what it knows of statements stays."""
    engine = sqlalchemy.create_engine(
        url, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
    )

    @sqlalchemy.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        # Safe in WAL mode: a power cut may lose the last events, never corrupt the file.
        connection.execute("PRAGMA synchronous = NORMAL")

    return engine


@contextmanager
def kept_connection(url: str) -> Iterator[Connection]:
    """A connection to a file, in a transaction."""
    with kept_engine(url).connect() as connection, connection.begin():
        yield connection


def _identity(url: str) -> tuple[int, int] | None:
    try:
        stat = Path(str(kept_engine(url).url.database)).stat()
    except FileNotFoundError:
        return None
    return stat.st_dev, stat.st_ino


def is_known_whole(url: str) -> bool:
    """Whether this process has seen that the file has Dagster's tables, and it is still that file."""
    found = _identity(url)
    return found is not None and _WHOLE.get(url) == found


def note_whole(url: str) -> None:
    """Say that the file has Dagster's tables: it was made, or brought to Dagster's version."""
    found = _identity(url)
    if found is not None:
        _WHOLE[url] = found


def _is_marked(url: str, last_table: str) -> bool:
    """Whether Dagster has made the file: it marks it with the version of its tables when all are there. It asks as much
    itself, and reads all its migrations first: 0.1 s of CPU for each file.
    """
    if _identity(url) is None:
        return False
    with suppress(sqlalchemy.exc.SQLAlchemyError), kept_connection(url) as connection:
        tables: set[str] = set(
            connection.exec_driver_sql("select name from sqlite_master where type = 'table'").scalars()
        )
        return {"alembic_version", last_table} <= tables and bool(
            connection.exec_driver_sql("select version_num from alembic_version").scalar()
        )
    return False


class KeptConnections:
    """What Dagster's SQLite storages of one file have in common here: their connections are kept, and a file that is known to be
    whole is not asked for its version again. Stands before the storage among the bases.
    """

    _conn_string: str
    last_table: str
    """The table that Dagster makes where it is missing, whatever the version."""

    @classmethod
    def opened(cls, folder: Path, name: str, inst_data: ConfigurableClassData | None) -> Any:
        """The storage in `<folder>/<name>.db`, made where there is none."""
        url = create_db_conn_string(str(folder), name)
        storage: Any = cls
        if is_known_whole(url) or _is_marked(url, cls.last_table):
            note_whole(url)
            return storage(url, inst_data)
        made = storage.from_local(str(folder), inst_data=inst_data)
        note_whole(url)
        return made

    @classmethod
    def config_type(cls) -> Any:
        """Dagster's home."""
        return {"base_dir": StringSource}

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection in a transaction."""
        with kept_connection(self._conn_string) as connection:
            yield connection

    def dispose(self) -> None:
        """Close the kept connections together with the instance."""
        super().dispose()  # type: ignore[misc]
        kept_engine(self._conn_string).dispose()
