"""The blast radius: which tables, columns, exposures and owners a source reaches, and how many rows are concerned.

Lineage comes from dbt's manifest, numbers from a read-only connection with bound parameters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from reliability_platform.errors import UsageError
from reliability_platform.settings import Settings
from reliability_platform.sources import SOURCES
from reliability_platform.warehouse.marts import Mart, marts, read_manifest
from reliability_platform.warehouse.publication import CURRENT, current_version, read_publication


@dataclass(frozen=True)
class Exposure:
    """Something outside that reads the published tables."""

    name: str
    owner: str
    email: str
    critical: bool


@dataclass(frozen=True)
class Reach:
    """What lies downstream of a source, by dbt's lineage."""

    tables: list[str]
    published: list[str]
    exposures: list[Exposure]
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Published table → its columns, as its contract says."""


@dataclass(frozen=True)
class Numbers:
    """How much is concerned on the landing days of an incident."""

    delivered_rows: int
    accepted_rows: int
    duplicate_rows: int
    quarantined_rows: int
    held_late_rows: int
    refused_files: int
    event_dates: list[date]
    quarantined_keys: int = 0
    """Different keys among the rejected rows that no later attempt has replaced."""


@dataclass(frozen=True)
class Consumers:
    """Who reads what, and what they have been shown."""

    critical: Mapping[str, Sequence[str]]
    """Source → critical exposures downstream."""
    shown: frozenset[tuple[str, date]]
    """Sources and days that the current version shows fresh: not held, not the last good rows of before."""


def reach(manifest_path: Path, source: str) -> Reach:
    """Everything downstream of `source` in dbt's manifest."""
    manifest = read_manifest(manifest_path)
    children: dict[str, list[str]] = manifest["child_map"]
    queue = [key for key, node in manifest["sources"].items() if node["name"] == source]
    found: set[str] = set()
    while queue:
        for child in children.get(queue.pop(), []):
            if child not in found:
                found.add(child)
                queue.append(child)
    models: list[dict[str, Any]] = [manifest["nodes"][key] for key in sorted(found) if key.startswith("model.")]
    exposures = [manifest["exposures"][key] for key in sorted(found) if key.startswith("exposure.")]
    return Reach(
        tables=[model["name"] for model in models],
        published=[model["name"] for model in models if model["config"]["meta"].get("published")],
        exposures=[_exposure(one) for one in exposures],
        columns={model["name"]: list(model["columns"]) for model in models if model["config"]["meta"].get("published")},
    )


def _exposure(node: Mapping[str, Any]) -> Exposure:
    return Exposure(
        name=node["name"],
        owner=node["owner"]["name"],
        email=node["owner"]["email"],
        critical=bool(node["config"].get("meta", {}).get("critical") or node["meta"].get("critical")),
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
    found = set()
    for mart in tables:
        path = settings.published / CURRENT / f"{mart.name}.parquet"
        if path.exists():
            days = set(pq.read_table(path, columns=["event_date"])["event_date"].unique().to_pylist())
            fresh = {day for day in days if day.isoformat() not in kept.get(mart.name, set())}
            found |= {(source, day) for source in mart.sources for day in fresh}
    return frozenset(pair for pair in found if f"{pair[0]}/{pair[1].isoformat()}" not in publication.held)


def numbers(connection: duckdb.DuckDBPyConnection, source: str, days: Sequence[date]) -> Numbers:
    """Rows and event dates concerned, from the warehouse. Raises `UsageError` for a source that does not exist."""
    if source not in SOURCES:  # it becomes part of a table's name
        raise UsageError(f"There is no source {source!r}: choose one of {', '.join(SOURCES)}.")
    parameters = [source, [day.isoformat() for day in days]]
    where = "source = ? and list_contains(?, landing_date::varchar)"
    sums = connection.execute(
        "select coalesce(sum(delivered_rows), 0), coalesce(sum(accepted_rows), 0), coalesce(sum(duplicate_rows), 0), "
        "coalesce(sum(quarantined_rows), 0), coalesce(sum(held_late_rows), 0), count(*) filter (where status = 'refused') "
        f"from rec_batches__conserved where {where}",
        parameters,
    ).fetchone()
    keys = connection.execute(
        f"select count(distinct record_key) from qtn_rows where state = 'quarantined' and {where}", parameters
    ).fetchone()
    assert sums is not None and keys is not None
    dates = connection.execute(
        f"select distinct event_date from stg_{source} where list_contains(?, landing_date::varchar) "
        "and event_date is not null order by event_date",
        parameters[1:],
    ).fetchall()
    delivered, accepted, duplicate, quarantined, held_late, refused = (int(value) for value in sums)
    event_dates = [row[0] for row in dates]
    return Numbers(delivered, accepted, duplicate, quarantined, held_late, refused, event_dates, int(keys[0]))
