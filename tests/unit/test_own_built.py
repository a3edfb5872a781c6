"""Rows of an own dbt project's tables that somebody has changed behind a build are known, whatever their yml says."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.built import note_head
from reliability_platform.warehouse.own_built import OwnTable, note_own_built, own_changed_since_built

FIRST, SECOND = date(2026, 1, 1), date(2026, 1, 2)
WHOLE = OwnTable("customers", "shop", "Customers", ("orders", "payments"), None)
DAILY = OwnTable("daily", "shop", "daily", ("orders",), "ordered on")
BOTH = [WHOLE, DAILY]
ODD = "map {'a': 1} as m, {'a': [1.5, null]} as s, interval 1 day as i, '1'::bit as b, '\\x00'::blob as o, null as row"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A warehouse as a build has left it: silver of two days, a table published whole, one published by days."""
    found = load_settings(tmp_path)
    found.builds.mkdir(parents=True)
    with duckdb.connect(str(found.warehouse)) as connection:
        for source in ("orders", "payments"):
            connection.execute(
                f"create table int_{source}__deduplicated as select date '{FIRST}' + day::int as landing_date, "
                f"landing_date as event_date from range(2) as days(day)"
            )
        connection.execute("create schema shop")
        connection.execute(f"create table shop.customers as select 1 as id, 'Ann' as name, {ODD}")
        connection.execute(
            f"""create table shop.daily as select timestamp '{FIRST} 09:00' + interval (day) day as "ordered on", 5 as orders from range(2) as days(day)"""
        )
        note_own_built(connection, BOTH, {"customers", "daily"})
    note_head(found)
    return found


def changed(settings: Settings, *statements: str) -> list[tuple[str, str, date]]:
    """What is found after somebody with a shell has run statements."""
    with duckdb.connect(str(settings.warehouse)) as connection:
        for statement in statements:
            connection.execute(statement)
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return own_changed_since_built(settings, connection, BOTH)


ALL_OF_CUSTOMERS = [("customers", source, day) for source in ("orders", "payments") for day in (FIRST, SECOND)]


def statements() -> Iterator[tuple[str, list[tuple[str, str, date]]]]:
    """What somebody does, and what is found of it."""
    yield "select 1", []
    yield "update shop.customers set name = 'Eve'", ALL_OF_CUSTOMERS
    yield "delete from shop.customers", ALL_OF_CUSTOMERS
    yield "insert into shop.customers select * from shop.customers", ALL_OF_CUSTOMERS
    yield "drop table shop.customers", ALL_OF_CUSTOMERS
    yield "alter table shop.customers drop column name", ALL_OF_CUSTOMERS
    yield (
        f"""update shop.daily set orders = 6 where cast("ordered on" as date) = '{SECOND}'""",
        [("daily", "orders", SECOND)],
    )
    yield f"""delete from shop.daily where cast("ordered on" as date) = '{FIRST}'""", [("daily", "orders", FIRST)]
    of_no_day = [("daily", "orders", day) for day in (FIRST, SECOND)]
    yield "insert into shop.daily values (timestamp '2031-05-05 00:00', 1)", of_no_day
    yield "insert into shop.daily values (null, 1)", of_no_day


@pytest.mark.parametrize(("statement", "found"), list(statements()))
def test_what_is_changed_is_found_with_the_days_that_are_in_it(
    settings: Settings, statement: str, found: list[tuple[str, str, date]]
) -> None:
    """A name altered by hand changes no sum, and nobody had declared one: it was published as if a model had made it."""
    assert changed(settings, statement) == found


def test_what_a_build_makes_again_is_as_built_and_what_it_leaves_is_not(settings: Settings) -> None:
    """A build of some of the models must not take for its own what was changed in the others."""
    found = changed(settings, "update shop.customers set name = 'Eve'", "update shop.daily set orders = 7")
    assert {table for table, _, _ in found} == {"customers", "daily"}
    with duckdb.connect(str(settings.warehouse)) as connection:
        note_own_built(connection, BOTH, {"daily"})
    assert changed(settings) == ALL_OF_CUSTOMERS
    with duckdb.connect(str(settings.warehouse)) as connection:
        note_own_built(connection, BOTH, {"customers"})
    assert changed(settings) == []


def test_a_table_that_is_no_longer_built_is_forgotten(settings: Settings) -> None:
    """Its model was removed; its rows are nobody's business."""
    with duckdb.connect(str(settings.warehouse)) as connection:
        note_own_built(connection, [DAILY], {"daily"})
        connection.execute("update shop.customers set name = 'Eve'")
        assert own_changed_since_built(settings, connection, [DAILY]) == []
