"""Dagster's storage of ticks and of what is switched on, on one engine a process: a tick writes and reads it nine times."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from dagster import StringSource
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._core.storage.sqlite import create_db_conn_string
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection

from reliability_platform.orchestration.kept_engines import is_known_whole, kept_connection, kept_engine, note_whole


class PooledSqliteScheduleStorage(SqliteScheduleStorage):
    """The SQLite storage, its connections kept."""

    _made_whole = False

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        """As Dagster makes it from its configuration; of a file that is known to be whole nothing is asked again."""
        folder = str(Path(config_value["base_dir"], "schedules"))
        url = create_db_conn_string(folder, "schedules")
        if is_known_whole(url):
            return cls(url, inst_data)
        made = cls.from_local(folder, inst_data=inst_data)
        note_whole(url)
        return made  # type: ignore[return-value]

    @classmethod
    def config_type(cls) -> Any:
        """Dagster's home."""
        return {"base_dir": StringSource}

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection in a transaction."""
        with kept_connection(self._conn_string) as connection:
            yield connection

    def has_instigators_table(self) -> bool:
        """Whether the schema has the table, asked at each query; once it has, it keeps it."""
        self._made_whole = self._made_whole or super().has_instigators_table()
        return self._made_whole

    def dispose(self) -> None:
        """Close the kept connections together with the instance."""
        super().dispose()  # type: ignore[no-untyped-call]
        kept_engine(self._conn_string).dispose()
