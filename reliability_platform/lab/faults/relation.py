"""Faults of relations: every column by itself looks as ever, and what holds between columns does not."""

import itertools
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts.contract import Column
from reliability_platform.lab.faults.anomaly import anomaly
from reliability_platform.lab.faults.fault import Deliveries, InjectionResult
from reliability_platform.lab.faults.rows import (
    Positions,
    chosen,
    marked,
    spoil_positions,
    spoil_rows,
    where,
    with_column,
    with_values,
)
from reliability_platform.lab.faults.targets import IDENTIFIERS, INTERCHANGEABLE, MOMENTS
from reliability_platform.sources.batch import Batch

_SHARES = {"small": 0.02, "medium": 0.1, "large": 0.5}


def _unnamed(injected: InjectionResult) -> InjectionResult:
    """Of columns that do not fit each other, nobody can say which one was hit."""
    return replace(injected, column=None)


def _moments_out_of_order(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """The last moment lies as far before the first as it lay behind it: promised before ordered."""
    first, *_, last = (one.name for one in MOMENTS.of(clean[day][0].source))

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        early, late = batch.table[first], batch.table[last]
        mirrored = pc.subtract(early, pc.subtract(late, early))
        return with_column(batch.table, last, pc.if_else(marked(len(late), hit), mirrored, late))

    return _unnamed(spoil_rows(clean, day, magnitude, rng, spoil, last))


def _misaligned_column(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """Values of one column stand a row too low: all of them exist, each belongs to another row."""
    columns = IDENTIFIERS.of(clean[day][0].source)
    name = columns[int(rng.integers(len(columns)))].name

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        above = batch.table[name].combine_chunks().take(pa.array(hit - 1 + batch.table.num_rows * (hit == 0)))
        return with_values(batch, name, hit, above)

    return _unnamed(spoil_rows(clean, day, magnitude, rng, spoil, name))


def _fits(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    """Whether a value may be one of a column."""
    numbers = pc.cast(values, pa.float64())
    low, high = column.minimum, column.maximum
    possible = pc.and_(
        pc.greater_equal(numbers, -np.inf if low is None else low),
        pc.less_equal(numbers, np.inf if high is None else high),
    )
    return pc.fill_null(possible, not column.required)


def _swapped_columns(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """Two columns are swapped in rows that stay possible; of all pairs, one in which most rows may be."""

    def there(batch: Batch, one: Column, other: Column) -> Positions:
        left, right = batch.table[one.name], batch.table[other.name]
        same = pc.or_(pc.fill_null(pc.equal(left, right), False), pc.and_(pc.is_null(left), pc.is_null(right)))
        return where(pc.and_not(pc.and_(_fits(right, one), _fits(left, other)), same))

    pairs = list(itertools.combinations(INTERCHANGEABLE.of(clean[day][0].source), 2))
    places = [[there(batch, *pair) for batch in clean[day]] for pair in pairs]
    rows = np.array([sum(map(len, one)) for one in places])
    drawn = int(rng.choice(np.flatnonzero(rows >= rows.max() / 2)))
    one, other = pairs[drawn]

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        left, right, marks = batch.table[one.name], batch.table[other.name], marked(batch.table.num_rows, hit)
        swapped = with_column(batch.table, one.name, pc.if_else(marks, right, left))
        return with_column(swapped, other.name, pc.if_else(marks, left, right))

    hits = [hit[chosen(rng, len(hit), magnitude)] for hit in places[drawn]]
    return _unnamed(spoil_positions(clean, day, hits, spoil, one.name))


RELATION_FAULTS = (
    anomaly(
        "moments_out_of_order",
        "relation",
        "A moment lies before the one that it must follow: promised before ordered.",
        MOMENTS,
        _SHARES,
        "share of the day's rows whose moments are in the wrong order",
        _moments_out_of_order,
    ),
    anomaly(
        "misaligned_column",
        "relation",
        "Values of one column stand in other rows: every customer exists, and is not the one of the order.",
        IDENTIFIERS,
        _SHARES,
        "share of the day's rows that bear the value of another row",
        _misaligned_column,
    ),
    anomaly(
        "swapped_columns",
        "relation",
        "Two columns of one type are swapped, where each may hold the values of the other.",
        INTERCHANGEABLE,
        _SHARES,
        "share of the rows that stay possible in which the columns are swapped",
        _swapped_columns,
    ),
)
