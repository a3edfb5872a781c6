"""The data graph: what feeds what, whom it belongs to, who lives on it."""

from itertools import pairwise

import pytest

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.errors import UsageError
from reliability_platform.lineage.digraph import DiGraph
from reliability_platform.lineage.graph import (
    ADMISSIONS,
    NodeKind,
    data_graph,
    downstream,
    in_order,
    known_node,
    node_of,
    upstream,
)
from reliability_platform.warehouse.dbt_manifest import ensure_manifest


@pytest.fixture(scope="module")
def graph() -> DiGraph:
    return data_graph(ensure_manifest())


def test_a_row_goes_from_the_source_to_its_reader(graph: DiGraph) -> None:
    """Each stage of the way of a row is a node, in this order."""
    way = [
        "source/orders", "landing/orders", "bronze/orders", "stg_orders", "int_orders__deduplicated",
        "agg_daily_revenue", "published/agg_daily_revenue", "exposure/finance_dashboard",
    ]  # fmt: skip
    assert all(edge in graph.edges for edge in pairwise(way))
    assert [graph.nodes[node]["kind"] for node in way] == [
        "source", "landing", "bronze", "staging", "silver", "gold", "published", "exposure",
    ]  # fmt: skip
    order = in_order(graph)
    assert sorted(way, key=order.index) == way


def test_the_record_of_admissions_carries_no_rows(graph: DiGraph) -> None:
    """All staging reads it: if rows flowed through it, every failure would reach everything."""
    assert set(graph.pred[ADMISSIONS]) == {f"bronze/{source}" for source in SOURCES}
    assert "stg_payments" in graph.succ[ADMISSIONS]
    reached = downstream(graph, ["source/shipments"])
    assert {node for node in reached if node.startswith("stg_")} == {"stg_shipments"}
    assert {node for node in reached if node.startswith("exposure/")} == {"exposure/operations_report"}


def test_a_reader_reads_what_is_published_and_never_gold(graph: DiGraph) -> None:
    """Consumers see audited data only."""
    for node, data in graph.nodes.items():
        if data["kind"] is NodeKind.EXPOSURE:
            assert all(graph.nodes[parent]["kind"] is NodeKind.PUBLISHED for parent in graph.pred[node])
            assert data["owner"]
            assert "@" in data["email"]


def test_every_check_of_a_dataset_is_on_its_node(graph: DiGraph) -> None:
    """A check whose dataset is not in the graph would be missing from every blast radius; builds, runs, the home and
    what is published as a whole are no datasets."""
    wholes = ("dbt_build", "pipeline_run", "published", "home")
    on_nodes = [check for node in graph for check in graph.nodes[node]["checks"]]
    assert sorted(on_nodes) == sorted(name for name, spec in CHECKS.items() if spec.dataset not in wholes)
    assert "bronze_orders__batch_completeness" in graph.nodes["bronze/orders"]["checks"]


def test_critical_is_what_a_critical_reader_lives_on(graph: DiGraph) -> None:
    """The operations report is not critical, so what feeds it alone is not either."""
    assert graph.nodes["bronze/orders"]["critical"]
    assert graph.nodes["reference/currency_rates"]["critical"]
    assert not graph.nodes["int_shipments__deduplicated"]["critical"]
    assert not graph.nodes["published/agg_daily_funnel"]["critical"]


def test_deliveries_belong_to_the_owner_of_their_contract(graph: DiGraph) -> None:
    """Who has to be asked is on every stage that the source alone decides about."""
    for source in SOURCES:
        for kind in ("source", "landing", "bronze"):
            assert graph.nodes[f"{kind}/{source}"]["owner"] == CONTRACTS[source].owner


def test_upstream_is_the_way_back(graph: DiGraph) -> None:
    """Whatever is reached knows where it came from."""
    for node in ("bronze/orders", "stg_web_events", "dim_currency_rates"):
        assert all(node in upstream(graph, [other]) for other in downstream(graph, [node]))


def test_a_dataset_is_found_by_either_of_its_names(graph: DiGraph) -> None:
    """Checks and incidents say bronze_orders, Dagster says bronze/orders."""
    assert node_of("bronze_web_events") == "bronze/web_events"
    assert known_node(graph, "bronze_orders") == known_node(graph, "bronze/orders") == "bronze/orders"
    with pytest.raises(UsageError, match="no dataset"):
        known_node(graph, "orders'; drop table orders")


def test_nobody_can_change_the_graph_that_all_share(graph: DiGraph) -> None:
    """It is kept for the whole process."""
    with pytest.raises(TypeError, match="take a part"):
        graph.add_node("mine")
