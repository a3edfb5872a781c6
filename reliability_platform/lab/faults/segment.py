"""Faults of a segment: one label has too few rows or too many, within the limits of the day as a whole."""

from datetime import date

import numpy as np
import pyarrow.compute as pc

from reliability_platform.lab.faults.anomaly import WITHIN_LIMITS, anomaly
from reliability_platform.lab.faults.fault import Deliveries, InjectionResult
from reliability_platform.lab.faults.new_keys import with_copies
from reliability_platform.lab.faults.rows import Positions, chosen, labels_of, where, without_rows
from reliability_platform.lab.faults.targets import NEW_KEYS, SEGMENTS, both


def _of_a_segment(clean: Deliveries, day: date, share: float, rng: np.random.Generator) -> list[Positions]:
    """So large a share of the rows of the largest label that has at most a fifth of them; of a larger one, a fifth of all."""
    name, labels = labels_of(clean[day], SEGMENTS.of(clean[day][0].source), rng)
    limit = WITHIN_LIMITS * sum(batch.table.num_rows for batch in clean[day])
    label, rows = next((one for one in labels if one[1] <= limit), labels[-1])
    there = [where(pc.equal(batch.table[name], label)) for batch in clean[day]]
    return [places[chosen(rng, len(places), min(share, limit / rows))] for places in there]


def _segment_missing(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    return without_rows(clean, day, _of_a_segment(clean, day, magnitude, rng))


def _segment_doubled(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    return with_copies(clean, day, _of_a_segment(clean, day, magnitude, rng))


_SIZES = {"small": 0.25, "medium": 0.5, "large": 1.0}

SEGMENT_FAULTS = (
    anomaly(
        "segment_missing",
        "segment",
        "Rows of one label do not come, as of one carrier; the day has hardly fewer rows than others.",
        SEGMENTS,
        _SIZES,
        "share of one label's rows that do not come; the label has at most a fifth of the day's rows",
        _segment_missing,
    ),
    anomaly(
        "segment_doubled",
        "segment",
        "Rows of one label come twice, under new keys; the day has hardly more rows than others.",
        both(NEW_KEYS, SEGMENTS),
        _SIZES,
        "share of one label's rows that come twice; the label has at most a fifth of the day's rows",
        _segment_doubled,
    ),
)
