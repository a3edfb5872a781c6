"""Faults of timing: rows that come at another time than they should."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from reliability_platform.faults.fault import BAD_ROWS, Deliveries, Fault, Struck
from reliability_platform.faults.rows import chosen, copy_of, event_dates, with_table
from reliability_platform.sources import SOURCES

LATE_DAYS = 2
"""Late rows land one or two days after their day: within the default watermark of three days."""


def _late_events(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> Struck:
    deliveries = copy_of(clean)
    moved: dict[date, list[pa.Table]] = {day + timedelta(days=offset): [] for offset in range(1, LATE_DAYS + 1)}
    touched = []
    for position, batch in enumerate(clean[day]):
        late = chosen(rng, batch.table.num_rows, magnitude)
        if not len(late):
            continue
        touched.append(batch.batch_id)
        on_time = np.ones(batch.table.num_rows, dtype=bool)
        on_time[late] = False
        deliveries[day][position] = with_table(batch, batch.table.filter(pa.array(on_time)))
        delays = rng.integers(1, LATE_DAYS + 1, len(late))
        for offset in range(1, LATE_DAYS + 1):
            moved[day + timedelta(days=offset)].append(batch.table.take(pa.array(late[delays == offset])))
    moved = {landing_date: tables for landing_date, tables in moved.items() if any(len(table) for table in tables)}
    for landing_date, tables in moved.items():
        first = deliveries[landing_date][0]
        deliveries[landing_date][0] = with_table(first, pa.concat_tables([*tables, first.table]))
        touched.append(first.batch_id)
    return Struck(
        deliveries=deliveries,
        batches=touched,
        landing_dates=[day, *moved],
        event_dates=event_dates(table for tables in moved.values() for table in tables),
        rows=BAD_ROWS.empty_table(),  # late rows are good rows
    )


TIMING_FAULTS = (
    Fault(
        name="late_events",
        family="timing",
        stage="landing",
        description="Events land one or two days after their day, within the watermark.",
        applies_to=SOURCES,
        magnitudes={"small": 0.06, "medium": 0.15, "large": 0.4},
        magnitude_meaning="share of the day's rows that lands late",
        expected_severity="P3",
        expected_class="late_data",
        end_state="event dates recomputed, oracle-equal",
        days_touched=1 + LATE_DAYS,
        strike=_late_events,
    ),
)
