"""`reliability incidents`: look at incidents and decide on them."""

import getpass
from pathlib import Path

import click
from rich.table import Table

from reliability_platform.cli.options import home_option, home_session, json_option, people, print_json
from reliability_platform.clock import utc_now
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings


@click.group()
def incidents() -> None:
    """List, show, acknowledge and resolve incidents."""


def _document(incident: Incident) -> dict[str, object]:
    return {
        "id": incident.id,
        "severity": incident.severity,
        "severity_reason": incident.severity_reason,
        "state": incident.state,
        "source": incident.source,
        "failure_class": incident.failure_class,
        "root_dataset": incident.root_dataset,
        "landing_days": incident.partitions,
        "checks": incident.checks,
        "detected_at": incident.detected_at,
        "recovered_at": incident.recovered_at,
        "fingerprint": incident.fingerprint,
    }


@incidents.command(name="list")
@home_option
@json_option
def list_incidents(home: Path | None, as_json: bool) -> None:
    """All incidents, oldest first."""
    found = IncidentStore(operations_engine(load_settings(home))).all()
    if as_json:
        print_json([_document(incident) for incident in found])
        return
    table = Table()
    for column in ("incident", "severity", "state", "landing days", "checks"):
        table.add_column(column, no_wrap=column == "incident")
    for incident in found:
        days = f"{incident.partitions[0]}" + (f" … {incident.partitions[-1]}" if len(incident.partitions) > 1 else "")
        table.add_row(incident.id, incident.severity, incident.state, days, "\n".join(incident.checks))
    people.print(table if found else "There are no incidents.")


@incidents.command()
@click.argument("incident_id")
@home_option
@json_option
def show(incident_id: str, home: Path | None, as_json: bool) -> None:
    """The runbook of one incident, as Markdown. INCIDENT_ID may be shortened, as in INC-0003."""
    settings = load_settings(home)
    incident = IncidentStore(operations_engine(settings)).get(incident_id)
    if as_json:
        print_json(_document(incident) | {"timeline": [vars(entry) for entry in incident.timeline]})
        return
    from reliability_platform.remediation.documents import render_runbook

    click.echo(render_runbook(settings, incident))


def _move(incident_id: str, target: State, why: str, home: Path | None) -> None:
    settings = load_settings(home)
    with home_session(settings):
        store = IncidentStore(operations_engine(settings))
        incident = store.get(incident_id)
        store.move(incident.id, target, utc_now(), getpass.getuser(), why)
    click.echo(f"{incident.id} is now {target.value}.")


@incidents.command()
@click.argument("incident_id")
@click.option("--why", default="seen", show_default=True, help="For the timeline.")
@home_option
def ack(incident_id: str, why: str, home: Path | None) -> None:
    """Say that somebody is on it."""
    _move(incident_id, State.ACKNOWLEDGED, why, home)


@incidents.command()
@click.argument("incident_id")
@click.option("--why", required=True, help="How it was resolved; for the timeline.")
@click.option("--false-alarm", is_flag=True, help="There was nothing wrong.")
@home_option
def resolve(incident_id: str, why: str, false_alarm: bool, home: Path | None) -> None:
    """Resolve an incident by hand. The gate keeps holding what its checks object to."""
    _move(incident_id, State.FALSE_ALARM if false_alarm else State.RESOLVED, why, home)


@incidents.command()
@home_option
def audit(home: Path | None) -> None:
    """Prove that no timeline was edited: each entry carries the hash of the one before."""
    store = IncidentStore(operations_engine(load_settings(home)))
    broken = store.broken_links()
    if broken:
        raise click.ClickException(f"the timeline was edited: {', '.join(broken)}")
    click.echo(f"{len(store.all())} timelines are whole.")
