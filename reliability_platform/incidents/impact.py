"""The blast radius: which tables, exposures and owners a source reaches, and how many rows are concerned."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from reliability_platform.warehouse.marts import read_manifest


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
        exposures=[
            Exposure(
                name=one["name"],
                owner=one["owner"]["name"],
                email=one["owner"]["email"],
                critical=bool(one["config"].get("meta", {}).get("critical") or one["meta"].get("critical")),
            )
            for one in exposures
        ],
    )


def numbers(connection: duckdb.DuckDBPyConnection, source: str, days: Sequence[date]) -> Numbers:
    """Rows and event dates concerned, from the warehouse."""
    parameters = [source, [day.isoformat() for day in days]]
    where = "source = ? and list_contains(?, landing_date::varchar)"
    sums = connection.execute(
        "select coalesce(sum(delivered_rows), 0), coalesce(sum(accepted_rows), 0), coalesce(sum(duplicate_rows), 0), "
        "coalesce(sum(quarantined_rows), 0), coalesce(sum(held_late_rows), 0), count(*) filter (where status = 'refused') "
        f"from rec_batches__conserved where {where}",
        parameters,
    ).fetchone()
    assert sums is not None
    dates = connection.execute(
        f"select distinct event_date from stg_{source} where list_contains(?, landing_date::varchar) "
        "and event_date is not null order by event_date",
        parameters[1:],
    ).fetchall()
    delivered, accepted, duplicate, quarantined, held_late, refused = (int(value) for value in sums)
    event_dates = [row[0] for row in dates]
    return Numbers(delivered, accepted, duplicate, quarantined, held_late, refused, event_dates)
