"""Faults of categories: each label is an allowed one, and their shares are not those of any other day."""

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.lab.faults.anomaly import anomaly
from reliability_platform.lab.faults.fault import Deliveries, InjectionResult
from reliability_platform.lab.faults.rows import Positions, chosen, labels_of, spoil_positions, where, with_values
from reliability_platform.lab.faults.targets import CATEGORIES
from reliability_platform.sources.batch import Batch


def _category_shift(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """A share of the rows with the commonest label bear the next common one instead."""
    found = labels_of(clean[day], CATEGORIES.of(clean[day][0].source))
    name = list(found)[int(rng.integers(len(found)))]
    (common, _), (other, _), *_ = found[name]

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        return with_values(batch, name, hit, pa.repeat(other, len(hit)))

    there = [where(pc.equal(batch.table[name], common)) for batch in clean[day]]
    hits = [places[chosen(rng, len(places), magnitude)] for places in there]
    return spoil_positions(clean, day, hits, spoil, name)


CATEGORY_FAULTS = (
    anomaly(
        "category_shift",
        "category",
        "Rows bear another allowed label than their own: a third of the captured payments are declined.",
        CATEGORIES,
        {"small": 0.1, "medium": 1 / 3, "large": 0.8},
        "share of the rows with the commonest label of a column that bear its second",
        _category_shift,
    ),
)
