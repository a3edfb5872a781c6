"""Faults of value: fields that hold what they should not."""

from collections.abc import Callable
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.faults.fault import BAD_ROWS, Deliveries, Fault, Struck
from reliability_platform.faults.rows import chosen, copy_of, event_dates, keys_of, with_table
from reliability_platform.sources.batch import Batch

NULLED = {"orders": "customer_id", "payments": "customer_id", "web_events": "event_type", "shipments": "order_id"}
GARBAGE = ('{"device": "mob', "", "not json at all", '{"device": "desktop\x00"', "\x00\x00", "[1, 2", "NaN{}", '{"a":}')
"""What arrives instead of a JSON object: cut short, empty, text, NUL bytes."""


def _replace_values(
    clean: Deliveries,
    day: date,
    share: float,
    rng: np.random.Generator,
    spoil: Callable[[Batch, np.ndarray, np.random.Generator], pa.Table],  # type: ignore[type-arg]
) -> Struck:
    """Spoil a random share of each batch's rows."""
    deliveries = copy_of(clean)
    bad, touched, rows = [], [], [BAD_ROWS.empty_table()]
    for position, batch in enumerate(clean[day]):
        hit = chosen(rng, batch.table.num_rows, share)
        if not len(hit):
            continue
        deliveries[day][position] = with_table(batch, spoil(batch, hit, rng))
        touched.append(batch.batch_id)
        bad.append(batch.table.take(pa.array(hit)))
        rows.append(keys_of(batch, hit))
    return Struck(deliveries, touched, [day], event_dates(bad), pa.concat_tables(rows))


def _null_spike(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> Struck:
    def spoil(batch: Batch, hit: np.ndarray, _: np.random.Generator) -> pa.Table:  # type: ignore[type-arg]
        name = NULLED[batch.source]
        good = np.ones(batch.table.num_rows, dtype=bool)
        good[hit] = False
        column = batch.table[name]
        nulled = pc.if_else(pa.array(good), column, pa.scalar(None, column.type))
        return batch.table.set_column(batch.table.column_names.index(name), name, nulled)

    return _replace_values(clean, day, magnitude, rng, spoil)


def _corrupt_payloads(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> Struck:
    def spoil(batch: Batch, hit: np.ndarray, generator: np.random.Generator) -> pa.Table:  # type: ignore[type-arg]
        bad = np.zeros(batch.table.num_rows, dtype=bool)
        bad[hit] = True
        garbage = pa.array(GARBAGE).take(pa.array(generator.integers(0, len(GARBAGE), batch.table.num_rows)))
        payload = pc.if_else(pa.array(bad), garbage, batch.table["payload"])
        return batch.table.set_column(batch.table.column_names.index("payload"), "payload", payload)

    return _replace_values(clean, day, magnitude, rng, spoil)


VALUE_FAULTS = (
    Fault(
        name="null_spike",
        family="value",
        stage="landing",
        description="A required field is suddenly null in many rows.",
        applies_to=tuple(NULLED),
        magnitudes={"small": 0.03, "medium": 0.12, "large": 0.5},
        magnitude_meaning="share of the day's rows whose field is null",
        expected_severity="P2",
        expected_class="null_spike",
        end_state="re-requested, oracle-equal",
        days_touched=1,
        strike=_null_spike,
    ),
    Fault(
        name="corrupt_payloads",
        family="value",
        stage="landing",
        description="Payloads arrive malformed, empty or with NUL bytes.",
        applies_to=("web_events",),
        magnitudes={"small": 0.02, "medium": 0.08, "large": 0.3},
        magnitude_meaning="share of the day's rows whose payload is no JSON object",
        expected_severity="P2",
        expected_class="payload_corruption",
        end_state="re-requested, oracle-equal",
        days_touched=1,
        strike=_corrupt_payloads,
    ),
)
