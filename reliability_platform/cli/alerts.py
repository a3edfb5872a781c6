"""`reliability alerts`: what was told to whom, how the channels do, and a test of them."""

import click
from rich.markup import escape

from reliability_platform.alerts.channels import channels
from reliability_platform.alerts.delivery import DeliveryOutcome, rehearse, send
from reliability_platform.alerts.dispatch import dispatch
from reliability_platform.alerts.ledger import Alert, AlertLedger
from reliability_platform.alerts.routing.declared import routing_file
from reliability_platform.alerts.status import channel_statuses
from reliability_platform.alerts.trial import try_channels
from reliability_platform.cli.options import echo, home_option, json_option, people, print_json
from reliability_platform.cli.parameters import Whole
from reliability_platform.cli.routing import explain_incident, routing
from reliability_platform.cli.tables import Table
from reliability_platform.cli.tickets import tickets
from reliability_platform.clock import utc_now
from reliability_platform.counted import counted
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.formats import second
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.owner_letters import write_letter
from reliability_platform.settings import Settings

NOBODY = (
    "No channel is configured: give URLs in RELIABILITY_ALERT_URLS, as in 'P0,P1=pagerduty://… slack://…', "
    "or recipients in routing.yml."
)


@click.group()
def alerts() -> None:
    """List alerts, see how the channels do, test them, send what is due.

    Channels are Apprise URLs in RELIABILITY_ALERT_URLS, and those of the recipients in routing.yml. Until RELIABILITY_ALERT_DRY_RUN is false, nothing is sent:
    what would be is written to alerts/dry_run.jsonl in the home folder.
    """


alerts.add_command(routing)
alerts.add_command(explain_incident)
alerts.add_command(tickets)


def _mode(settings: Settings) -> str:
    if settings.alert_dry_run:
        return f"Dry run: alerts go to {settings.alerts / 'dry_run.jsonl'} only. RELIABILITY_ALERT_DRY_RUN=false sends them."
    return "Alerts are sent." if channels(settings) else NOBODY


def _document(alert: Alert) -> dict[str, object]:
    return {name: value for name, value in vars(alert).items() if name not in ("id", "message")}


@alerts.command(name="list")
@click.option("--waiting", is_flag=True, help="Only those that are not settled: deferred, or to be tried again.")
@click.option("--last", type=Whole(1, 100_000), default=50, show_default=True, help="How many at the most.")
@home_option
@json_option
def list_alerts(waiting: bool, last: int, settings: Settings, as_json: bool) -> None:
    """The last alerts, oldest first, with what became of each and why it waits or failed."""
    ledger = AlertLedger(operations_engine(settings))
    found = ledger.waiting()[-last:] if waiting else ledger.newest(last)
    if as_json:
        print_json([_document(alert) for alert in found])
        return
    if not found:
        people.print("There are no alerts.")
        return
    table = Table()
    for column in ("incident", "severity", "what", "channel", "status", "at (UTC)", "why, until"):
        table.add_column(column, no_wrap=column in ("incident", "status"))
    for alert in found:
        settled = alert.sent_at is not None
        moment = alert.sent_at or alert.at
        until = "" if settled or not alert.reason else f", until {alert.due_at:%m-%d %H:%M}"
        reason = alert.reason + (until if alert.status == "pending" else "")
        table.add_row(
            *map(escape, (alert.incident_id, alert.severity, alert.summary, alert.channel, alert.status)),
            second(moment),
            escape(reason),
        )
    people.print(table)


@alerts.command()
@home_option
@json_option
def status(settings: Settings, as_json: bool) -> int:
    """How each channel does, what waits for it, what could not be delivered."""
    found = channel_statuses(settings, operations_engine(settings))
    failing = [one for one in found if one.state == "failing"]
    if as_json:
        limits = {"cap_per_hour": settings.alert_cap_per_hour, "quiet_hours": settings.alert_quiet_hours}
        print_json({"dry_run": settings.alert_dry_run, **limits, "channels": [vars(one) for one in found]})
        return ExitCode.NOT_HEALED if failing else ExitCode.OK
    people.print(escape(_mode(settings)))
    quiet = f"{settings.alert_quiet_hours} {settings.alert_timezone}" if settings.alert_quiet_hours else "never"
    people.print(f"At most {counted(settings.alert_cap_per_hour, 'message')} an hour and channel; P3 is quiet {quiet}.")
    table = Table()
    for column in ("channel", "takes", "state", "waiting", "undelivered", "last sent (UTC)", "last error"):
        table.add_column(column)
    for one in found:
        table.add_row(
            escape(one.name),
            " ".join(one.severities),
            one.state,
            str(one.waiting),
            str(one.undelivered),
            second(one.last_sent_at) if one.last_sent_at else "never",
            escape(one.last_error),
        )
    if found:
        people.print(table)
    if any(one.undelivered for one in found):
        people.print(
            f"What could not be delivered: {settings.alerts / 'undelivered.jsonl'}", soft_wrap=True, markup=False
        )
    return ExitCode.NOT_HEALED if failing else ExitCode.OK


@alerts.command()
@click.option("--really", is_flag=True, help="Send it although this is a dry run.")
@home_option
@json_option
def test(really: bool, settings: Settings, as_json: bool) -> int:
    """Send a harmless message to every channel. In a dry run it goes to a file, unless --really is given."""
    if not settings.alert_urls and routing_file(settings) is None:
        raise UsageError(NOBODY)
    sends = really or not settings.alert_dry_run
    outcomes = try_channels(settings, utc_now(), send if sends else rehearse)
    if as_json:
        print_json({"sent": sends, "channels": {name: vars(outcome) for name, outcome in outcomes.items()}})
    else:
        if not sends:
            echo("Dry run: nothing was sent. Add --really to send it.")
        for name, outcome in outcomes.items():
            good = "would get the test" if not sends else "took the test"
            echo(f"{name}: {good if outcome.outcome is DeliveryOutcome.SENT else outcome.words}")
    return ExitCode.OK if all(one.outcome is DeliveryOutcome.SENT for one in outcomes.values()) else ExitCode.NOT_HEALED


@alerts.command(name="send")
@home_option
@json_option
def send_due(settings: Settings, as_json: bool) -> int:
    """Send what is due now, as the daemon does every fifteen seconds."""
    done = dispatch(settings, operations_engine(settings), utc_now(), write=write_letter)
    if as_json:
        print_json({"dry_run": settings.alert_dry_run, **vars(done)})
    else:
        if not channels(settings):
            echo(NOBODY)
        how = "rehearsed" if settings.alert_dry_run else "sent"
        echo(
            f"{counted(done.sent, 'alert')} {how}, {done.retried} to be tried again, {done.failed} given up, {done.deferred} waiting."
        )
        for trouble in done.trouble:
            echo(f"A step failed: {trouble}.")
    return ExitCode.NOT_HEALED if done.retried or done.failed or done.trouble else ExitCode.OK
