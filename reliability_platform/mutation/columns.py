"""What the columns of an input are, learned from their types and from the clean data."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import duckdb

from reliability_platform.mutation.sql_text import quoted

MAX_CATEGORIES = 50
"""A column of more different values is no category."""
NAMED_AS_KEY = re.compile(r"(^|_)(id|key|sk|pk|fk|uuid|guid)$|[a-z](Id|ID|Key)$", re.IGNORECASE)


class ValueKind(StrEnum):
    """What a value is, by its type."""

    NUMBER = "number"
    TEXT = "text"
    TIME = "time"
    BOOLEAN = "boolean"
    OTHER = "other"


KINDS: tuple[tuple[ValueKind, str], ...] = (
    (ValueKind.NUMBER, r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE( PRECISION)?|FLOAT|REAL|(DECIMAL|NUMERIC).*"),
    (ValueKind.TEXT, r"VARCHAR|ENUM.*"),
    (ValueKind.TIME, r"DATE|TIMESTAMP.*"),
    (ValueKind.BOOLEAN, r"BOOLEAN"),
)
FRACTIONAL = re.compile(r"DOUBLE|FLOAT|DECIMAL.*")


@dataclass(frozen=True)
class ColumnFacts:
    """One column of an input."""

    name: str
    type: str
    """DuckDB's."""
    kind: ValueKind
    rows: int
    filled: int
    """Rows that are not null."""
    distinct: int

    @property
    def sql(self) -> str:
        """Its name in SQL."""
        return quoted(self.name)

    @property
    def is_unique(self) -> bool:
        """No value occurs twice, and none lacks."""
        return self.rows > 1 and self.distinct == self.filled == self.rows

    @property
    def is_key(self) -> bool:
        """It tells rows apart or refers to those of another table: what it counts means nothing."""
        countable = self.kind is ValueKind.TEXT or (self.kind is ValueKind.NUMBER and not self.is_fractional)
        return (countable and NAMED_AS_KEY.search(self.name) is not None) or (
            self.is_unique and self.kind is ValueKind.TEXT
        )

    @property
    def is_reference(self) -> bool:
        """A key of something else."""
        return self.is_key and not self.is_unique

    @property
    def is_measure(self) -> bool:
        """A number that is added up or compared."""
        return self.kind is ValueKind.NUMBER and not self.is_key

    @property
    def is_fractional(self) -> bool:
        """A number that need not be whole."""
        return FRACTIONAL.fullmatch(self.type) is not None

    @property
    def is_category(self) -> bool:
        """One of a few labels."""
        few = 1 <= self.distinct <= min(MAX_CATEGORIES, max(1, self.rows // 2))
        return self.kind is ValueKind.TEXT and few and not self.is_key


@dataclass(frozen=True)
class InputTable:
    """An input on the private copy."""

    relation: str
    """Where its clean rows are read."""
    rows: int
    columns: tuple[ColumnFacts, ...]

    def first(self, *wanted: str) -> ColumnFacts | None:
        """The first column that has one of these properties, in this order."""
        return next((one for name in wanted for one in self.columns if getattr(one, name)), None)

    @property
    def times(self) -> tuple[ColumnFacts, ...]:
        """The columns of dates and times that have several values."""
        return tuple(one for one in self.columns if one.kind is ValueKind.TIME and one.distinct > 1)


def learn(connection: duckdb.DuckDBPyConnection, relation: str) -> InputTable:
    """Look at the clean rows of an input, once."""
    described = connection.execute(f"describe select * from {relation}").fetchall()
    names = [(str(row[0]), str(row[1])) for row in described]
    counts = ", ".join(f"count({quoted(name)}), approx_count_distinct({quoted(name)})" for name, _ in names)
    rows, *rest = _row(connection, f"select count(*), {counts} from {relation}")
    small = rows <= EXACT_ROWS
    exact = _row(connection, f"select {_distinct(names)} from {relation}") if small and names else rest[1::2]
    return InputTable(
        relation,
        rows,
        tuple(
            ColumnFacts(name, kind, kind_of(kind), rows, filled, min(distinct, filled))
            for (name, kind), filled, distinct in zip(names, rest[::2], exact, strict=True)
        ),
    )


EXACT_ROWS = 1_000_000
"""Of more rows the different values are estimated."""


def _distinct(names: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"count(distinct {quoted(name)})" for name, _ in names)


def _row(connection: duckdb.DuckDBPyConnection, query: str) -> list[int]:
    found = connection.execute(query).fetchone()
    assert found is not None
    return list(found)


def kind_of(type_name: str) -> ValueKind:
    """What a value of a type is: DuckDB's, or a number of a server's."""
    return next((kind for kind, pattern in KINDS if re.fullmatch(pattern, type_name)), ValueKind.OTHER)
