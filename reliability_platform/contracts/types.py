"""The types of columns: what a contract may write, what DuckDB makes of it, and how Arrow holds it.

DuckDB knows its own spellings and most of other databases (`int4`, `bpchar`, `double precision`, `varchar(18)`), so it
is asked; the types that most contracts use are known beforehand, for asking costs every process 20 ms.
"""

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa  # it takes 0.2 s, and most commands read contracts for the names in them

KNOWN = {
    "BOOLEAN": "bool",
    "SMALLINT": "int16",
    "INTEGER": "int32",
    "BIGINT": "int64",
    "FLOAT": "float",
    "DOUBLE": "double",
    "VARCHAR": "string",
    "JSON": "string",
    "DATE": "date32",
    "TIMESTAMP": "timestamp[us]",
}
"""DuckDB's name of a type, and Arrow's alias of how it is held: nested values as the text of their JSON."""
NUMBERS = frozenset(
    {f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")}
    | {"INTEGER", "UINTEGER", "FLOAT", "DOUBLE"}
)
_DECIMAL = re.compile(r"DECIMAL\(([1-9]\d?),(0|[1-9]\d?)\)")
MOST_DIGITS = 38
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
    return duckdb_type.startswith("DECIMAL") or duckdb_type in NUMBERS


def arrow_type(duckdb_type: str) -> "pa.DataType":
    """How Arrow holds the values of a canonical type: nested ones as the text of their JSON, moments in microseconds."""
    import pyarrow as pa

    if duckdb_type in KNOWN:
        return pa.type_for_alias(KNOWN[duckdb_type])
    decimal = _decimal(duckdb_type)
    return pa.decimal128(*decimal) if decimal else _asked(duckdb_type)[1]


def _decimal(declared: str) -> tuple[int, int] | None:
    """Digits and digits behind the point; None for what is no decimal, or an impossible one."""
    found = _DECIMAL.fullmatch(declared)
    digits, behind = map(int, found.groups()) if found else (0, 0)
    return (digits, behind) if 1 <= digits <= MOST_DIGITS and behind <= digits else None


@cache
def _in_duckdb(declared: str) -> str | None:
    plain = " ".join(declared.upper().split())
    if NESTED.match(plain):
        return "JSON"
    if plain in KNOWN or _decimal(plain):
        return plain
    return _asked(plain)[0] if _SPELLED.fullmatch(plain) else None


@cache
def _asked(declared: str) -> "tuple[str | None, pa.DataType]":
    import duckdb
    import pyarrow as pa

    with duckdb.connect() as connection:
        try:
            asked = connection.execute(f"select cast(null as {declared}) as value")
        except duckdb.Error:  # unknown, or impossible as DECIMAL(99,2)
            return None, pa.null()
        [(_, kind, *_)] = asked.description
        if str(kind).startswith("TIMESTAMP"):  # moments are UTC, in microseconds, whatever unit or zone they come in
            return "TIMESTAMP", arrow_type("TIMESTAMP")
        return str(kind), asked.to_arrow_table().schema.field("value").type
