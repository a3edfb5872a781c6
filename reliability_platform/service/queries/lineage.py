"""Lineage: what feeds what, who owns it and who reads it."""

from pathlib import Path

from pydantic import Field

from reliability_platform.lineage.digraph import DiGraph
from reliability_platform.lineage.graph import data_graph, downstream, known_node, upstream
from reliability_platform.service.queries.answer import QueryAnswer


class LineageDataset(QueryAnswer):
    """One dataset of the data graph."""

    id: str
    """As its Dagster asset key: `bronze/orders`, `stg_orders`, `published/agg_daily_revenue`, `exposure/finance_dashboard`."""
    kind: str
    """Its layer, from `source` to `exposure`."""
    name: str
    """Its name without the layer."""
    owner: str
    """Who owns it; empty where nobody is declared."""
    email: str
    """The owner's address."""
    critical: bool
    """Whether a critical reader lives on it."""
    checks: list[str]
    """Its checks."""


class LineageEdge(QueryAnswer):
    """One dataset feeds another."""

    from_: str = Field(alias="from")
    """The dataset that is read."""
    to: str
    """The dataset that is made from it."""
    rows: bool
    """Whether rows flow, or only the record of what was admitted or judged."""


class LineageGraph(QueryAnswer):
    """Datasets and what feeds what."""

    datasets: list[LineageDataset]
    """In the order of their names."""
    feeds: list[LineageEdge]
    """In the order of their ends."""


def lineage_graph(manifest: Path, dataset: str | None = None) -> LineageGraph:
    """The whole graph, or what leads to a dataset and what comes from it. Raises `UsageError` for an unknown one."""
    graph = data_graph(manifest)
    if dataset is not None:
        node = known_node(graph, dataset)
        graph = graph.part({node} | upstream(graph, [node]) | downstream(graph, [node]))
    return shown_graph(graph)


def shown_graph(graph: DiGraph) -> LineageGraph:
    """A data graph, or a part of it, that somebody has already."""
    return LineageGraph(
        datasets=[LineageDataset(id=node, **graph.nodes[node]) for node in sorted(graph)],
        feeds=[
            LineageEdge(**{"from": one, "to": to, "rows": graph.edges[one, to]["rows"]})
            for one, to in sorted(graph.edges)
        ],
    )
