"""The graph for programs that keep graphs: whatever a name holds, it stays a value."""

import io
import re
from typing import Any

import networkx as nx
import pytest

from reliability_platform.lineage.digraph import DiGraph
from reliability_platform.lineage.export import PLACEHOLDER, cypher, flat_graph, graphml, literal
from reliability_platform.lineage.graph import data_graph
from reliability_platform.warehouse.dbt_manifest import ensure_manifest

HOSTILE = "x' }) DETACH DELETE n // \\u0027 \\' \\\\ <a>&amp;]]>\x00\x01\ud800\u202e\n\t\r`{}; end\\"
CLEAN = re.sub("[\x00\x01\ud800\r]", PLACEHOLDER, HOSTILE)


@pytest.fixture(scope="module")
def graph() -> DiGraph:
    return data_graph(ensure_manifest())


@pytest.fixture
def hostile() -> DiGraph:
    made = DiGraph(incident=HOSTILE, contained=True)
    made.add_node("stg_orders", kind="staging", checks=("one", "two"), columns={HOSTILE: "direct"}, critical=False)
    made.add_node(HOSTILE, kind="gold", checks=(), columns={}, critical=True)
    made.add_edge("stg_orders", HOSTILE, rows=True)
    return made


def read(text: str) -> "nx.DiGraph[str]":
    found: nx.DiGraph[str] = nx.read_graphml(io.BytesIO(text.encode()))
    return found


def same(one: "nx.DiGraph[str]", other: "nx.DiGraph[str]") -> bool:
    return (dict(one.nodes(data=True)), dict(one.edges), one.graph) == (
        dict(other.nodes(data=True)),
        dict(other.edges),
        {name: value for name, value in other.graph.items() if name not in ("node_default", "edge_default")},
    )


def test_graphml_read_again_is_the_graph(graph: DiGraph) -> None:
    """Every node, edge and attribute; lists as words."""
    found = read(graphml(graph))
    assert same(flat_graph(graph), found)
    assert set(found) == set(graph)
    assert set(found.edges) == set(graph.edges)
    checks = found.nodes["stg_orders"]["checks"].split(" ")
    assert tuple(checks) == graph.nodes["stg_orders"]["checks"]
    assert found.nodes["exposure/finance_dashboard"]["email"] == "finance-analytics@example.com"


def test_graphml_of_hostile_names_is_xml_and_the_same_graph(hostile: DiGraph) -> None:
    """What XML cannot hold is replaced, and nothing else."""
    found = read(graphml(hostile))
    assert same(flat_graph(hostile), found)
    assert CLEAN in found


def test_the_same_graph_gives_the_same_text(graph: DiGraph) -> None:
    """In whatever order its parts were added: exports are kept and compared."""
    turned = DiGraph()
    for node, said in reversed(graph.nodes.items()):
        turned.add_node(node, **said)
    for ends, said in reversed(graph.edges.items()):
        turned.add_edge(*ends, **said)
    assert graphml(turned) == graphml(graph)
    assert cypher(turned) == cypher(graph)


LITERAL = re.compile(r"'((?:[^'\\]|\\.)*)'")
ESCAPES = {"\\n": "\n", "\\t": "\t", "\\'": "'", "\\\\": "\\"}


def spoken(text: str) -> str:
    """The value of a concatenation of Cypher strings, as a database reads it. Refuses what is not exactly that."""
    parts, place = [], 0
    while True:
        found = LITERAL.match(text, place)
        assert found is not None, text[place:]
        parts.append(re.sub(r"\\.", lambda escape: ESCAPES[escape.group()], found.group(1)))
        place = found.end()
        if place == len(text):
            return "".join(parts)
        assert text.startswith(" + ", place), text[place:]
        place += 3


@pytest.mark.parametrize("value", ["", "orders", "it's", "\\", "\\\\", "\\'", "\\u0027", "'; //", "\n\t", CLEAN])
def test_a_text_in_cypher_is_read_as_itself(value: str) -> None:
    """A quote of the data must not end the string; nor may one spelled by its code, which some read before all else."""
    written = literal(value)
    assert spoken(written) == value
    assert "\\u" not in written
    assert "\n" not in written


def test_cypher_names_every_node_and_edge_once_and_merges(graph: DiGraph, hostile: DiGraph) -> None:
    """Running it twice must not double the graph, so nothing is created but by MERGE; one statement a line."""
    for one in (graph, hostile):
        lines = cypher(one).splitlines()
        nodes = [line for line in lines if line.startswith("MERGE (n:Dataset {id: '")]
        edges = [line for line in lines if line.startswith("MATCH (a:Dataset {id: '")]
        assert (len(nodes), len(edges)) == (len(one), len(one.edges))
        assert len(lines) == len(nodes) + len(edges)
        assert all(line.endswith("};") for line in lines)
        outside = [LITERAL.sub("", line) for line in lines]
        assert not any(word in line for line in outside for word in ("CREATE", "DELETE", "//", "`"))


def test_a_property_of_a_strange_name_is_refused() -> None:
    """Names of properties become part of the statement."""
    made = DiGraph()
    data: dict[str, Any] = {"kind} ) DETACH DELETE n //": 1}
    made.add_node("one", **data)
    with pytest.raises(ValueError, match="property"):
        cypher(made)
