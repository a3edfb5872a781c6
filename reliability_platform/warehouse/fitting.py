"""The tables of staging and silver in the shape of their contracts, before a build writes to them.

dbt would do it in the transaction of the build, and DuckDB refuses to write to a table that the same one has altered. Rows
of days that are not built keep what they have: a new column is null in them, and what a new type cannot hold as well. What
a contract no longer has is renamed, so that nothing reads it, taken back with the contract, and dropped once all days have
been built without it.
"""

from collections.abc import Iterator
from pathlib import Path

import duckdb

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.names import PLATFORM_COLUMNS
from reliability_platform.landing.bronze import LINEAGE, SENTINEL_DAY, bronze_folder
from reliability_platform.parquet import identifier, scan
from reliability_platform.settings import Settings
from reliability_platform.warehouse.built import SILVER, STAGING

GONE = "_gone_"
"""Begins the name of a column that its contract has no more; no contract has a name with a bar first."""


def fit_tables(settings: Settings, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Give the tables the columns that bronze has; returns the statements. What a person has taken over is left to him."""
    done, tables = [], _columns(connection)
    for source, contract in CONTRACTS.items():
        sentinel = bronze_folder(settings, source, SENTINEL_DAY) / "sentinel.parquet"
        own = [one for one in (STAGING.format(source=source), SILVER.format(source=source)) if one in tables]
        wanted = _of_file(connection, sentinel) if own and sentinel.exists() else {}
        for table in own if wanted else ():
            if table not in contract.taken_over:
                for statement in _statements(connection, table, tables[table], wanted):
                    connection.execute(statement)
                    done.append(statement)
                for statement in _emptied(connection, table):
                    connection.execute(statement)
                    done.append(statement)
    return done


def _emptied(connection: duckdb.DuckDBPyConnection, table: str) -> Iterator[str]:
    """Columns of a former contract in which nothing stands any more: all days that had it have been built since."""
    for name in [one for one in _columns(connection).get(table, {}) if one.startswith(GONE)]:
        [(there,)] = connection.execute(f"select count({identifier(name)}) from {identifier(table)}").fetchall()
        if not there:
            yield f"alter table {identifier(table)} drop column {identifier(name)}"


def _statements(
    connection: duckdb.DuckDBPyConnection, table: str, there: dict[str, str], wanted: dict[str, str]
) -> Iterator[str]:
    alter = f"alter table {identifier(table)}"
    removed = [one for one in there if one not in (*wanted, *PLATFORM_COLUMNS) and not one.startswith(GONE)]
    other = [one for one, kind in wanted.items() if there.get(one, kind) != kind]
    for name in (*removed, *other):
        kind, gone = wanted.get(name), GONE + name
        if kind is not None and there.get(gone) == kind:
            # Days that were built since have nothing there.
            yield (
                f"update {identifier(table)} set {identifier(gone)} = try_cast({identifier(name)} as {kind}) "
                f"where {identifier(gone)} is null"
            )
            yield f"{alter} drop column {identifier(name)}"
            yield f"{alter} rename {identifier(gone)} to {identifier(name)}"
        elif kind is not None and _holds_all(connection, table, name, there[name], kind):
            yield f"{alter} alter {identifier(name)} type {kind}"
        else:
            if gone in there:
                yield f"{alter} drop column {identifier(gone)}"
            yield f"{alter} rename {identifier(name)} to {identifier(gone)}"
            if kind is not None:
                yield f"{alter} add column {identifier(name)} {kind}"
                yield f"update {identifier(table)} set {identifier(name)} = try_cast({identifier(gone)} as {kind})"
    for name, kind in wanted.items():
        if name not in there and there.get(GONE + name) == kind:
            yield f"{alter} rename {identifier(GONE + name)} to {identifier(name)}"
        elif name not in there:
            yield f"{alter} add column {identifier(name)} {kind}"


def _holds_all(connection: duckdb.DuckDBPyConnection, table: str, name: str, old: str, new: str) -> bool:
    """Whether the new type gives back each value of the old one as it was."""
    column = identifier(name)
    lost = connection.execute(
        f"select count(*) from {identifier(table)} "
        f"where try_cast(try_cast({column} as {new}) as {old}) is distinct from {column}"
    ).fetchone()
    return lost is not None and not lost[0]


def _of_file(connection: duckdb.DuckDBPyConnection, sentinel: Path) -> dict[str, str]:
    own = {name for name, _ in LINEAGE}
    found = connection.execute(f"describe select * from {scan(sentinel)}").fetchall()
    return {row[0]: row[1] for row in found if row[0] not in own}


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """The columns of every table and their types."""
    found: dict[str, dict[str, str]] = {}
    for table, name, kind in connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() "
        "where schema_name = 'main' and database_name = current_database() and not internal"
    ).fetchall():
        found.setdefault(table, {})[name] = kind
    return found
