"""`reliability incidents impact`: the blast radius of one incident, in words, as a picture or as a graph."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Group
from rich.markup import escape

from reliability_platform.cli.options import as_json_text, home_option, people, write_or_print
from reliability_platform.cli.parameters import FilePath
from reliability_platform.cli.tables import Table
from reliability_platform.counted import counted
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest

if TYPE_CHECKING:
    from reliability_platform.incidents.impact import MeasureRow


@click.command()
@click.argument("incident_id")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "svg", "graphml", "cypher"]),
    default="text",
    show_default=True,
    help="svg is the picture; graph tools read GraphML, graph databases Cypher.",
)
@click.option("--output", type=FilePath(dir_okay=False, path_type=Path), help="Write to this file, not to stdout.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@home_option
def impact(incident_id: str, form: str, output: Path | None, as_json: bool, settings: Settings) -> None:
    """What an incident reaches: tables, columns, checks, readers, and what it does to the measures of gold.

    INCIDENT_ID may be shortened, as in INC-0003.
    """
    from reliability_platform.incidents.impact import radius
    from reliability_platform.lineage.export import cypher, graphml
    from reliability_platform.lineage.picture import picture
    from reliability_platform.service.queries.impact import downstream_impact

    incident = IncidentStore(operations_engine(settings)).get(incident_id)
    form = "json" if as_json else form
    if form in ("text", "json"):
        rows = _measures(settings, incident)
        document = downstream_impact(ensure_manifest(), incident).model_dump()
        if form == "json":
            document["measures"] = [{**vars(row), "difference": row.difference} for row in rows]
            write_or_print(as_json_text(document), output)
        elif output is not None:
            raise UsageError("--output needs --format json, svg, graphml or cypher; the text is for a terminal.")
        else:
            people.print(_text(document, rows))
        return
    render = {"svg": picture, "graphml": graphml, "cypher": cypher}[form]
    write_or_print(render(radius(ensure_manifest(), incident)), output)


def _measures(settings: Settings, incident: Incident) -> "list[MeasureRow]":
    """As recorded before and after healing; as they stand now, if nothing has been recorded yet."""
    from reliability_platform.incidents.impact import MeasureRow, measure_table, measures
    from reliability_platform.warehouse.lease import warehouse_reader

    rows = measure_table(incident)
    if not rows:
        try:
            with warehouse_reader(settings) as connection:
                now = measures(settings, connection, incident)
        except EnvironmentUnusableError:
            now = measures(settings, None, incident)
        rows = [
            MeasureRow(
                one.table,
                one.measure,
                one.event_dates,
                one.published,
                one.warehouse,
                None,
                one.published_dates,
                one.warehouse_dates,
            )
            for one in now
        ]
    return rows


def _text(document: dict[str, Any], rows: "list[MeasureRow]") -> Group:
    """The document for a person. Names may come from data, so they are escaped."""
    began = ", ".join(document["began_in"]) + (f", column {document['column']}" if document["column"] else "")
    readers, columns, measures = Table(), Table(), Table()
    for name in ("who reads it", "owner", "critical"):
        readers.add_column(name)
    for one in document["exposures"]:
        readers.add_row(one["name"], f"{one['owner']}, {one['email']}", "yes" if one["critical"] else "no")
    direct_ones = "columns made of bad values" if document["spoils_numbers"] else "columns made of its rows"
    for name in ("dataset", direct_ones, "influenced only"):
        columns.add_column(name)
    for dataset, uses in document["columns"].items():
        direct = [column for column, use in uses.items() if use == "direct"]
        columns.add_row(escape(dataset), escape(", ".join(direct)), str(len(uses) - len(direct) or ""))
    for name in ("measure", "event dates", "published", "bad", "recovered", "difference"):
        measures.add_column(name, justify="left" if name in ("measure", "event dates") else "right")
    for row in rows:
        dates = row.event_dates
        span = f"{dates[0]}" if len(dates) == 1 else f"{dates[0]} … {dates[-1]} ({len(dates)})"
        measures.add_row(f"{row.table}.{row.measure}", span, *row.cells)
    size = (
        f"{counted(document['rows'], 'row')}, {counted(document['keys'], 'key')}. "
        if document["rows"] is not None
        else ""
    )
    return Group(
        escape(
            f"{document['incident']}, {document['severity']}, {document['state'].replace('_', ' ')}. Began in {began}."
        ),
        f"{size}{counted(len(document['tables']), 'table')}, {counted(len(document['checks']), 'check')} downstream.",
        readers,
        columns,
        measures,
    )
