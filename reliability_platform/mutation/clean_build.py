"""The clean build, by dbt itself on the private copy, and the project as it was compiled there."""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from reliability_platform.mutation.dbt_commands import DbtCommands, said_of
from reliability_platform.mutation.errors import ProjectUnusableError
from reliability_platform.mutation.given_inputs import GivenFile, given_files, load
from reliability_platform.mutation.private_profile import PrivateProfile, add_catalogs, allow_reading, attached
from reliability_platform.mutation.project import (
    ASKS,
    INCREMENTAL,
    SNAPSHOT,
    Consumer,
    DataTest,
    LeftOut,
    Model,
    Project,
    ProjectInput,
    in_build_order,
)
from reliability_platform.mutation.sampling import sample_inputs
from reliability_platform.mutation.sql_text import Query, file_reads, quoted
from reliability_platform.mutation.warehouses.translation import NoCounterpartError, Translations

PASSED, BUILT = "pass", "success"
EVERYBODY = "whoever reads the project"
READS_FILES = re.compile(r"read_\w+\s*\(|parquet_scan|(from|join)\s+'", re.IGNORECASE)
LATEST_OF = re.compile(r"\bmax\s*\(\s*(?:\w+\.)?\"?(\w+)\"?\s*\)", re.IGNORECASE)
ASKS_THE_DATA = frozenset({"macro.dbt.run_query", "macro.dbt.statement", "macro.dbt_utils.get_column_values"})
MAX_REASON = 200
NOT_BUILT, NOT_RUN = "it does not build on the clean data", "it did not run"
BETWEEN = "\n--next--\n"


@dataclass(frozen=True)
class CleanBuild:
    """What dbt built, and how many of its nodes and tests are sound."""

    project: Project
    models: int
    tests: int
    passed: int
    relations: frozenset[str] = frozenset()
    """All that a query can name."""
    watermarks: frozenset[str] = frozenset()
    """Columns of which models that grow ask for the latest value, in lower case."""


def build_clean(dbt: DbtCommands, profile: PrivateProfile, folder: Path) -> CleanBuild:
    """Build the project on the private copy. Raises `ProjectUnusableError` if dbt cannot, or nothing of it builds."""
    manifest = dbt.parse()
    if dbt.native is not None:
        dbt.native.begin(manifest)
    given = _make_room_for_inputs(dbt, manifest, profile)
    rendered = _source_relations(dbt, manifest)
    _allow_files(dbt, manifest, profile, folder, rendered.values())
    results: dict[str, Any] = {}
    if any(str(node.resource_type) == "seed" for node in manifest.nodes.values()):
        results |= _by_key(dbt.results("seed"))
    load(given, profile)
    if dbt.native is not None:
        dbt.native.take_seeds(manifest)
    elif dbt.most_rows is not None:
        dbt.notes += sample_inputs(_tables_of_inputs(manifest, rendered), profile, dbt.most_rows, dbt.seed)
    # Built anew, whatever the user's database holds of them: what was there before cannot be built again from inputs.
    _drop_snapshots(manifest, profile)
    executed: dict[str, list[str]] = {}
    without = [f"--exclude-resource-type={one}" for one in ("seed", "test", "unit_test")]
    results |= _by_key(dbt.results("build", "--full-refresh", *without, executed=executed))
    ran = _by_key(dbt.results("test", "--exclude-resource-type=unit_test"))
    tested = {key: one for key, one in ran.items() if str(one.node.resource_type) == "test"}  # hooks are results, too
    by_dbt = _by_dbt(manifest)
    if dbt.native is not None:
        # Only DuckDB's files can be copied for each mutant that dbt itself would have to build.
        models = (manifest.nodes[key] for key, why in by_dbt.items() if why == ASKS)
        asking = sorted(one.name for one in models if str(one.resource_type) in ("model", "snapshot"))
        dbt.notes += [f"{name} is built with what it was told when it asked the clean data" for name in asking]
        by_dbt = {}
    tables = _tables(profile)
    project, relations = _project(manifest, results, tested, rendered, executed, dbt.translations, by_dbt, tables)
    if not project.models:
        first = min(project.left_out, key=lambda one: (NOT_RUN in one.why, NOT_BUILT not in one.why), default=None)
        why = "" if first is None else f" The first reason: {first.name}: {first.why}."
        raise ProjectUnusableError(f"No model of the project {project.name} was built cleanly.{why}")
    if dbt.translations is not None:
        dbt.notes.append(dbt.translations.said)
    passed = sum(str(one.status) == PASSED for one in tested.values())
    growing = (node for node in manifest.nodes.values() if str(node.config.materialized) in (INCREMENTAL, SNAPSHOT))
    watermarks = {name.lower() for node in growing for name in LATEST_OF.findall(str(node.raw_code))}
    return CleanBuild(project, len(project.models), len(tested), passed, relations, frozenset(watermarks))


