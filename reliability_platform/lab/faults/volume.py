"""Faults of volume: too many rows, too few, or too many of one key. Every single row could be true."""

from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts.contract import Column
from reliability_platform.lab.faults.fault import BAD_ROWS, Containment, Deliveries, Fault, InjectionResult
from reliability_platform.lab.faults.rows import (
    Positions,
    chosen,
    copy_of,
    event_dates,
    keys_of,
    spoil_rows,
    with_column,
    with_table,
    with_values,
)
from reliability_platform.lab.faults.targets import ANYTHING, ENTITY, NEW_KEYS, RECONCILIATION
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


def _copies(batch: Batch, share: float, start: int, rng: np.random.Generator) -> pa.Table:
    """Rows like those of the batch, `share` times as many, with keys of their own."""
    count = round(batch.table.num_rows * share)
    rows = batch.table.take(pa.array(np.sort(rng.integers(0, batch.table.num_rows, count))))
    column = NEW_KEYS.of(batch.source)[0]
    return with_column(
        rows,
        column.name,
        pc.cast(_new_values(column, rows, batch.landing_date, start), rows.schema.field(column.name).type),
    )


def more_rows(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """Add distinct rows to every batch until the day has `magnitude` times its rows."""
    deliveries = copy_of(clean)
    rows = [BAD_ROWS.empty_table()]
    start = 0
    for position, batch in enumerate(clean[day]):
        if batch.table.num_rows:
            added = _copies(batch, magnitude - 1, start, rng)
            start += added.num_rows
            deliveries[day][position] = with_table(batch, pa.concat_tables([batch.table, added]))
            rows.append(keys_of(with_table(batch, added)))
    touched = [batch for batch in clean[day] if batch.table.num_rows]
    return InjectionResult(
        deliveries,
        [batch.batch_id for batch in touched],
        [day],
        event_dates(clean[day][0].source, (batch.table for batch in touched)),
        pa.concat_tables(rows),
    )


def fewer_rows(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """Keep a share `magnitude` of each batch's rows; all batches come."""
    deliveries = copy_of(clean)
    touched = []
    for position, batch in enumerate(clean[day]):
        kept = chosen(rng, batch.table.num_rows, magnitude)
        if len(kept) < batch.table.num_rows:
            deliveries[day][position] = with_table(batch, batch.table.take(pa.array(kept)))
            touched.append(batch)
    return InjectionResult(
        deliveries,
        [batch.batch_id for batch in touched],
        [day],
        # As with a missing batch: rows of earlier dates may come later still; the day itself must not be shown.
        [day],
        BAD_ROWS.empty_table(),  # the rows that came are right
    )


def _hot_partition_skew(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    name = ENTITY.of(clean[day][0].source)[0].name
    there = pc.drop_null(pa.chunked_array([batch.table[name].combine_chunks() for batch in clean[day]]))
    hot = there[int(rng.integers(len(there)))]

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        return with_values(batch, name, hit, pa.array([hot.as_py()] * len(hit), hot.type))

    injected = spoil_rows(clean, day, magnitude, rng, spoil, name)
    return replace(injected, rows=BAD_ROWS.empty_table())


VOLUME_FAULTS = (
    Fault(
        name="volume_spike",
        family="volume",
        description="Several times the usual rows, all distinct.",
        target=NEW_KEYS,
        magnitudes={"small": 1.6, "medium": 2.5, "large": 5},
        magnitude_meaning="times the day's usual rows",
        expected_class="volume_anomaly",
        expected_severity="P2",
        root="int_{source}__deduplicated",
        signature=("int_{source}__deduplicated__volume",),
        containment=Containment.HELD,
        end_state="confirmed or re-requested after approval, oracle-equal",
        injection=more_rows,
        whole_day=True,
    ),
    Fault(
        name="volume_drop",
        family="volume",
        description="Far fewer rows than usual although all batches came.",
        target=ANYTHING,
        magnitudes={"small": 0.62, "medium": 0.4, "large": 0.1},
        magnitude_meaning="share of the day's usual rows that comes",
        expected_class="volume_anomaly",
        expected_severity="P2",
        root="int_{source}__deduplicated",
        signature=("int_{source}__deduplicated__volume",),
        symptoms=(RECONCILIATION,),
        containment=Containment.HELD,
        end_state="re-requested after approval, oracle-equal",
        injection=fewer_rows,
        whole_day=True,
    ),
    Fault(
        name="hot_partition_skew",
        family="volume",
        description="One entity, as a customer, takes most of the rows: a default value, a robot, a test account.",
        target=ENTITY,
        magnitudes={"small": 0.2, "medium": 0.5, "large": 0.9},
        magnitude_meaning="share of the day's rows that one entity takes",
        expected_class="key_skew",
        expected_severity="P2",
        root="int_{source}__deduplicated",
        signature=("int_{source}__deduplicated__{key_share}",),
        containment=Containment.NONE_NEEDED,
        end_state="confirmed or re-requested after approval, oracle-equal",
        injection=_hot_partition_skew,
        whole_day=True,
    ),
)
