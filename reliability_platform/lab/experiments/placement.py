"""Binds the faults of an experiment to the sources and landing days of a home."""

from datetime import date, timedelta

from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.lab.experiments.experiment import Experiment, MethodStep
from reliability_platform.lab.faults.catalogue import fault_named
from reliability_platform.lab.faults.plan import Injection, PlannedInjection, check_together, resolve_injection
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.settings import Settings


def why_not(experiment: Experiment) -> str | None:
    """Why the sources of the project have nothing that a fault of the experiment hits; None if they do."""
    for step in experiment.faults:
        fault = fault_named(step.fault or "")
        reason = fault.why_not(step.source) if step.source is not None else None
        if reason is not None or not fault.applies_to:
            return f"{step.fault} finds nothing to hit: {reason or 'no source of the project has what it hits'}"
    return None


def placed(settings: Settings, experiment: Experiment) -> list[Injection]:
    """The injections, in the order of the method. Raises `UsageError` for one that fits nowhere, or two that contradict each other."""
    reason = why_not(experiment)
    if reason is not None:
        raise UsageError(f"{reason}.")
    found = [_placed(settings, step) for step in experiment.faults]
    check_together(found)
    return found


def _placed(settings: Settings, step: MethodStep) -> Injection:
    assert step.fault is not None
    fault = fault_named(step.fault)
    source = step.source or fault.applies_to[0]
    landed = [day for one, day in landed_partitions(settings) if one == source]
    if not landed:
        raise UsageError(f"{step.fault} finds nothing to hit: nothing of {source} has landed yet.")
    span = timedelta(days=step.days - 1 + fault.days_touched - 1)
    day = step.date or _counted_back(landed, span, step.days_ago)
    if day is None:
        raise UsageError(
            f"{step.fault} finds no landing day of {source} {counted(step.days_ago, 'day')} ago: nothing that old has landed."
        )
    planned = PlannedInjection(fault=step.fault, source=source, date=day, days=step.days, magnitude=step.magnitude)
    return resolve_injection(planned, landed[0], landed[-1])


def _counted_back(landed: list[date], span: timedelta, days_ago: int) -> date | None:
    """The landed day from which all that is touched has landed, so many places before the newest such one."""
    there = set(landed)
    fitting = [day for day in landed if all(day + timedelta(days=one) in there for one in range(span.days + 1))]
    return fitting[-1 - days_ago] if days_ago < len(fitting) else None
