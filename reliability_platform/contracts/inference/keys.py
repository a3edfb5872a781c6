"""Which columns together identify a row of a sample: the fewest that do, proved on all its rows.

By sets: sizes one after another; a combination is passed over where the numbers of distinct values cannot make as many rows,
then where a few thousand rows contradict it, then some tens of thousands, and only what is left is counted on every row.
Amounts are tried only where nothing else identifies a row: any two rows of a till differ in their amounts, until two do not.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import duckdb

MAX_COLUMNS = 5
"""Of a key. What needs more has a better key that the producer knows."""
MAX_COMBINATIONS = 2_002
"""Of a size: any column alone, pairs of 63 columns, fives of 14; those that look like keys come first."""
FIRST_ROWS = (4_000, 40_000)
"""On which combinations are tried before they are counted on every row."""
MAX_PROVED = 200
"""Combinations of a size that are counted on every row: what 40,000 rows did not contradict is seldom wrong."""
NAMED = (
    "id", "key", "uuid", "code", "no", "nr", "number", "num", "carrier", "flight", "sku", "ref", "line", "station", "sensor", "device",
    "symbol",
)  # fmt: skip
MEASURED = ("delay", "distance", "amount", "price", "temp", "fee", "total", "cost", "quantity", "qty")
"""Words of names of what is measured, and identifies nothing."""


@dataclass(frozen=True)
class KeyCandidate:
    """A column that may be part of a key: no value of it is missing."""

    name: str
    distinct: int
    type: str

    @property
    def is_measured(self) -> bool:
        """Whether it is an amount or the like, by its type or its name."""
        return self.type.startswith("DECIMAL") or any(word in MEASURED for word in self.name.lower().split("_"))


def find_keys(
    connection: duckdb.DuckDBPyConnection,
    columns: Sequence[KeyCandidate],
    rows: int,
    event_time: str | None,
    whole: str = "sample",
) -> list[tuple[str, ...]]:
    """The smallest keys of the table `whole`, the likeliest first; none if there is no key of up to `MAX_COLUMNS`. The columns
    of each are in the order of the table."""
    able = [one for one in columns if one.distinct > 1 and one.type not in ("DOUBLE", "FLOAT", "JSON", "BOOLEAN")]
    able.sort(key=lambda one: _unlikeliness(one, rows, event_time, columns))
    tables = list(_first_rows(connection, rows, whole))
    pools = [[one for one in able if not one.is_measured], able]
    place = {one.name: number for number, one in enumerate(columns)}
    for pool in pools if pools[0] != pools[1] else pools[:1]:
        for size in range(1, MAX_COLUMNS + 1):
            most = max(number for number in range(len(pool) + 1) if math.comb(number, size) <= MAX_COMBINATIONS)
            candidates = combinations(pool if size == 1 else pool[:most], size)
            open_ones = [some for some in candidates if math.prod(one.distinct for one in some) >= rows]
            names = [tuple(one.name for one in some) for some in open_ones]
            for table, number in tables:
                names = _unique(connection, table, number, names)
            names = _unique(connection, whole, rows, names[:MAX_PROVED], at_once=4)
            if keys := [one for one in names if repeated(connection, one, whole) == 0]:
                return [tuple(sorted(one, key=place.__getitem__)) for one in keys]
    return []


def repeated(connection: duckdb.DuckDBPyConnection, key: Sequence[str], table: str = "sample") -> int:
    """How many rows of the sample have a key that another one has, too, or none."""
    names = ", ".join(f'"{name}"' for name in key)
    [(extra,)] = connection.execute(
        f"select coalesce(sum(n - 1), 0) from (select count(*) as n from {table} group by {names})"
    ).fetchall()
    return int(extra)


def _first_rows(connection: duckdb.DuckDBPyConnection, rows: int, whole: str) -> Iterator[tuple[str, int]]:
    """Smaller samples and how many rows each has: the first rows, which are near each other, and others from everywhere."""
    for size in FIRST_ROWS:
        if size < rows:
            half, table = size // 2, f"first_{size}"
            connection.execute(
                f"create or replace temp table {table} as (select * from {whole} limit {half}) union all "
                f"(select * from {whole} where rowid >= {half} and rowid % {max(1, rows // size)} = 0 limit {half})"
            )
            [(number,)] = connection.execute(f"select count(*) from {table}").fetchall()
            yield table, number


def _unlikeliness(
    one: KeyCandidate, rows: int, event_time: str | None, columns: Sequence[KeyCandidate]
) -> tuple[bool, bool, int]:
    """Names as of keys before others, then moments, then by their order; amounts last."""
    named = any(word in NAMED for word in one.name.lower().split("_")) or one.name == event_time
    return one.is_measured, not (named or one.distinct == rows), [other.name for other in columns].index(one.name)


def _unique(
    connection: duckdb.DuckDBPyConnection, table: str, rows: int, some: Sequence[tuple[str, ...]], at_once: int = 100
) -> list[tuple[str, ...]]:
    """Those combinations by which all rows of a table differ, in their order."""
    found = []
    for start in range(0, len(some), at_once):
        part = some[start : start + at_once]
        terms = ", ".join("count(distinct hash(" + ", ".join(f'"{name}"' for name in names) + "))" for names in part)
        counts = connection.execute(f"select {terms} from {table}").fetchall()[0]
        found += [names for names, number in zip(part, counts, strict=True) if number == rows]
    return found
