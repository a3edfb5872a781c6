"""`python -m tests.bench.day`: what one landing day costs from landing to publication, by how many are stored already.

In CPU-seconds, for what else runs on the machine only adds to seconds: as a command in a process of its own, and through
Dagster in a process that has run days before, as under `reliability dev`. The days are the shop's, of 8,500 events each.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.orchestration.definitions import defs
from reliability_platform.orchestration.home import platform_instance
from reliability_platform.orchestration.local import LocalDaemon
from reliability_platform.orchestration.sensors import incident_sensor, remediation_sensor
from reliability_platform.settings import load_settings

RELIABILITY = str(Path(sys.executable).parent / "reliability")
FIRST = date(2026, 1, 1)
EVENTS_PER_DAY = 8_500
WARM_DAYS = 4
"""The first makes what the process keeps, and does not count."""
IDLE_TICKS = 9


def run_command(home: Path, first: date, last: date) -> float:
    """CPU-seconds of `reliability run` over some days."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [RELIABILITY, "run", "--from", str(first), "--to", str(last), "--home", str(home)]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _size(home: Path) -> int:
    """Bytes of a home; a file of several names counts once."""
    files = (path.stat() for path in home.rglob("*") if path.is_file() and not path.is_symlink())
    return sum({one.st_ino: one.st_size for one in files}.values())


def _measured(home: Path, stored: int) -> dict[str, Any]:
    """The days after so many stored ones; the home has these days afterwards."""
    day = FIRST + timedelta(days=stored)
    command = run_command(home, day, day)
    settings, warm, ticks = load_settings(home), [], []
    with platform_instance(settings) as instance:
        daemon = LocalDaemon(instance, defs, [incident_sensor, remediation_sensor])
        for _ in range(WARM_DAYS):
            day += timedelta(days=1)
            cpu, began = time.process_time(), time.perf_counter()
            daemon.run("pipeline", first=day, last=day)
            warm.append((time.process_time() - cpu, time.perf_counter() - began))
        daemon.settle()
        for _ in range(IDLE_TICKS):
            began = time.perf_counter()
            daemon.tick()
            ticks.append(time.perf_counter() - began)
    cpu_seconds, seconds = min(warm[1:])
    return {
        "days_stored": stored,
        "command_cpu_seconds": round(command, 1),
        "warm_cpu_seconds": round(cpu_seconds, 2),
        "warm_seconds": round(seconds, 2),
        "idle_tick_milliseconds": round(1000 * sorted(ticks)[IDLE_TICKS // 2], 1),
        "megabytes": round(_size(home) / 1e6),
        "megabytes_a_day": round(_size(home) / 1e6 / (stored + 1 + WARM_DAYS), 2),
    }


def measure(days: Sequence[int]) -> dict[str, Any]:
    """By days stored, ascending, and what the last costs over the first. Each has a copy of one home that grows."""
    found, stored = [], 0
    with tempfile.TemporaryDirectory() as folder:
        home, copy = Path(folder) / "home", Path(folder) / "copy"
        Simulation(seed=7, events_per_day=EVENTS_PER_DAY).save(load_settings(home))
        for wanted in sorted(days):
            run_command(home, FIRST + timedelta(days=stored), FIRST + timedelta(days=wanted - 1))
            stored = wanted
            shutil.copytree(home, copy)
            found.append(_measured(copy, stored))
            shutil.rmtree(copy)
    growth = found[-1]["warm_cpu_seconds"] / found[0]["warm_cpu_seconds"]
    return {"load": round(os.getloadavg()[0], 1), "days": found, "growth": round(growth, 2)}


def main() -> int:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--days",
        type=int,
        nargs="+",
        default=[41, 71],
        help="So many days are stored, the first of them with the four weeks behind it that a day is compared with. [41 71]",
    )
    print(json.dumps(measure(parser.parse_args().days), indent=2))  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
