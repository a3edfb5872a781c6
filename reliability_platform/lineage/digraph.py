"""Nodes, edges, and what is said of them. networkx does far more, and takes 0.13 s of CPU to import: only exports need it."""

from collections.abc import Collection, Iterator
from typing import Any


class DiGraph:
    """A directed graph, read as one of networkx is."""

    def __init__(self, **said: Any) -> None:
        self.graph: dict[str, Any] = said
        """What is said of the whole."""
        self.nodes: dict[str, dict[str, Any]] = {}
        """Node → attributes."""
        self.edges: dict[tuple[str, str], dict[str, Any]] = {}
        """From and to → attributes."""
        self.succ: dict[str, dict[str, dict[str, Any]]] = {}
        """Node → node after it → attributes of the edge."""
        self.pred: dict[str, dict[str, dict[str, Any]]] = {}
        """Node → node before it → attributes of the edge."""
        self._frozen = False

    def __iter__(self) -> Iterator[str]:
        return iter(self.nodes)

    def __contains__(self, node: object) -> bool:
        return node in self.nodes

    def __len__(self) -> int:
        return len(self.nodes)

    def add_node(self, node: str, **attributes: Any) -> None:
        """A node, or more that is said of one."""
        if self._frozen:
            raise TypeError("The graph is kept for all who ask: take a part of it.")
        self.nodes.setdefault(node, {}).update(attributes)
        self.succ.setdefault(node, {})
        self.pred.setdefault(node, {})

    def add_edge(self, one: str, other: str, **attributes: Any) -> None:
        """An edge, and its ends where they are not there yet."""
        self.add_node(one)
        self.add_node(other)
        self.edges[one, other] = self.succ[one][other] = self.pred[other][one] = attributes

    def freeze(self) -> None:
        """Refuse nodes and edges from now on."""
        self._frozen = True

    def part(self, nodes: Collection[str]) -> "DiGraph":
        """Some nodes and the edges between them, as a graph of its own."""
        found = DiGraph(**self.graph)
        for node in (one for one in self if one in nodes):
            found.add_node(node, **self.nodes[node])
        for (one, other), attributes in self.edges.items():
            if one in found and other in found:
                found.add_edge(one, other, **attributes)
        return found
