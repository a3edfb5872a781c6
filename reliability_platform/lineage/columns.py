"""Which column comes from which: read from the compiled SQL of the dbt models, computed once per change of the project."""

import csv
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from reliability_platform.atomic import write_atomically
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.landing.bronze import ADMISSION_SCHEMA, bronze_schema
from reliability_platform.lineage.compiled import compiled_models
from reliability_platform.lineage.digraph import DiGraph
from reliability_platform.lineage.graph import ADMISSIONS, NodeKind, data_graph, downstream, in_order
from reliability_platform.lineage.tracing import ColumnSource, Inputs, UnreadableSqlError, inputs_of
from reliability_platform.lineage.use import Use
from reliability_platform.locks import locked
from reliability_platform.warehouse.dbt_manifest import project_of
from reliability_platform.warehouse.marts import read_manifest

CACHE = "column_lineage.json"
MODELS = ("model", "snapshot")
"""What is made by a query."""

Lineage = Mapping[str, Mapping[str, Inputs]]
"""Model → its columns in their order → their inputs in the tables that the model reads."""
Place = tuple[str, str]
"""Dataset and column."""
Reached = Mapping[str, Mapping[str, Use]]
"""Dataset → column → whether its values come from the column asked for, or are only influenced by it."""


def column_lineage(manifest_path: Path) -> Lineage:
    """The inputs of each column of each dbt model; datasets are named as in the graph.

    Computed in 7 s after a change of the models, and kept beside the manifest; read in 10 ms after that. Raises
    `EnvironmentUnusableError` if the dbt project does not compile.
    """
    return _lineage(manifest_path, manifest_path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _lineage(manifest_path: Path, _mtime: int) -> Lineage:
    cache, stamp = manifest_path.with_name(CACHE), _stamp(manifest_path)
    kept = _read(cache, stamp)
    if kept is not None:
        return kept
    with locked(cache.with_suffix(".lock")):  # the others wait for the one that computes
        kept = _read(cache, stamp)
        if kept is None:
            kept = _computed(manifest_path)
            write_atomically(cache, _document(kept, stamp))
    return kept


def _stamp(manifest_path: Path) -> str:
    """What the lineage depends on: models, macros, declared columns, and how it is computed. No time, no path."""
    manifest = read_manifest(manifest_path)
    parts = [
        *(macro["macro_sql"] for _, macro in sorted(manifest["macros"].items())),
        *(f"{key} {node.get('raw_code')}" for key, node in sorted(manifest["nodes"].items())),
        json.dumps(_declared(manifest_path)),
        version("sqlglot"),
        *(Path(__file__).with_name(name).read_text() for name in ("columns.py", "compiled.py", "tracing.py")),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _read(cache: Path, stamp: str) -> Lineage | None:
    try:
        document = json.loads(cache.read_bytes())
    except (OSError, ValueError):
        return None
    if document.get("stamp") != stamp:
        return None
    return {
        model: {column: frozenset(ColumnSource(*one) for one in inputs) for column, inputs in columns.items()}
        for model, columns in document["models"].items()
    }


def _document(lineage: Lineage, stamp: str) -> bytes:
    models = {
        model: {
            column: [[one.dataset, one.column, one.kind, one.is_covered] for one in sorted(inputs)]
            for column, inputs in own.items()
        }
        for model, own in lineage.items()
    }
    return (json.dumps({"stamp": stamp, "models": models}, indent=1) + "\n").encode()


def _declared(manifest_path: Path) -> dict[str, list[str]]:
    """The columns of the tables that no model makes."""
    bronze = {f"{NodeKind.BRONZE}/{source}": [*bronze_schema(source).names, "landing_date"] for source in SOURCES}
    others = {
        f"{one['source_name']}/{one['name']}": list(one["columns"])
        for one in read_manifest(manifest_path)["sources"].values()
        if one["columns"]
    }
    return {**_seeds(manifest_path), **others, **bronze, ADMISSIONS: [*ADMISSION_SCHEMA.names, "landing_date"]}


def _seeds(manifest_path: Path) -> dict[str, list[str]]:
    """The columns of seeds, as the first lines of their files say."""
    found = {}
    for node in read_manifest(manifest_path)["nodes"].values():
        file = project_of(manifest_path) / node["original_file_path"]
        if node["resource_type"] == "seed" and file.is_file():
            with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
                delimiter = node["config"].get("delimiter") or ","
                found[node["name"]] = next(csv.reader(lines, delimiter=delimiter), [])
    return found


def _computed(manifest_path: Path) -> Lineage:
    nodes = read_manifest(manifest_path)["nodes"].values()
    declared = {node["name"]: list(node["columns"]) for node in nodes if node["resource_type"] in MODELS}
    compiled = compiled_models(manifest_path)
    return traced(data_graph(manifest_path), compiled, _declared(manifest_path), declared)


def traced(
    graph: DiGraph,
    compiled: Mapping[str, str],
    given: Mapping[str, list[str]],
    declared: Mapping[str, list[str]],
) -> Lineage:
    """Model by model in the order of the data, since a `select *` needs the columns of the tables before it.

    `compiled` is the SQL of each model, `given` the columns of the tables that no model makes, `declared` those that
    the models' descriptions name.
    """
    columns, lineage = dict(given), dict[str, dict[str, Inputs]]()
    for model in (node for node in in_order(graph) if node in compiled):
        try:
            lineage[model] = inputs_of(compiled[model], columns)
        except UnreadableSqlError:
            lineage[model] = _opaque(declared[model], {one: columns.get(one, ()) for one in graph.pred[model]})
        columns[model] = list(lineage[model])
    return lineage


def _opaque(declared: Iterable[str], read: Mapping[str, Iterable[str]]) -> dict[str, Inputs]:
    """A model whose SQL nobody understands: each column that is declared may depend on all that is read."""
    everything = frozenset(ColumnSource(table, column, "indirect") for table, names in read.items() for column in names)
    return dict.fromkeys(declared, everything)


@lru_cache(maxsize=4)
def _column_graph(manifest_path: Path, _mtime: int) -> Mapping[Place, Mapping[Place, Use]]:
    """Column → the columns next after it, over all stages from the source system to the exposures."""
    graph, after = data_graph(manifest_path), defaultdict[Place, dict[Place, Use]](dict)
    lineage = column_lineage(manifest_path)
    for model, columns in lineage.items():
        for column, inputs in columns.items():
            for one in inputs:
                after[one.dataset, one.column][model, column] = one.kind
    for source in SOURCES:
        # What a source delivers lands, and is admitted, under its own name.
        for column in CONTRACTS[source].arrow_schema.names:
            after[f"{NodeKind.SOURCE}/{source}", column][f"{NodeKind.LANDING}/{source}", column] = "direct"
            after[f"{NodeKind.LANDING}/{source}", column][f"{NodeKind.BRONZE}/{source}", column] = "direct"
    for published in (node for node in graph if graph.nodes[node]["kind"] is NodeKind.PUBLISHED):
        mart = graph.nodes[published]["name"]
        for column in lineage[mart]:
            after[mart, column][published, column] = "direct"
            for exposure in downstream(graph, [published]):
                # An exposure reads several tables: its columns carry the table's name.
                after[published, column][exposure, f"{mart}.{column}"] = "direct"
    return after


def downstream_columns(manifest_path: Path, dataset: str, column: str) -> Reached:
    """Every column of every dataset that a column reaches, in the order of the data; itself is not among them.

    Empty if nothing comes from the column, or it is not known.
    """
    after = _column_graph(manifest_path, manifest_path.stat().st_mtime_ns)
    reached: dict[Place, Use] = {}
    queue: list[tuple[Place, Use]] = [((dataset, column), "direct")]
    while queue:
        place, use = queue.pop()
        for following, kind in after.get(place, {}).items():
            found: Use = "direct" if use == kind == "direct" else "indirect"
            # A way on which the value itself goes outweighs any on which it only decides.
            if following not in reached or (found == "direct" and reached[following] == "indirect"):
                reached[following] = found
                queue.append((following, found))
    tables: dict[str, dict[str, Use]] = {}
    for (table, name), use in sorted(reached.items()):
        tables.setdefault(table, {})[name] = use
    return {node: tables[node] for node in in_order(data_graph(manifest_path)) if node in tables}


def personal_columns(manifest_path: Path, dataset: str) -> frozenset[str]:
    """The columns of a dataset whose values come from one that a contract calls personal, whatever they are called there."""
    found = set[str]()
    for source in SOURCES:
        for column in (one for one in CONTRACTS[source].columns if one.pii):
            reached = downstream_columns(manifest_path, f"{NodeKind.BRONZE}/{source}", column.name).get(dataset, {})
            found |= {name for name, use in reached.items() if use == "direct"}
    return frozenset(found)


def columns_of(manifest_path: Path, dataset: str) -> list[str]:
    """The columns of a dataset of the data graph, in their order; empty for one that has none of its own."""
    kind, _, name = dataset.rpartition("/")
    lineage = column_lineage(manifest_path)
    if kind in (NodeKind.SOURCE, NodeKind.LANDING) and name in CONTRACTS:
        return list(CONTRACTS[name].arrow_schema.names)
    if kind in ("", NodeKind.PUBLISHED) and name in lineage:
        return list(lineage[name])
    return _declared(manifest_path).get(dataset, [])
