"""Rows that come a second time under keys of their own: nothing of their content says that they are copies."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts.contract import Column
from reliability_platform.lab.faults.fault import BAD_ROWS, Deliveries, InjectionResult
from reliability_platform.lab.faults.rows import Positions, bad_rows, copy_of, event_dates, with_column, with_table
from reliability_platform.lab.faults.targets import NEW_KEYS
from reliability_platform.sources.batch import Batch

INVENTED_KEYS = 50_000_000
"""Keys of invented rows begin so far after the day's first key; no day has that many true ones."""
DAYS_APART = 366
"""So many days have parts of their own of the numbers of a small type."""


def _new_values(column: Column, table: pa.Table, day: date, start: int) -> pa.Array:
    """Values of a key's column that no true row has, and no other day invents."""
    kind, count = table.schema.field(column.name).type, table.num_rows
    numbers = start + np.arange(count, dtype=np.int64)
    if pa.types.is_string(kind):
        return pa.array([f"invented-{day.toordinal()}-{number}" for number in numbers])
    if pa.types.is_timestamp(kind):
        return pc.add(table[column.name], pa.array(numbers).cast(pa.duration("us"))).combine_chunks()
    if kind.bit_width == 64:
        return pa.array(day.toordinal() * 100_000_000 + INVENTED_KEYS + numbers)
    # From the largest value down, where true keys are last: a part of its own for each day of a year.
    largest = 2 ** (kind.bit_width - 1) - 1
    return pa.array(largest - day.toordinal() % DAYS_APART * (largest // (2 * DAYS_APART)) - numbers)


def with_new_keys(rows: pa.Table, batch: Batch, start: int) -> pa.Table:
    """Rows for a batch, with keys of their own; `start` have been invented on this day before."""
    column = NEW_KEYS.of(batch.source)[0]
    values = _new_values(column, rows, batch.landing_date, start)
    return with_column(rows, column.name, pc.cast(values, rows.schema.field(column.name).type))


def with_copies(clean: Deliveries, day: date, hits: Sequence[Positions]) -> InjectionResult:
    """Given rows of each batch come again in it, under new keys."""
    deliveries = copy_of(clean)
    rows, touched, start = [BAD_ROWS.empty_table()], [], 0
    for position, (batch, hit) in enumerate(zip(clean[day], hits, strict=True)):
        if len(hit):
            copies = with_new_keys(batch.table.take(pa.array(hit)), batch, start)
            start += copies.num_rows
            deliveries[day][position] = with_table(batch, pa.concat_tables([batch.table, copies]))
            rows.append(bad_rows(batch, copies))
            touched.append((batch, copies))
    return InjectionResult(
        deliveries,
        [batch.batch_id for batch, _ in touched],
        [day],
        event_dates(clean[day][0].source, (copies for _, copies in touched)),
        pa.concat_tables(rows),
    )
