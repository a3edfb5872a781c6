"""`reliability incidents`: look at incidents, decide on them, and learn from them. One module per group of commands."""

import click

from reliability_platform.cli.incidents.audit import audit
from reliability_platform.cli.incidents.decisions import ack, assign, close, false_alarm, note, reopen, resolve
from reliability_platform.cli.incidents.documents import assess, classes, message, page, postmortem, runbook
from reliability_platform.cli.incidents.impact import impact
from reliability_platform.cli.incidents.lessons import actions
from reliability_platform.cli.incidents.look import list_incidents, rejected, show, timeline
from reliability_platform.cli.incidents.metrics import metrics


@click.group()
def incidents() -> None:
    """List, show, decide on and learn from incidents."""


for _command in (
    list_incidents,
    rejected,
    show,
    timeline,
    runbook,
    assess,
    page,
    message,
    postmortem,
    classes,
    impact,
    ack,
    assign,
    note,
    resolve,
    reopen,
    false_alarm,
    close,
    actions,
    metrics,
    audit,
):
    incidents.add_command(_command)