def _tables(profile: PrivateProfile) -> frozenset[str]:
    """The tables and views of the private copy, as queries name them."""
    kinds = ("table", "view")
    names = " union all ".join(f"select database_name, schema_name, {one}_name from duckdb_{one}s()" for one in kinds)
    with attached(profile.catalogs) as connection:
        return frozenset(".".join(map(quoted, row)) for row in connection.execute(names).fetchall())


def _drop_snapshots(manifest: Any, profile: PrivateProfile) -> None:
    relations = [str(one.relation_name) for one in manifest.nodes.values() if str(one.resource_type) == SNAPSHOT]
    if not relations:
        return
    with attached(profile.catalogs) as connection:
        for one in relations:
            with suppress(duckdb.CatalogException, duckdb.BinderException):  # there is none, or not even its database
                connection.execute(f"drop table if exists {one}")


def _make_room_for_inputs(dbt: DbtCommands, manifest: Any, profile: PrivateProfile) -> list[GivenFile]:
    """Have the databases that the project names where it is written for another warehouse, and find the files that are given."""
    if dbt.inputs is None and dbt.translations is None:
        return []
    nodes = [one for one in manifest.nodes.values() if str(one.resource_type) in ("model", "snapshot", "seed")]
    add_catalogs(
        profile, dbt.folder, (str(one.database) for one in (*manifest.sources.values(), *nodes) if one.database)
    )
    if dbt.inputs is None:
        return []
    found, others = given_files(dbt.inputs, manifest)
    allow_reading(profile, [], [str(one.path) for one in found])
    dbt.notes += [f"{name} of --inputs is named after no source or seed" for name in others]
    return found


def _tables_of_inputs(manifest: Any, sources: dict[str, str]) -> dict[str, str]:
    """Relations → names, of the sources and seeds that are tables."""
    seeds = [one for one in manifest.nodes.values() if str(one.resource_type) == "seed" and one.relation_name]
    names = {
        relation: f"{manifest.sources[key].source_name}.{manifest.sources[key].name}"
        for key, relation in sources.items()
    }
    return {one: name for one, name in names.items() if "'" not in one} | {one.relation_name: one.name for one in seeds}


def _translated(code: str, translations: Translations) -> str:
    try:
        return translations.of(code) if code.strip() else code
    except NoCounterpartError:
        return code  # what dbt could not build is left out by that


def _by_key(results: Iterable[Any]) -> dict[str, Any]:
    return {one.node.unique_id: one for one in results}


def query_of_snapshot(relation: str, statements: Iterable[str]) -> str | None:
    """What dbt makes the first table of a snapshot from: the query of the project with dbt's own columns."""
    pattern = re.compile(rf"create\s+table\s+{re.escape(relation)}\s+as\s*\((.*)\)\s*;?\s*", re.DOTALL | re.IGNORECASE)
    found = (pattern.fullmatch(one) for one in statements)
    return next((one.group(1) for one in found if one is not None), None)


def _source_relations(dbt: DbtCommands, manifest: Any) -> dict[str, str]:
    """Each source's key → how queries name it: a table, or the files that dbt-duckdb reads in its place."""
    sources = list(manifest.sources.values())
    if not any(_is_external(one) for one in sources):
        return {one.unique_id: one.relation_name for one in sources}
    inline = BETWEEN.join(f"{{{{ source({one.source_name!r}, {one.name!r}) }}}}" for one in sources)
    compiled = dbt.results("compile", "--inline", inline)
    texts = compiled[0].node.compiled_code.split(BETWEEN)
    return {one.unique_id: text.strip() for one, text in zip(sources, texts, strict=True)}


def _is_external(source: Any) -> bool:
    return any("external_location" in (each or {}) for each in (source.meta, source.source_meta, source.config.meta))


