"""Delivers a landing day: the clean batches of the source, broken where the active plan says so.

The one module of this package that knows of faults; nothing that detects or heals may import it.
"""

import shutil
from datetime import date
from pathlib import Path

from reliability_platform.faults.catalogue import fault_named
from reliability_platform.faults.fault import Stage
from reliability_platform.faults.plan import ActivePlan
from reliability_platform.faults.strike import rehearse, struck_batches
from reliability_platform.faults.truth import save_truth
from reliability_platform.landing.arrivals import came_from_us
from reliability_platform.landing.file_quarantine import quarantine_folder
from reliability_platform.landing.inputs import BuildInputs
from reliability_platform.landing.seals import break_seal
from reliability_platform.landing.writer import landing_folder, make_landing_folder, write_batch
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings
from reliability_platform.sources.batch import Batch
from reliability_platform.sources.simulation import Simulation


def deliver(settings: Settings, simulation: Simulation, plan: ActivePlan, source: str, day: date) -> list[Batch]:
    """Land the batches of one source and day; returns them. Again gives the same bytes; replacements stay."""
    batches, truths = struck_batches(simulation, plan, source, day)
    make_landing_folder(settings, source, day)
    for batch in batches:
        write_batch(settings, batch)
    for truth in truths:
        save_truth(settings, truth)
    return batches


def follow(settings: Settings, simulation: Simulation, plan: ActivePlan) -> list[date]:
    """Make a home follow a plan: what has landed and is other under it lands again; returns those days.

    A plan that contradicts itself is refused before anything is written. Raises `UsageError`.
    """
    rehearse(simulation, plan)
    before = ActivePlan.load(settings)
    again = sorted(
        {
            (strike.source, day)
            for strike in {*before.strikes, *plan.strikes}
            if fault_named(strike.fault).stage is Stage.LANDING
            for day in strike.landing_dates()
            if (landed := landing_folder(settings, strike.source, day)).exists() or _aside(landed).exists()
        }
    )
    for source, day in again:
        redeliver(settings, simulation, plan, source, day)
    plan.save(settings)  # last: cut off and run again, it must still know what the plan before had struck
    return sorted({day for _, day in again})


def redeliver(settings: Settings, simulation: Simulation, plan: ActivePlan, source: str, day: date) -> list[Batch]:
    """Let a landing day happen again under another plan.

    What had landed is removed, replacements, shims and quarantined files too: they speak of deliveries that now never
    happened. Landing goes in one step (a rename), so that a crash leaves no half of the old day.
    """
    BuildInputs(operations_engine(settings)).forget(source, day)
    break_seal(settings, source, day)
    landed = landing_folder(settings, source, day)
    leaving = _aside(landed)
    if landed.exists():
        shutil.rmtree(leaving, ignore_errors=True)
        landed.rename(leaving)
    shutil.rmtree(quarantine_folder(settings, source, day), ignore_errors=True)
    for shim in (settings.shims / source).glob(f"{source}-{day:%Y%m%d}-*.json"):
        shim.unlink()
    batches = deliver(settings, simulation, plan, source, day)
    came_from_us(settings, operations_engine(settings), batches)
    shutil.rmtree(leaving, ignore_errors=True)  # last: until then it says that this day had landed
    return batches


def _aside(landed: Path) -> Path:
    return landed.with_name(f".{landed.name}.old")
