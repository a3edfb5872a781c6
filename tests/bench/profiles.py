"""`python -m tests.bench.profiles`: what part of a clean run the profiles of its landing days are.

Some landing days in one run, so that what comes has a past; then further days, each in a run of its own, as every day. Profiles are
timed within the very run, so that part and whole had the same machine; CPU seconds beside, for other work on it moves those less.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from reliability_platform.checks import evaluate
from reliability_platform.clock import FIRST_DAY
from reliability_platform.contracts import SOURCES
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import scheduled_batches
from reliability_platform.landing.reference import refresh_reference
from reliability_platform.landing.writer import write_batch
from reliability_platform.pipeline.run import run_days
from reliability_platform.pipeline.steps import RunContext
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest

AIM = 0.15


class Stopwatch:
    """Seconds and CPU seconds of all calls of the profiles while it is there."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0
        self._original = evaluate.evaluate_profiles

    def __enter__(self) -> "Stopwatch":
        def timing(*arguments: Any) -> Any:
            wall, cpu = time.perf_counter(), time.process_time()
            try:
                return self._original(*arguments)
            finally:
                self.wall += time.perf_counter() - wall
                self.cpu += time.process_time() - cpu

        evaluate.evaluate_profiles = timing
        return self

    def __exit__(self, *_: object) -> None:
        evaluate.evaluate_profiles = self._original


def _home(folder: Path, events_per_day: int) -> tuple[Settings, Simulation]:
    settings, simulation = load_settings(folder), Simulation(seed=7, events_per_day=events_per_day)
    simulation.save(settings)
    refresh_reference(settings)
    return settings, simulation


def _run(settings: Settings, simulation: Simulation, days: Sequence[date]) -> dict[str, Any]:
    """Land some days, and time the run of them from admission on."""
    for day in days:
        for source in SOURCES:
            for batch in scheduled_batches(simulation, source, day):
                write_batch(settings, batch)
    wall, cpu = time.perf_counter(), time.process_time()
    with Stopwatch() as profiles:
        found = run_days(RunContext.of(settings, "bench"), days)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    failed = sorted({one.check for one in found.results if one.status == "failed"})
    return {
        "days": len(days),
        "seconds": round(wall, 2),
        "profiles": round(profiles.wall, 2),
        "share": round(profiles.wall / wall, 4),
        "cpu_seconds": round(cpu, 2),
        "cpu_of_profiles": round(profiles.cpu, 2),
        "cpu_share": round(profiles.cpu / cpu, 4),
        "failed": failed,
    }


def measure(events_per_day: int, past: int, days: int) -> dict[str, Any]:
    """A past in one run, and days after it in runs of their own."""
    every = [FIRST_DAY + timedelta(days=number) for number in range(past + days)]
    with tempfile.TemporaryDirectory() as folder:
        settings, simulation = _home(Path(folder), events_per_day)
        together = _run(settings, simulation, every[:past])
        alone = [_run(settings, simulation, [day]) for day in every[past:]]
    return {"events_per_day": events_per_day, "together": together, "alone": alone}


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events-per-day", type=int, default=173_000, help="5 M in the 29 days of the past")
    parser.add_argument("--past", type=int, default=29, help="landing days in one run")
    parser.add_argument("--days", type=int, default=3, help="landing days in runs of their own")
    options = parser.parse_args()
    ensure_manifest()
    measure(100, 15, 1)  # imports, and what is parsed once
    document = measure(options.events_per_day, options.past, options.days)
    document["aim"] = AIM
    print(json.dumps(document, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
