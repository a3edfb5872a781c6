"""What a ticket says, and in which form: Markdown (GitHub, GitLab), a document (Jira Cloud), plain text (all others).

What did not come from the platform's own code keeps only signs that mean nothing anywhere, and is escaped besides.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from reliability_platform.alerts.ledger import Alert
from reliability_platform.alerts.message import MAX_LINE, MessageContext, breach_lines, harmless, headline, page, seen
from reliability_platform.counted import counted
from reliability_platform.formats import moment, plain, span
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.documents.blocks import Block, Bullets, Commands, Heading, Paragraph
from reliability_platform.incidents.documents.render import code, markdown, text
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.response import response_due

MAX_TITLE = 150
"""ServiceNow cuts at 160, GitLab and Jira refuse more than 255."""
TICKET = "ticket"
"""The phase of the timeline's entry that says which ticket it is."""
EARLIER = timedelta(days=1)
"""Clocks of trackers differ from ours; a ticket is looked for from so long before the incident on."""


def marker(incident: Incident) -> str:
    """What the ticket of an incident is known by: one word, the same whatever is retried or restored, and of no other home."""
    return f"rp{incident.timeline[0].hash[:20]}"


def mark(incident: Incident, alerts: Sequence[Alert]) -> str:
    """What a comment is known by: the last entry of the timeline that it tells of."""
    return f"{marker(incident)}e{max(alert.number for alert in alerts)}"


def known_ticket(incident: Incident, channel: str) -> str:
    """The key of the ticket that a tracker has of an incident, as its timeline says; empty where there is none yet."""
    told = [one.data for one in incident.timeline if one.kind == "alert" and one.data.get("phase") == TICKET]
    return next((str(one["ticket"]) for one in told if one["channel"] == channel), "")


def _impact(incident: Incident) -> list[str]:
    recorded: Mapping[str, Any] = incident.impact.get("bad") or {}
    found = [f"{counted(len(incident.partitions), 'landing day')}: {span(incident.partitions)}"]
    if recorded.get("rows") is not None:
        found.append(f"{counted(recorded['rows'], 'row')} delivered on them")
    for source, numbers in sorted((recorded.get("numbers") or {}).items()):
        kept = ", ".join(
            f"{name.replace('_', ' ')} {value:,}" for name, value in numbers.items() if isinstance(value, int)
        )
        if kept:
            found.append(f"{source}: {kept}")
    failing = len(incident.still_failing)
    return [*found, f"{counted(failing, 'result')} of {counted(len(incident.checks), 'check')} not cleared"]


def description(incident: Incident, around: MessageContext) -> list[Block]:
    """What the ticket says when it is opened."""
    readers = [harmless(one) for one in around.readers(incident.source)]
    due = (
        "" if incident.times.answered else f"Somebody must be on it by {moment(response_due(incident, around.policy))}."
    )
    where = f"Where: {incident.root_dataset}" + (f", column {harmless(incident.column)}" if incident.column else "")
    commands = ["show", "ack", "runbook"] if incident.is_open else ["show", "timeline"]
    return [
        Paragraph(CLASSES[incident.failure_class].what_it_means),
        Bullets(
            [
                where,
                *breach_lines(incident, around),
                harmless(incident.severity_reason, MAX_LINE),
                *seen(incident),
            ]
        ),
        *([Paragraph(due)] if due and incident.is_open else []),
        Heading(2, "Who reads it"),
        Bullets(readers or ["Nobody that is declared."]),
        Heading(2, "Impact"),
        Bullets(_impact(incident)),
        Heading(2, "First commands"),
        Commands([f"reliability incidents {one} {incident.id}" for one in commands]),
        Paragraph(page(around.ui_url, incident.id)),
        Paragraph(f"{incident.id} opened this ticket and closes it. {marker(incident)}"),
    ]


def comment(incident: Incident, alerts: Sequence[Alert]) -> list[Block]:
    """What is new of it."""
    news = [f"{moment(alert.at)}: {harmless(alert.summary, MAX_LINE)}" for alert in alerts]
    return [
        Paragraph(headline(incident, alerts)),
        Bullets([*news, *_impact(incident)]),
        Paragraph(f"{incident.id} {mark(incident, alerts)}"),
    ]


def adf(blocks: Sequence[Block]) -> dict[str, Any]:
    """The blocks as a document of Jira (Atlassian Document Format). Its texts are data: nothing in them is markup."""
    return {"version": 1, "type": "doc", "content": [_adf(block) for block in blocks]}


def _said(words: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": words}] if words else []  # an empty text is refused


def _adf(block: Block) -> dict[str, Any]:
    match block:
        case Heading(level, words):
            return {"type": "heading", "attrs": {"level": level}, "content": _said(plain(words))}
        case Paragraph(words):
            return {"type": "paragraph", "content": _said(plain(words))}
        case Bullets(items):
            paragraphs = [{"type": "paragraph", "content": _said(plain(one))} for one in items]
            return {"type": "bulletList", "content": [{"type": "listItem", "content": [one]} for one in paragraphs]}
        case Commands(lines, language):
            words = "\n".join(map(code, lines))
            return {"type": "codeBlock", "attrs": {"language": language}, "content": _said(words)}
        case _:
            raise ValueError(f"no ticket has a {type(block).__name__}")


FORMS = {
    "github": markdown, "gitlab": markdown, "jira": adf,
    "jira_data_center": text, "servicenow": text, "template": text,
}  # fmt: skip


def ticket_task(
    kind: str, channel: str, incident: Incident, alerts: Sequence[Alert], around: MessageContext
) -> dict[str, Any]:
    """What a sender needs to bring a ticket up to date, as JSON."""
    form = FORMS[kind]
    came_back = any(incident.timeline[one.number - 1].data.get("to") == State.REOPENED for one in alerts)
    words = headline(incident, alerts)
    return {
        "marker": marker(incident),
        "mark": mark(incident, alerts),
        "since": (incident.detected_at - EARLIER).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "ticket": known_ticket(incident, channel),
        "again": any(alert.attempts or alert.message for alert in alerts),
        "title": f"{incident.severity} {CLASSES[incident.failure_class].title}: "
        f"{', '.join(incident.sources)} {span(incident.partitions)} ({incident.id})"[:MAX_TITLE],
        "body": form(description(incident, around)),
        "comment": None if {alert.event for alert in alerts} == {"opened"} else form(comment(incident, alerts)),
        "words": words,
        "incident": incident.id,
        "severity": incident.severity.value,
        "source": incident.source,
        "failure_class": incident.failure_class,
        "state": incident.state.value,
        "move": "close" if not incident.is_open else "reopen" if came_back else "",
    }
