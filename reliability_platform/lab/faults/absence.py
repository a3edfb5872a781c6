"""Faults of absence: what may be missing is missing in many rows, or in all of them."""

from datetime import date

import numpy as np
import pyarrow.compute as pc

from reliability_platform.lab.faults.anomaly import anomaly
from reliability_platform.lab.faults.fault import Deliveries, InjectionResult
from reliability_platform.lab.faults.rows import chosen, spoil_positions, where, without_value
from reliability_platform.lab.faults.targets import OPTIONAL


def _optional_null_spike(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    columns = OPTIONAL.of(clean[day][0].source)
    name = columns[int(rng.integers(len(columns)))].name
    there = [where(pc.is_valid(batch.table[name])) for batch in clean[day]]
    hits = [places[chosen(rng, len(places), magnitude)] for places in there]
    return spoil_positions(clean, day, hits, lambda batch, hit: without_value(batch, name, hit), name)


ABSENCE_FAULTS = (
    anomaly(
        "optional_null_spike",
        "absence",
        "A field that may be null is null in many rows, or in all of them.",
        OPTIONAL,
        {"small": 0.1, "medium": 0.4, "large": 1.0},
        "share of the day's values of the field that are gone",
        _optional_null_spike,
    ),
)
