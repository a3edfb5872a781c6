"""Small operations on batches that several faults share. Input is never changed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Column
from reliability_platform.errors import UsageError
from reliability_platform.in_memory import in_memory
from reliability_platform.lab.faults.fault import BAD_ROWS, Deliveries, InjectionResult
from reliability_platform.landing.canonical import spelled
from reliability_platform.sources.batch import Batch

MOST_LABELS = 50
"""A text of more different values on one day is no label."""

Positions = npt.NDArray[np.int64]
Spoil = Callable[[Batch, Positions], pa.Table]
"""The rows of a batch with those at some positions spoiled."""


def copy_of(deliveries: Deliveries) -> dict[date, list[Batch]]:
    """The same batches in lists of their own."""
    return {day: list(batches) for day, batches in deliveries.items()}


def with_table(batch: Batch, table: pa.Table) -> Batch:
    """The batch with other rows."""
    return replace(batch, table=table)


def filled(batches: Sequence[Batch]) -> list[int]:
    """Positions of the batches that have rows."""
    return [position for position, batch in enumerate(batches) if batch.table.num_rows]


def some_batches(batches: Sequence[Batch], count: float, rng: np.random.Generator) -> list[int]:
    """Sorted positions of `count` random batches with rows, of all of them if there are fewer."""
    there = filled(batches)
    return sorted(rng.choice(there, min(max(1, int(count)), len(there)), replace=False).tolist())


def chosen(rng: np.random.Generator, count: int, share: float) -> Positions:
    """Sorted positions of a random share of `count` rows, at least one where there are any."""
    wanted = min(count, max(1, round(count * share))) if count else 0
    return np.sort(rng.choice(count, wanted, replace=False))


def marked(count: int, positions: Positions) -> pa.Array:
    """True at the given positions."""
    marks = np.zeros(count, dtype=bool)
    marks[positions] = True
    return pa.array(marks)


def with_column(table: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    """The table with one column replaced; its type may change."""
    return table.set_column(table.column_names.index(name), name, values)


def with_values(batch: Batch, name: str, positions: Positions, values: pa.Array) -> pa.Table:
    """The rows of the batch with a value of its own, of any type that becomes the column's, in each of some places."""
    column = batch.table[name]
    spread = np.zeros(len(column), dtype=np.int64)
    spread[positions] = np.arange(len(positions))
    put = pc.cast(values, column.type).take(pa.array(spread))
    return with_column(batch.table, name, pc.if_else(marked(len(column), positions), put, column))


def _scaled(values: pa.ChunkedArray, factor: float) -> pa.ChunkedArray:
    kind = values.type
    found = pc.multiply(pc.cast(values, pa.float64()), factor)
    if pa.types.is_decimal(kind):
        return pc.cast(pc.round(found, ndigits=kind.scale), kind)
    return pc.cast(pc.round(found), kind) if pa.types.is_integer(kind) else pc.cast(found, kind)


def times(name: str, factor: float, batch: Batch, positions: Positions) -> pa.Table:
    """The rows of the batch, in some of them a number times a factor, in its own type."""
    column = batch.table[name]
    return with_column(batch.table, name, pc.if_else(marked(len(column), positions), _scaled(column, factor), column))


def without_value(batch: Batch, name: str, positions: Positions) -> pa.Table:
    """The rows of the batch, in some of them without a value of a column."""
    column = batch.table[name]
    nulled = pc.if_else(marked(len(column), positions), pa.scalar(None, column.type), column)
    return with_column(batch.table, name, nulled)


def keys_of(batch: Batch, positions: Positions | None = None) -> pa.Table:
    """The keys of some rows of a batch (of all, by default) as `BAD_ROWS`."""
    return bad_rows(batch, batch.table if positions is None else batch.table.take(pa.array(positions)))


def bad_rows(batch: Batch, rows: pa.Table) -> pa.Table:
    """The keys of rows that came in a batch as `BAD_ROWS`."""
    contract = CONTRACTS[batch.source]
    keyed = spelled(rows.select(contract.key), contract, contract.key)
    with in_memory() as engine:
        engine.register("bad", keyed)
        keys = engine.execute(f"select {contract.record_key} as record_key from bad").to_arrow_table()["record_key"]
    keys = pc.cast(keys, pa.string()).combine_chunks()
    return pa.table([pa.repeat(batch.batch_id, len(keys)), keys], schema=BAD_ROWS)


def all_keys(batches: Iterable[Batch]) -> pa.Table:
    """The keys of all rows of some batches as `BAD_ROWS`."""
    return pa.concat_tables([BAD_ROWS.empty_table(), *(keys_of(batch) for batch in batches)])


def event_dates(source: str, tables: Iterable[pa.Table]) -> list[date]:
    """The event dates of all rows, sorted, by the calendar of the source."""
    found = set[date]()
    for table in tables:
        found.update(pc.unique(days_of(source, table[CONTRACTS[source].event_time])).to_pylist())
    return sorted(day for day in found if day is not None)


