"""Inputs of too many rows, replaced on the private copy by samples in which each row keeps the rows that it refers to.

A row is kept by the hash of a key, so nothing is ordered and memory does not grow with the rows. A table that refers to
another is kept by that reference: of a customer all orders are there, or none. Where the table that it refers to is a sample
itself, only the rows of what is left there are kept, and those that referred to nobody before.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

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


def sample_inputs(relations: dict[str, str], profile: PrivateProfile, most: int, seed: int) -> list[str]:
    """Sample tables (relation → name) that have more than `most` rows, and those that refer to them. Returns what was done."""
    with attached(profile.catalogs) as connection:
        connection.execute(f"set temp_directory = {literal(str(profile.file.parent / 'spilled'))}")
        rows = {one: number for one in relations if (number := _rows(connection, one)) is not None}
        if max(rows.values(), default=0) <= most:
            return []
        tables = {one: learn(connection, one) for one in rows}
        references = {one: list(_references(connection, tables, one)) for one in tables}
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
                left = _count(connection, f"{relation} as clean where {' and '.join(kept)}") if kept else table.rows
                if left > most:
                    # Salted, or a key and a reference to it that are kept by their hashes would be kept together.
                    key, salt = (
                        _key(table, [] if above else references[relation]),
                        seeded(f"{seed} {relations[relation]}"),
                    )
                    kept.append(f"hash({key}::hugeint + {salt}) < {int(most / left * HASHES)}::ubigint")
            if kept:
                sampled[relation] = _replace(connection, relation, " and ".join(kept))
        said = [
            f"{relations[one]} is a sample of {counted(_count(connection, one), 'row')} of {rows[one]:,}"
            for one in sampled
        ]
        for aside in sampled.values():
            connection.execute(f"drop table {aside}")
    return [*said, "tests of how many rows there are say nothing of a sample"]


def _rows(connection: duckdb.DuckDBPyConnection, relation: str) -> int | None:
    """None for what is not there."""
    try:
        return _count(connection, relation)
    except duckdb.Error:
        return None


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    found = connection.execute(f"select count(*) from {relation}").fetchone()
    assert found is not None
    return int(found[0])


def _is_key(column: ColumnFacts) -> bool:
    return column.is_key and column.distinct >= NEARLY_UNIQUE * column.rows


def _references(
    connection: duckdb.DuckDBPyConnection, tables: dict[str, InputTable], relation: str
) -> Iterator[_Reference]:
    """The tables whose key holds the values of a column; of several the one whose name has that of the column in it."""
    for column in tables[relation].columns:
        if not column.is_key or _is_key(column) or not column.filled:
            continue
        possible = []
        for other, there in tables.items():
            key = next((one for one in there.columns if _is_key(one) and one.kind is column.kind), None)
            if other != relation and key is not None and _holds(connection, relation, column, other, key):
                possible.append(_Reference(column, other, key))
        stem = column.name.lower().removesuffix("id").rstrip("_")
        named = [one for one in possible if stem and stem in one.to.lower()]
        if named or len(possible) == 1:
            yield (named or possible)[0]


def _holds(
    connection: duckdb.DuckDBPyConnection, relation: str, column: ColumnFacts, other: str, key: ColumnFacts
) -> bool:
    probe = f"select {column.sql} as value from {relation} where {column.sql} is not null limit {PROBED}"
    found = connection.execute(
        f"select count(*) filter (where value in (select {key.sql} from {other})) / count(*) from ({probe})"
    ).fetchone()
    return found is not None and found[0] is not None and found[0] > 0.5


def _key(table: InputTable, references: Iterable[_Reference]) -> str:
    """By what rows are kept together: what they refer to, else their own key, else all of their values."""
    first = next(iter(references), None)
    own = next((one for one in table.columns if _is_key(one)), None)
    everything = ", ".join(one.sql for one in table.columns)
    if first is None:
        return f"hash({own.sql if own is not None else everything})"
    # Those that refer to nobody are no family.
    return f"coalesce(hash({first.column.sql}), hash({everything}))"


def _parents_first(references: dict[str, list[_Reference]]) -> tuple[str, ...]:
    graph = {one: {each.to for each in found} for one, found in references.items()}
    try:
        return tuple(TopologicalSorter(graph).static_order())
    except CycleError:  # two tables that refer to each other: in any order, and each by itself
        return tuple(graph)


def _replace(connection: duckdb.DuckDBPyConnection, relation: str, kept: str) -> str:
    """Put the sample in the place of the table, and what was there aside. Returns where that is."""
    place, _, identifier = relation.rpartition(".")
    aside = f"{place}.{quoted(identifier.strip(chr(34)) + '__all_rows')}"
    found = connection.execute(
        "select view_name from duckdb_views() where view_name = ? and not internal", [identifier.strip('"')]
    ).fetchone()
    if found is not None:
        connection.execute(f"create table {aside} as from {relation}")
        connection.execute(f"drop view {relation}")
    else:
        connection.execute(f"alter table {relation} rename to {quoted(identifier.strip(chr(34)) + '__all_rows')}")
    connection.execute(f"create table {relation} as select * from {aside} as clean where {kept}")
    return aside
