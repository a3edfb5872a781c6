"""Faults of the time of day: the date is right, and the hour is not that of any other day."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts import CONTRACTS
from reliability_platform.lab.faults.anomaly import WITHIN_LIMITS, anomaly
from reliability_platform.lab.faults.fault import Deliveries, InjectionResult
from reliability_platform.lab.faults.new_keys import with_copies
from reliability_platform.lab.faults.rows import (
    Positions,
    chosen,
    days_of,
    marked,
    of_the_day,
    spoil_positions,
    where,
    with_column,
    without_rows,
)
from reliability_platform.lab.faults.targets import HAPPENED_AT, NEW_KEYS, NOBODY_REFERS, TIME_OF_DAY, both
from reliability_platform.sources.batch import Batch

_HOUR = 3_600_000_000
"""In microseconds."""


def _hours(moments: pa.Array | pa.ChunkedArray) -> np.ndarray:  # type: ignore[type-arg]
    """The hour in which each moment lies, counted from 1970; that of no moment is the first."""
    return np.asarray(pc.fill_null(pc.cast(moments, pa.int64()), 0)) // _HOUR


def _in_some_hours(clean: Deliveries, day: date, hours: float, rng: np.random.Generator) -> list[Positions]:
    """The rows of so many hours on end, none of the quiet ones; of fewer hours where those have more than 15 % of the day."""
    name = CONTRACTS[clean[day][0].source].event_time
    starts, counts = np.unique(_hours(of_the_day(clean[day], name)), return_counts=True)
    before = np.concatenate([[0], np.cumsum(counts)])
    for length in range(int(hours), 0, -1):
        rows = before[np.searchsorted(starts, starts + length)] - before[:-1]
        fit = (rows <= WITHIN_LIMITS * counts.sum()) & (rows >= np.median(rows))
        if fit.any() or length == 1:
            break
    begin = rng.choice(starts[fit if fit.any() else rows == rows.min()])
    after = [_hours(batch.table[name]) - begin for batch in clean[day]]
    return [np.flatnonzero((one >= 0) & (one < length)) for one in after]


def _hours_missing(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    return without_rows(clean, day, _in_some_hours(clean, day, magnitude, rng))


def _hours_repeated(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    return with_copies(clean, day, _in_some_hours(clean, day, magnitude, rng))


def _clock_shift(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """Event times are so many hours behind. Those of the first hours of a day stay: they would be of another day."""
    del rng
    source = clean[day][0].source
    name = CONTRACTS[source].event_time

    def behind(batch: Batch) -> pa.ChunkedArray:
        return pc.subtract(batch.table[name], pa.scalar(timedelta(hours=magnitude), pa.duration("us")))

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        moved = pc.if_else(marked(batch.table.num_rows, hit), behind(batch), batch.table[name])
        return with_column(batch.table, name, moved)

    hits = [where(pc.equal(days_of(source, behind(one)), days_of(source, one.table[name]))) for one in clean[day]]
    return spoil_positions(clean, day, hits, spoil, name)


def _midnight_timestamps(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    name = TIME_OF_DAY.of(clean[day][0].source)[-1].name

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        moments = batch.table[name]
        midnight = pc.cast(pc.floor_temporal(moments, unit="day"), moments.type)
        return with_column(batch.table, name, pc.if_else(marked(len(moments), hit), midnight, moments))

    return spoil_positions(clean, day, [chosen(rng, one.table.num_rows, magnitude) for one in clean[day]], spoil, name)


_HOURS = {"small": 1, "medium": 2, "large": 4}

TIME_OF_DAY_FAULTS = (
    anomaly(
        "hours_missing",
        "time_of_day",
        "Rows of some hours do not come, although every batch does.",
        both(HAPPENED_AT, NOBODY_REFERS),
        _HOURS,
        "hours on end without rows; fewer where they would have more than 15 % of the day's",
        _hours_missing,
    ),
    anomaly(
        "hours_repeated",
        "time_of_day",
        "Rows of some hours come twice, under new keys: a window that was exported once more.",
        both(NEW_KEYS, HAPPENED_AT),
        _HOURS,
        "hours on end whose rows come twice; fewer where they would have more than 15 % of the day's",
        _hours_repeated,
    ),
    anomaly(
        "clock_shift",
        "time_of_day",
        "Event times are hours behind, as of another zone or of a summer time forgotten; their date stays right.",
        HAPPENED_AT,
        {"small": 1, "medium": 2, "large": 4},
        "hours by which event times are behind, where that leaves them on their date",
        _clock_shift,
    ),
    anomaly(
        "midnight_timestamps",
        "time_of_day",
        "Moments lose their time of day: all are of midnight, as after a cast to a date.",
        TIME_OF_DAY,
        {"small": 0.1, "medium": 0.4, "large": 1.0},
        "share of the day's rows whose moment has no time of day",
        _midnight_timestamps,
    ),
)
