"""The types of columns: what a contract may write, what DuckDB makes of it, and how Arrow holds it.

DuckDB knows its own spellings and most of other databases (`int4`, `bpchar`, `double precision`, `varchar(18)`), so it
is asked; the types that most contracts use are known beforehand, for asking costs every process 20 ms.
"""

import re
from functools import cache

import pyarrow as pa

KNOWN = {
    "BOOLEAN": pa.bool_(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
    "DECIMAL(12,2)": pa.decimal128(12, 2),
}
BY_LOGICAL_TYPE = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "object": "JSON",
    "array": "JSON",
    "map": "JSON",
}
"""The logical types of the Open Data Contract Standard 3.2, where a contract names no physical one."""
NESTED = re.compile(r"STRUCT|MAP|UNION|LIST|JSON|VARIANT|.*\[\d*\]$")
_SPELLED = re.compile(r"[A-Za-z][A-Za-z0-9_ ]{0,40}(?:\(\d{1,4}(?:, ?\d{1,4})?\))?")


def canonical_type(physical: str | None, logical: str | None) -> str | None:
    """DuckDB's name of a declared type; `JSON` for whatever is nested; None if nothing is known of it."""
    if logical is not None and logical.lower() not in BY_LOGICAL_TYPE:
        return None
    declared = physical if physical is not None else BY_LOGICAL_TYPE.get((logical or "").lower())
    return _in_duckdb(declared) if declared is not None else None


def is_number(duckdb_type: str) -> bool:
    """Whether a canonical type holds numbers."""
    kind = arrow_type(duckdb_type)
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def arrow_type(duckdb_type: str) -> pa.DataType:
    """How Arrow holds the values of a canonical type: nested ones as the text of their JSON, moments in microseconds."""
    if duckdb_type == "JSON":
        return pa.string()
    return KNOWN.get(duckdb_type) or _asked(duckdb_type)[1]


@cache
def _in_duckdb(declared: str) -> str | None:
    plain = " ".join(declared.upper().split())
    if NESTED.match(plain):
        return "JSON"
    if plain in KNOWN:
        return plain
    return _asked(plain)[0] if _SPELLED.fullmatch(plain) else None


@cache
def _asked(declared: str) -> tuple[str | None, pa.DataType]:
    import duckdb

    with duckdb.connect() as connection:
        try:
            asked = connection.execute(f"select cast(null as {declared}) as value")
        except duckdb.Error:  # unknown, or impossible as DECIMAL(99,2)
            return None, pa.null()
        [(_, kind, *_)] = asked.description
        if str(kind).startswith("TIMESTAMP"):  # moments are UTC, in microseconds, whatever unit or zone they come in
            return "TIMESTAMP", KNOWN["TIMESTAMP"]
        return str(kind), asked.to_arrow_table().schema.field("value").type
