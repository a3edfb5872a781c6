"""Dagster's storage in a PostgreSQL server: the one of `dagster-postgres`, in the home's own schema of that server.

Its URL is a setting and stands in no file: `dagster.yaml` names this class alone.
"""

import os
from functools import lru_cache
from typing import Any, Self

from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.utils import create_pg_engine
from sqlalchemy import Engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateSchema

from reliability_platform.errors import UsageError
from reliability_platform.operations import dagster_engine, dagster_schema
from reliability_platform.orchestration.event_log import StoredTogether
from reliability_platform.orchestration.run_endings import RunEndings, WordLeaving
from reliability_platform.settings import load_settings, variable


class _Runs(WordLeaving, PostgresRunStorage):
    """Runs, with the room for a word of each."""


class _Events(StoredTogether, PostgresEventLogStorage):
    """Events, a landing day's at once."""

    insert = staticmethod(postgresql.insert)


class ServerStorage(DagsterPostgresStorage):
    """The storage of the home that the environment names."""

    @classmethod
    def config_type(cls) -> Any:
        """The settings say where it is."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:  # noqa: ARG003
        """As Dagster makes it from its configuration."""
        settings = load_settings()
        engine = dagster_engine(settings)
        if engine is None:
            raise UsageError(
                f"dagster.yaml names a storage in a server: set {variable('dagster_url')}, or remove that file."
            )
        schema = dagster_schema(settings)
        _ensure_schema(engine, schema)
        made = cls(_url_for_dagster(engine, schema), inst_data=inst_data)
        runs, events = _Runs(made.postgres_url), _Events(made.postgres_url)
        runs.endings = events.endings = RunEndings(settings.dagster_home)
        made._run_storage, made._event_log_storage = runs, events
        for one in (runs, events, made._schedule_storage):
            one._engine = _kept_engine(made.postgres_url)
        return made


@lru_cache(maxsize=4)
def _kept_engine(url: str) -> Engine:
    """One for all three: Dagster's own connect anew for each event, which takes longer than to store it."""
    engine = create_pg_engine(url, None, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    os.register_at_fork(after_in_child=lambda: engine.dispose(close=False))
    return engine


def _url_for_dagster(engine: Engine, schema: str) -> str:
    """The URL with the driver that `dagster-postgres` is written for, and the schema as the place of all tables."""
    url = engine.url.set(drivername="postgresql+psycopg2")
    given = url.query.get("options", ())
    options = " ".join([*([given] if isinstance(given, str) else given), f"-c search_path={schema}"])
    return url.update_query_dict({"options": options}).render_as_string(hide_password=False)


def _ensure_schema(engine: Engine, schema: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("select pg_advisory_xact_lock(5715003)")  # "if not exists" alone lets two collide
        connection.execute(CreateSchema(schema, if_not_exists=True))