def _allow_files(
    dbt: DbtCommands, manifest: Any, profile: PrivateProfile, folder: Path, sources: Iterable[str]
) -> None:
    """Let the guard pass what models and sources read from files."""
    reads = [text for text in sources if "'" in text]
    code = [str(node.raw_code) for node in manifest.nodes.values() if str(node.resource_type) in ("model", "snapshot")]
    macros = [one.macro_sql for one in manifest.macros.values() if one.package_name == manifest.metadata.project_name]
    if any(READS_FILES.search(text) for text in (*code, *macros)):
        try:
            compiled = dbt.results("compile", "--select", "resource_type:model", "resource_type:snapshot")
            code = [str(getattr(one.node, "compiled_code", None) or "") for one in compiled]
        except ProjectUnusableError:
            pass  # Jinja that asks tables which are not built yet; what stands in it as it is written is seen
        reads += [call for text in code for call in file_reads(text)]
    # dbt-duckdb lets DuckDB copy the files of seeds.
    seeds = (node for node in manifest.nodes.values() if str(node.resource_type) == "seed")
    folders, files = set[str](), {str(Path(one.root_path or folder, one.original_file_path).resolve()) for one in seeds}
    for text in re.findall(r"'([^']+)'", " ".join(reads)):
        if "://" in text:
            continue
        path = (folder / Path(text).expanduser()).resolve()
        plain = list(path.parts)
        pattern = next((at for at, part in enumerate(plain) if set(part) & set("*?[{")), None)
        if pattern is not None:
            folders.add(str(Path(*plain[:pattern])))
        elif path.is_file():
            files.add(str(path))
    allow_reading(profile, sorted(folders), sorted(files))


def _reason(result: Any) -> str:
    return said_of(result)[:MAX_REASON] or NOT_RUN


def _project(
    manifest: Any,
    built: dict[str, Any],
    tested: dict[str, Any],
    sources: dict[str, str],
    executed: dict[str, list[str]],
    translations: Translations | None,
    by_dbt: dict[str, str],
    tables: frozenset[str],
) -> tuple[Project, frozenset[str]]:
    nodes = {
        key: node for key, node in manifest.nodes.items() if str(node.resource_type) in ("model", "snapshot", "seed")
    }
    compiled = {key: str(getattr(one.node, "compiled_code", None) or "") for key, one in (built | tested).items()}
    if translations is not None:
        compiled = {key: _translated(code, translations) for key, code in compiled.items()}
    files = {text for key in nodes for text in file_reads(compiled.get(key, ""))} - set(sources.values())
    relations = {str(node.relation_name) for node in nodes.values() if node.relation_name}
    relations |= set(sources.values()) | files
    models, left_out = [], []
    for key, node in nodes.items():
        result = built.get(key)
        is_seed = str(node.resource_type) == "seed"
        if node.config.materialized == "ephemeral" or (is_seed and result is not None and str(result.status) == BUILT):
            continue
        if result is None or str(result.status) != BUILT:
            left_out.append(LeftOut(node.name, f"{NOT_BUILT} ({_reason(result)})"))
        elif why := by_dbt.get(key, ""):
            above = [str(nodes[one].relation_name) for one in node.depends_on.nodes if one in nodes]
            # What is asked may be declared for its lineage alone.
            named = [sources[one] for one in node.depends_on.nodes if one in sources]
            above += [one for one in named if why != ASKS or "'" in one or one in tables]
            names = Query.of(f"{compiled[key]}\n/* {' '.join(above)} */", relations)
            models.append(replace(_model(manifest, node, names), through_dbt=why))
        else:
            query = query_of_snapshot(node.relation_name, executed.get(key, ())) or compiled[key]
            models.append(_model(manifest, node, Query.of(query, relations)))
    tests = []
    for key, result in tested.items():
        if str(result.status) != PASSED:
            left_out.append(LeftOut(result.node.name, f"it does not pass on the clean data ({_reason(result)})"))
        else:
            tests.append(_test(result.node, Query.of(compiled[key], relations)))
    tests += [one for source in manifest.sources.values() for one in freshness_tests(source, sources[source.unique_id])]
    # Sorted, for dbt reads files in any order, and two runs must come to the same mutants.
    ordered = in_build_order(sorted(models, key=lambda one: one.key))
    read = {name for one in ordered for name in one.query.named}
    project = Project(
        name=manifest.metadata.project_name,
        inputs=tuple(sorted(_inputs(nodes, sources, manifest, files, read), key=lambda one: one.name)),
        models=ordered,
        tests=tuple(sorted(tests, key=lambda one: one.key)),
        consumers=_consumers(manifest, ordered),
        # Causes first: what did not run is below something else that is named.
        left_out=tuple(sorted(left_out, key=lambda one: (NOT_RUN in one.why, NOT_BUILT not in one.why, one.name))),
    )
    return project, frozenset(relations)


