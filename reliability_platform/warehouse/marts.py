"""Which tables are published, and from which sources each is made: read from dbt's manifest, declared nowhere twice."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from reliability_platform.parquet import identifier
from reliability_platform.warehouse.own_project import is_own, is_superseded, name_of

_NUMBER = re.compile(r"(?:tiny|small|big|huge|u?)?int|decimal|numeric|double|float|real", re.IGNORECASE)


@dataclass(frozen=True)
class Mart:
    """A published table and the sources among its ancestors."""

    name: str
    sources: tuple[str, ...]
    may_lack_days_of: tuple[str, ...] = ()
    """Sources of which a day may leave no row here: not each visitor of the web is a customer. The model's
    `meta.may_lack_days_of`."""
    event_date: str | None = "event_date"
    """The column by whose days it is published; None for a table that is published whole or not at all."""
    place: tuple[str, str] | None = None
    """Schema and name in the warehouse; None for a model of the platform's project, which is found by its name."""
    file: str = ""
    """Where the model is written, below the folder of its project; empty for one of a package that an own project installs."""
    is_view: bool = False
    """Whether it holds no rows of its own."""

    @property
    def relation(self) -> str:
        """The table in the warehouse, as SQL."""
        return ".".join(map(identifier, self.place)) if self.place else self.name

    @property
    def table(self) -> str:
        """Its name in the warehouse."""
        return self.place[1] if self.place else self.name

    @property
    def day(self) -> str:
        """The day to which a row belongs, as SQL of a table that is published by days."""
        if self.event_date is None or self.event_date == "event_date":
            return "event_date"
        return f"cast({identifier(self.event_date)} as date)"


@dataclass(frozen=True)
class ModelTest:
    """A test of an own dbt project: the check that it is."""

    unique_id: str
    check: str
    dataset: str
    sources: tuple[str, ...]
    column: str | None
    blocking: bool
    """Whether its severity is `error`; one that warns holds nothing."""
    description: str
    kept_in: str | None = None
    """The table in which dbt leaves the rows that fail, where `store_failures` says so."""


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
    for node in manifest["nodes"].values():
        node["name"] = name_of(node)
    return manifest


def read_manifest(path: Path) -> dict[str, Any]:
    """dbt's manifest.json as a dictionary, each version of a model under a name of its own; read once per change of the file."""
    return _manifest(path, path.stat().st_mtime_ns)


def marts(manifest_path: Path) -> list[Mart]:
    """Every table that is published, in the order of their names."""
    return list(_marts(manifest_path, manifest_path.stat().st_mtime_ns))


@lru_cache(maxsize=4)
def _marts(manifest_path: Path, _stamp: int) -> tuple[Mart, ...]:
    manifest = read_manifest(manifest_path)
    found = []
    for unique_id in published_models(manifest):
        node = manifest["nodes"][unique_id]
        meta, own = node["config"]["meta"], is_own(node)
        day = meta.get("event_date") if own else "event_date"
        place = (node["schema"], node["alias"]) if own else None
        sources = sources_of(manifest, unique_id)
        is_installed = own and node["package_name"] != manifest["metadata"]["project_name"]
        found.append(
            Mart(
                node["name"],
                sources,
                tuple(meta.get("may_lack_days_of", ())),
                day,
                place,
                file="" if is_installed else node["original_file_path"],
                is_view=node["config"]["materialized"] == "view",
            )
        )
    return tuple(sorted(found, key=lambda mart: mart.name))


