"""`reliability lineage`: where data come from and where they go, dataset by dataset or column by column."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reliability_platform.cli.options import as_json_text, people, write_or_print
from reliability_platform.cli.parameters import FilePath
from reliability_platform.cli.tables import Table
from reliability_platform.errors import UsageError
from reliability_platform.formats import NOTHING
from reliability_platform.warehouse.dbt_manifest import ensure_manifest

if TYPE_CHECKING:
    from reliability_platform.lineage.digraph import DiGraph
    from reliability_platform.lineage.tracing import ColumnSource
    from reliability_platform.lineage.use import Use


@click.command()
@click.option("--dataset", help="Only what leads to this dataset and what comes from it, as bronze/orders.")
@click.option("--column", help="With --dataset: what comes from this column, and what it is made of.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "graphml", "cypher"]),
    default="text",
    show_default=True,
    help="Graph tools read GraphML, graph databases Cypher.",
)
@click.option("--output", type=FilePath(dir_okay=False, path_type=Path), help="Write to this file, not to stdout.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def lineage(dataset: str | None, column: str | None, form: str, output: Path | None, as_json: bool) -> None:
    """Show the data graph: what feeds what, who owns it, who reads it.

    A column is followed through the SQL of the models. The first time after a change of them, that takes 7 s.
    """
    from reliability_platform.lineage.graph import data_graph, downstream, known_node, upstream

    form = "json" if as_json else form
    manifest = ensure_manifest()
    graph = data_graph(manifest)
    if column is not None:
        if dataset is None or form not in ("text", "json"):
            raise UsageError("--column needs --dataset, and --format text or json.")
        _show_column(manifest, known_node(graph, dataset), column, form, output)
        return
    if dataset is not None:
        node = known_node(graph, dataset)
        graph = graph.part({node} | upstream(graph, [node]) | downstream(graph, [node]))
    if form == "text" and output is None:
        people.print(_table(graph))
    else:
        write_or_print(_rendered(graph, form), output)


def _rendered(graph: "DiGraph", form: str) -> str:
    from reliability_platform.lineage.export import cypher, graphml

    match form:
        case "graphml":
            return graphml(graph)
        case "cypher":
            return cypher(graph)
        case "json":
            from reliability_platform.service.queries.lineage import shown_graph

            return as_json_text(shown_graph(graph).model_dump(by_alias=True))
        case _:
            return "".join(f"{one} -> {other}\n" for one, other in sorted(graph.edges))


def _table(graph: "DiGraph") -> Table:
    from reliability_platform.lineage.graph import in_order

    table = Table()
    for name in ("dataset", "kind", "owner", "critical", "checks", "read from"):
        table.add_column(name, no_wrap=name == "dataset")
    for node in in_order(graph):
        data = graph.nodes[node]
        critical = "yes" if data["critical"] else ""
        parents = ", ".join(sorted(graph.pred[node])) if data["kind"] != "audit" else "all models"
        table.add_row(node, data["kind"], data["owner"], critical, str(len(data["checks"]) or ""), parents)
    return table


def _show_column(manifest: Path, node: str, column: str, form: str, output: Path | None) -> None:
    from reliability_platform.lineage.columns import column_lineage, columns_of, downstream_columns

    known = columns_of(manifest, node)
    if column not in known:
        raise UsageError(f"{node} has no column {column!r}; it has: {', '.join(known) or 'none of its own'}.")
    sources = sorted(column_lineage(manifest).get(node, {}).get(column, ()))
    reached = downstream_columns(manifest, node, column)
    if form == "json":
        made_of = [vars(one) for one in sources]
        document = {"dataset": node, "column": column, "made_of": made_of, "reaches": reached}
        write_or_print(as_json_text(document), output)
    else:
        write_or_print(_words(f"{node}.{column}", sources, reached), output)


def _words(name: str, sources: "list[ColumnSource]", reached: "Mapping[str, Mapping[str, Use]]") -> str:
    def listed(uses: Mapping[Any, str], use: str) -> str:
        return ", ".join(str(one) for one, kind in uses.items() if kind == use) or NOTHING

    made = {f"{one.dataset}.{one.column}": one.kind for one in sources}
    lines = [name, f"  its value is made of: {listed(made, 'direct')}", f"  decided by: {listed(made, 'indirect')}"]
    for dataset, columns in reached.items():
        lines += [f"{dataset}", f"  made of it: {listed(columns, 'direct')}"]
        lines += [f"  influenced by it: {listed(columns, 'indirect')}"]
    return "\n".join(lines) + "\n"
