"""Values on their way between DuckDB and Spark, as texts, and the SQL that speaks of them."""

import re
from collections.abc import Sequence

import duckdb
import pyarrow as pa

from reliability_platform.mutation.servers.spark.connection import SparkConnection

DUCKDB_TYPES: tuple[tuple[str, str], ...] = (
    (r"boolean|tinyint|smallint|int|bigint|float|double|date|decimal\(\d+,\d+\)", "{0}"),
    (r"timestamp(_ntz|_ltz)?", "timestamp"),
)
"""Types of Spark as DuckDB's; all others are texts there."""
SPARK_TYPES: tuple[tuple[str, str], ...] = (
    (r"TINYINT|SMALLINT|BIGINT|DECIMAL.*|FLOAT|DOUBLE|BOOLEAN|DATE", "{0}"),
    (r"UTINYINT", "smallint"),
    (r"INTEGER|USMALLINT", "int"),
    (r"UINTEGER", "bigint"),
    (r"U?HUGEINT|UBIGINT", "decimal(38,0)"),
    (r"TIMESTAMP.*", "timestamp"),
)
"""Types of DuckDB, for columns that a fault has added or given another type; all others become texts."""
NESTED = re.compile(r"(array|map|struct)<.*")
FLOATS = ("double", "float")
ROWS_A_TEXT = 20_000
"""Rows of an input are handed over as JSON in the text of a statement, so many in each."""


def named(name: str) -> str:
    """An identifier."""
    return "`" + name.replace("`", "``") + "`"


def text_literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def columns_of(connection: SparkConnection, relation: str) -> dict[str, str]:
    """Names and types, without what `describe` says of partitions below them."""
    found: dict[str, str] = {}
    for name, kind, *_ in connection.rows(f"describe {relation}"):
        if not name or name.startswith("#"):
            break
        found[str(name)] = str(kind)
    return found


def text_of(name: str, kind: str) -> str:
    if NESTED.fullmatch(kind):
        return f"to_json({named(name)})"
    return f"base64({named(name)})" if kind == "binary" else f"cast({named(name)} as string)"


def value_of(cell: str, name: str, kind: str) -> str:
    value = f"cast({cell} as {kind})"
    if NESTED.fullmatch(kind):
        value = f"from_json({cell}, {text_literal(kind)}, map('mode', 'FAILFAST'))"
    elif kind == "binary":
        value = f"unbase64({cell})"
    return f"{value} as {named(name)}"


def as_json(rows: pa.Table, cells: Sequence[str]) -> list[str]:
    """Texts in base64, each a list of objects."""
    cell = ", ".join(f"'{one}': {one}" for one in cells)
    with duckdb.connect() as connection:
        texts = []
        for start in range(0, max(rows.num_rows, 1), ROWS_A_TEXT):
            connection.register("part", rows.slice(start, ROWS_A_TEXT))
            query = f"select base64(encode(coalesce(to_json(list({{{cell}}}))::varchar, '[]'))) from part"
            texts += [str(one) for (one,) in connection.execute(query).fetchall()]
    return texts


def hashed(values: Sequence[str]) -> str:
    """A number between -2⁶³ and 2⁶³. Null leaves a hash as it was, so that it is one is hashed beside it."""
    return f"cast(xxhash64({', '.join(f'{one} is null, {one}' for one in values)}) as decimal(20, 0))"
