"""Faults of amounts: each is possible by itself, and the usual one may even stay."""

from datetime import date, timedelta
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.lab.faults.anomaly import anomaly
from reliability_platform.lab.faults.fault import BAD_ROWS, Deliveries, InjectionResult
from reliability_platform.lab.faults.rows import (
    Positions,
    copy_of,
    marked,
    of_the_day,
    spoil_positions,
    spoil_rows,
    times,
    where,
    with_column,
    with_values,
)
from reliability_platform.lab.faults.targets import AMOUNTS, FRACTIONS, MEASURED, PARTNERS, both
from reliability_platform.sources.batch import Batch

MINOR_UNITS = 100
DRIFT_DAYS = 10
"""At 2 % a day a measure is 22 % too high in the end: no day by itself is strange."""


def _partner_unit_change(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """Partners are drawn until they have so large a share of the rows."""
    source = clean[day][0].source
    name, partner = MEASURED.of(source)[0].name, PARTNERS.of(source)[0].name
    counted = pc.value_counts(of_the_day(clean[day], partner)).flatten()
    order = rng.permutation(len(counted[0]))
    rows = np.cumsum(np.asarray(counted[1])[order])
    drawn = counted[0].take(pa.array(order[: 1 + np.searchsorted(rows, magnitude * rows[-1])]))
    hits = [where(pc.is_in(batch.table[partner], value_set=drawn)) for batch in clean[day]]
    return spoil_positions(clean, day, hits, partial(times, name, MINOR_UNITS), name)


def _constant_measure(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """The constant is the day's own middle value: the usual amount stays what it was."""
    name = AMOUNTS.of(clean[day][0].source)[0].name
    values = of_the_day(clean[day], name)
    middle = values.take(pc.sort_indices(values))[len(values) // 2]

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        return with_values(batch, name, hit, pa.repeat(middle, len(hit)))

    return spoil_rows(clean, day, magnitude, rng, spoil, name)


def _rounded_measure(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """Up, for most declared ranges begin above zero."""
    name = FRACTIONS.of(clean[day][0].source)[0].name

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        column = batch.table[name]
        whole = pc.cast(pc.ceil(column), column.type)
        return with_column(batch.table, name, pc.if_else(marked(len(column), hit), whole, column))

    return spoil_rows(clean, day, magnitude, rng, spoil, name)


def _measure_drift(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    del rng
    name = AMOUNTS.of(clean[day][0].source)[0].name
    deliveries, parts = copy_of(clean), []
    for number in range(DRIFT_DAYS):
        one, factor = day + timedelta(days=number), (1 + magnitude / 100) ** (number + 1)
        every = [np.arange(batch.table.num_rows) for batch in clean[one]]
        part = spoil_positions(clean, one, every, partial(times, name, factor), name)
        deliveries[one] = part.deliveries[one]
        parts.append(part)
    return InjectionResult(
        deliveries,
        [batch for part in parts for batch in part.batches],
        [one for part in parts if part.batches for one in part.landing_dates],
        sorted({one for part in parts for one in part.event_dates}),
        pa.concat_tables([BAD_ROWS.empty_table(), *(part.rows for part in parts)]),
        name,
    )


AMOUNT_FAULTS = (
    anomaly(
        "partner_unit_change",
        "amount",
        "A measure comes in minor units from few partners, as from one merchant: most rows are as ever, the sum is not.",
        both(MEASURED, PARTNERS),
        {"small": 0.005, "medium": 0.02, "large": 0.1},
        "share of the day's rows that are of these partners, and a hundred times too large",
        _partner_unit_change,
        symptoms=("stg_{source}__range_{column}", "stg_{source}__reject_share"),
    ),
    anomaly(
        "constant_measure",
        "amount",
        "A measure has one value in many rows, as of a default: the middle one, so that the usual row stays the same.",
        AMOUNTS,
        {"small": 0.1, "medium": 0.4, "large": 1.0},
        "share of the day's rows with the one value",
        _constant_measure,
    ),
    anomaly(
        "rounded_measure",
        "amount",
        "A measure loses its decimal places: it is rounded up to whole numbers.",
        FRACTIONS,
        {"small": 0.1, "medium": 0.4, "large": 1.0},
        "share of the day's rows whose measure is rounded",
        _rounded_measure,
    ),
    anomaly(
        "measure_drift",
        "amount",
        f"A measure grows a little each day for {DRIFT_DAYS} days, as by a rounding that is applied again and again.",
        AMOUNTS,
        {"small": 1, "medium": 2, "large": 2.5},
        "percent by which it grows from each day to the next",
        _measure_drift,
        also_known_as=("sources_disagree", "distribution_shift"),
        days_touched=DRIFT_DAYS,
    ),
)
