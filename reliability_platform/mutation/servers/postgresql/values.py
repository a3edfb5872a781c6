"""Types of PostgreSQL and of DuckDB as each other's, and what values are compared and hashed by."""

from collections.abc import Sequence

from reliability_platform.mutation.sql_text import quoted

DUCKDB_TYPES: tuple[tuple[str, str], ...] = (
    (r"smallint|integer|bigint|real|boolean|date|uuid|interval|double precision", "{0}"),
    (r"numeric\((\d+),(\d+)\)", "decimal({1},{2})"),
    (r"numeric", "double"),
    (r"timestamp\(?\d*\)? ?without time zone", "timestamp"),
    (r"timestamp\(?\d*\)? ?with time zone", "timestamptz"),
    (r"time\(?\d*\)? ?without time zone", "time"),
    (r"jsonb?", "json"),
)
"""Types of PostgreSQL as DuckDB's; all others are texts there."""
POSTGRESQL_TYPES: tuple[tuple[str, str], ...] = (
    (r"TINYINT|SMALLINT|UTINYINT", "smallint"),
    (r"INTEGER|USMALLINT", "integer"),
    (r"BIGINT|UINTEGER", "bigint"),
    (r"U?HUGEINT|UBIGINT", "numeric"),
    (r"DECIMAL.*", "{0}"),
    (r"FLOAT", "real"),
    (r"DOUBLE", "double precision"),
    (r"BOOLEAN|DATE|TIMESTAMP|TIME|UUID|INTERVAL", "{0}"),
    (r"TIMESTAMP WITH TIME ZONE", "timestamptz"),
    (r"JSON", "jsonb"),
)
"""Types of DuckDB, for columns that a fault has added or given another type; all others become texts."""
FLOATS = ("double precision", "real")


def as_text(name: str) -> str:
    """A value that can be compared and hashed, of any type."""
    return f"{quoted(name)}::text"


def hashed(values: Sequence[str], salt: int = 0) -> str:
    """A number between -2⁶³ and 2⁶³."""
    # A row of one value is a text too, in which null differs from all.
    return f"hashtextextended(row({', '.join(values)})::text, {salt})::numeric"
