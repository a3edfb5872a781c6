"""The tables of staging and silver in the shape of their contracts, before a build writes to them.

dbt would do it in the transaction of the build, and DuckDB refuses to write to a table that the same one has altered. Rows
of days that are not built keep what they have: a new column is null in them, and what a new type cannot hold as well.
"""

from pathlib import Path

import duckdb

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.names import PLATFORM_COLUMNS
from reliability_platform.landing.bronze import LINEAGE, SENTINEL_DAY, bronze_folder
from reliability_platform.parquet import identifier, scan
from reliability_platform.settings import Settings
from reliability_platform.warehouse.built import SILVER, STAGING


def fit_tables(settings: Settings, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Give the tables the columns that bronze has; returns the statements. What a person has taken over is left to him."""
    done = []
    for source, contract in CONTRACTS.items():
        sentinel = bronze_folder(settings, source, SENTINEL_DAY) / "sentinel.parquet"
        for shape in (STAGING, SILVER):
            table = shape.format(source=source)
            there = _columns(connection, table)
            if there and table not in contract.taken_over and sentinel.exists():
                done += _statements(table, there, _of_file(connection, sentinel))
    for statement in done:
        connection.execute(statement)
    return done


def _statements(table: str, there: dict[str, str], wanted: dict[str, str]) -> list[str]:
    added = [f"add column {identifier(name)} {kind}" for name, kind in wanted.items() if name not in there]
    gone = [f"drop column {identifier(name)}" for name in there if name not in wanted and name not in PLATFORM_COLUMNS]
    other = [
        f"alter {identifier(name)} type {kind} using try_cast({identifier(name)} as {kind})"
        for name, kind in wanted.items()
        if there.get(name, kind) != kind
    ]
    return [f"alter table {identifier(table)} {one}" for one in (*added, *other, *gone)]


def _of_file(connection: duckdb.DuckDBPyConnection, sentinel: Path) -> dict[str, str]:
    own = {name for name, _ in LINEAGE}
    found = connection.execute(f"describe select * from {scan(sentinel)}").fetchall()
    return {row[0]: row[1] for row in found if row[0] not in own}


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    found = connection.execute(
        "select column_name, data_type from duckdb_columns() where table_name = $table and schema_name = 'main' "
        "and database_name = current_database()",
        {"table": table},
    ).fetchall()
    return dict(found)
