"""What is learned from an incident: its postmortem, and what has to be done so that it does not come again."""

from datetime import date, timedelta
from typing import Any

import click

from reliability_platform.actor import whoami
from reliability_platform.cli.incidents.look import unmarked
from reliability_platform.cli.options import home_option, json_option, people, print_json
from reliability_platform.cli.tables import Table
from reliability_platform.clock import parse_day, utc_now
from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.incidents.decisions import add_action_item, finish_action_item
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.recurring import WITHIN
from reliability_platform.incidents.recurring import recurring as repeated
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings


def _items(incidents: list[Incident], finished_too: bool) -> list[dict[str, Any]]:
    today = utc_now().date()
    return [
        {
            "incident": incident.id,
            "number": item.number,
            "what": item.what,
            "owner": item.owner,
            "due": item.due,
            "done_at": item.done_at,
            "overdue": item.is_late(today),
        }
        for incident in incidents
        for item in incident.action_items
        if finished_too or item.done_at is None
    ]


def _due(text: str) -> date:
    day = parse_day(text)
    if day < utc_now().date():
        raise UsageError(f"{day} is over: give the day by which it is to be done.")
    return day


@click.command()
@click.argument("incident_id", required=False)
@click.option("--all", "finished_too", is_flag=True, help="Those that are done, too.")
@click.option("--add", "what", help="Something to do; needs --owner and --due.")
@click.option("--owner", help="Who does it.")
@click.option("--due", help="By when, YYYY-MM-DD.")
@click.option("--done", type=int, help="The number of an action item that is done; --why says how.")
@click.option("--why", help="How, for the timeline. [default: done]")
@home_option
@json_option
def actions(
    incident_id: str | None,
    finished_too: bool,
    what: str | None,
    owner: str | None,
    due: str | None,
    done: int | None,
    why: str | None,
    settings: Settings,
    as_json: bool,
) -> None:
    """What has to be done so that it does not come again: of one incident, or of all. Tracked until done."""
    strayed = [name for name, value in {"--owner": owner, "--due": due}.items() if value is not None and what is None]
    strayed += ["--why"] if why is not None and done is None else []
    if strayed:
        raise UsageError(f"{strayed[0]} goes with {'--done' if strayed[0] == '--why' else '--add'}.")
    store = IncidentStore(operations_engine(settings))
    if (what is not None or done is not None) and incident_id is None:
        said = "--add …" if what is not None else f"--done {done}"
        raise UsageError(f"Name the incident: `reliability incidents actions INC-0003 {said}`.")
    if incident_id is not None and what is not None:
        if owner is None or due is None:
            raise UsageError("An action item needs somebody and a day: give --owner and --due.")
        add_action_item(store, incident_id, what, owner, _due(due), utc_now(), whoami())
    if incident_id is not None and done is not None:
        finish_action_item(store, incident_id, done, utc_now(), whoami(), why or "done")
    found = _items([store.get(incident_id)] if incident_id is not None else store.all(), finished_too)
    if as_json:
        print_json(found)
        return
    table = Table()
    for column in ("incident", "no.", "what", "owner", "due", "done"):
        table.add_column(column, no_wrap=column == "incident")
    for item in found:
        due_words = f"{item['due']}" + (" (late)" if item["overdue"] else "")
        finished = f"{item['done_at']:%Y-%m-%d}" if item["done_at"] else ""
        words = (unmarked(item["what"]), unmarked(item["owner"]))
        table.add_row(item["incident"], str(item["number"]), *words, due_words, finished)
    people.print(table if found else "Nothing is left to do.")


@click.command()
@click.option(
    "--days",
    type=click.IntRange(1, 3660),
    default=WITHIN.days,
    show_default=True,
    help="How far back incidents count, by when they were detected.",
)
@home_option
@json_option
def recurring(days: int, settings: Settings, as_json: bool) -> None:
    """Causes that came back: each failure class that one source had more than once, the most frequent first."""
    found = repeated(IncidentStore(operations_engine(settings)), utc_now(), timedelta(days=days))
    if as_json:
        print_json(
            [
                {
                    "source": one.source,
                    "failure_class": one.failure_class,
                    "owner": one.owner,
                    "times": len(one.occurrences),
                    "incidents": [vars(time) for time in one.occurrences],
                }
                for one in found
            ]
        )
        return
    table = Table()
    for column in ("times", "class", "source", "owner", "incidents"):
        table.add_column(column, no_wrap=column in ("times", "class"))
    for one in found:
        named = "\n".join(f"{time.incident} ({time.detected_at:%Y-%m-%d}, {time.state})" for time in one.occurrences)
        table.add_row(str(len(one.occurrences)), one.failure_class, one.source, unmarked(one.owner), named)
    people.print(table if found else f"Nothing came back within {counted(days, 'day')}.")
