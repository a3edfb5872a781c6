"""`make bench`: speed as ratios to the floor, measured in the same run because machines differ and drift.

The floor is one bare DuckDB script that does the same work on the same landed files: read, judge, deduplicate,
aggregate, write the five published tables. The pipeline does that and admits, quarantines, checks, publishes.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from reliability_platform.checks.dbt_tests import results_of_dbt
from reliability_platform.checks.evaluate import evaluate
from reliability_platform.checks.gate import held
from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import utc_now
from reliability_platform.contracts import SOURCES
from reliability_platform.lab.simulation.events import events
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import scheduled_batches
from reliability_platform.landing.admission import admit, landed_partitions
from reliability_platform.landing.reference import refresh_reference
from reliability_platform.landing.writer import write_batch
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.dbt_runner import build
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.publication import Partition, publish

FIRST, DAYS = date(2026, 1, 1), 30
WINDOW = [FIRST + timedelta(days=offset) for offset in range(DAYS)]

FLOOR = """
create table customers as from read_parquet('{home}/reference/customers.parquet');
create table merchants as from read_parquet('{home}/reference/merchants.parquet');
create table products as from read_parquet('{home}/reference/products.parquet');
create table rates as from read_parquet('{home}/reference/currency_rates.parquet');
create table orders as
    select * exclude (pick) from (
        select o.*, o.event_time::date as event_date,
            row_number() over (partition by order_id order by filename, file_row_number) as pick
        from read_parquet('{home}/landing/orders/*/*.parquet', filename = true, file_row_number = true) as o
        join customers using (customer_id) join merchants using (merchant_id)
        join products on o.product_id = products.product_id
        where quantity between 1 and 1000 and amount between 0.01 and 100000
            and currency in ('EUR', 'USD', 'GBP', 'CHF', 'SEK', 'PLN') and channel in ('web', 'app', 'store')
    ) where pick = 1;
create table payments as
    select * exclude (pick) from (
        select p.*, event_time::date as event_date,
            row_number() over (partition by payment_id order by filename, file_row_number) as pick
        from read_parquet('{home}/landing/payments/*/*.parquet', filename = true, file_row_number = true) as p
        join customers using (customer_id)
        where amount between 0.01 and 100000 and currency in ('EUR', 'USD', 'GBP', 'CHF', 'SEK', 'PLN')
            and method in ('card', 'paypal', 'transfer', 'wallet') and status in ('captured', 'declined')
    ) where pick = 1;
create table web_events as
    select * exclude (pick) from (
        select *, event_time::date as event_date,
            row_number() over (partition by event_id order by filename, file_row_number) as pick
        from read_parquet('{home}/landing/web_events/*/*.parquet', filename = true, file_row_number = true)
        where event_type in ('page_view', 'product_view', 'add_to_cart', 'checkout', 'purchase')
            and json_type(try_cast(payload as json)) = 'OBJECT'
    ) where pick = 1;
create table shipments as
    select * exclude (pick) from (
        select *, event_time::date as event_date,
            row_number() over (partition by shipment_event_id order by filename, file_row_number) as pick
        from read_parquet('{home}/landing/shipments/*/*.parquet', filename = true, file_row_number = true)
        where carrier in ('dhl', 'ups', 'fedex', 'postnord') and status in ('shipped', 'delivered', 'returned')
            and weight_grams between 1 and 100000
    ) where pick = 1;
