"""The Cypher export in the hands of a database that others wrote: it takes it, and says the same of what reaches what."""

from collections.abc import Iterator

import pytest

from reliability_platform.lineage.digraph import DiGraph
from reliability_platform.lineage.export import cypher, flat_graph, literal
from reliability_platform.lineage.graph import data_graph, downstream, upstream
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from tests.graph_database import GraphDatabase, graph_database
from tests.unit.test_lineage_export import hostile

__all__ = ["hostile"]


@pytest.fixture(scope="module")
def server() -> Iterator[GraphDatabase]:
    with graph_database() as one:
        yield one


@pytest.fixture
def database(server: GraphDatabase) -> GraphDatabase:
    server.rows("MATCH (n) DELETE n")
    return server


def load(database: GraphDatabase, graph: DiGraph) -> None:
    for line in cypher(graph).splitlines():
        database.rows(line)


def reached(database: GraphDatabase, node: str, pattern: str) -> set[str]:
    """What is led to along edges that carry rows."""
    found = database.rows(
        f"MATCH (a:Dataset {{id: {literal(node)}}}), p = {pattern} WHERE all(e IN relationships(p) WHERE e.rows) RETURN DISTINCT b.id"
    )
    return {name for (name,) in found}


def test_a_database_says_the_same_of_what_reaches_what(database: GraphDatabase) -> None:
    """For every dataset of the shop, in both directions, loaded twice."""
    graph = data_graph(ensure_manifest())
    load(database, graph)
    load(database, graph)
    assert database.rows("MATCH (n:Dataset) RETURN count(n)") == [[len(graph)]]
    assert database.rows("MATCH ()-[e:FEEDS]->() RETURN count(e)") == [[len(graph.edges)]]
    for node in graph:
        assert reached(database, node, "(a)-[:FEEDS*1..]->(b)") == downstream(graph, [node])
        assert reached(database, node, "(b)-[:FEEDS*1..]->(a)") == upstream(graph, [node])


def test_a_hostile_name_is_a_value_for_a_database_too(database: GraphDatabase, hostile: DiGraph) -> None:
    """It neither ends the string nor the statement, and comes back as it was written."""
    load(database, hostile)
    plain = flat_graph(hostile)
    assert {name for (name,) in database.rows("MATCH (n:Dataset) RETURN n.id")} == set(plain)
    [[incident, contained]] = database.rows("MATCH ()-[e:FEEDS]->() RETURN e.incident, e.contained")
    assert incident == plain.graph["incident"]
    assert contained == "true"