def published_models(manifest: dict[str, Any]) -> list[str]:
    """Those with `meta.published: true`. An own project in which none says so publishes what its exposures read, else
    the models that are fed by a declared source and that no other model reads. Of a model with versions the latest.
    """
    models = {
        key: node
        for key, node in manifest["nodes"].items()
        if node["resource_type"] == "model" and not is_superseded(node)
    }
    marked = [key for key, node in models.items() if node["config"]["meta"].get("published")]
    own = [key for key, node in models.items() if is_own(node)]
    if marked or not own:
        return marked
    kept = {
        key
        for key in own
        if models[key]["config"]["materialized"] != "ephemeral"
        and models[key]["config"]["meta"].get("published") is not False
    }
    read = {parent for key in manifest["exposures"] for parent in manifest["parent_map"][key]}
    if read & kept:
        return sorted(read & kept)
    root = manifest["metadata"]["project_name"]
    readers = {
        key for key in manifest["nodes"] if key.startswith(("model.", "snapshot.")) and is_own(manifest["nodes"][key])
    }
    return sorted(
        key
        for key in kept
        if models[key]["package_name"] == root
        and not readers.intersection(manifest["child_map"][key])
        and sources_of(manifest, key)
    )


def ancestors(manifest: dict[str, Any], unique_id: str) -> set[str]:
    """Everything that a node is made of."""
    parents: dict[str, list[str]] = manifest["parent_map"]
    feeds = {source: [model] for source, model in fed_sources(manifest).items()}
    found: set[str] = set()
    queue = [unique_id]
    while queue:
        one = queue.pop()
        for parent in feeds.get(one) or parents.get(one, []):
            if parent not in found:
                found.add(parent)
                queue.append(parent)
    return found


def fed_sources(manifest: dict[str, Any]) -> dict[str, str]:
    """The sources of an own project that a contract feeds, and the model of the platform that stands for each."""
    models = {
        node["config"]["meta"]["feeds"]: key
        for key, node in manifest["nodes"].items()
        if node["resource_type"] == "model" and node["config"]["meta"].get("feeds")
    }
    named = {key: f"{one['source_name']}.{one['name']}" for key, one in manifest["sources"].items()}
    return {key: models[name] for key, name in named.items() if name in models}


