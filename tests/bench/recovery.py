"""`python -m tests.bench.recovery`: what a snapshot costs, and how long a lost warehouse takes, at a chosen size.

A month lands and is run up to its last day, a snapshot is taken, the last day is run. Then the warehouse is lost. The
recovery is compared with the same last day run again on a warehouse that nobody lost: what changed since the snapshot.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from reliability_platform.clock import utc_now
from reliability_platform.contracts import SOURCES
from reliability_platform.lab.drills.baseline import missing_rows, published_tables, write_tables
from reliability_platform.lab.oracle import verify
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import scheduled_batches
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.landing.reference import refresh_reference
from reliability_platform.landing.writer import write_batch
from reliability_platform.operations import operations_engine
from reliability_platform.pipeline.run import reprocess
from reliability_platform.pipeline.steps import RunContext
from reliability_platform.recovery.restore import recover_warehouse
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.snapshots.location import SnapshotLocation
from reliability_platform.warehouse.snapshots.manifest import newest_until
from reliability_platform.warehouse.snapshots.restore import damages
from reliability_platform.warehouse.snapshots.soundness import read_through
from reliability_platform.warehouse.snapshots.take import copy_warehouse, take_snapshot
from tests.bench.floor import timed
from tests.bench.pipeline import DAYS, WINDOW


def _home(folder: Path, events: int) -> Settings:
    settings = load_settings(folder)
    simulation = Simulation(seed=7, events_per_day=-(-events // DAYS))
    simulation.save(settings)
    refresh_reference(settings)
    for day in WINDOW:
        for source in SOURCES:
            for batch in scheduled_batches(simulation, source, day):
                write_batch(settings, batch)
    return settings


def measure(events: int, *, oracle: bool) -> dict[str, Any]:
    """One size; seconds."""
    ensure_manifest()
    with tempfile.TemporaryDirectory() as name:
        settings = _home(Path(name) / "home", events)
        engine = operations_engine(settings)
        month, last = WINDOW[:-1], WINDOW[-1:]
        found: dict[str, Any] = {"events": events}
        # Landed, not yet known: what came after the snapshot was taken must not be in it.
        aside = [settings.landing / source / f"landing_date={last[0]}" for source in SOURCES]
        for path in aside:
            path.rename(path.with_name(f".{path.name}"))
        found["run_of_29_days"] = timed(lambda: reprocess(RunContext(settings, engine, utc_now, "bench"), month))
        found["first_snapshot"] = timed(lambda: take_snapshot(settings, utc_now))
        found["warehouse_megabytes"] = settings.warehouse.stat().st_size / 1e6
        found["copy_under_the_lease"] = timed(lambda: copy_warehouse(settings, Path(name) / "copy"))
        found["reading_it_through"] = timed(lambda: read_through(Path(name) / "copy"))
        for path in aside:
            path.with_name(f".{path.name}").rename(path)
        found["run_of_the_last_day"] = timed(lambda: reprocess(RunContext(settings, engine, utc_now, "bench"), last))
        snapshot = newest_until(SnapshotLocation.of(settings), utc_now())
        write_tables(settings, published_tables(settings), Path(name) / "before")
        found["last_day_again"] = timed(lambda: reprocess(RunContext(settings, engine, utc_now, "bench"), last))
        settings.warehouse.unlink()
        found["recovery"] = timed(lambda: recover_warehouse(settings, snapshot, utc_now))
        write_tables(settings, published_tables(settings), Path(name) / "after")
        found["rows_lost"] = sum(
            missing_rows(Path(name) / "before", Path(name) / "after", mart) for mart in published_tables(settings)
        )
        found["next_snapshot"] = timed(lambda: take_snapshot(settings, utc_now))
        found["snapshot_without_change"] = timed(lambda: take_snapshot(settings, utc_now))
        found["verification"] = timed(lambda: damages(SnapshotLocation.of(settings), [snapshot]))
        if oracle:
            found["equal_to_the_oracle"] = all(one.equal for one in verify(settings, landed_partitions(settings)))
        stored = SnapshotLocation.of(settings).objects()
        found["stored_megabytes"] = sum(stored.values()) / 1e6
        found["recovery_over_last_day"] = found["recovery"] / found["last_day_again"]
        found["snapshot_over_run"] = found["first_snapshot"] / found["run_of_29_days"]
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in found.items()}


def main() -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--oracle", action="store_true", help="prove the result against a run without failures")
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.events, oracle=arguments.oracle), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
