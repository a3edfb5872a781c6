"""The floor: bare DuckDB scripts that do the work of the shop's pipeline on the same landed files, and nothing else.

Read, judge, deduplicate, aggregate, write the five published tables: a month from nothing, and one day that comes to a month
that is stored. The pipeline does that and admits, quarantines, checks, profiles, publishes.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

QUIET = "set enable_progress_bar = false;"
"""DuckDB shows how far it is among the output of what takes longer than 2 s."""
REFERENCE = """
create table customers as from read_parquet('{home}/reference/customers.parquet');
create table merchants as from read_parquet('{home}/reference/merchants.parquet');
create table products as from read_parquet('{home}/reference/products.parquet');
create table rates as from read_parquet('{home}/reference/currency_rates.parquet');
"""

LANDED = "read_parquet('{home}/landing/{source}/{days}/*.parquet', filename = true, file_row_number = true)"
TABLES = {
    "orders": (
        "order_id",
        """
        select * exclude (pick) from (
            select o.*, o.event_time::date as event_date,
                row_number() over (partition by order_id order by filename, file_row_number) as pick
            from {landed} as o
            join customers using (customer_id) join merchants using (merchant_id)
            join products on o.product_id = products.product_id
            where quantity between 1 and 1000 and amount between 0.01 and 100000
                and currency in ('EUR', 'USD', 'GBP', 'CHF', 'SEK', 'PLN') and channel in ('web', 'app', 'store')
        ) where pick = 1
        """,
    ),
    "payments": (
        "payment_id",
        """
        select * exclude (pick) from (
            select p.*, event_time::date as event_date,
                row_number() over (partition by payment_id order by filename, file_row_number) as pick
            from {landed} as p
            join customers using (customer_id)
            where amount between 0.01 and 100000 and currency in ('EUR', 'USD', 'GBP', 'CHF', 'SEK', 'PLN')
                and method in ('card', 'paypal', 'transfer', 'wallet') and status in ('captured', 'declined')
        ) where pick = 1
        """,
    ),
    "web_events": (
        "event_id",
        """
        select * exclude (pick) from (
            select *, event_time::date as event_date,
                row_number() over (partition by event_id order by filename, file_row_number) as pick
            from {landed}
            where event_type in ('page_view', 'product_view', 'add_to_cart', 'checkout', 'purchase')
                and json_type(try_cast(payload as json)) = 'OBJECT'
        ) where pick = 1
        """,
    ),
    "shipments": (
        "shipment_event_id",
        """
        select * exclude (pick) from (
            select *, event_time::date as event_date,
                row_number() over (partition by shipment_event_id order by filename, file_row_number) as pick
            from {landed}
            where carrier in ('dhl', 'ups', 'fedex', 'postnord') and status in ('shipped', 'delivered', 'returned')
                and weight_grams between 1 and 100000
        ) where pick = 1
        """,
    ),
}
"""By source: its key, and its good rows, each once."""

MARTS = {
    "revenue": """
        select event_date, o.currency, category, count(*), sum(quantity), sum(amount),
            sum(round(amount * rate_to_eur, 2)::decimal(18, 2))
        from orders as o join merchants using (merchant_id)
        join rates on o.currency = rates.currency and event_date = rate_date
        where {dates} group by all order by all
        """,
    "payments": """
        select event_date, method, count(*), count(*) filter (where status = 'captured'),
            sum(round(amount * rate_to_eur, 2)::decimal(18, 2)) filter (where status = 'captured')
        from payments as p join rates on p.currency = rates.currency and event_date = rate_date
        where {dates} group by all order by all
        """,
    "funnel": """
        select event_date, count(distinct session_id), count(*) filter (where event_type = 'page_view'),
            count(*) filter (where event_type = 'product_view'), count(*) filter (where event_type = 'add_to_cart'),
            count(*) filter (where event_type = 'checkout'), count(*) filter (where event_type = 'purchase')
        from web_events where {dates} group by all order by all
        """,
    "fulfilment": """
        select event_date, carrier, count(*) filter (where status = 'shipped'), count(*) filter (where status = 'delivered'),
            count(*) filter (where status = 'delivered' and event_time <= promised_at)
        from shipments where {dates} group by all order by all
        """,
    "customers": """
        select event_date, customer_id, sum(orders), sum(eur), sum(paid), sum(events), sum(sessions) from (
            select event_date, customer_id, count(*) as orders, sum(round(amount * rate_to_eur, 2)::decimal(18, 2)) as eur,
                0 as paid, 0 as events, 0 as sessions
            from orders as o join rates on o.currency = rates.currency and event_date = rate_date group by all
            union all
            select event_date, customer_id, 0, 0, count(*) filter (where status = 'captured'), 0, 0
            from payments group by all
            union all
            select event_date, customer_id, 0, 0, 0, count(*), count(distinct session_id)
            from web_events where customer_id is not null group by all
        ) where {dates} group by all order by all
        """,
}


def timed(work: Callable[[], Any]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _rows(home: Path, source: str, days: str) -> str:
    return TABLES[source][1].format(landed=LANDED.format(home=home, source=source, days=days))


def _month(home: Path, out: Path) -> str:
    tables = [f"create table {source} as {_rows(home, source, '*')};" for source in TABLES]
    marts = [f"copy ({sql.format(dates='true')}) to '{out}/{name}.parquet';" for name, sql in MARTS.items()]
    return "\n".join([REFERENCE.format(home=home), *tables, *marts])


def _day(home: Path, out: Path, day: date) -> str:
    came = [f"create temp table new_{one} as {_rows(home, one, f'landing_date={day}')};" for one in TABLES]
    kept = [
        f"insert into {one} select * from new_{one} anti join {one} using ({key});" for one, (key, _) in TABLES.items()
    ]
    touched = " union ".join(f"select event_date from new_{one}" for one in TABLES)
    dates = f"event_date in ({touched})"
    marts = [f"copy ({sql.format(dates=dates)}) to '{out}/{name}_{day}.parquet';" for name, sql in MARTS.items()]
    return "\n".join([*came, *kept, *marts])


def _run(database: Path, script: str) -> str:
    """In a fresh process, as a person would run it; the seconds and the most memory that it took."""
    code = (
        f"import duckdb, resource; duckdb.connect({str(database)!r}).execute({QUIET + script!r}); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)"
    )
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def floor(home: Path) -> tuple[float, int]:
    """The whole window from nothing, on a fresh file: seconds, and bytes of memory at most."""
    out = home / "floor"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    began = time.perf_counter()
    memory = _run(out / "floor.duckdb", _month(home, out))
    return time.perf_counter() - began, int(memory)


def floor_of_day(home: Path, day: date) -> float:
    """Seconds of one landing day that comes to what `floor` has stored; its rows are there already, as when it is run again."""
    out = home / "floor"
    began = time.perf_counter()
    _run(out / "floor.duckdb", _day(home, out, day))
    return time.perf_counter() - began
