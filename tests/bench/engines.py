"""`python -m tests.bench.engines`: how many rows a second the models are built with on DuckDB and on Spark, and what one more day costs.

The same deliveries, landed and admitted once: ten days, then two of a fixed size. Each engine builds a copy of the home in a process of
its own: the ten days, then each of the two by itself. Spark runs on a standalone cluster on this machine, a master and two workers with a
core each, on Iceberg tables in folders. Needs what `make spark` installs, and Java 17.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from reliability_platform.contracts import SOURCES
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import scheduled_batches
from reliability_platform.landing.reference import refresh_reference
from reliability_platform.landing.writer import write_batch
from reliability_platform.pipeline import steps
from reliability_platform.pipeline.steps import RunContext
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.dbt_runner import build
from tests.spark.cluster import cluster
from tests.spark.iceberg_jars import iceberg_jars

FIRST, DAYS, MORE_DAYS = date(2026, 1, 1), 10, 2
DAY_EVENTS = 50_000
"""Of each day that is added."""
LAYERS = ("agg_daily_revenue", "agg_daily_payments", "agg_daily_funnel", "agg_daily_fulfilment", "fct_customer_days")


def _days(first: int, count: int) -> list[date]:
    return [FIRST + timedelta(days=first + offset) for offset in range(count)]


def land(home: Path, rows: int) -> None:
    """Deliver and admit `rows` in ten days, and two days more."""
    settings = load_settings(home)
    for events, days in ((-(-rows // DAYS), _days(0, DAYS)), (DAY_EVENTS, _days(DAYS, MORE_DAYS))):
        simulation = Simulation(seed=7, events_per_day=events)
        simulation.save(settings)
        refresh_reference(settings)
        for day in days:
            for source in SOURCES:
                for batch in scheduled_batches(simulation, source, day):
                    write_batch(settings, batch)
    context = RunContext.of(settings, "bench")
    for source in SOURCES:
        steps.admit(context, source, _days(0, DAYS + MORE_DAYS))


def built(home: Path) -> dict[str, Any]:
    """Build a home in this process, with the engine that the environment says."""
    settings = load_settings(home)
    started = time.perf_counter()
    if settings.engine == "spark":
        from reliability_platform.warehouse.spark.session import spark_session

        spark_session(settings)
    seconds = {"session": time.perf_counter() - started}
    spans = {"ten_days": _days(0, DAYS)} | {f"day_{day + 1}": _days(day, 1) for day in range(DAYS, DAYS + MORE_DAYS)}
    for name, days in spans.items():
        started = time.perf_counter()
        bad = [node for node in build(settings, days[0], days[-1]) if node.status in ("error", "fail")]
        if bad:
            raise SystemExit(f"{bad[0].name}: {bad[0].message}")
        seconds[name] = time.perf_counter() - started
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        rows = connection.execute("select sum(delivered_rows) from rec_batches__conserved").fetchone()
        digests = {
            table: connection.execute(f"select count(*), sum(hash(columns(*)::varchar)) from {table}").fetchone()
            for table in LAYERS
        }
    assert rows is not None
    return {"seconds": seconds, "rows": int(rows[0]), "tables": str(sorted(digests.items()))}


def _apart(home: Path, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.engines", "--build", str(home)],
        env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measured(rows: int, memory: str, folder: Path) -> dict[str, Any]:
    """One size on both engines. Raises `SystemExit` if their tables are not the same."""
    home = folder / "home"
    land(home, rows)
    shutil.copytree(home, folder / "of-duckdb", symlinks=True)
    on_duckdb = _apart(folder / "of-duckdb")
    shutil.rmtree(folder / "of-duckdb")
    with cluster(folder / "cluster", memory=memory) as made:
        conf = folder / "conf"
        conf.mkdir()
        (conf / "spark-defaults.conf").write_text(
            f"spark.jars {','.join(map(str, iceberg_jars(conf)))}\nspark.master {made.url}\nspark.driver.host 127.0.0.1\n"
            f"spark.driver.memory 2g\nspark.executor.memory {memory}\nspark.pyspark.python {sys.executable}\n"
        )
        on_spark = _apart(home, RELIABILITY_ENGINE="spark", SPARK_CONF_DIR=str(conf), SPARK_LOCAL_IP="127.0.0.1")
    if on_spark.pop("tables") != on_duckdb.pop("tables"):
        raise SystemExit("The two engines have built other tables.")
    of_ten_days = on_duckdb["rows"] - MORE_DAYS * DAY_EVENTS
    found: dict[str, Any] = {"rows": of_ten_days}
    for name, one in (("duckdb", on_duckdb), ("spark", on_spark)):
        found[name] = {key: round(value, 2) for key, value in one["seconds"].items()}
        found[name]["rows_per_second"] = round(of_ten_days / one["seconds"]["ten_days"])
    return found


def main() -> int:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 5_000_000], help="[1000000 5000000]")
    parser.add_argument("--memory", default="4g", help="Of each worker of Spark. [4g]")
    parser.add_argument("--build", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build is not None:
        print(json.dumps(built(options.build)))  # noqa: T201
        return 0
    sizes = []
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as folder:
            sizes.append(measured(rows, options.memory, Path(folder)))
            print(json.dumps(sizes[-1]), file=sys.stderr)  # noqa: T201
    print(json.dumps({"load": round(os.getloadavg()[0], 1), "sizes": sizes}, indent=2))  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