copy (
    select event_date, o.currency, category, count(*), sum(quantity), sum(amount),
        sum(round(amount * rate_to_eur, 2)::decimal(18, 2))
    from orders as o join merchants using (merchant_id) join rates on o.currency = rates.currency and event_date = rate_date
    group by all order by all
) to '{out}/revenue.parquet';
copy (
    select event_date, method, count(*), count(*) filter (where status = 'captured'),
        sum(round(amount * rate_to_eur, 2)::decimal(18, 2)) filter (where status = 'captured')
    from payments as p join rates on p.currency = rates.currency and event_date = rate_date group by all order by all
) to '{out}/payments.parquet';
copy (
    select event_date, count(distinct session_id), count(*) filter (where event_type = 'page_view'),
        count(*) filter (where event_type = 'product_view'), count(*) filter (where event_type = 'add_to_cart'),
        count(*) filter (where event_type = 'checkout'), count(*) filter (where event_type = 'purchase')
    from web_events group by all order by all
) to '{out}/funnel.parquet';
copy (
    select event_date, carrier, count(*) filter (where status = 'shipped'), count(*) filter (where status = 'delivered'),
        count(*) filter (where status = 'delivered' and event_time <= promised_at)
    from shipments group by all order by all
) to '{out}/fulfilment.parquet';
copy (
    select event_date, customer_id, sum(orders), sum(eur), sum(paid), sum(events), sum(sessions) from (
        select event_date, customer_id, count(*) as orders, sum(round(amount * rate_to_eur, 2)::decimal(18, 2)) as eur,
            0 as paid, 0 as events, 0 as sessions
        from orders as o join rates on o.currency = rates.currency and event_date = rate_date group by all
        union all
        select event_date, customer_id, 0, 0, count(*) filter (where status = 'captured'), 0, 0 from payments group by all
        union all
        select event_date, customer_id, 0, 0, 0, count(*), count(distinct session_id)
        from web_events where customer_id is not null group by all
    ) group by all order by all
) to '{out}/customers.parquet';
"""


def timed(work: Callable[[], Any]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def generation(simulation: Simulation) -> float:
    """Rows per second of all sources over the window."""
    rows = 0
    start = time.perf_counter()
    for day in WINDOW:
        rows += sum(events(simulation, source, day).num_rows for source in SOURCES)
    return rows / (time.perf_counter() - start)


def floor(home: Path) -> float:
    """The bare script, in a fresh process on a fresh file, as a person would run it."""
    out = home / "floor"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    script = FLOOR.format(home=home, out=out)
    code = f"import duckdb; duckdb.connect({str(out / 'floor.duckdb')!r}).execute({script!r})"
    return timed(lambda: subprocess.run([sys.executable, "-c", code], check=True))


def pipeline(home: Path) -> dict[str, float]:
    """Admission to publication with all checks, in this process; seconds by stage."""
    settings = load_settings(home)
    for path in (settings.warehouse, settings.home / "operations.sqlite"):
        path.unlink(missing_ok=True)
    for folder in (settings.bronze, settings.published):
        shutil.rmtree(folder, ignore_errors=True)
    checks = CheckStore(operations_engine(settings))
    seconds: dict[str, float] = {}
    seconds["admission"] = timed(lambda: [admit(settings, source, day) for day in WINDOW for source in SOURCES])
    nodes = []
    seconds["dbt"] = timed(lambda: nodes.extend(build(settings, WINDOW[0], WINDOW[-1])))

    def check() -> None:
        checks.record(evaluate(settings, WINDOW, utc_now(), "bench"))
        checks.record(results_of_dbt([vars(node) for node in nodes], WINDOW, "bench", utc_now()))

    seconds["checks"] = timed(check)
    partitions = landed_partitions(settings)

    def held_now() -> dict[Partition, list[str]]:
        return {one: [str(each) for each in found] for one, found in held(checks, partitions).items()}

    seconds["publication"] = timed(
        lambda: publish(settings, marts(ensure_manifest()), partitions, held_now(), utc_now(), "bench")
    )
    return seconds


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
        before = floor(settings.home)
        stages = pipeline(settings.home)
        after = floor(settings.home)
        base, total = min(before, after), sum(stages.values())
        with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
            row = connection.execute("select sum(delivered_rows) from rec_batches__conserved").fetchone()
        assert row is not None
        one_day = timed(lambda: build(settings, WINDOW[9], WINDOW[9]))
    return {
        "events": int(row[0]),
        "generated_rows_per_second": round(rate),
        "floor_seconds": round(base, 2),
        "pipeline_seconds": round(total, 2),
        "pipeline_over_floor": round(total / base, 2),
        "without_checks_over_floor": round((total - stages["checks"]) / base, 2),
        "stage_seconds": {name: round(value, 2) for name, value in stages.items()},
        "dbt_seconds_of_one_day": round(one_day, 2),
    }


def demo_seconds() -> float:
    """The whole demo, as a process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).parent / "reliability"), "demo", "--json", "--home", folder]
        return timed(lambda: subprocess.run(command, check=True, capture_output=True))


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[250_000, 5_000_000])
    parser.add_argument("--no-demo", action="store_true", help="Leave out the demo.")
    options = parser.parse_args()
    ensure_manifest()
    pipeline_warm_up = Simulation(events_per_day=100)
    generation(pipeline_warm_up)
    document: dict[str, Any] = {"sizes": [measure(count) for count in options.events]}
    if not options.no_demo:
        document["demo_seconds"] = round(demo_seconds(), 1)
    print(json.dumps(document, indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
