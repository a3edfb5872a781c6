"""An operations store of a server as a file of SQLite, and back: what a snapshot holds, and what a drill works on.

Both engines have the same tables, so that no program of the server is needed (`pg_dump` refuses servers newer than itself)
and a snapshot can be put back into either.
"""

from pathlib import Path

from sqlalchemy import URL, Connection, Engine, Integer, create_engine, func, insert, select, text
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateSchema

from reliability_platform.operations.schema import ensure_schema
from reliability_platform.operations.tables import leases, metadata

ROWS_AT_ONCE = 5_000


def copy_to_file(engine: Engine, target: Path) -> None:
    """Copy a store as it stands between two transactions; others may write meanwhile."""
    copy = _of_file(target)
    with (
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as store,
        copy.begin() as file,
    ):
        metadata.create_all(file, checkfirst=False)
        _copy_rows(store, file)


def put_back_from_file(engine: Engine, schema: str, source: Path) -> str:
    """Make the store of a schema anew from a file, which is brought to this release, in one transaction; returns the schema
    in which the one before is kept.
    """
    copy, kept = _of_file(source), f"{schema}_before"
    ensure_schema(copy)
    with copy.connect() as file, engine.begin() as store:
        store.exec_driver_sql(f'drop schema if exists "{kept}" cascade')
        store.exec_driver_sql(f'alter schema "{schema}" rename to "{kept}"')
        store.execute(CreateSchema(schema))
        metadata.create_all(store, checkfirst=False)
        _copy_rows(file, store)
        store.exec_driver_sql(
            f'insert into {leases.name} select * from "{kept}".{leases.name}'
        )  # whoever restores has it
        for table in metadata.sorted_tables:
            for column in table.primary_key.columns:
                if isinstance(column.type, Integer):
                    _go_on_counting(store, table.name, column.name)
    return kept


def _of_file(file: Path) -> Engine:
    return create_engine(URL.create("sqlite", database=str(file)), poolclass=NullPool)


def _copy_rows(one: Connection, other: Connection) -> None:
    for table in metadata.sorted_tables:
        if table is leases:
            continue
        for rows in one.execute(select(table)).mappings().partitions(ROWS_AT_ONCE):
            other.execute(insert(table), [dict(row) for row in rows])


def _go_on_counting(store: Connection, table: str, column: str) -> None:
    """Let the next row have the number after the last one, where the server gives out the numbers."""
    names = {"table": f'"{table}"', "column": column}
    sequence = store.scalar(text("select pg_get_serial_sequence(:table, :column)"), names)
    if sequence is not None:
        number = metadata.tables[table].c[column]
        store.execute(
            select(func.setval(sequence, select(func.coalesce(func.max(number), 0) + 1).scalar_subquery(), False))
        )
