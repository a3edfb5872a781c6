"""The platform's data graph: every dataset from the source system to the people who read it.

dbt knows the models and who reads them; the stages before (source system, landing, bronze) and after (audit,
publication) are added here. A node is named as its Dagster asset key: `bronze/orders`, `stg_orders`,
`published/agg_daily_revenue`; besides, `source/orders` and `exposure/finance_dashboard`, which are no assets.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum
from functools import lru_cache
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.errors import UsageError
from reliability_platform.lineage.digraph import DiGraph
from reliability_platform.warehouse.marts import fed_sources, published_models, read_manifest
from reliability_platform.warehouse.own_project import is_own


class NodeKind(StrEnum):
    """What a dataset is, in the order in which data pass."""

    SOURCE = "source"
    LANDING = "landing"
    REFERENCE = "reference"
    BRONZE = "bronze"
    STAGING = "staging"
    QUARANTINE = "quarantine"
    SILVER = "silver"
    GOLD = "gold"
    RECONCILIATION = "reconciliation"
    AUDIT = "audit"
    PUBLISHED = "published"
    EXPOSURE = "exposure"


ADMISSIONS = "bronze/admissions"
AUDIT = "audit/results"
TABLES = ("model.", "snapshot.", "seed.")
"""Beginnings of dbt's ids of what makes tables; only an own project has others than models."""


def node_of(dataset: str) -> str:
    """The node of a dataset as checks and incidents name it: `bronze_orders` is `bronze/orders`, a model is itself."""
    layer, _, rest = dataset.partition("_")
    return f"{layer}/{rest}" if layer == NodeKind.BRONZE else dataset


