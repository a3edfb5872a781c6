"""Applies the strikes of a plan to the clean deliveries of one source and day."""

from datetime import date

import numpy as np

from reliability_platform.faults.catalogue import fault_named
from reliability_platform.faults.fault import Struck
from reliability_platform.faults.plan import ActivePlan, Strike
from reliability_platform.faults.truth import Truth, truth_of
from reliability_platform.sources.batch import Batch
from reliability_platform.sources.simulation import Simulation
from reliability_platform.sources.system import scheduled_batches


def _generator(seed: int, strike: Strike) -> np.random.Generator:
    words = f"{strike.fault}/{strike.source}/{strike.landing_date}/{strike.magnitude}"
    key = int.from_bytes(words.encode(), "big") % (2**61 - 1)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed % 2**63, key])))


def apply_strike(simulation: Simulation, seed: int, strike: Strike) -> Struck:
    """What one strike makes of the clean deliveries of the days that it touches. Pure."""
    fault = fault_named(strike.fault)
    clean = {day: scheduled_batches(simulation, strike.source, day) for day in strike.landing_dates()}
    return fault.strike(clean, strike.landing_date, fault.magnitudes[strike.magnitude], _generator(seed, strike))


def struck_batches(simulation: Simulation, plan: ActivePlan, source: str, day: date) -> tuple[list[Batch], list[Truth]]:
    """The batches of a source and landing day under the plan, and the truth of the strikes that touch them."""
    for strike in plan.touching(source, day):  # at most one: see check_together
        struck = apply_strike(simulation, plan.seed, strike)
        return struck.deliveries[day], [truth_of(fault_named(strike.fault), strike, struck, plan.seed)]
    return scheduled_batches(simulation, source, day), []
