"""The blast radius of one incident on the data graph: from the dataset and the column where it began."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.impact.reach import Exposure, Reach, reach_from
from reliability_platform.incidents.model import Incident, State
from reliability_platform.lineage.digraph import DiGraph
from reliability_platform.lineage.graph import NodeKind, data_graph, downstream, in_order, node_of, upstream
from reliability_platform.lineage.use import Use

WATCHERS = (NodeKind.RECONCILIATION, NodeKind.QUARANTINE)
"""Datasets that show what is wrong elsewhere; nobody reads on from them."""


def root_nodes(manifest_path: Path, incident: Incident) -> list[str]:
    """Where the incident began. A build is no dataset, and a watcher only saw it: then in staging of its sources."""
    graph, root = data_graph(manifest_path), node_of(incident.root_dataset)
    if root in graph and graph.nodes[root]["kind"] not in WATCHERS:
        return [root]
    return [f"stg_{source}" for source in incident.sources]


def spoiled_columns(manifest_path: Path, incident: Incident) -> dict[str, dict[str, Use]]:
    """Dataset → column → how it depends on the column that failed, or on any column of the root if none is named.

    The columns of the root are among them. The first call after a change of the dbt models takes 7 s.
    """
    stamp, roots = manifest_path.stat().st_mtime_ns, tuple(root_nodes(manifest_path, incident))
    found = _spoiled(manifest_path, stamp, roots, incident.column)
    return {node: dict(columns) for node, columns in found.items()}


@lru_cache(maxsize=128)
def _spoiled(
    manifest_path: Path, _stamp: int, roots: tuple[str, ...], column: str | None
) -> Mapping[str, Mapping[str, Use]]:
    from reliability_platform.lineage.columns import columns_of, downstream_columns  # what parses SQL takes 0.2 s

    found: dict[str, dict[str, Use]] = {}
    for root in roots:
        # Staging judges what was delivered: a bad value there has rejected its row, and is missed wherever that is.
        start = root.replace("stg_", f"{NodeKind.BRONZE}/", 1) if root.startswith("stg_") else root
        known = columns_of(manifest_path, start)
        began = [column] if column in known else known
        _add(found, {start: dict.fromkeys(began, "direct")})
        for one in began:
            _add(found, downstream_columns(manifest_path, start, one))
    order = in_order(data_graph(manifest_path))
    return {node: dict(sorted(found[node].items())) for node in order if node in found}


def _add(found: dict[str, dict[str, Use]], more: Mapping[str, Mapping[str, Use]]) -> None:
    """Take in what is reached; a value that comes from a bad one outweighs one that is only influenced."""
    for dataset, columns in more.items():
        known = found.setdefault(dataset, {})
        for column, use in columns.items():
            if known.get(column) != "direct":
                known[column] = use


def reach_of(manifest_path: Path, incident: Incident) -> Reach:
    """What the incident reaches, with its columns."""
    roots = root_nodes(manifest_path, incident)
    return reach_from(manifest_path, roots, spoiled_columns(manifest_path, incident))


def exposures_of(manifest_path: Path, incident: Incident) -> list[Exposure]:
    """What reads from where the incident began, whichever columns it spoils. An incident of the home reaches nothing."""
    known = [one for one in root_nodes(manifest_path, incident) if one in data_graph(manifest_path)]
    return reach_from(manifest_path, known).exposures if known else []


def keeps_from_consumers(incident: Incident) -> bool:
    """Whether nothing bad of the incident can be published: one of its checks holds its days, or its class spoils no numbers.

    What is only told is published as it is, whatever state the incident is in.
    """
    holds = any(CHECKS[one].blocking for one in incident.checks if one in CHECKS)
    return holds or not CLASSES[incident.failure_class].spoils_numbers


def is_contained(incident: Incident) -> bool:
    """Whether, in its present life, the incident has been kept from consumers."""
    if not keeps_from_consumers(incident):
        return False
    contained = False
    for entry in incident.timeline:
        if entry.kind == "transition":
            contained = entry.data["to"] == State.CONTAINED or (contained and entry.data["to"] != State.REOPENED)
    return contained


def radius(manifest_path: Path, incident: Incident) -> DiGraph:
    """The part of the data graph that the incident concerns: the way to its root, and everything after it.

    Node attributes as in the graph, and `role`: `root`, `affected` (after the root), `shielded` (after the root, and
    kept from the bad data by the hold: published tables and their readers), `before` (on the way to the root);
    `columns`: those that are spoiled, each with `direct` or `indirect`. Graph attributes: `incident`, `severity`,
    `state`, `contained`.
    """
    graph, roots = data_graph(manifest_path), root_nodes(manifest_path, incident)
    after, before = downstream(graph, roots) - set(roots), upstream(graph, roots) - set(roots)
    contained, spoiled = is_contained(incident), spoiled_columns(manifest_path, incident)
    said = {"incident": incident.id, "severity": incident.severity.value, "state": incident.state.value}
    part = DiGraph(**said, contained=contained)
    for node, data in graph.nodes.items():
        if node in {*roots, *after, *before}:
            shielded = contained and data["kind"] in (NodeKind.PUBLISHED, NodeKind.EXPOSURE)
            role = "root" if node in roots else "before" if node in before else "shielded" if shielded else "affected"
            part.add_node(node, **data, role=role, columns=spoiled.get(node, {}))
    for (one, other), edge in graph.edges.items():
        if edge["rows"] and one in part and other in part:
            part.add_edge(one, other, **edge)
    return part
