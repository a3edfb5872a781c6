"""Faults of volume: too many rows, too few, or too many of one key. Every single row could be true."""

from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa

from reliability_platform.lab.faults.fault import BAD_ROWS, Containment, Deliveries, Fault, InjectionResult
from reliability_platform.lab.faults.new_keys import with_copies
from reliability_platform.lab.faults.rows import Positions, chosen, of_the_day, spoil_rows, with_values, without_rows
from reliability_platform.lab.faults.targets import ANYTHING, ENTITY, NEW_KEYS, RECONCILIATION
from reliability_platform.sources.batch import Batch


def more_rows(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """Add distinct rows to every batch until the day has `magnitude` times its rows."""
    counts = [batch.table.num_rows for batch in clean[day]]
    hits = [np.sort(rng.integers(0, max(count, 1), round(count * (magnitude - 1)))) for count in counts]
    return with_copies(clean, day, hits)


def fewer_rows(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """Keep a share `magnitude` of each batch's rows; all batches come."""
    kept = [chosen(rng, batch.table.num_rows, magnitude) for batch in clean[day]]
    everything = [np.arange(batch.table.num_rows) for batch in clean[day]]
    return without_rows(clean, day, [np.setdiff1d(whole, some) for whole, some in zip(everything, kept, strict=True)])


def _hot_partition_skew(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    name = ENTITY.of(clean[day][0].source)[0].name
    there = of_the_day(clean[day], name)
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
