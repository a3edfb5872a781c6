"""`python -m tests.bench_day`: what one landing day costs from landing to publication, by how many are stored already.

In CPU-seconds, for what else runs on the machine only adds to seconds: as a command in a process of its own, and in a process
that has run days before. The days are the shop's, of 8,500 events each.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.pipeline.run import run_days
from reliability_platform.pipeline.steps import RunContext
from reliability_platform.settings import load_settings

RELIABILITY = str(Path(sys.executable).parent / "reliability")
FIRST = date(2026, 1, 1)
EVENTS_PER_DAY = 8_500
WARM_DAYS = 4
"""The first makes what the process keeps, and does not count."""


def _run(home: Path, first: date, last: date) -> float:
    """CPU-seconds of the command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [RELIABILITY, "run", "--from", str(first), "--to", str(last), "--home", str(home)]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(stored: int) -> dict[str, Any]:
    """The days after so many stored ones."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        settings = load_settings(home)
        Simulation(seed=7, events_per_day=EVENTS_PER_DAY).save(settings)
        _run(home, FIRST, FIRST + timedelta(days=stored - 1))
        day = FIRST + timedelta(days=stored)
        command = _run(home, day, day)
        context, warm = RunContext.of(settings, "bench"), []
        for _ in range(WARM_DAYS):
            day += timedelta(days=1)
            cpu, began = time.process_time(), time.perf_counter()
            run_days(context, [day])
            warm.append((time.process_time() - cpu, time.perf_counter() - began))
        size = sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
    cpu_seconds, seconds = min(warm[1:])
    return {
        "days_stored": stored,
        "command_cpu_seconds": round(command, 1),
        "warm_cpu_seconds": round(cpu_seconds, 2),
        "warm_seconds": round(seconds, 2),
        "megabytes": round(size / 1e6),
    }


def main() -> int:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, nargs="+", default=[11, 41])
    found = [measure(stored) for stored in parser.parse_args().days]
    growth = found[-1]["warm_cpu_seconds"] / found[0]["warm_cpu_seconds"]
    print(json.dumps({"load": os.getloadavg()[0], "days": found, "growth": round(growth, 2)}, indent=2))  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
