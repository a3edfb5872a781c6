"""What an own dbt project lacks for the platform, each in one line with what to do.

What belongs here: what dbt itself takes, and what would end in a failed build, in rows that nobody judged, or in a proof
that proves nothing.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from reliability_platform.contracts import CONTRACTS
from reliability_platform.errors import UsageError
from reliability_platform.settings import DBT_PROJECT
from reliability_platform.warehouse.marts import (
    Mart,
    ancestors,
    keys_of,
    marts,
    published_models,
    read_manifest,
    sources_of,
)
from reliability_platform.warehouse.own_project import (
    PACKAGE,
    OwnProject,
    depends_on_its_runs,
    is_own,
    own_project,
    own_reads,
)

MATERIALIZED = {"stg_{source}": "incremental", "int_{source}__deduplicated": "incremental"}
"""How the platform's own models must be made, whatever theirs says of all models."""


@dataclass(frozen=True)
class Lack:
    """One thing that is missing, and what follows."""

    says: str
    is_fatal: bool
    """Whether nothing can be built before it is mended."""


_SOURCE_MACRO = re.compile(r"\{%-?\s*macro\s+source\s*\(")


def lacks_before_parsing(own: OwnProject, platform: Path | None) -> Iterator[Lack]:
    """What its files say already; dbt's own words for it would name neither cause nor cure. `platform` is the dbt project
    of the platform around it, once there is one.
    """
    if (bounds := _wrong_version(own)) is not None:
        yield Lack(
            f"{own.name} asks for dbt {bounds}, and dbt {version('dbt-core')} is installed: widen require-dbt-version in "
            f"{own.folder / 'dbt_project.yml'}, or install another dbt.",
            True,
        )
    if own.name == PACKAGE:
        yield Lack(f"{own.folder} is a dbt project of the platform, around which nothing can stand.", True)
    profile = own.profile()
    if profile is not None and profile.get("type") != "duckdb":
        yield Lack(
            f"the profile of {own.name} is of {profile.get('type')}: the platform builds with DuckDB alone, and SQL of "
            "another engine may fail or mean something else there. Give the project a target of type duckdb.",
            True,
        )
    there, declared = len(own.installed_packages()), own.declared_packages
    if there < declared:
        yield Lack(
            f"{own.name} declares {declared} packages and has {there} installed: run `dbt deps` in {own.folder}.", True
        )
    for name, path in own.files():
        is_theirs = name.endswith(".sql") and not name.startswith(f"{own.installed}/")
        if is_theirs and _SOURCE_MACRO.search(path.read_text(encoding="utf-8", errors="replace")):
            yield Lack(
                f"{name} overrides the macro `source`, by which the platform's tables are found: remove it.", True
            )
    if platform is not None:
        yield from _contradictions(own, platform)


def _contradictions(own: OwnProject, platform: Path) -> Iterator[Lack]:
    """Between its files and what follows from the contracts."""
    missing = [one for one in CONTRACTS if not (platform / "models" / "staging" / f"stg_{one}.sql").exists()]
    ungenerated = [one for one in missing if f"stg_{one}" not in CONTRACTS[one].taken_over]
    if ungenerated:
        yield Lack(
            f"what follows from the contract {ungenerated[0]} is not there yet: run `reliability generate`.", True
        )
    made = {path.stem for path in (platform / "models").rglob("*.sql")} - set(own.seeds())
    taken = [(name, source) for name in own.models() if name in made for source in [_source_of(name)]]
    for name, source in taken:
        of = f"the contract {source} would make a model" if source else "the platform has a model"
        yield Lack(
            f"{of} {name}, and {own.name} has one, too: give the source another name than {source!r}, as "
            f"raw_{source}, in its contract, then `reliability generate`."
            if source
            else f"{of} {name}, and {own.name} has one, too: rename that one.",
            True,
        )


def _source_of(model: str) -> str | None:
    for source, contract in CONTRACTS.items():
        if model in (f"stg_{source}", f"int_{source}__deduplicated", contract.feed):
            return source
    return None


def _wrong_version(own: OwnProject) -> str | None:
    from dbt_common.exceptions import VersionsNotCompatibleError
    from dbt_common.semver import VersionSpecifier, reduce_versions

    said = own.said.get("require-dbt-version")
    if not said:
        return None
    wanted = [str(one) for one in (said if isinstance(said, list) else [said])]
    parts = [part.strip() for one in wanted for part in one.split(",")]
    try:
        reduce_versions(
            VersionSpecifier.from_version_string(version("dbt-core")), *map(VersionSpecifier.from_version_string, parts)
        )
    except VersionsNotCompatibleError:
        return ", ".join(parts)
    return None


