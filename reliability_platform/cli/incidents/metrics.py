"""`reliability incidents metrics`: how long incidents take to be noticed, answered and recovered from."""

import click

from reliability_platform.cli.options import home_option, json_option, people, print_json
from reliability_platform.cli.tables import Table
from reliability_platform.incidents import metrics as measured
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings


@click.command()
@click.option(
    "--by",
    type=click.Choice([one.value for one in measured.GroupedBy]),
    default=None,
    help="A line for each of these, too. [default: all incidents as one]",
)
@home_option
@json_option
def metrics(by: str | None, settings: Settings, as_json: bool) -> None:
    """Time to detect, acknowledge, recover and resolve, and data downtime: median and 95th percentile."""
    incidents = IncidentStore(operations_engine(settings)).all()
    groups = measured.metrics(incidents, measured.GroupedBy(by) if by else None)
    if as_json:
        print_json(measured.document(groups))
        return
    if not incidents:
        people.print("There are no incidents.")
        return
    table = Table()
    for column in measured.header():
        table.add_column(column)
    for group in groups:
        table.add_row(*measured.row(group), style="bold" if group.name == "all" else None)
    people.print(table)
    people.print(measured.LEGEND)
