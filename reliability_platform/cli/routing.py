"""`reliability alerts routing` and `reliability alerts explain`: what the routing file says, and what follows for an incident."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import click
from rich.markup import escape

from reliability_platform.alerts.routing.declared import OWN, Routing, routing_file, routing_of
from reliability_platform.alerts.routing.explain import Hearing, explain
from reliability_platform.alerts.routing.owners import owners_without_recipient
from reliability_platform.alerts.routing.rotation import gaps, on_call, turns_between
from reliability_platform.cli.options import echo, home_option, json_option, people, print_json
from reliability_platform.cli.tables import Table
from reliability_platform.clock import utc_now
from reliability_platform.formats import joined, moment
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings

AHEAD = timedelta(days=14)
"""So far ahead gaps of rotations are looked for."""
NONE = f"There is no {OWN} beside the contracts: alerts go to the channels of RELIABILITY_ALERT_URLS (docs/how-to/alerts.md)."


def _rotation(settings: Settings, routing: Routing, name: str, now: datetime) -> dict[str, Any]:
    duty, ahead = on_call(settings, routing, name, now), turns_between(settings, routing, name, now, now + AHEAD, now)
    return {
        "name": name,
        "told": duty.recipients,
        "why": duty.why,
        "is_gap": duty.is_gap,
        "trouble": duty.trouble,
        "gaps": [{"from": begin, "until": end} for begin, end in gaps(ahead, now, now + AHEAD)],
    }


@click.command()
@home_option
@json_option
def routing(settings: Settings, as_json: bool) -> None:
    """Show routing.yml as it is read: recipients, who is on call and when nobody is, routes, escalation.

    A name that nothing bears is refused with its line. Owners who are no recipients, and so hear nothing, are named.
    """
    declared, now = routing_of(settings), utc_now()
    if declared is None:
        print_json({"file": None}) if as_json else echo(NONE)
        return
    rotations = [_rotation(settings, declared, name, now) for name in declared.rotations]
    lacking = owners_without_recipient(declared)
    if as_json:
        document = declared.model_dump(mode="json", by_alias=True)
        print_json({"file": str(routing_file(settings)), **document, "on_call": rotations, "unknown_owners": lacking})
        return
    table = Table(title="Recipients")
    for column in ("recipient", "channels", "known as", "quiet hours", "what goes through"):
        table.add_column(column)
    for name, one in declared.recipients.items():
        quiet = ("as the settings say", "") if one.quiet is None else (one.quiet.hours, "/".join(one.quiet.through))
        hours = quiet[0] + (f" {one.quiet.zone}" if one.quiet else "")
        table.add_row(*map(escape, (name, "\n".join(one.channels), "\n".join(one.known_as), hours, quiet[1])))
    people.print(table)
    table = Table(title="Routes")
    for column in ("route", "incidents", "tell"):
        table.add_column(column)
    for route in declared.routes:
        table.add_row(*map(escape, (route.name, route.when.in_words, ", ".join(route.tell))))
    table.add_row("otherwise", "no route names anybody who works on it", escape(", ".join(declared.otherwise)))
    people.print(table)
    for turn in rotations:
        people.print(f"On call: {joined(turn['told'])}: {turn['why']}.", markup=False, soft_wrap=True)
        for gap in turn["gaps"]:
            words = f"  {turn['name']} has nobody from {moment(gap['from'])} to {moment(gap['until'])}"
            people.print(f"{words}: {joined(declared.rotations[turn['name']].otherwise)} instead.", markup=False)
    for chain in declared.escalation:
        steps = "; ".join(f"{step.after_minutes:g} min late: {', '.join(step.tell)}" for step in chain.steps)
        people.print(f"Nobody answers ({chain.name}; {chain.when.in_words}): {steps}.", markup=False, soft_wrap=True)
    for name, tracker in declared.trackers.items():
        place = " ".join(filter(None, (tracker.kind, tracker.place.url, tracker.place.project)))
        people.print(f"Tickets in {name} ({place}): {tracker.when.in_words}.", markup=False, soft_wrap=True)
    for words in lacking:
        people.print(
            f"No recipient goes by the name of {words}: nobody is told as its owner.", markup=False, soft_wrap=True
        )


def _row(one: Hearing) -> tuple[str, ...]:
    return (moment(one.at), one.recipient or "(settings)", one.channel, one.role, one.why)


@click.command(name="explain")
@click.argument("incident_id")
@home_option
@json_option
def explain_incident(incident_id: str, settings: Settings, as_json: bool) -> None:
    """Who would hear of an incident as it stands, when, and why, and which tickets it has or would have; nothing is sent.

    INC-0003 is enough of its id.
    """
    engine = operations_engine(settings)
    incident = IncidentStore(engine).get(incident_id)
    found = explain(settings, engine, incident, utc_now())
    if as_json:
        print_json(asdict(found))
        return
    people.print(
        f"{incident.id} · {incident.severity} · {incident.failure_class} · {incident.state.value.replace('_', ' ')}"
    )
    for title, hearings in (("Told", found.now), ("Told next if nobody answers", found.if_nobody_answers)):
        table = Table(title=title)
        for column in ("when", "recipient", "channel", "who", "why"):
            table.add_column(column)
        for one in hearings:
            table.add_row(*map(escape, _row(one)))
        if hearings:
            people.print(table)
    if not found.now:
        people.print("Nobody hears of it.")
    for ticket in found.tickets:
        where = " ".join(filter(None, (ticket.kind, ticket.project)))
        place = f"{ticket.tracker} ({where}; {ticket.why})"
        what = f"is {ticket.link}" if ticket.ticket else f"would be opened at {ticket.link}"
        people.print(f"Its ticket in {place} {what}.", markup=False, soft_wrap=True)
    for words in found.nobody:
        people.print(
            f"No recipient goes by the name of {words}: nobody is told as its owner.", markup=False, soft_wrap=True
        )
