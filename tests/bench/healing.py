"""`python -m tests.bench.healing`: healing of ten incidents that touch ten landing days, beside running those ten days.

Ten missing batches, noticed by the sensors and asked for again by remediation; then the same days run once more, when
nothing is wrong. From the first tick to the last incident resolved, pages and all.
"""

import argparse
import json
import os
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from reliability_platform.contracts import SOURCES
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.faults.plan import ActivePlan, Injection
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.definitions import defs
from reliability_platform.orchestration.home import platform_instance
from reliability_platform.orchestration.local import LocalDaemon
from reliability_platform.orchestration.sensors import incident_sensor, remediation_sensor
from reliability_platform.settings import load_settings

FIRST = date(2026, 1, 1)
INCIDENTS = 10
EVENTS_PER_DAY = 8_500
SEED = 7


def measure(home: Path) -> dict[str, Any]:
    """CPU-seconds and seconds of both, and their ratio."""
    settings = load_settings(home)
    days = [FIRST + timedelta(days=number) for number in range(INCIDENTS)]
    Simulation(SEED, EVENTS_PER_DAY).save(settings)
    injections = [
        Injection("missing_batch", SOURCES[place % len(SOURCES)], day, "medium") for place, day in enumerate(days)
    ]
    ActivePlan(SEED, tuple(injections)).save(settings)
    with platform_instance(settings) as instance:
        daemon = LocalDaemon(instance, defs, [incident_sensor, remediation_sensor])
        daemon.run("pipeline", first=days[0], last=days[-1])
        cpu, began = time.process_time(), time.perf_counter()
        daemon.settle()
        healing_cpu, healing = time.process_time() - cpu, time.perf_counter() - began
        incidents = IncidentStore(operations_engine(settings))
        healed = [one for one in incidents.all() if not one.is_open]
        cpu, began = time.process_time(), time.perf_counter()
        daemon.run("reprocess", first=days[0], last=days[-1])
        running_cpu, running = time.process_time() - cpu, time.perf_counter() - began
    return {
        "load": round(os.getloadavg()[0], 1),
        "incidents_healed": len(healed),
        "incidents_open": len(incidents.open()),
        "healing_cpu_seconds": round(healing_cpu, 2),
        "healing_seconds": round(healing, 2),
        "running_cpu_seconds": round(running_cpu, 2),
        "running_seconds": round(running, 2),
        "healing_over_running": round(healing_cpu / running_cpu, 2),
    }


def main() -> None:
    """Measure and print one JSON document."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder)), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
