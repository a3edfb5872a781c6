"""The version of a store's schema: a new store is made whole, an older one migrated, one of a newer release refused."""

from pathlib import Path

from sqlalchemy import Connection, Engine, insert, inspect, select
from sqlalchemy.exc import OperationalError, ProgrammingError

from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.operations.tables import metadata, operations_version

HEAD = "0004"
MIGRATIONS = Path(__file__).parent / "migrations"
_WRITE_LOCK = {"sqlite": "begin immediate", "postgresql": "select pg_advisory_xact_lock(5715001)"}
"""Held until the end of the transaction, so that of processes that open a store at once only one changes it."""


def ensure_schema(engine: Engine) -> None:
    """Bring the store to `HEAD`, in one transaction. A store that is there already costs one query.

    Alembic is imported where there is something to migrate only: it takes longer than all else that opens a store.
    """
    try:
        with engine.connect() as connection:
            found = _version(connection)
    except (OperationalError, ProgrammingError):  # there is no table of versions
        found = None
    if found == HEAD:
        return
    _refuse_newer(engine, found)
    with engine.begin() as connection:
        lock = _WRITE_LOCK.get(engine.dialect.name)
        if lock is not None:
            connection.exec_driver_sql(lock)
        there = set(inspect(connection).get_table_names()) & set(metadata.tables)
        if not there:
            metadata.create_all(connection, checkfirst=False)
            connection.execute(insert(operations_version).values(version_num=HEAD))
            return
        found = _version(connection) if operations_version.name in there else None
        _refuse_newer(engine, found)
        if found != HEAD:  # else another process has migrated it while this one waited
            _migrate(connection, found)


def _version(connection: Connection) -> str | None:
    return connection.scalar(select(operations_version.c.version_num))


def _refuse_newer(engine: Engine, found: str | None) -> None:
    if found is not None and found > HEAD:
        raise EnvironmentUnusableError(
            f"The operations store {engine.url.database} has schema {found}, of a newer release of the platform; this one "
            f"knows {HEAD}: install that release, or choose another home with --home."
        )


def _migrate(connection: Connection, found: str | None) -> None:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(MIGRATIONS), version_locations=[str(MIGRATIONS)])
    context = MigrationContext.configure(connection, opts={"version_table": operations_version.name})
    with Operations.context(context):
        for revision in reversed([*script.iterate_revisions("head", found or "base")]):
            revision.module.upgrade()
    context.stamp(script, "head")
