"""A table without days is published whole or goes on showing what it did; the lab sees what was shown of it."""

from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from reliability_platform.cli.backfill import Released
from reliability_platform.lab.scorecard.containment import differences
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.marts import Mart
from reliability_platform.warehouse.publication import CURRENT, Partition, Publication, publish
from reliability_platform.warehouse.published import kept_tables

NOW = datetime(2026, 1, 4, 6, 30, tzinfo=UTC)
DAYS = [date(2026, 1, 1), date(2026, 1, 2)]
LANDED: list[Partition] = [("orders", one) for one in DAYS]
TOTALS = Mart("totals", ("orders",), event_date=None, place=("serve", "totals_by_channel"))


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """A home whose warehouse has a table of an own dbt project."""
    settings = load_settings(tmp_path / "home")
    settings.home.mkdir()
    built(settings, 10)
    return settings


def built(settings: Settings, orders: int, rejected: int = 0) -> None:
    """What a build would leave: so many orders, so many rejected ones."""
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("create schema if not exists serve")
        connection.execute(
            f"create or replace table serve.totals_by_channel as select 'web' as channel, {orders} as orders"
        )
        connection.execute(
            "create or replace table stg_orders as select date '2026-01-02' as event_date, 'rejected' as disposition, "
            f"false as is_superseded from range({rejected})"
        )


def published(settings: Settings, *held: date, landed: list[Partition] = LANDED) -> Publication:
    """A publication of what is built, with some landing days held."""
    why = {("orders", day): ["rec_silver__vs__gold__orders failed"] for day in held}
    return publish(settings, [TOTALS], landed, why, NOW, "run")


def shown(settings: Settings) -> int:
    """The orders that consumers read."""
    with duckdb.connect() as connection:
        path = settings.published / CURRENT / "totals" / "*.parquet"
        [(orders,)] = connection.execute(f"select orders from read_parquet('{path}')").fetchall()
    return int(orders)


def test_a_whole_table_shows_its_last_good_rows_until_everything_that_it_is_made_of_is_released(home: Settings) -> None:
    """And says so, with since when: what a program or a person reads named the held days, and no table that stood still."""
    assert kept_tables(home, published(home)) == []
    built(home, 999)
    bad = published(home, DAYS[1])
    assert shown(home) == 10
    [kept] = kept_tables(home, bad)
    assert (kept.name, kept.version, kept.since) == ("totals", "v000001", NOW)
    told = "totals shows what it did in v000001 of 2026-01-04 06:30 UTC: something that it is made of is held."
    assert str(Released.since("v000001", home)).splitlines() == [
        "Published v000002; 1 landing partition is held.",
        told,
    ]
    assert Released.since("v000001", home).document["kept"] == [{"table": "totals", "version": "v000001", "since": NOW}]

    built(home, 12)
    healed = published(home)
    assert (shown(home), kept_tables(home, healed)) == (12, [])
    table = healed.table("totals")
    assert table is not None and table.whole is not None and table.whole.since == healed.version
    assert healed.released == {"orders": ["2026-01-01/2026-01-02"]}


def test_a_whole_table_that_was_never_good_shows_no_rows_and_says_so(home: Settings) -> None:
    """An empty table looked like a good one."""
    [kept] = kept_tables(home, published(home, DAYS[0]))
    assert str(kept) == "totals shows no rows yet: something that it is made of is held"


def test_what_a_whole_table_lacks_is_told(home: Settings) -> None:
    """Only rows without any date were: of a table by days each date has its own."""
    built(home, 9, rejected=1)
    [table] = published(home).tables
    assert table.lacks == {"whole": {"quarantined": 1}}
    built(home, 5, rejected=4)
    [table] = published(home, DAYS[1]).tables
    assert table.lacks == {"whole": {"quarantined": 1}}, "it shows what it did, and lacks what that lacked"


def test_the_lab_sees_a_whole_table_that_showed_wrong_rows(home: Settings, tmp_path: Path) -> None:
    """Containment was judged on tables by event date alone. Fewer days, rows that are known to be lacking, and a table that
    stands still are no wrong numbers."""
    oracle = load_settings(tmp_path / "oracle")
    oracle.home.mkdir()
    built(oracle, 10)
    published(oracle)
    built(home, 5)
    published(home, landed=LANDED[:1])  # before the second day came
    built(home, 10)
    published(home)
    built(home, 9, rejected=1)
    published(home)  # incomplete, and told
    built(home, 999)
    published(home, DAYS[1])  # held
    wrong = lambda: [str(one) for one in differences(versions(home), oracle.published / CURRENT, [TOTALS])]  # noqa: E731
    assert wrong() == []
    version = published(home).version  # nobody noticed
    assert wrong() == [f"{version}/totals/whole"]


def versions(settings: Settings) -> list[Path]:
    """The folders of all versions."""
    return sorted(settings.published.glob("v0*"))
