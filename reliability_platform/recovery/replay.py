"""Landing days again, from what has landed to the publication: the way of every run, without an orchestrator."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

from sqlalchemy import Engine

from reliability_platform.checks import gate
from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import Clock, days
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.pipeline.days import admit_days, audit_days, build_days, publish_audited
from reliability_platform.settings import Settings
from reliability_platform.sources import SOURCES
from reliability_platform.warehouse.dbt_runner import TransformFailedError
from reliability_platform.warehouse.publication import Publication


def spans(wanted: Iterable[date]) -> Iterator[tuple[date, date]]:
    """Days as first and last of each unbroken row of them: one build for each."""
    first = last = None
    for day in sorted(set(wanted)):
        if first is None or last is None:
            first = day
        elif day - last > timedelta(days=1):
            yield first, last
            first = day
        last = day
    if first is not None and last is not None:
        yield first, last


def unjudged_days(settings: Settings, engine: Engine) -> set[date]:
    """Landing days whose run was cut off: a blocking check has no verdict on them."""
    return gate.unjudged_days(CheckStore(engine), landed_partitions(settings))


def make_void(engine: Engine, landing_days: Sequence[date]) -> None:
    """Forget the verdicts on days whose tables are about to change: nothing of before may release them."""
    CheckStore(engine).invalidate(SOURCES, landing_days)


def replay(settings: Settings, engine: Engine, landing_days: Sequence[date], clock: Clock, run_id: str) -> Publication:
    """Admit, build and judge some landing days anew, then publish what the gate releases.

    Raises `TransformFailedError` if a model fails. A failed check raises nothing: it holds its day.
    """
    for first, last in spans(landing_days):
        window = list(days(first, last))
        make_void(engine, window)
        for source in SOURCES:
            admit_days(settings, engine, source, window, clock)
        nodes = build_days(settings, engine, window, clock, run_id)
        audit_days(settings, engine, window, clock, run_id)
        broken = next((node for node in nodes if node.status == "error"), None)
        if broken is not None:
            raise TransformFailedError(f"{first} to {last} could not be built: {broken.name}: {broken.message}")
    return publish_audited(settings, clock, run_id)
