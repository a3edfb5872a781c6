"""Faults of a segment: one label has too few rows or too many, within the limits of the day as a whole."""

from datetime import date

import numpy as np
import pyarrow.compute as pc

from reliability_platform.lab.faults.anomaly import WITHIN_LIMITS, anomaly
from reliability_platform.lab.faults.fault import Deliveries, InjectionResult
from reliability_platform.lab.faults.new_keys import with_copies
from reliability_platform.lab.faults.rows import Positions, chosen, labels_of, where, without_rows
from reliability_platform.lab.faults.targets import NEW_KEYS, NOBODY_REFERS, SEGMENTS, both

LEAST = 0.05
"""A label with a smaller share of the day's rows is hardly one that anybody would miss."""


def _of_a_segment(clean: Deliveries, day: date, share: float, rng: np.random.Generator) -> list[Positions]:
    """So large a share of the rows of a label that has a twentieth of the day's rows to 15 %; where there is none, of the
    largest with fewer, or of the smallest with more, as many as 15 % of the day."""
    rows = sum(batch.table.num_rows for batch in clean[day])
    found = labels_of(clean[day], SEGMENTS.of(clean[day][0].source))
    every = [(count / rows, name, label) for name, labels in found.items() for label, count in labels]
    fit = [one for one in every if LEAST <= one[0] <= WITHIN_LIMITS]
    small = [one for one in every if one[0] < LEAST]
    if not fit:
        fit = [max(small, key=lambda one: one[0])] if small else [min(every, key=lambda one: one[0])]
    part, name, label = fit[int(rng.integers(len(fit)))]
    there = [where(pc.equal(batch.table[name], label)) for batch in clean[day]]
    return [places[chosen(rng, len(places), min(share, WITHIN_LIMITS / part))] for places in there]


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
        both(SEGMENTS, NOBODY_REFERS),
        _SIZES,
        "share of one label's rows that do not come; the label has a twentieth of the day's rows to 15 %",
        _segment_missing,
    ),
    anomaly(
        "segment_doubled",
        "segment",
        "Rows of one label come twice, under new keys; the day has hardly more rows than others.",
        both(NEW_KEYS, SEGMENTS),
        _SIZES,
        "share of one label's rows that come twice; the label has a twentieth of the day's rows to 15 %",
        _segment_doubled,
    ),
)
