"""Faults of identifiers: too few different ones, too many, or ones that were never there."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts.contract import Column
from reliability_platform.lab.faults.anomaly import anomaly
from reliability_platform.lab.faults.fault import Deliveries, InjectionResult
from reliability_platform.lab.faults.rows import Positions, marked, of_the_day, spoil_rows, with_column, with_values
from reliability_platform.lab.faults.targets import FREE_IDENTIFIERS, NAMELESS
from reliability_platform.sources.batch import Batch

_SHARES = {"small": 0.05, "medium": 0.2, "large": 0.8}
_NEVER = 90_000_000
"""Added to a number, or to the number of a day: no true one is there."""


def _repeated_most(clean: Deliveries, day: date, columns: Sequence[Column]) -> str:
    """The column whose values come again most often: it alone has few different ones."""
    different = [pc.count_distinct(of_the_day(clean[day], one.name)).as_py() for one in columns]
    return columns[int(np.argmin(different))].name


def _distinct_collapse(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """The first value of the day is that of many rows."""
    columns = NAMELESS.of(clean[day][0].source)
    name = columns[int(rng.integers(len(columns)))].name
    first = of_the_day(clean[day], name)[0]

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        return with_values(batch, name, hit, pa.repeat(first, len(hit)))

    return spoil_rows(clean, day, magnitude, rng, spoil, name)


def _distinct_explosion(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """Each row has a value of its own, as where a session ends with every click."""
    name = _repeated_most(clean, day, FREE_IDENTIFIERS.of(clean[day][0].source))

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        kind = batch.table.schema.field(name).type
        numbers = batch.sequence * 1_000_000 + np.arange(len(hit))
        if pa.types.is_string(kind):
            fresh = pa.array([f"{batch.batch_id}-{number}" for number in numbers])
        else:
            fresh = pa.array(day.toordinal() * 100_000_000 + _NEVER + numbers if kind.bit_width == 64 else -1 - numbers)
        return with_values(batch, name, hit, fresh)

    return spoil_rows(clean, day, magnitude, rng, spoil, name)


def _unseen_values(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """As many different values as ever, none of them known: another numbering."""
    columns = FREE_IDENTIFIERS.of(clean[day][0].source)
    name = columns[int(rng.integers(len(columns)))].name

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        column = batch.table[name]
        if pa.types.is_string(column.type):
            other = pc.binary_join_element_wise("X", column, "-")
        else:
            other = pc.add(column, pa.scalar(_NEVER if column.type.bit_width > 16 else 9_000, column.type))
        return with_column(batch.table, name, pc.if_else(marked(len(column), hit), other, column))

    return spoil_rows(clean, day, magnitude, rng, spoil, name)


DISTINCT_FAULTS = (
    anomaly(
        "distinct_collapse",
        "distinct",
        "One value of an identifier stands in many rows: one session in a day, one product in all orders.",
        NAMELESS,
        _SHARES,
        "share of the day's rows with the one value",
        _distinct_collapse,
    ),
    anomaly(
        "distinct_explosion",
        "distinct",
        "Rows that belong together have a value each: a session for every click.",
        FREE_IDENTIFIERS,
        _SHARES,
        "share of the day's rows with a value of their own",
        _distinct_explosion,
    ),
    anomaly(
        "unseen_values",
        "distinct",
        "An identifier without a declared reference holds values that it never had, as after a new numbering.",
        FREE_IDENTIFIERS,
        _SHARES,
        "share of the day's rows whose value never came before",
        _unseen_values,
    ),
)
