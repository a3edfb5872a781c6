"""Which tables are published, and from which sources each is made: read from dbt's manifest, declared nowhere twice."""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

_NUMBER = re.compile(r"(?:tiny|small|big|huge|u?)?int|decimal|numeric|double|float|real", re.IGNORECASE)


@dataclass(frozen=True)
class Mart:
    """A published table and the sources among its ancestors."""

    name: str
    sources: tuple[str, ...]
    may_lack_days_of: tuple[str, ...] = ()
    """Sources of which a day may leave no row here: not each visitor of the web is a customer. The model's
    `meta.may_lack_days_of`."""


@dataclass(frozen=True)
class ModelCheck:
    """A check that a model declares of itself in its `meta.check`: by landing day, none of its rows may count."""

    model: str
    name: str
    failure_class: str
    sources: tuple[str, ...]
    """The sources whose landing day a failure concerns; it is filed under the first."""
    value: str
    """What is counted, in SQL over the model's columns."""
    unit: str
    """What that is, for one and for any other number: `payment|payments without its|their order`."""
    description: str
    facts: tuple[tuple[str, str], ...] = ()
    """Name of a fact → the column that has it."""


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
            lacking = tuple(node["config"]["meta"].get("may_lack_days_of", ()))
            result.append(Mart(node["name"], sources, lacking))
    return sorted(result, key=lambda mart: mart.name)


def model_checks(manifest_path: Path) -> list[ModelCheck]:
    """The checks that models declare of themselves, in the order of the models' names."""
    nodes = read_manifest(manifest_path)["nodes"].values()
    declared = [
        (node["name"], node["config"]["meta"].get("check")) for node in nodes if node["resource_type"] == "model"
    ]
    return [
        ModelCheck(
            model,
            said["name"],
            said["class"],
            tuple(said["sources"]),
            said["value"],
            said["unit"],
            said["description"],
            tuple(said.get("facts", {}).items()),
        )
        for model, said in sorted(declared, key=lambda one: one[0])
        if said is not None
    ]


def model_names(manifest_path: Path) -> set[str]:
    """The names of all models of the project."""
    return {one["name"] for one in read_manifest(manifest_path)["nodes"].values() if one["resource_type"] == "model"}


def numbers_of(name: str, manifest_path: Path) -> dict[str, str]:
    """The measures of a mart: its columns of numbers beside its key, and their types, as its yml declares them."""
    for node in read_manifest(manifest_path)["nodes"].values():
        if node["resource_type"] == "model" and node["name"] == name:
            keys = set(node["config"].get("unique_key") or ())
            types = {column["name"]: column.get("data_type") or "" for column in node["columns"].values()}
            return {column: one for column, one in types.items() if column not in keys and _NUMBER.match(one)}
    raise KeyError(name)


def keys_of(name: str, manifest_path: Path) -> list[str]:
    """The columns that identify a row of a mart, as its model declares them."""
    for node in read_manifest(manifest_path)["nodes"].values():
        if node["resource_type"] == "model" and node["name"] == name:
            return list(node["config"]["unique_key"])
    raise KeyError(name)
