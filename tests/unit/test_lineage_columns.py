"""The lineage of columns: facts that were read from the models by hand, and the SQL that people write."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from reliability_platform.contracts import CONTRACTS
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.landing.reference import REFERENCE_TABLES, refresh_reference
from reliability_platform.lineage.columns import CACHE, column_lineage, columns_of, downstream_columns, traced
from reliability_platform.lineage.digraph import DiGraph
from reliability_platform.lineage.tracing import ColumnSource, UnreadableSqlError, inputs_of
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest

TABLES = {"a": ["x", "y", "d"], "b": ["x", "z"], "bronze/orders": ["amount", "landing_date"]}


@pytest.fixture(scope="module")
def manifest() -> Path:
    path = ensure_manifest()
    column_lineage(path)  # 7 s once per change of the models; the tests below are about what comes of it
    return path


def direct(manifest: Path, model: str, column: str) -> set[str]:
    return {f"{one.dataset}.{one.column}" for one in column_lineage(manifest)[model][column] if one.kind == "direct"}


def fed(edges: list[tuple[str, str]]) -> DiGraph:
    graph = DiGraph()
    for edge in edges:
        graph.add_edge(*edge)
    return graph


def reached(manifest: Path, dataset: str, column: str, use: str = "direct") -> set[str]:
    found = downstream_columns(manifest, dataset, column)
    return {f"{table}.{name}" for table, columns in found.items() for name, kind in columns.items() if kind == use}


def test_revenue_in_euro_is_made_of_the_amount_and_the_rate(manifest: Path) -> None:
    """By hand: sum(round(orders.amount * rates.rate_to_eur)); all else only decides which rows there are."""
    assert direct(manifest, "agg_daily_revenue", "gross_amount_eur") == {
        "int_orders__deduplicated.amount",
        "dim_currency_rates.rate_to_eur",
    }
    inputs = column_lineage(manifest)["agg_daily_revenue"]["gross_amount_eur"]
    assert {one.column for one in inputs if one.kind == "indirect" and one.dataset == "int_orders__deduplicated"} == {
        "currency", "event_date", "merchant_id",
    }  # fmt: skip
    assert direct(manifest, "stg_orders", "amount") == {"bronze/orders.amount"}
    assert direct(manifest, "dim_currency_rates", "rate_to_eur") == {"reference/currency_rates.rate_to_eur"}


def test_a_bad_amount_goes_to_every_sum_of_amounts_and_to_nothing_else(manifest: Path) -> None:
    """From the source system to the dashboards, by the values themselves."""
    gold = {name for name in reached(manifest, "source/orders", "amount") if name.startswith(("agg_", "fct_"))}
    assert gold == {
        "agg_daily_revenue.gross_amount", "agg_daily_revenue.gross_amount_eur", "fct_customer_days.order_amount_eur",
    }  # fmt: skip
    exposed = {name for name in reached(manifest, "source/orders", "amount") if name.startswith("exposure/")}
    assert exposed == {
        "exposure/finance_dashboard.agg_daily_revenue.gross_amount",
        "exposure/finance_dashboard.agg_daily_revenue.gross_amount_eur",
        "exposure/fraud_feature_set.fct_customer_days.order_amount_eur",
    }


def test_a_bad_amount_influences_the_number_of_orders(manifest: Path) -> None:
    """A row whose amount is out of range is rejected, and counted nowhere."""
    assert "agg_daily_revenue.orders" in reached(manifest, "bronze/orders", "amount", "indirect")
    assert direct(manifest, "agg_daily_revenue", "orders") == set()


def test_a_wrong_rate_reaches_everything_in_euro(manifest: Path) -> None:
    """And nothing in the currency of the order."""
    found = reached(manifest, "reference/currency_rates", "rate_to_eur")
    assert {name for name in found if name.startswith("published/")} == {
        "published/agg_daily_revenue.gross_amount_eur",
        "published/agg_daily_payments.captured_amount_eur",
        "published/fct_customer_days.order_amount_eur",
    }


def test_a_condition_chooses_values_and_is_none(manifest: Path) -> None:
    """`count(*) filter (where status = 'captured')` has no value of a column in it."""
    inputs = column_lineage(manifest)["agg_daily_payments"]["captured"]
    assert ColumnSource("int_payments__deduplicated", "status", "indirect") in inputs
    assert direct(manifest, "agg_daily_payments", "captured") == set()
    assert direct(manifest, "stg_orders", "disposition") == set()
    assert direct(manifest, "stg_orders", "event_date") == {"bronze/orders.event_time"}


def test_the_sources_stay_apart(manifest: Path) -> None:
    """Staging of all sources is written by one macro; its columns must not mix."""
    assert not any("payments" in name for name in reached(manifest, "bronze/shipments", "carrier"))
    assert reached(manifest, "bronze/shipments", "status", "indirect").isdisjoint(
        reached(manifest, "bronze/web_events", "event_type", "direct")
    )


def test_every_column_of_a_contract_is_followed(manifest: Path) -> None:
    """A column that the lineage forgets would be harmless in every blast radius."""
    for source, contract in CONTRACTS.items():
        for column in contract.arrow_schema.names:
            assert f"stg_{source}.{column}" in reached(manifest, f"source/{source}", column)


def test_the_columns_of_reference_data_are_those_that_are_delivered(manifest: Path, tmp_path: Path) -> None:
    """They are declared in reference.yml, since no model makes them."""
    settings = load_settings(tmp_path)
    refresh_reference(settings)
    for table in REFERENCE_TABLES:
        delivered = pq.read_schema(settings.reference / f"{table}.parquet").names
        assert columns_of(manifest, f"reference/{table}") == delivered


def test_an_unknown_column_reaches_nothing(manifest: Path) -> None:
    """A producer may send a column that nobody knows."""
    assert downstream_columns(manifest, "bronze/orders", "gift'; drop table orders") == {}


def test_it_is_computed_once_and_kept_beside_the_manifest(manifest: Path, tmp_path: Path) -> None:
    """Without a dbt project nothing could be computed; without the kept file, that is what is said."""
    target = tmp_path / "project" / "target"
    target.mkdir(parents=True)
    copy = Path(shutil.copy(manifest, target))
    shutil.copy(manifest.with_name(CACHE), target)
    assert column_lineage(copy) == column_lineage(manifest)
    (target / CACHE).write_text('{"stamp": "of another time", "models": {}}')
    copy.touch()
    with pytest.raises(EnvironmentUnusableError, match="no dbt project"):
        column_lineage(copy)


def test_a_model_that_is_not_understood_is_held_to_depend_on_all_it_reads() -> None:
    """Somebody writes a recursion: its declared columns, and what comes of them, still are in the blast radius."""
    graph = fed([("bronze/orders", "odd"), ("odd", "after")])
    compiled = {
        "odd": "with recursive r as (select amount from x union all select amount + 1 from r) select amount from r",
        "after": "select amount as total from odd",
    }
    found = traced(graph, compiled, {"bronze/orders": ["amount", "landing_date"]}, {"odd": ["amount"], "after": []})
    assert found["odd"]["amount"] == {
        ColumnSource("bronze/orders", "amount", "indirect"),
        ColumnSource("bronze/orders", "landing_date", "indirect"),
    }
    assert found["after"]["total"] == {ColumnSource("odd", "amount", "direct")}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select x from a", {"x": "a.x"}),
        ("select x + 1 as k, k * 2 as l from a", {"k": "a.x", "l": "a.x"}),
        ("select a.x, z from a join b on a.x = b.x", {"x": "a.x (b.x)", "z": "b.z (a.x b.x)"}),
        ("select count(*) as n from a where y > 1 group by d", {"n": "(a.d a.y)"}),
        ("select x, count(*) as n from a group by all", {"x": "a.x", "n": "(a.x)"}),
        ("select case when x then y else d end as r from a", {"r": "a.d a.y (a.x)"}),
        ("select sum(y) filter (where d) as s from a", {"s": "a.y (a.d)"}),
        ("select sum(y) over (partition by d order by x) as s from a", {"s": "a.y (a.d a.x)"}),
        ("select x from a qualify row_number() over (partition by d order by y) = 1", {"x": "a.x (a.d a.y)"}),
        ("select x from a where x in (select z from b)", {"x": "a.x (b.z)"}),
        ("select x from a where exists (select 1 from b where b.x = a.y)", {"x": "a.x (a.y b.x)"}),
        ("select (select max(z) from b where b.x = a.x) as m from a", {"m": "b.z (a.x b.x)"}),
        ("select x, y from a union all select x, z from b", {"x": "a.x b.x", "y": "a.y b.z"}),
        ("with c as (select * from a where d) select x from c", {"x": "a.x (a.d)"}),
        ("select * exclude (y) from a", {"x": "a.x", "d": "a.d"}),
        ("select u.v from a, unnest([a.y]) as u(v)", {"v": "a.y"}),
        ("select 1 as one", {"one": ""}),
        (
            "select sum(amount) as s from read_parquet('__home__/bronze/orders/landing_date=*/*.parquet')",
            {"s": "bronze/orders.amount"},
        ),
        ('select y from "warehouse"."main"."a"', {"y": "a.y"}),
    ],
)
def test_the_inputs_of_sql_as_people_write_it(sql: str, expected: dict[str, str]) -> None:
    """Direct inputs, and those that only decide in brackets."""
    found = {}
    for column, inputs in inputs_of(sql, TABLES).items():
        uses = {kind: [f"{one.dataset}.{one.column}" for one in sorted(inputs) if one.kind == kind] for kind in
                ("direct", "indirect")}  # fmt: skip
        deciding = f"({' '.join(uses['indirect'])})" if uses["indirect"] else ""
        found[column] = " ".join([*uses["direct"], *([deciding] if deciding else [])])
    assert found == expected


@pytest.mark.parametrize(
    "sql",
    [
        "select nope from a",
        "select * from a pivot (sum(y) for d in (1, 2))",
        "with recursive r as (select x from a union all select x + 1 from r where x < 3) select x from r",
        "selec x frm",
    ],
)
def test_what_is_not_understood_is_said_and_not_guessed(sql: str) -> None:
    """A wrong lineage is worse than none."""
    with pytest.raises(UnreadableSqlError):
        inputs_of(sql, TABLES)


def test_one_model_that_nobody_understands_leaves_the_others_their_columns() -> None:
    """A table without a known column made every later query unreadable, for sqlglot takes an empty table for a schema."""
    graph = fed([("bronze/orders", "odd"), ("bronze/orders", "after"), ("odd", "after")])
    compiled = {"odd": "select nowhere.x from nothing", "after": 'select amount as total from "bronze/orders"'}
    found = traced(graph, compiled, {"bronze/orders": ["amount"]}, {"odd": [], "after": []})
    assert found["odd"] == {}
    assert found["after"]["total"] == {ColumnSource("bronze/orders", "amount", "direct")}
