"""What a table holds: a fingerprint that tells any change, and what a consumer sees of one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from reliability_platform.mutation.columns import NAMED_AS_KEY, ValueKind, kind_of
from reliability_platform.mutation.sql_text import quoted

DECIMALS = 6
"""Sums of floats differ in the last digits by the order of their terms."""


@dataclass(frozen=True)
class Fingerprint:
    """Rows, columns with their types, and a sum of hashes that no order of rows changes."""

    rows: int
    columns: tuple[tuple[str, str], ...]
    content: int
    each: tuple[int, ...]
    """Of each column by itself."""

    def unlike(self, other: "Fingerprint") -> frozenset[str]:
        """The columns that hold other values, or are not in both."""
        mine, theirs = (
            {name: (kind, at) for (name, kind), at in zip(one.columns, one.each, strict=True)} for one in (self, other)
        )
        return frozenset(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))


def columns_of(cursor: duckdb.DuckDBPyConnection, relation: str) -> tuple[tuple[str, str], ...]:
    """Names and types."""
    found = cursor.execute(f"describe select * from {relation}").fetchall()
    return tuple((str(row[0]), str(row[1])) for row in found)


def fingerprint(cursor: duckdb.DuckDBPyConnection, relation: str, without: Iterable[str] = ()) -> Fingerprint:
    """Read all of a table once; `without` some columns, which are others each time they are built."""
    columns = [one for one in columns_of(cursor, relation) if one[0] not in without]
    values = [
        f"round({quoted(name)}, {DECIMALS})" if kind in ("DOUBLE", "FLOAT") else quoted(name) for name, kind in columns
    ]
    return read_fingerprint(_rows_of(cursor), relation, columns, values, lambda one: f"hash({', '.join(one)})::hugeint")


def read_fingerprint(
    row: "Row",
    relation: str,
    columns: Sequence[tuple[str, str]],
    values: Sequence[str],
    hashed: Callable[[Sequence[str]], str],
) -> Fingerprint:
    """In any SQL. `values` are what of each column is told apart, `hashed` makes a number of some of them."""
    hashes = [f"sum({hashed(one)})" for one in ([values] if values else []) + [[each] for each in values]]
    found = row(f"select {', '.join(['count(*)', *hashes])} from {relation}")
    rows, content, *each = (int(one or 0) for one in (*found, 0))
    return Fingerprint(rows, tuple(columns), content, tuple(each[: len(columns)]))


def is_summed(name: str, type_name: str) -> bool:
    """Whether the sum of a column means anything to who reads it: of keys it does not."""
    return kind_of(type_name) is ValueKind.NUMBER and NAMED_AS_KEY.search(name) is None


def total_of(column: str) -> str:
    """The sum of a column of numbers, in DuckDB and PostgreSQL."""
    return f"sum({quoted(column)})::double precision"


@dataclass(frozen=True)
class SumChange:
    """A number that a consumer reads off a table, before and after."""

    column: str
    before: float | None
    after: float | None

    @property
    def relative(self) -> float:
        """By what share it changed; 1 where it came or went."""
        if self.before == self.after:
            return 0.0
        if not self.before or self.after is None:
            return 1.0
        return abs(self.after - self.before) / abs(self.before)


@dataclass(frozen=True)
class TableChange:
    """How a table that consumers read differs from that of the clean build."""

    model: str
    consumers: tuple[str, ...]
    rows_before: int
    rows_after: int
    differing: int
    """Rows that are not among the clean ones."""
    measures: tuple[SumChange, ...]
    """Sums of the numbers in it, those that changed."""
    columns: tuple[str, ...]
    """Columns that hold other values, came or went."""

    @property
    def size(self) -> float:
        """How much of it is wrong, to put the worst first: 10 if it is empty, else the largest share by which rows or sums are
        off, at most 5; where all of these agree, half of the share of rows that are others.
        """
        if not self.rows_after and self.rows_before:
            return 10.0
        moved = abs(self.rows_after - self.rows_before) / max(self.rows_before, 1)
        numbers = max(moved, *(one.relative for one in self.measures), 0.0)
        return max(min(5.0, numbers), 0.5 * self.differing / max(self.rows_after, 1))


def compare(
    row: "Row",
    about: tuple[str, tuple[str, ...]],
    relations: tuple[str, str],
    fingerprints: tuple[Fingerprint, Fingerprint],
    value: Callable[[str], str] = quoted,
    total: Callable[[str], str] = total_of,
) -> TableChange:
    """A clean table and a changed one. `about` is the model with its consumers; pairs are (clean, changed); `value` makes of a
    column's name what can be compared, `total` its sum as a float.
    """
    (clean, changed), (before, after) = relations, fingerprints
    unlike = before.unlike(after)
    both = [one for one in before.columns if one in after.columns]
    differing = row(_rows_more([value(name) for name, _ in both], changed, clean)) if both else [after.rows]
    numbers = [name for name, kind in both if name in unlike and is_summed(name, kind)]
    sums = ", ".join(total(name) for name in numbers)
    pairs = [row(f"select {sums} from {one}") if numbers else [] for one in (clean, changed)]
    measures = (SumChange(name, was, now) for name, was, now in zip(numbers, *pairs, strict=True))
    return TableChange(
        model=about[0],
        consumers=about[1],
        rows_before=before.rows,
        rows_after=after.rows,
        differing=int(differing[0] or 0),
        measures=tuple(one for one in measures if one.relative > 1e-9),
        columns=tuple(sorted(unlike)),
    )


def _rows_more(values: Sequence[str], relation: str, other: str) -> str:
    """How many rows of a table another one has not, each as often as it is there: a fifth of what `except all` costs DuckDB."""
    names = [f"value_{at}" for at in range(len(values))]
    taken = ", ".join(f"{one} as {name}" for one, name in zip(values, names, strict=True))
    both = f"select {taken}, 1 as times from {relation} union all select {taken}, -1 from {other}"
    more = f"select sum(times) as times from ({both}) as rows_of_both group by {', '.join(names)} having sum(times) > 0"
    return f"select coalesce(sum(times), 0) from ({more}) as rows_more"


Row = Callable[[str], Sequence[Any]]
"""Asks for the first row of a query that has one."""


def _rows_of(cursor: duckdb.DuckDBPyConnection) -> Row:
    return lambda query: cursor.execute(query).fetchone() or ()
