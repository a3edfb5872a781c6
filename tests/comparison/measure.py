"""Judges a world by every method: each clean day, and days with one corruption each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from reliability_platform.lab.faults.catalogue import CATALOGUE
from reliability_platform.lab.faults.fault import Containment, Fault
from reliability_platform.sources.batch import Batch
from tests.comparison.corruptions import CORRUPTIONS, SHARES, corrupted
from tests.comparison.delivery_sets import DeliverySet, table_of
from tests.comparison.methods import HISTORY_DAYS, METHODS, Scores
from tests.comparison.profiled import Judged, Profiled
from tests.comparison.statistics import DayStatistics, statistics_of

FIRST_CORRUPTED = 56
"""Landing days that come before the first corrupted one."""
SEED = 20_130
OURS = {name: fault for name, fault in CATALOGUE.items() if fault.containment is Containment.TOLD}
"""The kinds of the catalogue that break no rule. Those that do have checks of their own, which are not compared here."""


@dataclass(frozen=True)
class Case:
    """One landing day, or the days that one corruption touches, as every method sees it."""

    world: str
    source: str
    day: str
    kind: str
    """Empty for a clean day."""
    by_others: bool
    size: str
    profile: Judged
    """Told where it is on any of the days."""
    others: dict[str, list[Scores]]
    """By method, the scores of each day."""


def measure(world: DeliverySet, repetitions: int) -> Iterator[Case]:
    """All cases of a world; `repetitions` of each corruption, source and size."""
    profiled = Profiled.of(world)
    statistics = {
        source: {day: statistics_of(table_of(batches)) for day, batches in deliveries.items()}
        for source, deliveries in world.deliveries.items()
    }
    for source, deliveries in world.deliveries.items():
        judged = profiled.judge_clean(source)
        days = world.days(source)
        for day in days[HISTORY_DAYS:]:
            others = _others(statistics[source], {day: statistics[source][day]})
            yield Case(world.name, source, str(day), "", False, "", judged[day], others)
        rng = np.random.default_rng([SEED, *map(ord, world.name + source)])
        for kind, by_others, size, touched in corrupted_days(source, deliveries, days, repetitions, rng):
            found = profiled.judge_instead(source, touched)
            first = next((one for one in found.values() if one.told), None) or found[max(found)]
            held = any(one.held for one in found.values())
            one = Judged(first.told, held, first.first, first.strongest)
            others = _others(
                statistics[source], {day: statistics_of(table_of(batches)) for day, batches in touched.items()}
            )
            yield Case(world.name, source, str(min(touched)), kind, by_others, size, one, others)


def _others(clean: Mapping[date, DayStatistics], touched: Mapping[date, DayStatistics]) -> dict[str, list[Scores]]:
    """Scores of the touched days; what is wrong on the days before stays in their past, as nobody has noticed it."""
    scores: dict[str, list[Scores]] = {method.name: [] for method in METHODS}
    together = {**clean, **touched}
    for day in sorted(touched):
        past = [together[one] for one in sorted(together) if day - timedelta(days=HISTORY_DAYS) <= one < day]
        for method in METHODS:
            scores[method.name].append(method.score(past, touched[day]))
    return scores


Deliveries = Mapping[date, list[Batch]]


def corrupted_days(
    source: str, clean: Deliveries, days: list[date], repetitions: int, rng: np.random.Generator
) -> Iterator[tuple[str, bool, str, Deliveries]]:
    for kind in CORRUPTIONS:
        for size, share in SHARES.items():
            for _ in range(repetitions):
                day = _drawn(days, 1, rng)
                found = corrupted(kind, clean[day], share, rng)
                if found is not None:
                    yield kind, True, size, found
    for name, fault in OURS.items():
        if source not in fault.applies_to or fault.injection is None:
            continue
        for size in SHARES:
            for _ in range(repetitions):
                touched = _injected(fault, clean, _drawn(days, fault.days_touched, rng), fault.magnitudes[size], rng)
                if touched:
                    yield name, False, size, touched


def _drawn(days: list[date], length: int, rng: np.random.Generator) -> date:
    return days[int(rng.integers(FIRST_CORRUPTED, len(days) - length + 1))]


def _injected(fault: Fault, clean: Deliveries, day: date, size: float, rng: np.random.Generator) -> Deliveries:
    """The days that an injection changed."""
    first, last = day - timedelta(days=fault.days_read), day + timedelta(days=fault.days_touched - 1)
    around = {one: list(batches) for one, batches in clean.items() if first <= one <= last}
    assert fault.injection is not None
    found = fault.injection(around, day, size, rng)
    return {one: found.deliveries[one] for one in found.landing_dates}
