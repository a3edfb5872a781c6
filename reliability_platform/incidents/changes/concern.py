"""Which inputs of a build lie in the lineage of some tables, as of those that failed, and how near to them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.facts import Facts
from reliability_platform.contracts.odcs import ContractError, read_contracts
from reliability_platform.incidents.model import Incident
from reliability_platform.lineage.digraph import DiGraph
from reliability_platform.lineage.graph import NodeKind, data_graph, downstream, in_order, node_of
from reliability_platform.settings import CONTRACTS_FOLDER
from reliability_platform.warehouse.fingerprints.model import InputKind, Part
from reliability_platform.warehouse.marts import read_manifest
from reliability_platform.warehouse.own_project import PACKAGE, is_own

EVERYWHERE = frozenset(
    {
        *(InputKind.PROJECT_FILE, InputKind.DBT_PACKAGE, InputKind.SETTING),
        *(InputKind.PLATFORM_CODE, InputKind.VERSION),
    }
)
"""Kinds that concern every table."""


class Concern(StrEnum):
    """How much a change has to do with what failed, the most suspicious first."""

    LINEAGE = "lineage"
    """What failed is made with it."""
    EVERYTHING = "everything"
    """Every table is made with it."""
    ELSEWHERE = "elsewhere"
    """Nothing that failed is made with it, as far as the lineage of the project as it is now tells."""


@dataclass(frozen=True)
class Nearness:
    """How suspicious an input is by its place."""

    concern: Concern
    off_the_way: bool = False
    """Whether the rows of the incident's sources do not pass it."""
    steps: int = 0
    """Tables from it to what failed."""


@dataclass
class UpstreamLineage:
    """The tables from which rows come to some tables (what failed, or what a dataset is made of), with the files that make them."""

    steps: dict[str, int]
    """Node of the data graph → tables from it to what failed. Empty where what failed is no table: a build, a home."""
    on_the_way: set[str]
    """Nodes that the rows of the sources pass."""
    failed: set[str]
    sources: tuple[str, ...]
    nodes_of: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """Part and path of a dbt file → the nodes that it makes or helps to make."""

    @classmethod
    def of(cls, manifest: Path, incident: Incident) -> "UpstreamLineage":
        """For the checks of an incident that say what its class says; for all of them where none does."""
        graph, known = data_graph(manifest), [CHECKS[one] for one in incident.checks if one in CHECKS]
        own = [one for one in known if one.failure_class == incident.failure_class] or known
        datasets = {node_of(name) for name in (incident.root_dataset, *(one.dataset for one in own))}
        named = _named_in_facts(incident) & set(graph)
        # What compares tables and names one is further from the mistake than the one that it names.
        failed = dict.fromkeys(datasets & set(graph), 1 if named else 0) | dict.fromkeys(named, 0)
        return cls.above(manifest, failed, incident.sources or (incident.source,))

    @classmethod
    def above(cls, manifest: Path, tables: Mapping[str, int], sources: tuple[str, ...]) -> "UpstreamLineage":
        """For tables, by node of the data graph, each with the steps from which those above it are counted."""
        graph = data_graph(manifest)
        came_in = [f"{NodeKind.BRONZE}/{source}" for source in sources if f"{NodeKind.BRONZE}/{source}" in graph]
        return cls(
            _steps(graph, tables),
            downstream(graph, came_in) | set(came_in),
            set(tables),
            sources,
            _files(read_manifest(manifest), set(graph)),
        )

    def nearness(self, part: str, name: str, kind: str) -> Nearness:
        """Of one input."""
        if kind in EVERYWHERE:
            return Nearness(Concern.EVERYTHING)
        if not self.steps:
            return Nearness(Concern.LINEAGE)
        nodes = set(self._nodes(part, name))
        reached = nodes & self.steps.keys()
        if not reached:
            return Nearness(Concern.ELSEWHERE)
        passed = reached & self.on_the_way
        return Nearness(Concern.LINEAGE, not passed, min(self.steps[one] for one in passed or reached))

    def _nodes(self, part: str, name: str) -> Iterable[str]:
        match part:
            case Part.CONTRACTS:
                return (f"{NodeKind.BRONZE}/{source}" for source in _declared_in(name))
            case Part.SODA_CHECKS:
                return {node_of(PurePosixPath(name).stem)} & self.failed
            case Part.REFERENCE:
                return (f"{NodeKind.REFERENCE}/{name}",)
            case _:
                # A file that is not there any more made what is called like it.
                return self.nodes_of.get((part, name)) or (PurePosixPath(name).stem,)


def _named_in_facts(incident: Incident) -> set[str]:
    """The tables that checks name in what they found: whoever compares many tables says which of them differ."""
    facts = [Facts.read(one.facts) for one in incident.signals if one.facts]
    measures = {measure.rpartition(".")[0] for one in facts for measure in one.measures}
    return measures | {table for one in facts for table in one.lost_from}


def _declared_in(name: str) -> set[str]:
    """The sources of a contract's file; of one that is gone or unreadable what it is called."""
    with suppress(ContractError, OSError):
        return {one.source for one in read_contracts(CONTRACTS_FOLDER / name)}
    return {PurePosixPath(name).stem}


def _steps(graph: DiGraph, failed: Mapping[str, int]) -> dict[str, int]:
    """Node → steps to what failed, along rows, on the longest way: what compares a table with the one before reads both, and
    the later one is nearer.
    """
    steps = dict(failed)
    for node in reversed(in_order(graph)):
        after = [steps[one] for one, edge in graph.succ[node].items() if edge["rows"] and one in steps]
        if after and node not in failed:
            steps[node] = 1 + max(after)
    return steps


def _files(manifest: dict[str, Any], known: set[str]) -> dict[tuple[str, str], set[str]]:
    """Part and path of each file of dbt → nodes. The file beside a model and the macros that it calls make it, too."""
    found: dict[tuple[str, str], set[str]] = {}
    macros = manifest["macros"]
    for node in manifest["nodes"].values():
        parents = [manifest["nodes"].get(one) for one in node["depends_on"].get("nodes", ())]
        is_test = node["resource_type"] == "test"
        makes = {one["name"] for one in parents if one is not None} if is_test else {node["name"]}
        makes &= known
        part = Part.OWN_PROJECT if is_own(node) else Part.DBT_PROJECT
        beside = str(node.get("patch_path") or "").partition("://")[2]
        paths: list[tuple[str, str]] = [(part, node["original_file_path"]), *([(part, beside)] if beside else [])]
        if not is_test:
            paths += [_place(macros[one]) for one in _called(macros, node["depends_on"].get("macros", ()))]
        for path in paths:
            found.setdefault(path, set()).update(makes)
    return found


def _place(macro: dict[str, Any]) -> tuple[str, str]:
    part = Part.DBT_PROJECT if macro["package_name"] == PACKAGE else Part.OWN_PROJECT
    return part, macro["original_file_path"]


def _called(macros: dict[str, Any], names: Iterable[str]) -> Iterator[str]:
    """Macros, and those that they call."""
    seen, queue = set[str](), [*names]
    while queue:
        name = queue.pop()
        if name not in seen and name in macros:
            seen.add(name)
            yield name
            queue += macros[name]["depends_on"]["macros"]
