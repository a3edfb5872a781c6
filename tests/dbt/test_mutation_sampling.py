"""Inputs of too many rows are sampled so that what refers to what still does."""

from pathlib import Path

import duckdb
import pytest

from reliability_platform.mutation.private_profile import DUCKDB, PrivateProfile
from reliability_platform.mutation.sampling import sample_inputs

ROWS = {"customers": 20_000, "orders": 60_000, "items": 90_000, "countries": 20}
TABLES = {f'"shop"."main"."{name}"': f"raw.{name}" for name in ROWS}


@pytest.fixture
def profile(tmp_path: Path) -> PrivateProfile:
    """A shop: orders of customers, with some of nobody and some of somebody unknown, and items of orders."""
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table customers as select i as id, i % 20 as country_id from range(20000) as t(i)")
        connection.execute(
            "create table orders as select i as order_id, case i % 100 when 0 then null when 1 then 9000000 + i else i * 7 % 20000 end "
            "as customer_id, i / 3 as amount from range(60000) as t(i)"
        )
        connection.execute("create table items as select i as id, i % 60000 as order_id from range(90000) as t(i)")
        connection.execute("create table countries as select i as id, 'c' || i as name from range(20) as t(i)")
    return PrivateProfile("shop", "dev", tmp_path / "profiles.yml", {"shop": path}, (), (), DUCKDB, ())


def _read(profile: PrivateProfile, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(profile.catalogs["shop"]), read_only=True) as connection:
        return connection.execute(query).fetchall()


def _orphans(profile: PrivateProfile) -> list[tuple[object, ...]]:
    return _read(
        profile,
        "select (select count(*) from orders where customer_id < 9000000 and customer_id not in (select id from customers)), "
        "(select count(*) from items where order_id not in (select order_id from orders)), "
        "(select count(*) > 0 from orders where customer_id is null), (select count(*) > 0 from orders where customer_id > 9000000)",
    )


def test_a_sample_has_no_orphan_that_was_none(profile: PrivateProfile) -> None:
    """Customers, their orders and the items of these are all too many; rows that referred to nobody still do."""
    said = sample_inputs(TABLES, profile, 5_000, seed=1)
    assert _orphans(profile) == [(0, 0, True, True)]
    (counts,) = _read(profile, f"select {', '.join(f'(select count(*) from {name})' for name in ROWS)}")
    assert all(1_000 < int(str(one)) < 6_000 for one in counts[:3]), counts
    assert counts[3] == 20
    assert said[0].startswith("raw.customers is a sample of") and said[0].endswith("rows of 20,000")
    assert said[-1] == "tests of how many rows there are say nothing of a sample"
    assert len(said) == 4
    assert len(_read(profile, "select 1 from duckdb_tables()")) == 4


def test_of_one_customer_all_orders_are_kept_or_none(profile: PrivateProfile) -> None:
    """A sum per customer is then what it was."""
    before = dict(_read(profile, "select customer_id, count(*) from orders where customer_id < 20000 group by 1"))
    tables = {one: name for one, name in TABLES.items() if name in ("raw.customers", "raw.orders")}
    sample_inputs(tables, profile, 25_000, seed=1)
    assert _read(profile, "select count(*) from customers") == [(20_000,)]
    after = dict(_read(profile, "select customer_id, count(*) from orders where customer_id < 20000 group by 1"))
    assert 0 < len(after) < len(before)
    assert all(before[one] == number for one, number in after.items())


def test_a_sample_is_the_same_for_one_seed(profile: PrivateProfile) -> None:
    """So that a run that was killed can go on, and two runs can be compared; another seed takes other rows."""
    copies = {}
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        path = profile.catalogs["shop"].with_name(f"{name}.duckdb")
        path.write_bytes(profile.catalogs["shop"].read_bytes())
        copied = PrivateProfile("shop", "dev", profile.file, {"shop": path}, (), (), DUCKDB, ())
        sample_inputs(TABLES, copied, 5_000, seed)
        copies[name] = _read(copied, "select id from customers order by id")
    assert copies["one"] == copies["again"]
    assert copies["one"] != copies["other"]


def test_nothing_is_said_or_done_where_all_is_small(profile: PrivateProfile) -> None:
    """And a table that is not there is left to the build to name."""
    assert sample_inputs({**TABLES, '"shop"."main"."nowhere"': "raw.nowhere"}, profile, 90_000, seed=1) == []
    assert _read(profile, "select count(*) from items") == [(90_000,)]
