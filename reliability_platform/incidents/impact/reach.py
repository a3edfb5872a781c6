"""What lies downstream of a source: tables, columns, checks, and who reads them; and what those have been shown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from reliability_platform.contracts import SOURCES
from reliability_platform.lineage.graph import NodeKind, data_graph, downstream
from reliability_platform.lineage.use import Use
from reliability_platform.parquet import read_table
from reliability_platform.settings import Settings
from reliability_platform.warehouse.marts import Mart, marts, read_manifest
from reliability_platform.warehouse.published import CURRENT, Partition, current_version, read_publication, table_files


@dataclass(frozen=True)
class Exposure:
    """Something outside that reads the published tables."""

    name: str
    """As dbt's exposure is called."""
    owner: str
    """Who answers for it."""
    email: str
    """The owner's address."""
    critical: bool
    """Whether decisions rest on it."""


@dataclass(frozen=True)
class Reach:
    """What lies downstream of a source, or of the root of an incident."""

    tables: list[str]
    published: list[str]
    exposures: list[Exposure]
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Published table → its columns, as its contract says."""
    checks: Sequence[str] = ()
    """The checks of everything downstream."""
    spoiled: Mapping[str, Mapping[str, Use]] = field(default_factory=dict)
    """Dataset → column → whether its values come from the column that failed, or are only influenced by it.
    Empty where nobody asked for an incident."""


@dataclass(frozen=True)
class Consumers:
    """Who reads what, and what they have been shown."""

    critical: Mapping[str, Sequence[str]]
    """Source → critical exposures downstream."""
    shown: frozenset[tuple[str, date]]
    """Sources and days that the current version shows fresh: not held, not the last good rows of before."""


def reach(manifest_path: Path, source: str) -> Reach:
    """Everything downstream of `source`, in the order of names."""
    return reach_from(manifest_path, [f"{NodeKind.BRONZE}/{source}"])


def reach_from(
    manifest_path: Path, roots: Iterable[str], spoiled: Mapping[str, Mapping[str, Use]] | None = None
) -> Reach:
    """Everything downstream of some nodes of the data graph; those among them that are models belong to it."""
    graph = data_graph(manifest_path)
    roots = [node for node in roots if node in graph]
    found = [*sorted(downstream(graph, roots) | set(roots))]
    of_kind = {kind: [node for node in found if graph.nodes[node]["kind"] is kind] for kind in NodeKind}
    published = [graph.nodes[node]["name"] for node in of_kind[NodeKind.PUBLISHED]]
    return Reach(
        tables=[node for node in found if "/" not in node],
        published=published,
        exposures=[
            Exposure(one["name"], one["owner"], one["email"], one["critical"])
            for one in (graph.nodes[node] for node in of_kind[NodeKind.EXPOSURE])
        ],
        columns={
            model["name"]: list(model["columns"])
            for _, model in sorted(read_manifest(manifest_path)["nodes"].items())
            if model["resource_type"] == "model" and model["name"] in published
        },
        checks=sorted(check for node in found for check in graph.nodes[node]["checks"]),
        spoiled=spoiled or {},
    )


def consumers(settings: Settings, manifest_path: Path) -> Consumers:
    """The critical readers of each source, and the days that they see now."""
    critical = {
        source: [one.name for one in reach(manifest_path, source).exposures if one.critical] for source in SOURCES
    }
    return Consumers(critical, _shown(settings, marts(manifest_path)))


def _shown(settings: Settings, tables: Sequence[Mart]) -> frozenset[tuple[str, date]]:
    version = current_version(settings)
    if version is None:
        return frozenset()
    publication = read_publication(settings, version)
    kept = {table.name: set(table.kept_dates) for table in publication.tables}
    whole = {table.name for table in publication.tables if table.whole is not None and not table.is_kept}
    import pyarrow as pa  # 0.2 s, which whoever looks at what lies downstream does not need

    from reliability_platform.landing.admission import landed_partitions

    landed = landed_partitions(settings)
    found = set[Partition]()
    for mart in tables:
        if mart.event_date is None:
            found |= {one for one in landed if one[0] in mart.sources and mart.name in whole}
            continue
        for path in table_files(settings.published / CURRENT, mart.name):
            days = read_table(path, columns=[mart.event_date])[mart.event_date].cast(pa.date32(), safe=False)
            fresh = {day for day in days.unique().to_pylist() if day.isoformat() not in kept.get(mart.name, set())}
            found |= {(source, day) for source in mart.sources for day in fresh}
    return frozenset(found - publication.held_partitions.keys())
