"""Which columns of a sample lead to reference tables, or to sources that are declared already, proved by their values.

Of what is declared rows have landed, or files lie where it is delivered; without either a name alone is a question, and no
promise.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from reliability_platform.contracts.contract import Column, Contract
from reliability_platform.contracts.inference.keys import repeated
from reliability_platform.contracts.inference.measured import ColumnProposal, measured
from reliability_platform.contracts.inference.sample import Sample, take_sample
from reliability_platform.contracts.inference.told import Told
from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.parquet import identifier

WHOLE = ("BIGINT", "INTEGER", "SMALLINT", "HUGEINT", "UBIGINT", "UINTEGER")
"""Whole numbers that may name something."""
KEPT = 0.99
"""Under 1 % of the rows may lead nowhere: a sample that does not hold proposes no promise."""
NEAR = 0.8
"""Of a column whose values are there in less, nothing is said."""
LEAST_TEXTS = 3
"""Different texts that are all there: of fewer it is chance."""


@dataclass(frozen=True)
class DeclaredSource:
    """A source of the project, and where its admitted rows are."""

    contract: Contract
    rows: str | None
    """SQL of a table; None where nothing has landed."""

    @property
    def deliveries(self) -> tuple[str, ...]:
        """Where files of it appear on this machine."""
        return tuple(one.address for one in self.contract.places if "://" not in one.address)


@dataclass(frozen=True)
class _Target:
    """A column that others may lead to."""

    table: str
    column: str
    type: str
    is_key: bool
    """Whether it alone identifies a row there."""

    @property
    def link(self) -> str:
        return f"{self.table}.{self.column}"


def references(
    sample: Sample,
    columns: Sequence[ColumnProposal],
    key: Sequence[str],
    tables: Mapping[str, Sequence[Path]],
    sources: Sequence[DeclaredSource] = (),
) -> dict[str, Told]:
    """By column of the sample what it leads to, or why that is not proposed."""
    found: dict[str, Told] = {}
    for table, files in sorted(tables.items()):
        with sample.connection.cursor() as other:
            for target in _of_table(other, table, files):
                wanted = [one for one in columns if _may_lead(one, target, key, found)]
                if wanted:
                    values = other.execute(f'select "{target.column}" as value from sample').to_arrow_table()
                    sample.connection.register("theirs", values)
                    _prove(sample.connection, wanted, target, "theirs", found)
                    sample.connection.unregister("theirs")
    landed = {one.contract.source: one.rows for one in sources}
    for by_name in (True, False):  # what is named after a column leads there, whatever else has the same values
        for source in sources:
            for target in _of_source(source.contract):
                wanted = [
                    one
                    for one in columns
                    if _may_lead(one, target, key, found) and _is_named_after(one.typed.name, target, key) is by_name
                ]
                if wanted:
                    name = source.contract.source
                    if landed[name] is None and by_name:  # to look into its files takes seconds
                        landed[name] = _delivered(sample.connection, source)
                    _to_source(sample.connection, wanted, target, landed[name], by_name, found)
    return found


def _delivered(connection: duckdb.DuckDBPyConnection, source: DeclaredSource) -> str | None:
    """The key of what has been delivered, where nothing has landed yet: a table of its own; None where there are no files."""
    if not source.deliveries:
        return None
    try:
        with connection.cursor() as other:
            take_sample(other, source.deliveries, full=False)
            names = ", ".join(map(identifier, source.contract.key))
            values = other.execute(f"select {names} from sample").to_arrow_table()
    except (UsageError, duckdb.Error):
        return None
    name = f"deliveries_of_{source.contract.source}"
    connection.register(name, values)
    return name


def _to_source(
    connection: duckdb.DuckDBPyConnection,
    wanted: Sequence[ColumnProposal],
    target: _Target,
    rows: str | None,
    by_name: bool,
    found: dict[str, Told],
) -> None:
    """Prove it by what has landed; where nothing does, or not as it should, a name is a question."""
    why = f"nothing of {target.table} is there that would prove it"
    if rows is not None:
        why = f"most of its values are not among those of {target.table} that are there"
        value = f"{identifier(target.column)} as value"
        try:
            _prove(connection, wanted, target, f"(select {value} from {rows})", found)
        except duckdb.Error:
            why = f"what is there of {target.table} cannot be read"
    for one in wanted:
        if by_name and one.typed.name not in found:
            found[one.typed.name] = Told(None, f"may refer to {target.link}: {why}", True)


def _of_table(other: duckdb.DuckDBPyConnection, table: str, files: Iterable[Path]) -> Iterator[_Target]:
    """The columns of a reference table that are unique in it."""
    theirs = take_sample(other, [str(path) for path in files], full=True)
    for one in measured(theirs):
        name, kind = one.typed.name, one.typed.type
        if one.missing == 0 and kind in ("VARCHAR", *WHOLE) and repeated(other, [name]) == 0:
            yield _Target(table, name, kind, True)


def _of_source(contract: Contract) -> Iterator[_Target]:
    """The columns of its key that name something."""
    for one in contract.columns:
        if one.name in contract.key and _names_something(one):
            yield _Target(contract.source, one.name, one.type, len(contract.key) == 1)


def _names_something(column: Column) -> bool:
    return not (column.json or column.valid_values) and column.type in ("VARCHAR", *WHOLE)


def _may_lead(one: ColumnProposal, target: _Target, key: Sequence[str], found: Mapping[str, Told]) -> bool:
    """Whether the values are worth looking at: texts that are many or named alike, numbers only where they are named after it, for
    small ones are found anywhere.
    """
    name, kind = one.typed.name, one.typed.type
    if name in found and (found[name].value is not None or not _is_named_after(name, target, key)):
        return False
    named = _is_named_after(name, target, key)
    if (kind, target.type) == ("VARCHAR", "VARCHAR"):
        # Of a key of several columns each part is shared by chance, as a code of two letters.
        return named or (target.is_key and one.distinct >= LEAST_TEXTS)
    return kind in WHOLE and target.type in WHOLE and named


def _is_named_after(name: str, target: _Target, key: Sequence[str]) -> bool:
    """`station_id` or `station` after `id` of `stations` or `raw_stations`; `faa` after `faa`. That both call their own key alike,
    as `id`, says nothing: each numbers its own rows.
    """
    if list(key) == [name] and name == target.column:
        return False
    thing = name.removesuffix(f"_{target.column}")
    tables = (target.table, target.table.removesuffix("s"))
    return name == target.column or any(one == thing or one.endswith(f"_{thing}") for one in tables)


def _prove(
    connection: duckdb.DuckDBPyConnection,
    wanted: Sequence[ColumnProposal],
    target: _Target,
    theirs: str,
    found: dict[str, Told],
) -> None:
    """Compare the different values of columns with those of a target; what is nearly all there is told."""
    terms = " union all ".join(
        f"select {number} as number, cast({identifier(one.typed.name)} as varchar) as v from sample"
        for number, one in enumerate(wanted)
    )
    rows = connection.execute(
        f"with known as (select distinct cast(value as varchar) as value from {theirs} where value is not null), "
        f"own as (select distinct number, v from ({terms}) where v is not null) "
        "select number, count(*), count(known.value) from own left join known on own.v = known.value group by number order by number"
    ).fetchall()
    for number, total, there in rows:
        if there < NEAR * total:
            continue
        told, is_kept = f"{there:,} of {counted(total, 'distinct value')} are there", there >= KEPT * total
        told = told if is_kept else f"of {target.link} {told}: no reference proposed"
        if is_kept and not target.is_key:
            told += f", in one column of the key of {target.table}"
        doubtful = there < total or not target.is_key
        found[wanted[number].typed.name] = Told(target.link if is_kept else None, told, doubtful)