def without_fed_sources(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest with, in place of each source that a contract feeds, the model that stands for it: for whoever would
    take the two for two tables in one place.
    """
    fed = fed_sources(manifest)
    if not fed:
        return manifest

    def instead(names: list[str]) -> list[str]:
        return list(dict.fromkeys(fed.get(one, one) for one in names))

    def of(node: dict[str, Any]) -> dict[str, Any]:
        on = node.get("depends_on") or {}
        return {**node, "depends_on": {**on, "nodes": instead(on.get("nodes", []))}} if on else node

    children = {fed.get(key, key): list[str]() for key in manifest["child_map"]}
    for key, names in manifest["child_map"].items():
        children[fed.get(key, key)] = list(dict.fromkeys([*children[fed.get(key, key)], *instead(names)]))
    return {
        **manifest,
        "nodes": {key: of(node) for key, node in manifest["nodes"].items()},
        "exposures": {key: of(node) for key, node in manifest["exposures"].items()},
        "sources": {key: one for key, one in manifest["sources"].items() if key not in fed},
        "parent_map": {key: instead(names) for key, names in manifest["parent_map"].items() if key not in fed},
        "child_map": children,
    }


def sources_of(manifest: dict[str, Any], unique_id: str) -> tuple[str, ...]:
    """The declared sources that a node is made of."""
    tables = (manifest["sources"].get(one) for one in ancestors(manifest, unique_id))
    bronze = {one["name"] for one in tables if one is not None and one["source_name"] == "bronze" and not is_own(one)}
    return tuple(sorted(bronze - {"admissions"}))


def model_tests(manifest_path: Path) -> list[ModelTest]:
    """The data tests of an own project, in the order of their checks' names."""
    manifest = read_manifest(manifest_path)
    tests = {key: node for key, node in manifest["nodes"].items() if node["resource_type"] == "test" and is_own(node)}
    names = {key: f"{_tested(manifest, key)}__{_property(node)}" for key, node in tests.items()}
    times = Counter(names.values())
    found = [
        ModelTest(
            key,
            names[key] if times[names[key]] == 1 else f"{names[key]}_{key.rpartition('.')[2]}",
            _tested(manifest, key),
            sources_of(manifest, key),
            node.get("column_name"),
            str(node["config"].get("severity") or "error").lower() == "error",
            " ".join(str(node.get("description") or f"The dbt test {node['name']} finds no row.").split()),
            f"{node['schema']}.{node['alias']}" if node.get("relation_name") else None,
        )
        for key, node in tests.items()
    ]
    return sorted(found, key=lambda one: one.check)


def _property(node: dict[str, Any]) -> str:
    """What a test asks: a generic one by its kind and column, a singular one by its name."""
    generic = node.get("test_metadata")
    words = [generic["name"], node.get("column_name") or ""] if generic else [node["name"]]
    return re.sub(r"\W+", "_", "_".join(one for one in words if one))


def _tested(manifest: dict[str, Any], key: str) -> str:
    """The table that a test is about; of several, the one that is made of the most: it is the last of them."""
    node = manifest["nodes"][key]
    attached = node.get("attached_node")
    tables = {**manifest["nodes"], **manifest["sources"]}
    if attached in manifest["nodes"]:
        return str(manifest["nodes"][attached]["name"])
    read = [one for one in manifest["parent_map"][key] if one in tables]
    fed = fed_sources(manifest)
    read = [fed.get(one, one) for one in read]
    last = max(read, key=lambda one: (one in manifest["nodes"], len(ancestors(manifest, one)), one), default=None)
    if last is None:
        return str(node["name"])
    one = tables[last]
    return str(one["name"]) if last in manifest["nodes"] else f"{one['source_name']}/{one['name']}"


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


@dataclass(frozen=True)
class AddedUp:
    """A measure that says, in the `meta.adds_up` of its column, what it must add up to."""

    model: str
    column: str
    source: str
    """Of whose rows in silver."""
    type: str | None
    """As the yml of the model declares it."""


def added_up(manifest_path: Path) -> list[AddedUp]:
    """Every measure of any model that says what it must add up to."""
    return [
        AddedUp(node["name"], column["name"], said["adds_up"]["of"], column.get("data_type"))
        for node in read_manifest(manifest_path)["nodes"].values()
        if node["resource_type"] == "model"
        for column in node["columns"].values()
        for said in [(column.get("config") or {}).get("meta", {}) | (column.get("meta") or {})]
        if "adds_up" in said
    ]


def reconciled_sources(manifest_path: Path) -> set[str]:
    """The sources of whose rows some mart says what they add up to."""
    return {one.source for one in added_up(manifest_path)}


def model_names(manifest_path: Path) -> set[str]:
    """The names of all models of the project."""
    return {one["name"] for one in read_manifest(manifest_path)["nodes"].values() if one["resource_type"] == "model"}


def _model(name: str, manifest_path: Path) -> dict[str, Any]:
    nodes = read_manifest(manifest_path)["nodes"].values()
    found: Iterator[dict[str, Any]] = (one for one in nodes if one["resource_type"] == "model" and one["name"] == name)
    return next(found)


def numbers_of(name: str, manifest_path: Path) -> dict[str, str]:
    """The measures of a mart: its columns of numbers beside its key, and their types, as its yml declares them."""
    keys = set(keys_of(name, manifest_path))
    columns = _model(name, manifest_path)["columns"].values()
    types = {column["name"]: column.get("data_type") or "" for column in columns}
    return {column: one for column, one in types.items() if column not in keys and _NUMBER.match(one)}


def keys_of(name: str, manifest_path: Path) -> list[str]:
    """The columns that identify a row of a mart: its `unique_key`, else what its constraints or tests say; none if
    nothing does."""
    node = _model(name, manifest_path)
    said = node["config"].get("unique_key") or node.get("primary_key") or []
    return [said] if isinstance(said, str) else list(said)
