"""Which tables are published, and from which sources each is made: read from dbt's manifest, declared nowhere twice."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Mart:
    """A published table and the sources among its ancestors."""

    name: str
    sources: tuple[str, ...]


@lru_cache(maxsize=4)
def _manifest(path: Path, _stamp: int) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(path.read_bytes())
    return manifest


def read_manifest(path: Path) -> dict[str, Any]:
    """dbt's manifest.json as a dictionary; read once per change of the file."""
    return _manifest(path, path.stat().st_mtime_ns)


def marts(manifest_path: Path) -> list[Mart]:
    """Every model with `meta.published: true`, in the order of their names."""
    manifest = read_manifest(manifest_path)
    parents: dict[str, list[str]] = manifest["parent_map"]

    def ancestors(unique_id: str) -> set[str]:
        found: set[str] = set()
        queue = [unique_id]
        while queue:
            for parent in parents.get(queue.pop(), []):
                if parent not in found:
                    found.add(parent)
                    queue.append(parent)
        return found

    result = []
    for unique_id, node in manifest["nodes"].items():
        if node["resource_type"] == "model" and node["config"]["meta"].get("published"):
            bronze = [
                manifest["sources"][parent]["name"]
                for parent in ancestors(unique_id)
                if parent in manifest["sources"] and manifest["sources"][parent]["source_name"] == "bronze"
            ]
            sources = tuple(sorted(source for source in bronze if source != "admissions"))
            result.append(Mart(name=node["name"], sources=sources))
    return sorted(result, key=lambda mart: mart.name)


def keys_of(name: str, manifest_path: Path) -> list[str]:
    """The columns that identify a row of a mart, as its model declares them."""
    for node in read_manifest(manifest_path)["nodes"].values():
        if node["resource_type"] == "model" and node["name"] == name:
            return list(node["config"]["unique_key"])
    raise KeyError(name)
