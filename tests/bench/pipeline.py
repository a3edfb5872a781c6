"""`python -m tests.bench.pipeline`: the pipeline of a month beside the floor, and one day's build beside the floor of a day.

From admission to publication with every check and profile, in this process, on what has landed.
"""

import argparse
import json
import resource
import shutil
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from reliability_platform.contracts import SOURCES
from reliability_platform.lab.simulation.events import events
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import scheduled_batches
from reliability_platform.landing.reference import refresh_reference
from reliability_platform.landing.writer import write_batch
from reliability_platform.pipeline import steps
from reliability_platform.pipeline.steps import RunContext
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.dbt_runner import build
from tests.bench.floor import floor, floor_of_day, timed

FIRST, DAYS = date(2026, 1, 1), 30
WINDOW = [FIRST + timedelta(days=offset) for offset in range(DAYS)]


def generation(simulation: Simulation) -> float:
    """Rows per second of all sources over the window."""
    rows = 0
    start = time.perf_counter()
    for day in WINDOW:
        rows += sum(events(simulation, source, day).num_rows for source in SOURCES)
    return rows / (time.perf_counter() - start)


def pipeline(settings: Settings) -> dict[str, float]:
    """Admission to publication with all checks and profiles; seconds by stage."""
    context = RunContext.of(settings, "bench")
    return {
        "admission": timed(lambda: [steps.admit(context, source, WINDOW) for source in SOURCES]),
        "dbt": timed(lambda: steps.build(context, WINDOW)),
        "checks": timed(lambda: steps.audit(context, WINDOW)),
        "publication": timed(lambda: steps.publish(context)),
    }


def measure(count: int) -> dict[str, Any]:
    """One size: the floor before and after, the pipeline between."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(Path(folder))
        simulation = Simulation(seed=7, events_per_day=-(-count // DAYS))
        simulation.save(settings)
        refresh_reference(settings)
        rate = generation(simulation)
        for day in WINDOW:
            for source in SOURCES:
                for batch in scheduled_batches(simulation, source, day):
                    write_batch(settings, batch)
        before, floors_memory = floor(settings.home)
        stages = pipeline(settings)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        after, _ = floor(settings.home)
        base, total = min(before, after), sum(stages.values())
        with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
            row = connection.execute("select sum(delivered_rows) from rec_batches__conserved").fetchone()
        assert row is not None
        one_day = min(timed(lambda: build(settings, WINDOW[9], WINDOW[9])) for _ in range(2))
        floors_day = min(floor_of_day(settings.home, WINDOW[9]) for _ in range(2))
        shutil.rmtree(settings.home / "floor")
    return {
        "events": int(row[0]),
        "generated_rows_per_second": round(rate),
        "floor_seconds": round(base, 2),
        "pipeline_seconds": round(total, 2),
        "pipeline_over_floor": round(total / base, 2),
        "without_checks_over_floor": round((total - stages["checks"]) / base, 2),
        "stage_seconds": {name: round(value, 2) for name, value in stages.items()},
        "memory_megabytes": round(memory / 1e6),
        "memory_over_floor": round(memory / floors_memory, 2),
        "dbt_seconds_of_one_day": round(one_day, 2),
        "dbt_of_one_day_over_floor": round(one_day / floors_day, 2),
    }


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=250_000, help="How many a month has. [250000]")
    options = parser.parse_args()
    ensure_manifest()
    generation(Simulation(events_per_day=100))
    print(json.dumps(measure(options.events), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