def data_graph(manifest_path: Path) -> DiGraph:
    """The graph, frozen; made once per change of the manifest.

    Node attributes: `kind`, `name`, `owner` and `email` (empty where nobody is declared), `critical` (whether a
    critical exposure is fed by it), `checks` (names, sorted). Edge attribute `rows`: whether rows flow along it, or
    only the records of what was admitted and what was judged.
    """
    return _graph(manifest_path, manifest_path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _graph(manifest_path: Path, _stamp: int) -> DiGraph:
    manifest = read_manifest(manifest_path)
    graph = DiGraph()
    _add_deliveries(graph)
    _add_models(graph, manifest)
    _add_readers(graph, manifest)
    _mark(graph)
    graph.freeze()
    return graph


def _add(graph: DiGraph, node: str, kind: NodeKind, owner: str = "", email: str = "") -> None:
    graph.add_node(node, kind=kind, name=node.rpartition("/")[2], owner=owner, email=email, critical=False, checks=())


def _add_deliveries(graph: DiGraph) -> None:
    """Source system → landing → bronze, and the record of what was admitted."""
    _add(graph, ADMISSIONS, NodeKind.BRONZE)
    for source in SOURCES:
        way = [f"{kind}/{source}" for kind in (NodeKind.SOURCE, NodeKind.LANDING, NodeKind.BRONZE)]
        for node, kind in zip(way, (NodeKind.SOURCE, NodeKind.LANDING, NodeKind.BRONZE), strict=True):
            _add(graph, node, kind, owner=CONTRACTS[source].owner)
        graph.add_edge(way[0], way[1], rows=True)
        graph.add_edge(way[1], way[2], rows=True)
        # No row of one source ever reaches the tables of another by way of this file.
        graph.add_edge(way[2], ADMISSIONS, rows=False)


def _names(manifest: dict[str, Any]) -> dict[str, str]:
    """dbt's unique id → node. The source of an own project that a contract feeds is the model that stands for it."""
    fed = fed_sources(manifest)
    sources = {key: f"{one['source_name']}/{one['name']}" for key, one in manifest["sources"].items() if key not in fed}
    return sources | {key: one["name"] for key, one in manifest["nodes"].items() if key.startswith(TABLES)}


def _add_models(graph: DiGraph, manifest: dict[str, Any]) -> None:
    names = _names(manifest)
    for node in names.values():
        if node not in graph and "/" in node:
            layer = node.partition("/")[0]
            # What an own project reads from elsewhere comes past landing, as reference data do.
            _add(graph, node, NodeKind(layer) if layer in tuple(NodeKind) else NodeKind.REFERENCE)
    published = set(published_models(manifest))
    for key, model in _models(manifest):
        _add(graph, names[key], _kind(key, model, published))
        for parent in manifest["parent_map"][key]:
            if parent in names:
                graph.add_edge(names[parent], names[key], rows=names[parent] != ADMISSIONS)


def _models(manifest: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from ((key, one) for key, one in manifest["nodes"].items() if key.startswith(TABLES))


def _kind(key: str, model: dict[str, Any], published: Collection[str]) -> NodeKind:
    """The layer of a table. An own project has layers of its own: what it publishes is gold, what leads there is silver."""
    if is_own(model):
        return NodeKind.GOLD if key in published else NodeKind.SILVER
    return NodeKind(model["config"]["meta"].get("dagster", {}).get("group", NodeKind.SILVER))


def _add_readers(graph: DiGraph, manifest: dict[str, Any]) -> None:
    """Gold → audit → publication → exposures. An exposure reads what is published, never gold."""
    names = _names(manifest)
    _add(graph, AUDIT, NodeKind.AUDIT)
    shown = set(published_models(manifest))
    for key, _ in _models(manifest):
        graph.add_edge(names[key], AUDIT, rows=False)
        if key in shown:
            published = f"{NodeKind.PUBLISHED}/{names[key]}"
            _add(graph, published, NodeKind.PUBLISHED)
            graph.add_edge(names[key], published, rows=True)
            graph.add_edge(AUDIT, published, rows=False)
    for key, exposure in manifest["exposures"].items():
        node = f"{NodeKind.EXPOSURE}/{exposure['name']}"
        _add(graph, node, NodeKind.EXPOSURE, exposure["owner"]["name"] or "", exposure["owner"]["email"] or "")
        meta = {**exposure["meta"], **exposure["config"].get("meta", {})}
        graph.nodes[node]["critical"] = bool(meta.get("critical"))
        for parent in (one for one in manifest["parent_map"][key] if one in names):
            published = f"{NodeKind.PUBLISHED}/{names[parent]}"
            graph.add_edge(published if published in graph else names[parent], node, rows=True)


def _mark(graph: DiGraph) -> None:
    """The checks of each dataset, and which datasets a critical reader lives on."""
    checks: dict[str, list[str]] = defaultdict(list)
    for spec in CHECKS.values():
        checks[node_of(spec.dataset)].append(spec.name)
    for node in graph:
        graph.nodes[node]["checks"] = tuple(sorted(checks[node]))
    for node in [one for one, data in graph.nodes.items() if data["critical"]]:
        for before in upstream(graph, [node]):
            graph.nodes[before]["critical"] = True


def _reached(graph: DiGraph, nodes: Iterable[str], *, backwards: bool) -> set[str]:
    found: set[str] = set()
    queue = list(nodes)
    while queue:
        node = queue.pop()
        beside = graph.pred[node] if backwards else graph.succ[node]
        after = {other for other, edge in beside.items() if edge["rows"]} - found
        found |= after
        queue += after
    return found


def downstream(graph: DiGraph, nodes: Iterable[str]) -> set[str]:
    """Everything that rows of `nodes` reach, without `nodes` themselves."""
    return _reached(graph, nodes, backwards=False)


def upstream(graph: DiGraph, nodes: Iterable[str]) -> set[str]:
    """Everything from which rows come to `nodes`, without `nodes` themselves."""
    return _reached(graph, nodes, backwards=True)


def in_order(graph: DiGraph) -> list[str]:
    """All nodes in the order of the data, and among equals in that of their names."""
    waits = {node: len(graph.pred[node]) for node in graph}
    ready, found = sorted(node for node, count in waits.items() if not count), list[str]()
    while ready:
        found.append(node := heappop(ready))
        for after in graph.succ[node]:
            waits[after] -= 1
            if not waits[after]:
                heappush(ready, after)
    return found


def known_node(graph: DiGraph, dataset: str) -> str:
    """The node of this name, or of this dataset as checks name it. Raises `UsageError` if there is none."""
    for name in (dataset, node_of(dataset)):
        if name in graph:
            return name
    raise UsageError(f"There is no dataset {dataset!r}: `reliability lineage` lists them.")
