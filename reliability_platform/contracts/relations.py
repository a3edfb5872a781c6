"""Rules between columns, rows and sources that a contract declares under `quality` of a table.

Some can be told from one row alone (`of_rows`): staging rejects the rows that break them. The others say that rows do not
agree, and not which of them is wrong: they are compared in silver, after every source has been built, so that no order of
arrival matters. In both cases what is unknown breaks nothing: a row in which a value of the rule is empty does not count.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import pairwise

from reliability_platform.parquet import identifier, literal


class RelationKind(StrEnum):
    """What must hold; each is the name of the custom property that declares it, but for `query`."""

    IN_ORDER = "inOrder"
    """Each column is at most the next one."""
    SUM_OF = "sumOf"
    """The first column is the sum of the others."""
    EMPTY_WHERE = "emptyWhere"
    """The column is empty where a condition holds."""
    PRESENT_WHERE = "presentWhere"
    """The column is filled where a condition holds."""
    EVERY_ROW = "everyRow"
    """A condition of SQL holds for each row."""
    DETERMINES = "determines"
    """Rows that agree in all columns but the last agree in that, too."""
    AT_MOST_ONE = "atMostOne"
    """No two rows of a condition agree in the columns."""
    SAME_AS = "sameAs"
    """The first column is that of the row of another source to which the second leads."""
    LEADS_TO = "relationships"
    """Each value of the column is one of a column of another source: follows from `relationships` of the column."""
    QUERY = "query"
    """What a query counts is within the bounds that the standard's `mustBe…` say."""


NOISE = 1e-9
"""Relative error of a sum of doubles, amply: 1e-16 for each of its parts."""
OF_ROWS = frozenset(
    {
        RelationKind.IN_ORDER,
        RelationKind.SUM_OF,
        RelationKind.EMPTY_WHERE,
        RelationKind.PRESENT_WHERE,
        RelationKind.EVERY_ROW,
    }
)


@dataclass(frozen=True)
class LabelCondition:
    """A column that has one of some values; None stands for an empty one."""

    column: str
    values: tuple[str | None, ...]

    def sql(self, table: str) -> str:
        """Whether it holds for a row of a table; never null."""
        name = f"{table}.{identifier(self.column)}"
        known = ", ".join(literal(one) for one in self.values if one is not None)
        parts = [f"coalesce(cast({name} as varchar) in ({known}), false)"] if known else []
        parts += [f"{name} is null"] if None in self.values else []
        return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"

    def __str__(self) -> str:
        known = " or ".join("empty" if one is None else one for one in self.values)
        return f"{self.column} is {known}"


@dataclass(frozen=True)
class Relation:
    """One declared rule."""

    name: str
    kind: RelationKind
    columns: tuple[str, ...] = ()
    """In the order that its kind says."""
    where: tuple[LabelCondition, ...] = ()
    other_source: str = ""
    other_column: str = ""
    tolerance: float = 0.0
    """So far a sum may be off."""
    sql: str = ""
    """A condition of one row, with its columns as `live.name`; or a query with `${object}` for the rows of a landing day."""
    accepted: str = ""
    """What a query may answer, as SQL of `answer`."""
    description: str = ""
    since: date | None = None
    """The landing day from which it holds; None: each of them."""

    @property
    def of_rows(self) -> bool:
        """Whether a row that breaks it is known to be the wrong one."""
        return self.kind in OF_ROWS

    @property
    def reads(self) -> frozenset[str]:
        """The columns of its own source that it compares."""
        return frozenset((*self.columns, *(one.column for one in self.where)))

    @property
    def code(self) -> str:
        """Under which staging rejects a row for it."""
        return f"{self.name}_violated"

    @property
    def column(self) -> str | None:
        """The column that is named where it does not hold; None where no single one is meant."""
        if self.kind in (RelationKind.QUERY, RelationKind.EVERY_ROW):
            return self.columns[0] if len(self.columns) == 1 else None
        return self.columns[-1] if self.kind in (RelationKind.IN_ORDER, RelationKind.DETERMINES) else self.columns[0]

    @property
    def text(self) -> str:
        """The rule for people."""
        where = " and ".join(map(str, self.where))
        first, *others = self.columns or ("",)
        return {
            RelationKind.IN_ORDER: " <= ".join(self.columns),
            RelationKind.SUM_OF: f"{first} = {' + '.join(others)}",
            RelationKind.EMPTY_WHERE: f"{first} is empty where {where}",
            RelationKind.PRESENT_WHERE: f"{first} is filled where {where}",
            RelationKind.EVERY_ROW: re.sub(r'live\."(\w+)"', r"\1", self.sql),
            RelationKind.DETERMINES: f"{', '.join(self.columns[:-1])} → {self.columns[-1] if self.columns else ''}",
            RelationKind.AT_MOST_ONE: f"at most one row per {', '.join(self.columns)}{f' where {where}' if where else ''}",
            RelationKind.SAME_AS: f"{first} = {self.other_source}.{self.other_column} by {''.join(others)}",
            RelationKind.LEADS_TO: f"{first} is a {self.other_source}.{self.other_column}",
            RelationKind.QUERY: f"{self.sql}: {self.accepted}",
        }[self.kind]

    @property
    def broken(self) -> str:
        """Of a rule of rows: whether a row of `live` breaks it, as SQL; null where nothing is known."""
        names = [f"live.{identifier(one)}" for one in self.columns]
        if self.kind is RelationKind.IN_ORDER:
            return " or ".join(f"{low} > {high}" for low, high in pairwise(names))
        if self.kind is RelationKind.SUM_OF:
            # As doubles, for a sum of extreme whole numbers overflows and would end the build; hence their noise is allowed.
            total, *parts = (f"cast({one} as double)" for one in names)
            size = " + ".join(f"abs({one})" for one in (total, *parts))
            return f"abs({total} - ({' + '.join(parts)})) > greatest({self.tolerance:.15g}, {NOISE:g} * ({size}))"
        if self.kind is RelationKind.EVERY_ROW:
            return f"not ({self.sql})"
        holds = " and ".join(one.sql("live") for one in self.where)
        return f"{holds} and {names[0]} is {'not null' if self.kind is RelationKind.EMPTY_WHERE else 'null'}"


def leads_to(column: str, source: str, key: str) -> Relation:
    """That each value of a column is one of another source's column."""
    return Relation(f"known_{column}", RelationKind.LEADS_TO, (column,), other_source=source, other_column=key)


def together(told: Iterable[tuple[Relation, ...]]) -> tuple[Relation, ...]:
    """The rules of several versions of a contract; of one name the newest."""
    return tuple({one.name: one for relations in told for one in relations}.values())
