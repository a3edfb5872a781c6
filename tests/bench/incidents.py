"""`python -m tests.bench.incidents`: what a tick of the sensors costs at ten thousand stored incidents."""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
from sqlalchemy import insert

from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import utc_now
from reliability_platform.contracts import SOURCES
from reliability_platform.incidents.model import State, TimelineEntry, fold
from reliability_platform.incidents.store import IncidentStore, _hashed, _write_head
from reliability_platform.operations import operations_engine
from reliability_platform.operations.chain import link
from reliability_platform.operations.tables import incident_numbers, incident_signals, incident_timeline
from reliability_platform.orchestration.definitions import defs
from reliability_platform.orchestration.local import LocalDaemon
from reliability_platform.orchestration.sensors import incident_sensor, remediation_sensor
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from tests.ground import Platform
from tests.unit.failing import day, passed, result

TICKS = 5
OPEN_SHARE = 100
"""One in so many of the stored incidents is open."""
AWAY = 500
"""Landing days between the stored incidents and the new ones."""


def fill(home: Path, count: int) -> None:
    """Store incidents of years in one transaction: opened, and most of them healed and resolved."""
    engine = operations_engine(load_settings(home))
    position, previous = 0, ""
    with engine.begin() as connection:
        for number in range(1, count + 1):
            source, landed = SOURCES[number % len(SOURCES)], day(AWAY + number // 20)
            incident_id = f"INC-{number:04d}-missing_data-{source}-{landed}"
            failed = result(f"bronze_{source}__batch_completeness", AWAY + number // 20)
            signal = {
                "check": failed.check, "dataset": failed.dataset, "source": source, "partition": landed.isoformat(),
                "status": "failed", "value": 1.0, "threshold": "<= 0", "message": failed.message, "sample": [],
                "result_id": 10_000_000 + number,
            }  # fmt: skip
            opened = {
                "partitions": [landed.isoformat()], "signals": [signal], "source": source,
                "failure_class": "missing_data", "root_dataset": failed.dataset, "severity": "P1",
                "severity_reason": "P1: a delivery or a build stands still",
            }  # fmt: skip
            steps: list[tuple[str, dict[str, Any]]] = [
                ("opened", opened),
                ("transition", {"to": State.CONTAINED.value}),
            ]
            if number % OPEN_SHARE:
                done = (State.RECOVERING, State.VERIFIED, State.RESOLVED)
                steps += [("transition", {"to": state.value}) for state in done]
            else:
                steps.append(("transition", {"to": State.ACKNOWLEDGED.value}))
            history: list[TimelineEntry] = []
            for place, (kind, data) in enumerate(steps, start=1):
                draft = TimelineEntry(place, utc_now(), "bench", kind, "so it went", data, "", previous)
                previous = link(previous, _hashed(incident_id, draft))
                position += 1
                history.append(TimelineEntry(**{**vars(draft), "hash": previous}))
                row = {**vars(history[-1]), "id": position, "incident_id": incident_id, "data": json.dumps(data)}
                connection.execute(insert(incident_timeline).values(**{**row, "at": draft.at}))
            connection.execute(insert(incident_numbers).values(number=number, incident_id=incident_id))
            connection.execute(insert(incident_signals).values(result_id=10_000_000 + number, incident_id=incident_id))
            _write_head(connection, fold(incident_id, history), position)


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def median_ms(samples: list[float]) -> float:
    return round(1000 * statistics.median(samples), 1)


def measure(home: Path, count: int) -> dict[str, Any]:
    """Milliseconds of ticks, through the very sensors that the daemon evaluates."""
    made = Platform(home, events_per_day=600)
    made.run(day(1), day(3))
    fill(home, count)
    store, checks = IncidentStore(made.engine), CheckStore(made.engine)
    os.environ["RELIABILITY_HOME"] = str(home)
    with dg.instance_for_test() as instance:
        watching = LocalDaemon(instance, defs, [incident_sensor])
        healing = LocalDaemon(instance, defs, [remediation_sensor])
        watching.settle()
        idle = [seconds(watching.tick) for _ in range(TICKS)]
        idle_healing = []
        for one in store.open():  # what waits for a person costs a look at each tick, and no more
            store.move(one.id, State.RESOLVED, utc_now(), "bench", "by hand")
        idle_healing = [seconds(healing.tick) for _ in range(TICKS)]
        opening = []
        for number in range(TICKS):
            checks.record(
                [passed("stg_orders__row_count", 3), result("bronze_orders__batch_completeness", 1 + 2 * number)]
            )
            opening.append(seconds(watching.tick))  # opens the incident and runs the job of its documents
        new = [one for one in store.open() if one.source == "orders"]
    return {
        "stored_incidents": count,
        "idle_tick_of_the_incident_sensor_ms": median_ms(idle),
        "idle_tick_of_the_remediation_sensor_ms": median_ms(idle_healing),
        "failed_check_to_open_incident_with_runbook_ms": median_ms(opening),
        "opened": len(new),
        "list_all_ms": round(1000 * seconds(store.all), 1),
        "audit_ms": round(1000 * seconds(store.broken_links), 1),
        "chain_is_whole": store.broken_links() == [],
    }


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--incidents", type=int, default=10_000, help="How many are stored. [10000]")
    count = parser.parse_args().incidents
    ensure_manifest()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder) / "home", count), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
