"""`reliability alerts tickets`: the tickets of incidents, and what a tracker would be asked for."""

import json

import click
from rich.markup import escape

from reliability_platform.alerts.dispatch import readers
from reliability_platform.alerts.message import MessageContext
from reliability_platform.alerts.routing.declared import routing_of
from reliability_platform.alerts.tickets.preview import kept_tickets, previews
from reliability_platform.cli.options import echo, home_option, json_option, people, print_json
from reliability_platform.cli.parameters import Whole
from reliability_platform.cli.tables import Table
from reliability_platform.clock import utc_now
from reliability_platform.errors import UsageError
from reliability_platform.incidents.response import read_policy
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings

NONE = "routing.yml declares no trackers: docs/how-to/alerts.md says how."


@click.command()
@click.argument("incident_id", required=False)
@click.option("--dry-run", is_flag=True, help="Show the requests that would be made now; nothing is sent.")
@click.option("--last", type=Whole(1, 100_000), default=50, show_default=True, help="How many incidents at the most.")
@home_option
@json_option
def tickets(incident_id: str | None, dry_run: bool, last: int, settings: Settings, as_json: bool) -> None:
    """The tickets of an incident, or of the newest ones. --dry-run shows what the trackers would be asked for."""
    store, declared = IncidentStore(operations_engine(settings)), routing_of(settings)
    incidents = [store.get(incident_id)] if incident_id else store.newest([], last)[0]
    if not dry_run:
        found = kept_tickets(incidents)
        if as_json:
            print_json(list(map(vars, found)))
            return
        if not found:
            echo("There are no tickets." if declared and declared.trackers else NONE)
            return
        table = Table()
        for column in ("incident", "severity", "state", "tracker", "ticket"):
            table.add_column(column)
        for one in found:
            table.add_row(*map(escape, (one.incident, one.severity, one.state, one.tracker, one.link)))
        people.print(table)
        return
    if declared is None or not declared.trackers:
        raise UsageError(NONE)
    around = MessageContext(settings.ui_url, read_policy(settings.response_policy), readers)
    shown = incidents if incident_id else [one for one in incidents if one.is_open]
    planned = {one.id: previews(declared, one, around, utc_now()) for one in shown}
    if as_json:
        print_json(planned)
        return
    for name, trackers in planned.items():
        if not trackers:
            echo(f"{name} concerns no tracker.")
        for tracker in trackers:
            echo(f"{name}, {tracker['tracker']}:")
            for request in tracker["requests"]:
                people.print(f"{request['method']} {request['url']}", markup=False, soft_wrap=True)
                for part in ("query", "body"):
                    if request[part]:
                        people.print(json.dumps(request[part], indent=2), markup=False, soft_wrap=True)
