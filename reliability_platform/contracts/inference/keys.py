"""Which columns together identify a row of a sample: the fewest that do, proved on all its rows.

By sets: sizes one after another; a combination is passed over where the numbers of distinct values cannot make as many rows,
then where a few thousand rows contradict it, and only what is left is counted on every row.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import duckdb

MAX_COLUMNS = 5
"""Of a key. What needs more has a better key that the producer knows."""
MAX_CANDIDATES = 14
"""Columns that are combined, those that look like keys first: 3,472 combinations of up to five."""
FIRST_ROWS = 4_000
MAX_PROVED = 40
"""Combinations of a size that are counted on every row."""
NAMED = ("id", "key", "uuid", "code", "no", "nr", "number", "num", "carrier", "flight", "sku", "ref")


@dataclass(frozen=True)
class KeyCandidate:
    """A column that may be part of a key: no value of it is missing."""

    name: str
    distinct: int
    type: str


def find_keys(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[KeyCandidate], rows: int, event_time: str | None
) -> list[tuple[str, ...]]:
    """The smallest keys of the table `sample`, the likeliest first; none if there is no key of up to `MAX_COLUMNS`."""
    able = [one for one in columns if one.distinct > 1 and one.type not in ("DOUBLE", "FLOAT", "JSON", "BOOLEAN")]
    able.sort(key=lambda one: _unlikeliness(one, rows, event_time, columns))
    able = able[:MAX_CANDIDATES]
    connection.execute(
        f"create or replace temp table few as (select * from sample limit {FIRST_ROWS // 2}) union all "
        f"(select * from sample where rowid >= {FIRST_ROWS // 2} and rowid % {max(1, rows // FIRST_ROWS)} = 0 limit {FIRST_ROWS // 2})"
    )
    [(few,)] = connection.execute("select count(*) from few").fetchall()
    for size in range(1, MAX_COLUMNS + 1):
        open_ones = [some for some in combinations(able, size) if math.prod(one.distinct for one in some) >= rows]
        for table, number in (("few", few), ("sample", rows)):
            names = [tuple(one.name for one in some) for some in open_ones]
            unique = _unique(connection, table, number, names[:MAX_PROVED] if table == "sample" else names)
            open_ones = [some for some in open_ones if tuple(one.name for one in some) in unique]
        if open_ones:
            return [tuple(one.name for one in some) for some in open_ones]
    return []


def repeated(connection: duckdb.DuckDBPyConnection, key: Sequence[str]) -> int:
    """How many rows of the sample have a key that another one has, too, or none."""
    names = ", ".join(f'"{name}"' for name in key)
    [(extra,)] = connection.execute(
        f"select coalesce(sum(n - 1), 0) from (select count(*) as n from sample group by {names})"
    ).fetchall()
    return int(extra)


def _unlikeliness(
    one: KeyCandidate, rows: int, event_time: str | None, columns: Sequence[KeyCandidate]
) -> tuple[bool, bool, int]:
    """Names as of keys before others, then moments, then by their order; amounts last."""
    words = one.name.lower().split("_")
    named = any(word in NAMED for word in words) or one.name == event_time
    measured = one.type.startswith("DECIMAL") or any(
        word in ("delay", "distance", "amount", "price", "temp") for word in words
    )
    return measured, not (named or one.distinct == rows), [other.name for other in columns].index(one.name)


def _unique(
    connection: duckdb.DuckDBPyConnection, table: str, rows: int, some: Sequence[tuple[str, ...]]
) -> set[tuple[str, ...]]:
    found = set()
    for start in range(0, len(some), 100 if table == "few" else 4):
        part = some[start : start + (100 if table == "few" else 4)]
        terms = ", ".join("count(distinct hash(" + ", ".join(f'"{name}"' for name in names) + "))" for names in part)
        counts = connection.execute(f"select {terms} from {table}").fetchall()[0]
        found |= {names for names, number in zip(part, counts, strict=True) if number == rows}
    return {names for names in found if table == "few" or repeated(connection, names) == 0}
