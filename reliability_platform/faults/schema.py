"""Faults of schema: columns that are not what the contract says."""

from datetime import date

import numpy as np
import pyarrow as pa

from reliability_platform.faults.fault import Deliveries, Fault, Struck
from reliability_platform.faults.rows import copy_of, event_dates, keys_of, with_table

RENAMES = {
    "orders": ("customer_id", "user_id"),
    "payments": ("customer_id", "user_id"),
    "web_events": ("session_id", "visit_id"),
    "shipments": ("weight_grams", "weight_g"),
}


def _schema_column_renamed(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> Struck:
    deliveries = copy_of(clean)
    filled = [position for position, batch in enumerate(clean[day]) if batch.table.num_rows]
    hit = sorted(rng.choice(filled, min(int(magnitude), len(filled)), replace=False))
    for position in hit:
        batch = clean[day][position]
        old, new = RENAMES[batch.source]
        names = [new if name == old else name for name in batch.table.column_names]
        deliveries[day][position] = with_table(batch, batch.table.rename_columns(names))
    return Struck(
        deliveries=deliveries,
        batches=[clean[day][position].batch_id for position in hit],
        landing_dates=[day],
        event_dates=event_dates(clean[day][position].table for position in hit),
        rows=pa.concat_tables([keys_of(clean[day][position]) for position in hit]),
    )


SCHEMA_FAULTS = (
    Fault(
        name="schema_column_renamed",
        family="schema",
        stage="landing",
        description="The producer renames a required column without notice.",
        applies_to=tuple(RENAMES),
        magnitudes={"small": 1, "medium": 2, "large": 4},
        magnitude_meaning="batches of the day with the renamed column",
        expected_severity="P1",
        expected_class="schema_break",
        end_state="rename shim, replayed from quarantine, oracle-equal",
        days_touched=1,
        strike=_schema_column_renamed,
    ),
)
