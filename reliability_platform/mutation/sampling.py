"""Inputs of too many rows, replaced by samples in which each row keeps the rows that it refers to.

A row is kept by the hash of a key, so nothing is ordered and memory does not grow with the rows. A table that refers to
another is kept by that reference: of a customer all orders are there, or none. Where the table that it refers to is a sample
itself, only the rows of what is left there are kept, and those that referred to nobody before.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Protocol

import duckdb

from reliability_platform.counted import counted
from reliability_platform.mutation.columns import ColumnFacts, InputTable, learn
from reliability_platform.mutation.mutants import seeded
from reliability_platform.mutation.private_profile import PrivateProfile, attached
from reliability_platform.mutation.sql_text import literal, quoted

NEARLY_UNIQUE = 0.9
"""Of many rows the different values are estimated, with an error of a few percent."""
PROBED = 1_000
HASHES = 2**64


@dataclass(frozen=True)
class _Reference:
    column: ColumnFacts
    to: str
    """The relation."""
    key: ColumnFacts


class SampledTables(Protocol):
    """Where tables are sampled."""

    def learn(self, relation: str) -> InputTable:
        """What the columns of a table are; `relation` of what comes back is where all of its rows are read."""

    def row(self, query: str) -> Sequence[Any]:
        """The first row of a query that has one."""

    def hashed_below(self, share: float, salt: int, values: Sequence[str], otherwise: Sequence[str]) -> str:
        """A condition that holds for such a share of all values; for `otherwise` where the first of them is null."""

    def replace(self, table: InputTable, relation: str, kept: str) -> str:
        """Let a relation hold the rows of a table that a condition keeps, where they are called `clean`. Returns where all are."""


def sample_inputs(relations: dict[str, str], profile: PrivateProfile, most: int, seed: int) -> list[str]:
    """Sample tables of the private copy (relation → name) that have more than `most` rows, and those that refer to them.

    Returns what was done, for people.
    """
    with attached(profile.catalogs) as connection:
        connection.execute(f"set temp_directory = {literal(str(profile.file.parent / 'spilled'))}")
        place = _InDuckDB(connection)
        present = {one: name for one, name in relations.items() if place.exists(one)}
        if max((place.rows(one) for one in present), default=0) <= most:
            return []
        sampled, said = sample_tables(present, place, most, seed)
        for aside in sampled.values():
            connection.execute(f"drop table {aside}")
    return said


def sample_tables(
    relations: Mapping[str, str], place: SampledTables, most: int, seed: int
) -> tuple[dict[str, str], list[str]]:
    """Sample tables (relation → name) wherever they are. Returns the samples → where all of their rows are, and what was done."""
    tables = {one: place.learn(one) for one in relations}
    if max((one.rows for one in tables.values()), default=0) <= most:
        return {}, []
    references = {one: list(_references(place, tables, one)) for one in tables}
    sampled: dict[str, str] = {}
    for relation in _parents_first(references):
        table, kept = tables[relation], []
        above = [one for one in references[relation] if one.to in sampled]
        for one in above:
            value, key = f"clean.{one.column.sql}", one.key.sql
            kept.append(
                f"({value} is null or {value} in (select {key} from {one.to}) or {value} not in "
                f"(select {key} from {sampled[one.to]} where {key} is not null))"
            )
        if table.rows > most:
            left = _count(place, f"{table.relation} as clean where {' and '.join(kept)}") if kept else table.rows
            if left > most:
                values, otherwise = _key(table, [] if above else references[relation])
                # Salted, or a key and a reference to it that are kept by their hashes would be kept together.
                salt = seeded(f"{seed} {relations[relation]}")
                kept.append(place.hashed_below(most / left, salt, values, otherwise))
        if kept:
            sampled[relation] = place.replace(table, relation, " and ".join(kept))
    said = [
        f"{relations[one]} is a sample of {counted(_count(place, one), 'row')} of {tables[one].rows:,}"
        for one in sampled
    ]
    return sampled, [*said, "tests of how many rows there are say nothing of a sample"]


def _count(place: SampledTables, relation: str) -> int:
    return int(place.row(f"select count(*) from {relation}")[0])


def _is_key(column: ColumnFacts) -> bool:
    return column.is_key and column.distinct >= NEARLY_UNIQUE * column.rows


def _references(place: SampledTables, tables: dict[str, InputTable], relation: str) -> Iterator[_Reference]:
    """The tables whose key holds the values of a column; of several the one whose name has that of the column in it."""
    for column in tables[relation].columns:
        if not column.is_key or _is_key(column) or not column.filled:
            continue
        possible = []
        for other, there in tables.items():
            key = next((one for one in there.columns if _is_key(one) and one.kind is column.kind), None)
            if other != relation and key is not None and _holds(place, tables[relation], column, there, key):
                possible.append(_Reference(column, other, key))
        stem = column.name.lower().removesuffix("id").rstrip("_")
        named = [one for one in possible if stem and stem in one.to.lower()]
        if named or len(possible) == 1:
            yield (named or possible)[0]


def _holds(place: SampledTables, table: InputTable, column: ColumnFacts, other: InputTable, key: ColumnFacts) -> bool:
    probe = f"select {column.sql} as value from {table.relation} where {column.sql} is not null limit {PROBED}"
    is_there = f"value in (select {key.sql} from {other.relation})"
    (share,) = place.row(f"select avg(case when {is_there} then 1.0 else 0.0 end) from ({probe}) as probe")
    return share is not None and share > 0.5


def _key(table: InputTable, references: Iterable[_Reference]) -> tuple[list[str], list[str]]:
    """By what rows are kept together: what they refer to, else their own key, else all of their values."""
    first = next(iter(references), None)
    own = next((one for one in table.columns if _is_key(one)), None)
    everything = [one.sql for one in table.columns]
    if first is None:
        return [own.sql] if own is not None else everything, []
    # Those that refer to nobody are no family.
    return [first.column.sql], everything


def _parents_first(references: dict[str, list[_Reference]]) -> tuple[str, ...]:
    graph = {one: {each.to for each in found} for one, found in references.items()}
    try:
        return tuple(TopologicalSorter(graph).static_order())
    except CycleError:  # two tables that refer to each other: in any order, and each by itself
        return tuple(graph)


class _InDuckDB:
    """Tables of the private copy."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def exists(self, relation: str) -> bool:
        try:
            self._connection.execute(f"describe select * from {relation}")
        except duckdb.Error:
            return False
        return True

    def rows(self, relation: str) -> int:
        return _count(self, relation)

    def learn(self, relation: str) -> InputTable:
        return learn(self._connection, relation)

    def row(self, query: str) -> Sequence[Any]:
        return self._connection.execute(query).fetchone() or ()

    def hashed_below(self, share: float, salt: int, values: Sequence[str], otherwise: Sequence[str]) -> str:
        key = f"hash({', '.join(values)})"
        if otherwise:
            key = f"coalesce({key}, hash({', '.join(otherwise)}))"
        return f"hash({key}::hugeint + {salt}) < {int(share * HASHES)}::ubigint"

    def replace(self, table: InputTable, relation: str, kept: str) -> str:
        del table
        place, _, identifier = relation.rpartition(".")
        aside = f"{place}.{quoted(identifier.strip(chr(34)) + '__all_rows')}"
        found = self._connection.execute(
            "select view_name from duckdb_views() where view_name = ? and not internal", [identifier.strip('"')]
        ).fetchone()
        if found is not None:
            self._connection.execute(f"create table {aside} as from {relation}")
            self._connection.execute(f"drop view {relation}")
        else:
            renamed = quoted(identifier.strip(chr(34)) + "__all_rows")
            self._connection.execute(f"alter table {relation} rename to {renamed}")
        self._connection.execute(f"create table {relation} as select * from {aside} as clean where {kept}")
        return aside
