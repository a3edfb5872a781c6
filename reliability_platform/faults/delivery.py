"""Faults of delivery: whole batches that come twice or not at all."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from reliability_platform.faults.fault import BAD_ROWS, Deliveries, Fault, Struck
from reliability_platform.faults.rows import copy_of, event_dates
from reliability_platform.sources import SOURCES
from reliability_platform.sources.batch import batch_id

MAX_RESENDS = 5


def _duplicate_retry_storm(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> Struck:
    deliveries = copy_of(clean)
    filled = [batch for batch in clean[day] if batch.table.num_rows]
    hit = [filled[position] for position in sorted(rng.choice(len(filled), min(int(magnitude), len(filled)), False))]
    resent = []
    for batch in hit:
        for number in range(1, int(rng.integers(1, MAX_RESENDS + 1)) + 1):
            resent.append(
                replace(
                    batch,
                    batch_id=batch_id(batch.source, day, batch.sequence, f"-r{number}"),
                    kind="resend",
                    produced_at=batch.produced_at + timedelta(minutes=number),
                    landed_at=batch.landed_at + timedelta(minutes=number),
                )
            )
    deliveries[day] = deliveries[day] + resent
    return Struck(
        deliveries=deliveries,
        batches=[batch.batch_id for batch in resent],
        landing_dates=[day],
        event_dates=event_dates(batch.table for batch in hit),
        rows=BAD_ROWS.empty_table(),  # every row is good, it only comes too often
    )


def _missing_batch(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> Struck:
    deliveries = copy_of(clean)
    filled = [batch for batch in clean[day] if batch.table.num_rows]
    lost = [filled[position] for position in sorted(rng.choice(len(filled), min(int(magnitude), len(filled)), False))]
    lost_ids = {batch.batch_id for batch in lost}
    deliveries[day] = [batch for batch in deliveries[day] if batch.batch_id not in lost_ids]
    return Struck(
        deliveries=deliveries,
        batches=sorted(lost_ids),
        landing_dates=[day],
        # Rows of earlier event dates may come later still, the watermark allows it; the day itself must not be shown.
        event_dates=[day],
        rows=BAD_ROWS.empty_table(),  # the rows are not wrong, they are not there
    )


DELIVERY_FAULTS = (
    Fault(
        name="duplicate_retry_storm",
        family="delivery",
        stage="landing",
        description="A producer does not see its acknowledgements and re-sends whole batches under new ids.",
        applies_to=SOURCES,
        magnitudes={"small": 1, "medium": 2, "large": 4},
        magnitude_meaning="batches of the day that are re-sent, each one to five times",
        expected_severity="P2",
        expected_class="duplicate_delivery",
        end_state="oracle-equal at once",
        days_touched=1,
        strike=_duplicate_retry_storm,
    ),
    Fault(
        name="missing_batch",
        family="delivery",
        stage="landing",
        description="Expected batches never arrive.",
        applies_to=SOURCES,
        magnitudes={"small": 1, "medium": 2, "large": 3},
        magnitude_meaning="batches of the day that never arrive",
        expected_severity="P1",
        expected_class="missing_data",
        end_state="re-requested, oracle-equal",
        days_touched=1,
        strike=_missing_batch,
    ),
)