def days_of(source: str, moments: pa.ChunkedArray) -> pa.ChunkedArray:
    """The day of each moment by the calendar of the source."""
    if pa.types.is_timestamp(moments.type):
        zone = CONTRACTS[source].day_zone
        moments = pc.local_timestamp(pc.cast(pc.cast(moments, pa.timestamp("us", "UTC")), pa.timestamp("us", zone)))
    return moments.cast(pa.date32())


def of_the_day(batches: Iterable[Batch], name: str) -> pa.Array:
    """The values of one column in all batches of a day, nulls left out."""
    return pc.drop_null(pa.chunked_array([batch.table[name].combine_chunks() for batch in batches])).combine_chunks()


def where(condition: pa.ChunkedArray) -> Positions:
    """The positions at which a condition holds; not where it is unknown."""
    return np.flatnonzero(pc.fill_null(condition, False))


Labels = dict[str, list[tuple[Any, int]]]
"""Column → each value of it on a day and its rows, the commonest first."""


def labels_of(batches: Sequence[Batch], columns: Sequence[Column]) -> Labels:
    """Those of the columns that have few different values on this day. Raises `UsageError` if there is none."""
    found: Labels = {}
    for column in columns:
        counts = pc.value_counts(of_the_day(batches, column.name)).to_pylist()
        if 1 < len(counts) <= MOST_LABELS:
            found[column.name] = sorted(
                ((one["values"], one["counts"]) for one in counts), key=lambda one: (-one[1], one[0])
            )
    if not found:
        raise UsageError(
            f"No column of {batches[0].source} has between 2 and {MOST_LABELS} labels on {batches[0].landing_date}: "
            "choose another day or source."
        )
    return found


def without_rows(clean: Deliveries, day: date, hits: Sequence[Positions]) -> InjectionResult:
    """Given rows of each batch do not come; all batches do."""
    deliveries, touched = copy_of(clean), []
    for position, (batch, hit) in enumerate(zip(clean[day], hits, strict=True)):
        if len(hit):
            kept = pc.invert(marked(batch.table.num_rows, hit))
            deliveries[day][position] = with_table(batch, batch.table.filter(kept))
            touched.append(batch.batch_id)
    return InjectionResult(
        deliveries,
        touched,
        [day],
        # As with a missing batch: rows of earlier dates may come later still; the day itself must not be shown.
        [day],
        BAD_ROWS.empty_table(),  # the rows that came are right
    )


def spoil_rows(
    clean: Deliveries, day: date, share: float, rng: np.random.Generator, spoil: Spoil, column: str | None = None
) -> InjectionResult:
    """Spoil a random share of each batch's rows."""
    hits = [chosen(rng, batch.table.num_rows, share) for batch in clean[day]]
    return spoil_positions(clean, day, hits, spoil, column)


def spoil_positions(
    clean: Deliveries, day: date, hits: Sequence[Positions], spoil: Spoil, column: str | None = None
) -> InjectionResult:
    """Spoil given rows of each batch, by its position in the day."""
    deliveries = copy_of(clean)
    bad, touched, rows = [], [], [BAD_ROWS.empty_table()]
    for position, (batch, wanted) in enumerate(zip(clean[day], hits, strict=True)):
        spoiled = with_table(batch, spoil(batch, wanted)) if len(wanted) else batch
        hit = wanted if column is None else wanted[_differs(batch.table[column], spoiled.table[column], wanted)]
        if not len(hit):
            continue
        deliveries[day][position] = spoiled
        touched.append(batch.batch_id)
        bad.append(batch.table.take(pa.array(hit)))
        rows.append(keys_of(spoiled, hit))  # as they came: a column of the key may have been hit
    return InjectionResult(
        deliveries, touched, [day], event_dates(clean[day][0].source, bad), pa.concat_tables(rows), column
    )


def _differs(before: pa.ChunkedArray, after: pa.ChunkedArray, positions: Positions) -> npt.NDArray[np.bool_]:
    """At which of some places two columns differ: what was null, or worth nothing, may still be so."""
    one, other = before.take(pa.array(positions)), after.take(pa.array(positions))
    alike = pc.or_(pc.fill_null(pc.equal(one, other), False), pc.and_(pc.is_null(one), pc.is_null(other)))
    found: npt.NDArray[np.bool_] = pc.invert(alike).to_numpy()
    return found


def spoil_files(
    clean: Deliveries,
    day: date,
    count: float,
    rng: np.random.Generator,
    spoil: Callable[[Batch], Batch],
    *,
    refused: bool = True,
    column: str | None = None,
) -> InjectionResult:
    """Spoil whole files of the day; if they are to be `refused`, every row that they deliver is a bad one."""
    deliveries = copy_of(clean)
    hit = some_batches(clean[day], count, rng)
    for position in hit:
        deliveries[day][position] = spoil(clean[day][position])
    before = [clean[day][position] for position in hit]
    after = [deliveries[day][position] for position in hit]
    return InjectionResult(
        deliveries=deliveries,
        batches=[batch.batch_id for batch in before],
        landing_dates=[day],
        event_dates=event_dates(clean[day][0].source, (batch.table for batch in before)),
        rows=all_keys(after) if refused else BAD_ROWS.empty_table(),
        column=column,
    )