def lacks(own: OwnProject, manifest_path: Path) -> list[Lack]:
    """What the parsed project says: first what lets nothing be built."""
    manifest = read_manifest(manifest_path)
    nodes = {key: node for key, node in manifest["nodes"].items() if is_own(node)}
    tables = {key: node for key, node in nodes.items() if node["resource_type"] in ("model", "seed", "snapshot")}
    found = [
        *_sources(own, manifest, tables),
        *_configuration(own, manifest),
        *_models(tables.values()),
        *_published(own, manifest, manifest_path),
        *_tests(nodes.values()),
    ]
    return sorted(found, key=lambda one: not one.is_fatal)


def _sources(own: OwnProject, manifest: Mapping[str, Any], tables: Mapping[str, Any]) -> Iterator[Lack]:
    fed = {contract.feeds: source for source, contract in CONTRACTS.items() if contract.feeds}
    tables_fed = {one.feeds: one.table for one in own_reads().tables}
    known = {*own.seeds(), *(f"{one['source_name']}.{one['name']}" for one in _their_sources(manifest).values())}
    for feeds, source in sorted(fed.items()):
        if feeds not in known:
            yield Lack(
                f"the contract {source} feeds {feeds}, and {own.name} has no such source and no such seed: "
                f"{', '.join(sorted(known)[:5]) or 'it has none at all'}.",
                True,
            )
    for seed in own.replaced_seeds(DBT_PROJECT):
        yield Lack(f"the seed {seed} gives way to what is delivered: tests that its yml declares are not run.", False)
    for source in sorted(name for name, contract in CONTRACTS.items() if contract.feeds is None):
        yield Lack(
            f"the contract {source} feeds nothing of {own.name}: its models can read `ref('int_{source}__deduplicated')`; "
            "or say in the contract what it stands for, as feeds: source.table.",
            False,
        )
    for key, one in sorted(_their_sources(manifest).items()):
        readers = [child for child in manifest["child_map"][key] if child in tables]
        name = f"{one['source_name']}.{one['name']}"
        if not readers or name in fed:
            continue
        if name in tables_fed:
            yield Lack(
                f"the source {name} is the reference table {tables_fed[name]}: replaced by hand, no row of it is judged.",
                False,
            )
            continue
        meta = {**one.get("meta", {}), **one["config"].get("meta", {})}
        elsewhere = meta.get("external_location") or meta.get("plugin") or one["config"].get("external_location")
        if elsewhere:
            yield Lack(
                f"the source {name} has no contract and is read from where its yml says: no row of it is admitted, judged "
                "or held.",
                False,
            )
        else:
            yield Lack(
                f"the source {name} has no contract, and {tables[readers[0]]['name']} reads it: `reliability sources add "
                f"NAME --feeds {name} --from FILES`; one that no event has a time in is kept with --reference FILE, called "
                f"{one['name']}.",
                True,
            )


