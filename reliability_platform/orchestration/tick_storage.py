"""Dagster's storage of ticks and of what is switched on, on one engine a process: a tick writes and reads it nine times."""

from pathlib import Path
from typing import Any, Self

from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._serdes import ConfigurableClassData

from reliability_platform.orchestration.kept_engines import KeptConnections


class PooledSqliteScheduleStorage(KeptConnections, SqliteScheduleStorage):
    """The SQLite storage, its connections kept."""

    last_table = "alembic_version"
    _made_whole = False

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        """As Dagster makes it from its configuration; of a file that is known to be whole nothing is asked again."""
        found: Self = cls.opened(Path(config_value["base_dir"], "schedules"), "schedules", inst_data)
        return found

    def has_instigators_table(self) -> bool:
        """Whether the schema has the table, asked at each query; once it has, it keeps it."""
        self._made_whole = self._made_whole or super().has_instigators_table()
        return self._made_whole
