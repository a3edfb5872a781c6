"""Applies the injections of a plan to the clean deliveries of a source.

Injections on the same landing day share its batches: each sees only those that none before it has touched, so the truth
of one is never blurred by another. Those that hit some batches come first, those that need the whole rest last.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache

import numpy as np

from reliability_platform.clock import utc_now
from reliability_platform.errors import UsageError
from reliability_platform.lab.faults.catalogue import fault_named
from reliability_platform.lab.faults.fault import InjectionResult, LiveInjectionResult, Stage
from reliability_platform.lab.faults.plan import ActivePlan, Injection
from reliability_platform.lab.faults.truth import Truth, save_truth, truth_of, truth_of_live
from reliability_platform.lab.faults.warehouse import not_on_spark
from reliability_platform.settings import Settings
from reliability_platform.sources.batch import Batch
from reliability_platform.sources.source import Source


@dataclass(frozen=True)
class DayInjection:
    """An injection on one of its landing days."""

    injection: Injection
    landing_date: date

    def touched(self) -> range:
        """Ordinals of the landing days that it may touch."""
        first = self.landing_date.toordinal()
        return range(first, first + fault_named(self.injection.fault).days_touched)


def day_injections(injections: Sequence[Injection]) -> list[DayInjection]:
    """Every injection day by day, in the order in which they are applied."""
    landing = [injection for injection in injections if fault_named(injection.fault).stage is Stage.LANDING]
    every = [DayInjection(injection, day) for injection in landing for day in injection.injected_days()]
    return sorted(every, key=lambda one_day: (one_day.landing_date, fault_named(one_day.injection.fault).whole_day))


def _generator(seed: int, one_day: DayInjection) -> np.random.Generator:
    injection = one_day.injection
    # The first day for all days of an injection: it goes on choosing the same column.
    words = f"{injection.fault}/{injection.source}/{injection.landing_date}/{injection.magnitude}"
    key = int.from_bytes(words.encode(), "big") % (2**61 - 1)
    chosen = seed if injection.seed is None else injection.seed
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([chosen % 2**63, key])))


def _connected(every: Sequence[DayInjection], day: date) -> tuple[DayInjection, ...]:
    """The injections that touch a day, and those that meet one of them on any day, and so on."""
    days, found = {day.toordinal()}, set[DayInjection]()
    while True:
        more = [one_day for one_day in every if one_day not in found and days & set(one_day.touched())]
        if not more:
            return tuple(one_day for one_day in every if one_day in found)
        found.update(more)
        days.update(one for one_day in more for one in one_day.touched())


def _one(
    source: Source, seed: int, one_day: DayInjection, now: dict[date, list[Batch]], taken: set[str]
) -> InjectionResult:
    """One day of an injection on what is there now; only batches that are not `taken` are shown to it."""
    injection = one_day.injection
    fault = fault_named(injection.fault)
    free = {
        date.fromordinal(one): [
            batch for batch in now[date.fromordinal(one)] if batch.batch_id not in taken and batch.kind == "scheduled"
        ]
        for one in one_day.touched()
    }
    silent = next((day for day in free if not any(batch.table.num_rows for batch in source.deliver(day))), None)
    if silent is not None:
        raise UsageError(f"{injection.fault} finds nothing to hit: {injection.source} delivers nothing on {silent}.")
    if not all(any(batch.table.num_rows for batch in batches) for batches in free.values()):
        raise UsageError(
            f"{injection.fault} finds nothing left to hit of {injection.source} on {one_day.landing_date}: other injections of "
            "the plan take all its batches. Move one of them to another day or source."
        )
    shown = dict(free)
    for offset in range(1, fault.days_read + 1):
        before = one_day.landing_date - timedelta(days=offset)
        shown[before] = list(source.deliver(before))
    assert fault.injection is not None
    injected = fault.injection(shown, one_day.landing_date, fault.size(injection.magnitude), _generator(seed, one_day))
    merged = {}
    for day, batches in free.items():
        ids = {batch.batch_id for batch in batches}
        merged[day] = [batch for batch in now[day] if batch.batch_id not in ids] + injected.deliveries[day]
        merged[day].sort(key=lambda batch: (batch.batch_id, batch.attempt))
    return replace(injected, deliveries=merged)


@lru_cache(maxsize=64)
def _together(
    source: Source, seed: int, group: tuple[DayInjection, ...]
) -> tuple[list[InjectionResult], dict[date, list[Batch]]]:
    """Blows that meet each other, one after the other; what each did, and what is delivered in the end."""
    days = sorted({date.fromordinal(one) for one_day in group for one in one_day.touched()})
    now = {day: list(source.deliver(day)) for day in days}
    taken: set[str] = set()
    done = []
    for one_day in group:
        injected = _one(source, seed, one_day, now, taken)
        taken |= set(injected.batches)
        now |= injected.deliveries
        done.append(injected)
    return done, now


def injected_batches(source: Source, plan: ActivePlan, day: date) -> tuple[list[Batch], list[Truth]]:
    """The batches of a source and landing day under the plan, and the truth of the injections that touch it.

    Raises `UsageError` if the plan leaves one of them nothing to hit.
    """
    group = _connected(
        day_injections([injection for injection in plan.injections if injection.source == source.name]), day
    )
    if not group:
        return list(source.deliver(day)), []
    done, now = _together(source, plan.seed, group)
    truths = [
        truth_of(fault_named(one_day.injection.fault), one_day.injection, one_day.landing_date, injected, plan.seed)
        for one_day, injected in zip(group, done, strict=True)
        if day.toordinal() in one_day.touched()
    ]
    return now[day], truths


def inject_one(source: Source, seed: int, injection: Injection) -> InjectionResult:
    """What one injection alone makes of the clean deliveries of its first day. Pure."""
    done, _ = _together(source, seed, (DayInjection(injection, injection.landing_date),))
    return done[0]


def inject_live(settings: Settings, seed: int, injection: Injection) -> LiveInjectionResult:
    """Inject a fault into the running platform, and write down the truth of it. Raises `UsageError` for one that is
    impossible there.
    """
    fault = fault_named(injection.fault)
    assert fault.live is not None
    refuse_impossible(settings, [injection])
    one_day = DayInjection(injection, injection.landing_date)
    injected_at = utc_now()
    injected = fault.live(
        settings, injection.source, injection.landing_date, fault.size(injection.magnitude), _generator(seed, one_day)
    )
    save_truth(settings, truth_of_live(fault, injection, injected, seed), injected_at)
    return injected


def refuse_impossible(settings: Settings, injections: Iterable[Injection]) -> None:
    """Raises `UsageError` if one of them cannot be injected into tables of the home's engine."""
    for fault in map(fault_named, sorted({injection.fault for injection in injections})):
        if why := not_on_spark(settings, fault):
            raise UsageError(f"{fault.name} cannot be injected: {why}.")


def rehearse(sources: Mapping[str, Source], plan: ActivePlan) -> None:
    """Refuse a plan that contradicts itself before anything is written. Raises `UsageError`."""
    for source in {injection.source for injection in plan.injections}:
        every = day_injections([injection for injection in plan.injections if injection.source == source])
        for one_day in every:
            injected_batches(sources[source], plan, one_day.landing_date)