def freshness_tests(source: Any, relation: str) -> Iterable[DataTest]:
    """What `dbt source freshness` asks of a source, as tests; none where it declares no limit or no column of the time of loading."""
    limits = getattr(source, "freshness", None)
    if limits is None or not source.loaded_at_field:
        return
    where = f" where {limits.filter}" if limits.filter else ""
    for name, severity, limit in (("error", "ERROR", limits.error_after), ("warn", "WARN", limits.warn_after)):
        if limit is None or not limit.count or not limit.period:
            continue
        period = getattr(limit.period, "value", limit.period)
        latest = f"max(cast({source.loaded_at_field} as timestamptz))"
        sql = (
            f"select 1 from (select {latest} as latest from {relation}{where}) as loaded "
            f"where latest is null or latest < now() - interval '{limit.count} {period}'"
        )
        yield DataTest(
            key=f"freshness_{name}.{source.unique_id}",
            name=f"freshness_{name}_{source.source_name}_{source.name}",
            query=Query.of(sql, [relation]),
            severity=severity,
            fail_calc="count(*)",
            warn_if="!= 0",
            error_if="!= 0",
            limit=None,
            column=str(source.loaded_at_field),
            path=source.original_file_path,
        )


def _by_dbt(manifest: Any) -> dict[str, str]:
    """Keys of the models that dbt itself has to build → why."""
    return {key: why for key, node in manifest.nodes.items() if (why := _needs_dbt(manifest, node))}


def _needs_dbt(manifest: Any, node: Any) -> str:
    """Why a model is not what its compiled query says for other data; empty if it is."""
    if getattr(node, "language", "sql") != "sql":
        return "it is written in Python"
    todo, seen = list(node.depends_on.macros), set[str]()
    while todo:
        key = todo.pop()
        if key in ASKS_THE_DATA:
            return ASKS
        if key not in seen and key in manifest.macros:
            seen.add(key)
            todo += manifest.macros[key].depends_on.macros
    return ""


def _model(manifest: Any, node: Any, query: Query) -> Model:
    group = manifest.groups.get(f"group.{node.package_name}.{node.config.group}") if node.config.group else None
    owner = (node.config.meta or {}).get("owner") or (group and (group.owner.name or group.owner.email)) or ""
    return Model(
        key=node.unique_id,
        name=node.name,
        relation=node.relation_name,
        database=node.database,
        schema=node.schema,
        identifier=node.alias,
        materialized=node.config.materialized,
        query=query,
        owner=str(owner),
        has_contract=bool(getattr(node, "contract", None) and node.contract.enforced),
        files=_files(node),
    )


def _test(node: Any, query: Query) -> DataTest:
    config = node.config
    return DataTest(
        key=node.unique_id,
        name=node.name,
        query=query,
        severity=str(config.severity).upper(),
        fail_calc=config.fail_calc,
        warn_if=config.warn_if,
        error_if=config.error_if,
        limit=config.limit,
        column=str(getattr(node, "column_name", None) or ""),
        path=node.original_file_path,
    )


def _inputs(
    nodes: dict[str, Any], sources: dict[str, str], manifest: Any, files: set[str], read: set[str]
) -> Iterable[ProjectInput]:
    seen, own = set(), manifest.metadata.project_name
    for key, node in nodes.items():
        if str(node.resource_type) == "seed" and node.relation_name in read:
            seen.add(node.relation_name)
            made_of, is_own = _files(node), node.package_name == own
            yield ProjectInput(key, node.name, "seed", node.relation_name, "".join(made_of[1:]), is_own, made_of)
    for key, relation in sources.items():
        # A source can be declared over what a seed loads.
        if relation in read and relation not in seen:
            seen.add(relation)
            source = manifest.sources[key]
            name, yml = f"{source.source_name}.{source.name}", source.original_file_path
            yield ProjectInput(key, name, "source", relation, yml, source.package_name == own, (yml,))
    named: dict[str, int] = {}
    for text in sorted(files & read):
        name = _file_name(text)
        named[name] = named.get(name, 0) + 1
        yield ProjectInput(text, name if named[name] == 1 else f"{name} ({named[name]})", "files", text)


def _files(node: Any) -> tuple[str, ...]:
    """Its own, and the yml that describes it."""
    yml = str(node.patch_path or "").partition("://")[2]
    return (str(node.original_file_path), *([yml] if yml else []))


def _file_name(text: str) -> str:
    path = re.search(r"'([^']+)'", text)
    return Path(path.group(1)).name if path is not None else text[:60]


def _consumers(manifest: Any, models: Iterable[Model]) -> tuple[Consumer, ...]:
    """The exposures; where none is declared, whoever reads the models that no other model reads."""
    models = tuple(models)
    built = {one.key for one in models}
    declared = [
        Consumer(str(one.label or one.name), frozenset(one.depends_on.nodes) & built)
        for one in manifest.exposures.values()
    ]
    if any(one.models for one in declared):
        return tuple(one for one in declared if one.models)
    inner = {name for one in models for name in one.query.named - {one.relation}}
    return (Consumer(EVERYBODY, frozenset(one.key for one in models if one.relation not in inner)),)
