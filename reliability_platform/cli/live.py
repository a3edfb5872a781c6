"""Injects faults into the running platform, and lets it do what it would do by itself: run the day, audit, or notice at a tick."""

from reliability_platform.lab.faults.catalogue import fault_named
from reliability_platform.lab.faults.fault import Stage
from reliability_platform.lab.faults.plan import Injection
from reliability_platform.lab.scorecard.live_fault import live_fault
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.orchestration.local import LocalDaemon
from reliability_platform.settings import Settings


def inject_and_respond(settings: Settings, daemon: LocalDaemon, seed: int, injection: Injection) -> None:
    """Inject a fault, respond, and lift what must be lifted before anything can heal; incidents are opened, nothing is healed
    but what the daemon's sensors heal.
    """
    with live_fault(settings, seed, injection):
        match fault_named(injection.fault).stage:
            case Stage.TRANSFORM | Stage.SOURCE:
                daemon.run("reprocess", first=injection.landing_date, last=injection.landing_date)
            case Stage.WAREHOUSE:
                landed = [day for _, day in landed_partitions(settings)]
                daemon.run("audit", first=min(landed), last=max(landed))
            case _:
                pass  # the sensors read the journal of builds
    daemon.settle()
