"""`python -m tests.bench.queries`: what the read layer takes at 10,000 stored incidents and 1,000 landing days, alone and
while a build holds the warehouse.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert, select

from reliability_platform.clock import utc_now
from reliability_platform.contracts import SOURCES
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations.tables import (
    builds,
    check_results,
    quarantine_copies,
    quarantine_counts,
    row_counts,
)
from reliability_platform.service.metrics.exposition import OPENMETRICS, exposition
from reliability_platform.service.queries import (
    checks,
    contracts,
    evidence,
    health,
    impact,
    incidents,
    lineage,
    profiles,
    publications,
    quarantine,
    runs,
    slo,
    sources,
    summary,
)
from reliability_platform.service.queries.answer import Window
from reliability_platform.settings import Settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.lease import warehouse_lease
from reliability_platform.warehouse.published import RECORD, current_version
from tests.bench.incidents import fill
from tests.ground import Platform
from tests.unit.failing import day

LIMIT_MILLISECONDS = 300
TIMES = 5
PAGE = Window(50)


def fill_days(engine: Engine, count: int) -> None:
    """Check results, builds and quarantine of so many landing days, in the image of the first one."""
    with engine.begin() as connection:
        first = [dict(row) for row in connection.execute(
            select(check_results).where(check_results.c.partition_date == day(1))
        ).mappings()]  # fmt: skip
        for row in first:
            del row["id"]
        began = {"process": 1, "outcome": "succeeded", "error": None, "began_at": utc_now(), "ended_at": utc_now()}
        for number in range(3, count + 1):
            landed = day(number)
            results = [row | {"partition_date": landed, "run_id": f"bench-{number}"} for row in first]
            results[number % len(results)]["status"] = "failed"
            connection.execute(insert(check_results), results)
            connection.execute(insert(builds).values(first_day=landed, last_day=landed, **began))
            rejected = {"landing_date": landed, "source": "orders", "state": "quarantined", "rows": 3}
            names = [{"batch_id": f"orders-{number}-{batch}", "reason": "amount_missing"} for batch in range(4)]
            connection.execute(insert(quarantine_counts), [rejected | name for name in names])
            connection.execute(insert(quarantine_copies).values(landing_date=landed, copied_at=utc_now()))
            became = [{"landing_date": landed, "source": source, "disposition": one, "rows": 9} for source in SOURCES
                for one in ("accepted", "duplicate", "quarantined", "held_late", "discarded")]  # fmt: skip
            connection.execute(insert(row_counts), became)


def lengthen_publication(settings: Settings, count: int) -> None:
    """Let the record of the current version have so many event dates."""
    path = settings.published / str(current_version(settings)) / RECORD
    record = json.loads(path.read_text())
    for table in record["tables"]:
        some = next(iter(table["dates"].values()), None)
        if some is not None:
            table["dates"] |= {(day(1) + timedelta(days=number)).isoformat(): some for number in range(count)}
    path.write_text(json.dumps(record))


def questions(settings: Settings, engine: Engine) -> dict[str, Callable[[], Any]]:
    """Every question, by its name."""
    now, manifest = utc_now(), ensure_manifest()
    store = IncidentStore(engine)
    one = store.newest([], 1)[0][0]
    middle = incidents.IncidentFilter(source="orders")
    month = checks.CheckFilter(first=day(900), last=date.max)
    return {
        "incidents": lambda: incidents.incident_page(settings, engine, now, window=PAGE),
        "incidents, in the middle": lambda: incidents.incident_page(settings, engine, now, middle, Window(50, 1_000)),
        "incidents, open": lambda: incidents.incident_page(
            settings, engine, now, incidents.IncidentFilter(only_open=True), PAGE
        ),
        "incident": lambda: incidents.incident_detail(settings, engine, one.id, now),
        "impact of an incident": lambda: impact.recorded_impact(manifest, one),
        "checks, counted": lambda: checks.check_counts(engine, month),
        "checks": lambda: checks.check_page(engine, month, PAGE),
        "publications": lambda: publications.publication_page(settings, Window(20)),
        "quarantine, rows": lambda: quarantine.row_page(engine, window=PAGE),
        "quarantine, files": lambda: quarantine.file_page(settings, window=PAGE),
        "quarantine, totals": lambda: quarantine.quarantine_totals(settings, engine),
        "objectives": lambda: slo.slo_report(settings, engine, now),
        "sources": lambda: sources.source_standings(settings, engine, now),
        "runs": lambda: runs.run_page(settings, engine, window=PAGE),
        "lineage": lambda: lineage.lineage_graph(manifest),
        "contracts": lambda: contracts.data_contracts(engine),
        "evidence": lambda: evidence.evidence_reports(settings),
        "profiles": lambda: profiles.profile_page(settings, profiles.ProfileFilter("orders"), PAGE),
        "summary": lambda: summary.pipeline_summary(settings, engine, now),
        "readiness": lambda: health.readiness(settings, engine, now),
        "metrics": lambda: exposition(settings, engine, now, OPENMETRICS),
    }


def measured(settings: Settings, engine: Engine) -> dict[str, float]:
    """Milliseconds of each question, the least of some: what others do on the machine only adds. What is read once a process
    (models, records) is read before.
    """
    found = {}
    for name, ask in questions(settings, engine).items():
        ask()
        samples = []
        for _ in range(TIMES):
            began = time.perf_counter()
            ask()
            samples.append(1000 * (time.perf_counter() - began))
        found[name] = round(min(samples), 1)
    return found


def measure(home: Path, incident_count: int, day_count: int) -> dict[str, Any]:
    """The figures of one home, while the lease on the warehouse is free and while it is held."""
    made = Platform(home, events_per_day=600)
    made.run(day(1), day(2))
    fill(home, incident_count)
    fill_days(made.engine, day_count)
    lengthen_publication(made.settings, day_count)
    free = measured(made.settings, made.engine)
    with warehouse_lease(made.settings):
        held = measured(made.settings, made.engine)
    return {
        "incidents": incident_count,
        "landing_days": day_count,
        "milliseconds": free,
        "milliseconds_while_a_build_holds_the_warehouse": held,
        "slower_than_the_limit": sorted(
            {name for some in (free, held) for name in some if some[name] > LIMIT_MILLISECONDS}
        ),
    }


def main() -> int:
    """Measure and print one JSON document; 1 if a question takes longer than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--incidents", type=int, default=10_000, help="How many are stored. [10000]")
    parser.add_argument("--days", type=int, default=1_000, help="How many landing days. [1000]")
    asked = parser.parse_args()
    ensure_manifest()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder) / "home", asked.incidents, asked.days)
    print(json.dumps(found, indent=2))  # noqa: T201
    return int(bool(found["slower_than_the_limit"]))


if __name__ == "__main__":
    raise SystemExit(main())
