"""Spark's tables as views of the warehouse file, each on the data files of one snapshot.

Iceberg never changes a data file: until the next build ends, a view shows what the last one has left. Columns are found by
Iceberg's field ids, which every file holds, so that files from before a column was added or renamed are read rightly.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

import duckdb

from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.parquet import identifier, literal, scan_by_field_ids
from reliability_platform.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_TYPES = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "string": "VARCHAR",
    "binary": "BLOB",
}

SHOWN = "built by Spark"
"""The comment of each view on a table of Spark."""


def has_tables(session: "SparkSession") -> bool:
    """Whether a build has made any in the schema of the home."""
    return any(row.tableName.startswith("stg_") for row in session.sql("show tables").collect())


def show_tables(
    settings: Settings, session: "SparkSession", connection: duckdb.DuckDBPyConnection, tables: Collection[str]
) -> None:
    """Put a view in the place of each table that Spark has, all at once."""
    names = sorted(set(tables) & {row.tableName for row in session.sql("show tables").collect()})
    files = _files(session, settings.spark_schema, names)
    connection.execute("begin")
    for name in names:
        columns = list(_columns(session, settings.spark_schema, name))
        there = connection.execute(
            "select table_type from information_schema.tables where table_schema = 'main' and table_name = ?", [name]
        ).fetchone()
        if there is not None and there[0] == "BASE TABLE":
            connection.execute(f"drop table {identifier(name)}")
        connection.execute(f"create or replace view {identifier(name)} as {_rows(columns, files[name])}")
        connection.execute(f"comment on view {identifier(name)} is {literal(SHOWN)}")
    connection.execute("commit")


def keep_as_tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Make tables of the views that a build on Spark has left, for DuckDB builds them from now on; returns their names.

    Raises `EnvironmentUnusableError` where their files are gone, as in a home that was moved.
    """
    shown = connection.execute(
        "select view_name from duckdb_views() where schema_name = 'main' and comment = ? order by all",
        [SHOWN],
    ).fetchall()
    for (name,) in shown:
        table = identifier(name)
        try:
            connection.execute(f"create or replace temp table kept as from {table}")
        except duckdb.IOException:
            raise EnvironmentUnusableError(
                f"The files of {name} that Spark has built are not where they were: move warehouse.duckdb away and build all "
                "days anew from bronze with `reliability run`."
            ) from None
        connection.execute(
            f"begin; drop view {table}; create table {table} as from temp.kept; commit; drop table temp.kept"
        )
    return [name for (name,) in shown]


def _files(session: "SparkSession", schema: str, names: Collection[str]) -> dict[str, list[str]]:
    """The data files of each table, in the order of their names."""
    one = " union all ".join(
        f"select '{name}' as name, file_path, content from {schema}.{name}.files" for name in names
    )
    found: dict[str, list[str]] = defaultdict(list)
    for row in session.sql(one).collect() if names else ():
        if row.content != 0:
            raise EnvironmentUnusableError(
                f"{row.name} has Iceberg files of deletes: write it by copy-on-write (write.delete.mode, write.merge.mode)."
            )
        found[row.name].append(_path(row.file_path))
    return defaultdict(list, {name: sorted(paths) for name, paths in found.items()})


def _path(location: str) -> str:
    """Of a file of this machine its path, as Iceberg has written it; any other location as it is."""
    return location.removeprefix("file://").removeprefix("file:")


def _columns(session: "SparkSession", schema: str, name: str) -> Iterator[tuple[int, str, str]]:
    """Field id, name and DuckDB's type of each column."""
    jvm: Any = session._jvm
    table = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(session._jsparkSession, f"{schema}.{name}")
    for field in table.schema().columns():
        kind = str(field.type().toString())
        duckdb_type = kind.upper() if kind.startswith("decimal(") else _TYPES.get(kind)
        if duckdb_type is None:
            raise EnvironmentUnusableError(
                f"{name}.{field.name()} is a {kind} in Spark, which the warehouse file cannot show."
            )
        yield int(field.fieldId()), str(field.name()), duckdb_type


def _rows(columns: list[tuple[int, str, str]], files: list[str]) -> str:
    names = ", ".join(identifier(name) for _, name, _ in columns)
    if not files:
        empty = ", ".join(f"cast(null as {kind}) as {identifier(name)}" for _, name, kind in columns)
        return f"select {names} from (select {empty}) where false"
    return f"select {names} from {scan_by_field_ids(files, columns)}"
