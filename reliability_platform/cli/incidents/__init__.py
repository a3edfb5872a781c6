"""`reliability incidents`: look at incidents, decide on them, and learn from them. One module per group of commands."""

import click

from reliability_platform.cli.lazy import LazyGroup

PLACES = {
    "list": "incidents.look:list_incidents",
    "rejected": "incidents.look:rejected",
    "report": "incidents.report:report",
    "show": "incidents.look:show",
    "timeline": "incidents.look:timeline",
    "runbook": "incidents.documents:runbook",
    "assess": "incidents.documents:assess",
    "page": "incidents.documents:page",
    "message": "incidents.documents:message",
    "status-page": "incidents.status_page:status_page",
    "postmortem": "incidents.documents:postmortem",
    "breach": "incidents.breach:breach",
    "classes": "incidents.documents:classes",
    "impact": "incidents.impact:impact",
    "ack": "incidents.decisions:ack",
    "assign": "incidents.decisions:assign",
    "note": "incidents.decisions:note",
    "update": "incidents.decisions:update",
    "resolve": "incidents.decisions:resolve",
    "reopen": "incidents.decisions:reopen",
    "false-alarm": "incidents.decisions:false_alarm",
    "close": "incidents.decisions:close",
    "actions": "incidents.lessons:actions",
    "recurring": "incidents.lessons:recurring",
    "metrics": "incidents.metrics:metrics",
    "audit": "incidents.audit:audit",
}


@click.group(cls=LazyGroup, places=PLACES)
def incidents() -> None:
    """List, show, decide on and learn from incidents."""
