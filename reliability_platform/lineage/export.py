"""The data graph, or the part of it that an incident concerns, for programs that keep graphs.

GraphML for graph tools, Cypher for graph databases. Names may come from data: whatever they hold, they stay values.
"""

import io
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reliability_platform.lineage.digraph import DiGraph

if TYPE_CHECKING:
    import networkx as nx

_UNPRINTABLE = re.compile(r"[^\t\n -\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML forbids or discourages; no name needs it."""
PLACEHOLDER = "\ufffd"
LABEL, FEEDS = "Dataset", "FEEDS"
_PROPERTY = re.compile(r"[a-z_]+")


def flat(data: Mapping[str, Any]) -> dict[str, str | bool | int | float]:
    """Attributes as both formats know them: text, numbers, truth. A list is its words, a mapping is JSON."""
    return {name: _flat(value) for name, value in data.items()}


def _flat(value: Any) -> str | bool | int | float:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        value = json.dumps(value, sort_keys=True, ensure_ascii=False)
    elif isinstance(value, list | tuple | set | frozenset):
        value = " ".join(map(str, value))
    return _UNPRINTABLE.sub(PLACEHOLDER, "" if value is None else str(value))


def flat_graph(graph: DiGraph) -> "nx.DiGraph[str]":
    """The same graph in a fixed order, with names and attributes as both formats know them."""
    import networkx as nx

    plain: nx.DiGraph[str] = nx.DiGraph()
    plain.graph.update(flat(graph.graph))
    plain.add_nodes_from((str(_flat(node)), flat(graph.nodes[node])) for node in sorted(graph))
    edges = ((one, other, graph.edges[one, other]) for one, other in sorted(graph.edges))
    plain.add_edges_from((str(_flat(one)), str(_flat(other)), flat(data)) for one, other, data in edges)
    return plain


def graphml(graph: DiGraph) -> str:
    """The graph as GraphML; the same bytes for the same graph. `networkx.read_graphml` gives `flat_graph` back."""
    import networkx as nx

    buffer = io.BytesIO()
    nx.write_graphml_xml(flat_graph(graph), buffer, named_key_ids=True)
    return buffer.getvalue().decode() + "\n"


def cypher(graph: DiGraph) -> str:
    """The graph as Cypher statements, one a line; running them again changes nothing.

    Attributes of the whole graph, as the incident, become properties of each edge.
    """
    plain = flat_graph(graph)
    lines = [
        f"MERGE (n:{LABEL} {{id: {literal(node)}}}) SET n += {_map(data)};" for node, data in plain.nodes(data=True)
    ]
    for one, other, data in plain.edges(data=True):
        lines.append(
            f"MATCH (a:{LABEL} {{id: {literal(one)}}}), (b:{LABEL} {{id: {literal(other)}}}) "
            f"MERGE (a)-[r:{FEEDS}]->(b) SET r += {_map({**plain.graph, **data})};"
        )
    return "\n".join(lines) + "\n"


def _map(data: Mapping[str, Any]) -> str:
    """Property names become part of the statement, so only our own plain ones pass."""
    for name in data:
        if not _PROPERTY.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a property")
    return "{" + ", ".join(f"{name}: {literal(value)}" for name, value in sorted(data.items())) + "}"


def literal(value: str | bool | int | float) -> str:
    """A value as a Cypher literal.

    Some versions read `\\uXXXX` before anything else, even after a second backslash; so a literal ends right after
    each backslash of the value, and the rest is another one.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    text = value.replace("\\", "\x00").replace("'", "\\'")
    text = text.replace("\n", "\\n").replace("\t", "\\t")
    return "'" + text.replace("\x00", "\\\\' + '") + "'"
