"""What people decide about an incident, one command per decision."""

from collections.abc import Callable

import click

from reliability_platform.actor import whoami
from reliability_platform.cli.options import echo, home_option, json_option, print_json
from reliability_platform.cli.parameters import Number
from reliability_platform.clock import utc_now
from reliability_platform.formats import moment
from reliability_platform.incidents.decisions import EFFECTS, Decision, IncidentRole, decide, give_update
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.service.queries.incidents import summary_of
from reliability_platform.settings import Settings


def _carry_out(
    decision: Decision,
    incident_id: str,
    why: str,
    to: str,
    settings: Settings,
    as_json: bool,
    role: IncidentRole = IncidentRole.COMMANDER,
) -> None:
    # No session is held: the timeline is safe for many writers, and a person must get through while a run is at work.
    store = IncidentStore(operations_engine(settings))
    incident = decide(store, incident_id, decision, utc_now(), whoami(), why, to, role)
    if as_json:
        print_json(summary_of(settings, incident, utc_now()).model_dump())
        return
    given = f", assigned to {incident.assignee}" if incident.assignee else ""
    echo(f"{incident.id} is {incident.state.value.replace('_', ' ')}{given}.")


def _command(name: str, decision: Decision, why_default: str | None = None) -> click.Command:
    def run(incident_id: str, why: str, settings: Settings, as_json: bool) -> None:
        _carry_out(decision, incident_id, why, "", settings, as_json)

    run.__doc__ = f"{EFFECTS[decision].help} INCIDENT_ID may be shortened, as in INC-0003."
    command: Callable[..., None] = json_option(home_option(run))
    command = click.option(
        "--why", required=why_default is None, default=why_default, show_default=True, help="For the timeline."
    )(command)
    return click.command(name)(click.argument("incident_id")(command))


ack = _command("ack", Decision.ACKNOWLEDGE, "seen")
note = _command("note", Decision.NOTE)
resolve = _command("resolve", Decision.RESOLVE)
reopen = _command("reopen", Decision.REOPEN)
false_alarm = _command("false-alarm", Decision.FALSE_ALARM)
close = _command("close", Decision.CLOSE, "nothing is left to do")


@click.command()
@click.argument("incident_id")
@click.option("--to", required=True, help="The person, or the channel.")
@click.option(
    "--role", type=click.Choice([one.value for one in IncidentRole]), default=IncidentRole.COMMANDER.value, show_default=True,
    help="As what: who leads, who else works on it, or where they talk about it.",
)  # fmt: skip
@click.option("--why", default="on duty", show_default=True, help="For the timeline.")
@home_option
@json_option
def assign(incident_id: str, to: str, role: IncidentRole, why: str, settings: Settings, as_json: bool) -> None:
    """Give an incident to somebody, or say who else works on it and where. Who acknowledges it first is its commander.

    INCIDENT_ID may be shortened, as in INC-0003.
    """
    _carry_out(Decision.ASSIGN, incident_id, why, to, settings, as_json, IncidentRole(role))


@click.command()
@click.argument("incident_id")
@click.option("--say", required=True, help="How it stands, for everybody who was told; no names of people.")
@click.option(
    "--next", "hours", type=Number(0.1, 168), default=None, help="Hours until the next update. [default: by severity]"
)
@home_option
@json_option
def update(incident_id: str, say: str, hours: float | None, settings: Settings, as_json: bool) -> None:
    """Tell everybody who was told of an incident how it stands, and promise the next update; one that is late is told of.

    INCIDENT_ID may be shortened, as in INC-0003. Without an update, owners hear by themselves how it stands when one is due.
    """
    from reliability_platform.incidents.documents.messages import promised_for

    store, now = IncidentStore(operations_engine(settings)), utc_now()
    next_at = promised_for(store.get(incident_id), hours, now)
    incident = give_update(store, incident_id, say, next_at, now, whoami())
    if as_json:
        print_json(summary_of(settings, incident, now).model_dump())
        return
    echo(f"{incident.id}: the update goes to everybody who was told. The next one is promised by {moment(next_at)}.")
