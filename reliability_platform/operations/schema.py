"""The version of a store's schema: a new store is made whole, an older one migrated, one of a newer release refused."""

import re
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, inspect, select
from sqlalchemy.exc import OperationalError, ProgrammingError

from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.operations.postgresql import Installation
from reliability_platform.operations.tables import metadata, operations_version

HEAD = "0014"
MIGRATIONS = Path(__file__).parent / "migrations"
_WRITE_LOCK = {"sqlite": "begin immediate", "postgresql": "select pg_advisory_xact_lock(5715001)"}
"""Held until the end of the transaction, so that of processes that open a store at once only one changes it."""


class DamagedStoreError(EnvironmentUnusableError):
    """The store's file is whole, and what is in it is not."""

    def __init__(self, engine: Engine, words: str) -> None:
        super().__init__(f"The operations store {engine.url.database} is damaged: {words}; restore it from a snapshot.")
        self.words = f"is damaged: {words}"


def lost_tables(engine: Engine) -> list[str]:
    """The tables that a store of this version should have, and has not."""
    return sorted(metadata.tables.keys() - set(inspect(engine).get_table_names()))


def ensure_schema(engine: Engine, installation: Installation | None = None, *, begin: bool = True) -> None:
    """Bring the store to `HEAD`, in one transaction. A store that is there already costs one query.

    In a server, those tables that are of the `installation`; without `begin` none are made anew for one that had some.
    Alembic is imported where there is something to migrate only: it takes longer than all else that opens a store.
    """
    try:
        with engine.connect() as connection:
            found = _version(connection)
    except (OperationalError, ProgrammingError):  # there is no table of versions
        found = None
    if found == HEAD:
        return
    if found is not None:
        _refuse_unknown(engine, found)
    with engine.begin() as connection:
        lock = _WRITE_LOCK.get(engine.dialect.name)
        if lock is not None:
            connection.exec_driver_sql(lock)
        if installation is not None:
            installation.begin(connection)
        there = set(inspect(connection).get_table_names()) & set(metadata.tables)
        if there:
            found = _recorded_version(connection) if operations_version.name in there else None
            if found != HEAD:  # else another process has migrated it while this one waited
                _migrate_in_words(connection, found)
        else:
            if installation is not None and not begin:
                installation.refuse_new()
            metadata.create_all(connection, checkfirst=False)
            connection.execute(insert(operations_version).values(version_num=HEAD))
        if installation is not None:
            installation.claim(connection)


def _version(connection: Connection) -> str | None:
    return connection.scalar(select(operations_version.c.version_num))


def _recorded_version(connection: Connection) -> str:
    """The version of a store that has a table for it. Only damage leaves that table without one."""
    try:
        found = _version(connection)
    except (OperationalError, ProgrammingError) as error:
        raise DamagedStoreError(connection.engine, "its version cannot be read") from error
    if found is None:
        raise DamagedStoreError(connection.engine, "its version is missing")
    _refuse_unknown(connection.engine, found)
    return found


def _refuse_unknown(engine: Engine, found: str) -> None:
    is_revision = re.fullmatch("[0-9]{4}", str(found)) is not None
    if not is_revision or (found <= HEAD and not any(MIGRATIONS.glob(f"r{found}_*.py"))):
        raise DamagedStoreError(engine, f"its version {str(found)[:32]!r} is not known")
    if found > HEAD:
        raise EnvironmentUnusableError(
            f"The operations store {engine.url.database} has schema {found}, of a newer release of the platform; this one "
            f"knows {HEAD}: install that release, or choose another home with --home."
        )


def _migrate_in_words(connection: Connection, found: str | None) -> None:
    """SQLite has one error for each statement that does not fit the tables; others have one for those alone."""
    unfit = OperationalError if connection.dialect.name == "sqlite" else ProgrammingError
    try:
        _migrate(connection, found)
    except unfit as error:
        words = "its version is missing" if found is None else f"its tables are not those of its version {found}"
        raise DamagedStoreError(connection.engine, words) from error


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