def _their_sources(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {key: one for key, one in manifest["sources"].items() if is_own(one)}


def _configuration(own: OwnProject, manifest: Mapping[str, Any]) -> Iterator[Lack]:
    """What theirs says of all models and tests, the platform's among them."""
    ours = [node for node in manifest["nodes"].values() if node["package_name"] == PACKAGE]
    built = {shape.format(source=source): kind for source in CONTRACTS for shape, kind in MATERIALIZED.items()}
    changed = [
        node
        for node in ours
        if (node["resource_type"] == "model" and node["config"]["materialized"] != built.get(node["name"], node["config"]["materialized"]))
        or (node["resource_type"] == "test" and str(node["config"].get("severity")).lower() != "error")
    ]  # fmt: skip
    disabled = set(built) - {node["name"] for node in ours if node["resource_type"] == "model"}
    if changed or (disabled and CONTRACTS):
        kind = "data_tests" if changed and changed[0]["resource_type"] == "test" else "models"
        yield Lack(
            f"{own.folder / 'dbt_project.yml'} configures all {kind}, the platform's among them: put what it says there "
            f"below `{kind}: {own.name}:`.",
            True,
        )


def _models(tables: Collection[Mapping[str, Any]]) -> Iterator[Lack]:
    names = Counter(node["name"] for node in tables)
    for name in sorted(name for name, times in names.items() if times > 1):
        yield Lack(f"two models are called {name}: the platform knows a table by its name. Rename one.", True)
    for node in sorted(tables, key=lambda one: str(one["name"])):
        if node["config"].get("incremental_strategy") == "microbatch":
            yield Lack(
                f"{node['name']} is built in microbatches of its event time, of which dbt filters what it reads by a column that a "
                "contract does not pass on, and the platform builds by landing day, in which rows of any day may come: give it "
                "another incremental_strategy, with which it is built whole.",
                True,
            )


def _published(own: OwnProject, manifest: dict[str, Any], manifest_path: Path) -> Iterator[Lack]:
    keys = published_models(manifest)
    nodes = {key: manifest["nodes"][key] for key in keys if is_own(manifest["nodes"][key])}
    if not keys:
        yield Lack(
            f"nothing of {own.name} is published: no model says `meta: {{published: true}}`, and no exposure and no model "
            "that nothing reads is made of a declared source.",
            False,
        )
    elif nodes and not any(node["config"]["meta"].get("published") for node in nodes.values()):
        why = "read by exposures" if manifest["exposures"] else "no other model reads them"
        named = ", ".join(sorted(node["name"] for node in nodes.values()))
        yield Lack(f"published because {why}: {named}. `meta: {{published: true}}` on models says it yourself.", False)
    by_name = {mart.name: mart for mart in marts(manifest_path)}
    for key, node in sorted(nodes.items(), key=lambda one: str(one[1]["name"])):
        name, mart = node["name"], by_name[node["name"]]
        if node["config"]["materialized"] == "ephemeral":
            yield Lack(f"{name} is to be published and is ephemeral: there is no table of it. Materialize it.", True)
        if mart.event_date is None:
            yield Lack(
                f"{name} says no event date, so it is published whole: one landing day that is held holds all of it. If "
                "each row belongs to the day of one column, say `meta: {event_date: COLUMN}`.",
                False,
            )
        if not keys_of(name, manifest_path):
            yield Lack(
                f"{name} has no key: a `unique` test, a primary key or `unique_key` would let versions be compared by row.",
                False,
            )
        if not sources_of(manifest, key):
            yield Lack(f"{name} is made of no declared source: nothing that lands can hold it.", False)
        if (why_not := incomparable(manifest, key)) is not None:
            yield Lack(f"`reliability verify` cannot compare {name}: {why_not}.", False)


def incomparable(manifest: dict[str, Any], key: str) -> str | None:
    """Why a table cannot be compared with one that was built anew; None if it can."""
    for one in sorted({key, *ancestors(manifest, key)}):
        node = manifest["nodes"].get(one)
        if node is not None and depends_on_its_runs(node):
            kind = "a snapshot" if node["resource_type"] == "snapshot" else "incremental with full_refresh: false"
            return f"{node['name']} is {kind}, so what it holds depends on when it was built"
    return None


def not_compared(manifest_path: Path) -> dict[str, str]:
    """The published tables that no proof can cover, and why."""
    manifest = read_manifest(manifest_path)
    found = {manifest["nodes"][key]["name"]: incomparable(manifest, key) for key in published_models(manifest)}
    return {name: why for name, why in found.items() if why is not None}


def comparable_marts(manifest_path: Path) -> list[Mart]:
    """The published tables that a full build makes the same again."""
    left_out = not_compared(manifest_path)
    return [mart for mart in marts(manifest_path) if mart.name not in left_out]


def _tests(nodes: Iterable[Mapping[str, Any]]) -> Iterator[Lack]:
    if not any(node["resource_type"] == "test" for node in nodes):
        yield Lack("it has no data tests: what its models do wrong is noticed by nobody.", False)


def refuse_if_lacking(manifest_path: Path) -> None:
    """Raise `UsageError` with the first thing of an own project that lets nothing be built."""
    own = own_project()
    if own is not None:
        _refuse([one for one in lacks(own, manifest_path) if one.is_fatal])


def refuse_before_parsing(own: OwnProject, platform: Path | None) -> None:
    """The same of what its files say, before dbt reads them."""
    _refuse([one for one in lacks_before_parsing(own, platform) if one.is_fatal])


def _refuse(fatal: list[Lack]) -> None:
    if fatal:
        more = f" `reliability doctor` tells {len(fatal) - 1} more." if len(fatal) > 1 else ""
        raise UsageError(f"{fatal[0].says}{more}")
