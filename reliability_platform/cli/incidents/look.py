"""Looking at incidents: the list, one screen on one of them, its timeline."""

import textwrap
from collections.abc import Callable
from typing import Any

import click
from rich.markup import escape

from reliability_platform.cli.options import DAY, echo, home_option, json_option, people, print_json
from reliability_platform.cli.tables import Table
from reliability_platform.clock import utc_now
from reliability_platform.contracts import SOURCES
from reliability_platform.day_clock import Service
from reliability_platform.formats import duration, plain, second
from reliability_platform.incidents.classes import CLASSES, Severity
from reliability_platform.incidents.documents.render import WIDTH
from reliability_platform.incidents.model import State, TimelineEntry
from reliability_platform.incidents.response import overdue, read_policy
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.service.queries.heartbeats import is_alive
from reliability_platform.service.queries.incidents import IncidentFilter, detail_of, summary_of
from reliability_platform.settings import Settings

LINES = textwrap.TextWrapper(
    WIDTH, initial_indent="    ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
)
"""Whole words: a name or a path that is broken is found by no search."""


def _choice(values: Any) -> click.Choice[str]:
    return click.Choice([str(value) for value in values], case_sensitive=False)


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option("--open", "only_open", is_flag=True, help="Only those that are not over."),
            click.option("--state", type=_choice(State), help="Only those in this state."),
            click.option("--severity", type=_choice(Severity), help="Only those of this severity."),
            click.option("--source", type=_choice(SOURCES), help="Only those of this source."),
            click.option("--class", "failure_class", type=_choice(CLASSES), help="Only those of this failure class."),
            click.option("--assignee", help="Only those of this person."),
            click.option("--day", type=DAY, help="Only those that touch this landing day."),
            click.option("--since", type=DAY, help="Only those detected on this day (UTC) or later."),
        )
    ):
        command = option(command)
    return command


@click.command(name="list")
@_filters
@home_option
@json_option
def list_incidents(settings: Settings, as_json: bool, **asked: Any) -> None:
    """Incidents, oldest first; after them, a line for each source with rejected rows that are too few for one."""
    engine = operations_engine(settings)
    if Service(engine).was_ever_on() and not is_alive(settings, utc_now()):  # what looks for it takes 1 s to import
        from reliability_platform.lab.calendar import calendar
        from reliability_platform.recovery.upkeep import notice

        notice(
            settings, engine, utc_now(), calendar(settings)
        )  # what was due and is not done: no daemon is up to say so
    found = IncidentStore(engine).find(*IncidentFilter(**asked).conditions)
    if as_json:
        print_json([summary_of(settings, incident, utc_now()).model_dump() for incident in found])
        return
    policy = read_policy(settings.response_policy)
    table = Table()
    for column in ("incident", "", "state", "assigned to", "landing days", "age", "checks"):
        table.add_column(column, no_wrap=column == "incident")
    for incident in found:
        days = f"{incident.partitions[0]}" + (f" … {incident.partitions[-1]}" if len(incident.partitions) > 1 else "")
        late = " (late)" if overdue(incident, policy, utc_now()) else ""
        checks = incident.checks[:3] + ([f"and {len(incident.checks) - 3} more"] if len(incident.checks) > 3 else [])
        table.add_row(
            incident.id,
            incident.severity,
            incident.state + late,
            plain(incident.assignee or ""),
            days,
            duration(utc_now() - incident.detected_at),
            "\n".join(checks),
        )
    people.print(
        table if found else "There are no such incidents." if any(asked.values()) else "There are no incidents."
    )
    if not any(asked.values()):
        from reliability_platform.incidents.below_limit import below_limit

        for one in below_limit(engine):
            people.print(one.text, markup=False, soft_wrap=True)


@click.command()
@home_option
@json_option
def rejected(settings: Settings, as_json: bool) -> None:
    """Rejected rows that are too few for an incident: one line for each source, which collects landing days.

    What is published is short by them. A row that is replayed, replaced or discarded leaves the line.
    """
    from reliability_platform.incidents.below_limit import below_limit

    found = below_limit(operations_engine(settings))
    if as_json:
        print_json([one.document for one in found])
        return
    for one in found:
        people.print(one.text, markup=False, soft_wrap=True)
    if not found:
        people.print("No row is rejected below the limit of an incident.")


@click.command()
@click.argument("incident_id")
@home_option
@json_option
def show(incident_id: str, settings: Settings, as_json: bool) -> None:
    """One screen on one incident: what is wrong, who is hit, since when, what changed, what to do. INC-0003 is enough of its id."""
    incident = IncidentStore(operations_engine(settings)).get(incident_id)
    if as_json:
        from reliability_platform.service.queries.changes import changes_of
        from reliability_platform.service.queries.response import response_of
        from reliability_platform.warehouse.dbt_manifest import ensure_manifest

        engine, now = operations_engine(settings), utc_now()
        more = {
            "response": response_of(settings, engine, incident, now).model_dump(),
            "changes": changes_of(settings, engine, ensure_manifest(), incident).model_dump(),
        }
        print_json({**detail_of(settings, incident, now).model_dump(), **more})
        return
    from reliability_platform.remediation.documents import render_overview

    echo(render_overview(settings, incident, utc_now()), nl=False)


def _what(entry: TimelineEntry) -> str:
    told = entry.data["to"] if entry.kind in ("transition", "assigned") else ""
    return f"{entry.kind} {str(told).replace('_', ' ')}".strip()


@click.command()
@click.argument("incident_id")
@home_option
@json_option
def timeline(incident_id: str, settings: Settings, as_json: bool) -> None:
    """Everything that happened to one incident: when (UTC), who, what, why."""
    incident = IncidentStore(operations_engine(settings)).get(incident_id)
    if as_json:
        print_json([vars(entry) for entry in incident.timeline])
        return
    if not people.is_terminal:
        for entry in incident.timeline:
            echo(f"{second(entry.at)}  {plain(entry.actor)}: {plain(_what(entry))}")
            echo(LINES.fill(plain(entry.why)))
        return
    table = Table(title=incident.id)
    for column in ("when (UTC)", "who", "what", "why"):
        table.add_column(column, no_wrap=column == "when (UTC)")
    for entry in incident.timeline:
        moment = second(entry.at)
        table.add_row(moment, *(unmarked(text) for text in (entry.actor, _what(entry), entry.why)))
    people.print(table)


def unmarked(text: str) -> str:
    """Text for a table of the terminal: one line, no markup."""
    return escape(plain(text))
