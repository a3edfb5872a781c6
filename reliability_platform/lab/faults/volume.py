"""Faults of volume: too many rows, too few, or too many of one key. Every single row could be true."""

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.lab.faults.fault import BAD_ROWS, Containment, Deliveries, Fault, InjectionResult
from reliability_platform.lab.faults.rows import (
    Positions,
    chosen,
    copy_of,
    event_dates,
    keys_of,
    marked,
    spoil_rows,
    with_column,
    with_table,
)
from reliability_platform.sources.batch import Batch

INVENTED_KEYS = 50_000_000
"""Keys of invented rows begin so far after the day's first key; no day has that many true ones."""
KEYED = ("orders", "payments", "web_events")


def _copies(batch: Batch, share: float, first_key: int, rng: np.random.Generator) -> pa.Table:
    """Rows like those of the batch, `share` times as many, with keys of their own."""
    count = round(batch.table.num_rows * share)
    rows = batch.table.take(pa.array(np.sort(rng.integers(0, batch.table.num_rows, count))))
    keys = pa.array(first_key + np.arange(count, dtype=np.int64))
    return with_column(rows, CONTRACTS[batch.source].key[0], keys)


def more_rows(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """Add distinct rows to every batch until the day has `magnitude` times its rows."""
    deliveries = copy_of(clean)
    rows = [BAD_ROWS.empty_table()]
    next_key = day.toordinal() * 100_000_000 + INVENTED_KEYS
    for position, batch in enumerate(clean[day]):
        if batch.table.num_rows:
            added = _copies(batch, magnitude - 1, next_key, rng)
            next_key += added.num_rows
            deliveries[day][position] = with_table(batch, pa.concat_tables([batch.table, added]))
            rows.append(keys_of(with_table(batch, added)))
    touched = [batch for batch in clean[day] if batch.table.num_rows]
    return InjectionResult(
        deliveries,
        [batch.batch_id for batch in touched],
        [day],
        event_dates(batch.table for batch in touched),
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
    customer = int(rng.integers(1, 20))

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        column = batch.table["customer_id"]
        hot = pc.if_else(marked(len(column), hit), pa.scalar(customer, column.type), column)
        return with_column(batch.table, "customer_id", hot)

    injected = spoil_rows(clean, day, magnitude, rng, spoil, "customer_id")
    return InjectionResult(
        injected.deliveries,
        injected.batches,
        injected.landing_dates,
        injected.event_dates,
        BAD_ROWS.empty_table(),
        injected.column,
    )


VOLUME_FAULTS = (
    Fault(
        name="volume_spike",
        family="volume",
        description="Several times the usual rows, all distinct.",
        applies_to=SOURCES,
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
        applies_to=SOURCES,
        magnitudes={"small": 0.62, "medium": 0.4, "large": 0.1},
        magnitude_meaning="share of the day's usual rows that comes",
        expected_class="volume_anomaly",
        expected_severity="P2",
        root="int_{source}__deduplicated",
        signature=("int_{source}__deduplicated__volume",),
        symptoms=("rec_orders__vs__payments__matched",),
        containment=Containment.HELD,
        end_state="re-requested after approval, oracle-equal",
        injection=fewer_rows,
        whole_day=True,
    ),
    Fault(
        name="hot_partition_skew",
        family="volume",
        description="One customer takes most of the rows: a default value, a robot, a test account.",
        applies_to=KEYED,
        magnitudes={"small": 0.2, "medium": 0.5, "large": 0.9},
        magnitude_meaning="share of the day's rows that one customer takes",
        expected_class="key_skew",
        expected_severity="P2",
        root="int_{source}__deduplicated",
        signature=("int_{source}__deduplicated__key_share",),
        containment=Containment.NONE_NEEDED,
        end_state="confirmed or re-requested after approval, oracle-equal",
        injection=_hot_partition_skew,
        whole_day=True,
    ),
)
