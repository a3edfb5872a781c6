"""A fault of the running platform, from the injection until it is lifted: the same for demo, command line and campaign."""

from collections.abc import Iterator
from contextlib import contextmanager

from reliability_platform.clock import utc_now
from reliability_platform.lab.faults.catalogue import fault_named
from reliability_platform.lab.faults.fault import LiveInjectionResult, Stage
from reliability_platform.lab.faults.injection import inject_live
from reliability_platform.lab.faults.plan import Injection
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings
from reliability_platform.warehouse.versions import ModelsBuilt, models_of


@contextmanager
def live_fault(settings: Settings, seed: int, injection: Injection) -> Iterator[LiveInjectionResult]:
    """Inject; what must be lifted before anything can heal is lifted at the end of the block."""
    injected = inject_live(settings, seed, injection)
    try:
        yield injected
    finally:
        injected.lift()
        if fault_named(injection.fault).stage is Stage.TRANSFORM:
            # Whoever takes wrong models back does so on purpose; the guard would keep the right ones out as older.
            ModelsBuilt(operations_engine(settings)).built(models_of(settings.dbt_project), utc_now())
