"""Landing under another plan: days that have landed and are other under it land again."""

import shutil
from datetime import date
from pathlib import Path

from reliability_platform.contracts import SOURCES
from reliability_platform.lab.clean import breakable
from reliability_platform.lab.faults.catalogue import fault_named
from reliability_platform.lab.faults.fault import Stage
from reliability_platform.lab.faults.injected import InjectedSource
from reliability_platform.lab.faults.injection import rehearse
from reliability_platform.lab.faults.plan import ActivePlan
from reliability_platform.landing.deliveries import deliver
from reliability_platform.landing.file_quarantine import quarantine_folder
from reliability_platform.landing.inputs import BuildInputs
from reliability_platform.landing.seals import break_seal
from reliability_platform.landing.working_copy import forget_day, remove
from reliability_platform.landing.writer import landing_folder
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings
from reliability_platform.sources.source import Source


def follow(settings: Settings, plan: ActivePlan) -> list[date]:
    """Make a home follow a plan: what has landed and is other under it lands again; returns those days.

    A plan that contradicts itself is refused before anything is written. Raises `UsageError`.
    """
    touched = {day for injection in plan.injections for day in injection.landing_dates()}
    plan.refuse_over_http(settings, SOURCES, touched)
    clean = breakable(settings, {injection.source for injection in plan.injections})
    rehearse(clean, plan)
    before = ActivePlan.load(settings)
    again = sorted(
        {
            (injection.source, day)
            for injection in {*before.injections, *plan.injections}
            if fault_named(injection.fault).stage is Stage.LANDING
            for day in injection.landing_dates()
            if (landed := landing_folder(settings, injection.source, day)).exists() or _aside(landed).exists()
        }
    )
    for source, day in again:
        redeliver(settings, plan, clean[source], day)
    plan.save(settings)  # last: cut off and run again, it must still know what the plan before had hit
    return sorted({day for _, day in again})


def redeliver(settings: Settings, plan: ActivePlan, behind: Source, day: date) -> None:
    """Let a landing day of a clean source happen again under another plan.

    What had landed is removed, replacements, decisions and quarantined files too: they speak of deliveries that now never
    happened. Landing goes in one step (a rename), so that a crash leaves no half of the old day.
    """
    source = behind.name
    BuildInputs(operations_engine(settings)).forget(source, day)
    break_seal(settings, source, day)
    landed = landing_folder(settings, source, day)
    leaving = _aside(landed)
    if landed.exists():
        shutil.rmtree(leaving, ignore_errors=True)
        landed.rename(leaving)
    forget_day(settings, source, day)
    shutil.rmtree(quarantine_folder(settings, source, day), ignore_errors=True)
    for decision in (settings.decisions / source).glob(f"{source}-{day:%Y%m%d}-*.json"):
        remove(settings, decision)
    deliver(settings, operations_engine(settings), InjectedSource(behind, plan, settings), [day])
    shutil.rmtree(leaving, ignore_errors=True)  # last: until then it says that this day had landed


def _aside(landed: Path) -> Path:
    return landed.with_name(f".{landed.name}.old")
