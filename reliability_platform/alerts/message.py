"""The words of an alert. Everything in it was made by the platform; no row, no message of a check, nobody's data."""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from reliability_platform.alerts.ledger import HANDOVER, Alert
from reliability_platform.alerts.policy import URGENT
from reliability_platform.counted import counted
from reliability_platform.formats import moment, plain, span
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.model import ENDED, Incident
from reliability_platform.incidents.response import ResponsePolicy, breach_report_due, response_due

LISTED = 10
"""Incidents named in a message about several."""
LETTERS_IN_FULL = 5
"""Of so many incidents an owner is told all in one message; of the others what they are. A letter has some eight lines."""
CHECKS_SHOWN = 3
CAME_BACK = "came back: it is not over"
"""What an alert says of an incident that was over."""

# In a chat, a sign may be a link, a mention of everybody, or markup, each in another way. What is not made by the
# platform's own code (a limit, a consumer's name) keeps only signs that mean nothing anywhere.
_UNSAFE = re.compile(r"[^\w .,;:%()+=<>≥≤±-]|\.(?=[^\W\d])|(?<![^\W_])_|_(?![^\W_])|<(?=[^\s=\d])|:(?=\W*$)")
MAX_WORDS = 120
MAX_LINE = 1_000


@dataclass(frozen=True)
class AlertMessage:
    """What one delivery brings to one channel, and which alerts it settles."""

    id: str
    title: str
    body: str
    level: str
    """Apprise's word for how loud it is: failure, warning, success."""
    alerts: Sequence[Alert]
    events: Sequence[Mapping[str, Any]] = ()
    """For a pager: these, in their order, instead of the words."""
    capped: bool = True
    """Whether it counts against the cap of an hour."""


@dataclass(frozen=True)
class OwnerLetter:
    """What an owner is told of one incident: not its checks, but what it means for what they own."""

    title: str
    lines: Sequence[str]


@dataclass(frozen=True)
class MessageContext:
    """What the words need to know beside the incident."""

    ui_url: str
    policy: ResponsePolicy
    readers: Callable[[str], Sequence[str]]
    """Source → who reads what is made from it."""
    letter: Callable[[Incident], OwnerLetter | None] = lambda _: None
    """What is said to the owner whose channel it is; None to whoever works on the incident."""


def harmless(words: str, most: int = MAX_WORDS) -> str:
    """Text whose every sign is safe in any chat, mail or page."""
    return _UNSAFE.sub("·", words)[:most]


def page(ui_url: str, incident_id: str) -> str:
    """The page of an incident in the UI."""
    return f"{ui_url.rstrip('/')}/assets/incident?view=partitions&partition={quote(incident_id, safe='')}"


def level(incidents: Sequence[Incident], news: Sequence[Alert]) -> str:
    """How loud: success if all are over and nothing is late."""
    standing = [incident for incident in incidents if incident.state not in ENDED]
    if not standing:
        return "warning" if any(alert.event == "deadline" for alert in news) else "success"
    return "failure" if any(incident.severity in URGENT for incident in standing) else "warning"


def headline(incident: Incident, news: Sequence[Alert]) -> str:
    """One line: how bad, what happened, what it is, where."""
    events = {alert.event for alert in news}
    state = incident.state.value.replace("_", " ")
    if HANDOVER in events and incident.state not in ENDED:
        what = f"open since {moment(incident.detected_at)}, nobody is on it"
    elif "opened" in events:
        what = f"opened, now {state}" if incident.state in ENDED else "opened"
    elif "escalation" in events and incident.state not in ENDED:
        what = next(alert.summary for alert in reversed(news) if alert.event == "escalation")
    elif "deadline" in events:
        what = next(alert.summary for alert in reversed(news) if alert.event == "deadline")
    elif "state" in events:
        back = incident.is_open and any(alert.summary == CAME_BACK for alert in news)
        what = f"came back, now {state}" if back else state
    elif "burn" in events:
        what = next(alert.summary for alert in reversed(news) if alert.event == "burn")
    elif events & {"update", "reminder"}:
        what = f"update, {state}"
    else:
        before = next((alert.summary[:2] for alert in news if alert.event == "severity"), incident.severity)
        what = f"{'raised' if incident.severity < before else 'lowered'} from {before}"
    title = CLASSES[incident.failure_class].title
    return f"{incident.severity} {what} · {title} · {', '.join(incident.sources)} {span(incident.partitions)}"


def _what_to_do(incident: Incident, due: datetime) -> str:
    if incident.state in ENDED:
        return "The incident is over; its history:"
    answer = "" if incident.times.answered else f"Somebody must be on it by {moment(due)}. "
    return f"{answer}What to do:"


def seen(incident: Incident) -> list[str]:
    """The last result of each check that failed, the first few."""
    last = {signal.check: signal for signal in incident.signals}
    shown = [
        f"{signal.check} {signal.status.replace('_', ' ')}"
        + (f": {signal.value:g}, limit {harmless(signal.threshold)}" if signal.value is not None else "")
        for _, signal in sorted(last.items())[:CHECKS_SHOWN]
    ]
    return [*shown, f"and {counted(len(last) - CHECKS_SHOWN, 'more check')}"] if len(last) > CHECKS_SHOWN else shown


def breach_lines(incident: Incident, around: MessageContext) -> list[str]:
    """By when a breach must be reported, while nobody has."""
    due = breach_report_due(incident, around.policy)
    if due is None or incident.breach_reported_at is not None:
        return []
    return [
        f"A breach of personal data: it must be reported to the authority by {moment(due)}, or be known not to need it."
    ]


def _single(incident: Incident, news: Sequence[Alert], around: MessageContext) -> list[str]:
    history = "; ".join(alert.summary for alert in news)
    readers = around.readers(incident.source) if incident.state not in ENDED else ()
    return [
        f"{incident.id}: {history}. Root {incident.root_dataset}; {incident.severity_reason}.",
        *(f"- {line}" for line in seen(incident)),
        *([f"Read by {', '.join(map(harmless, readers))}."] if readers else []),
        *breach_lines(incident, around),
        _what_to_do(incident, response_due(incident, around.policy)),
        f"reliability incidents show {incident.id}",
        page(around.ui_url, incident.id),
    ]


def _to_owner(incident: Incident, news: Sequence[Alert], lines: Sequence[str]) -> list[str]:
    """A letter holds names of others, and what checks said of what was delivered: no sign of it may mean anything."""
    asked = [f"- {alert.summary}" for alert in news if alert.event in ("escalation", "update")]
    return [f"{incident.id}.", *(harmless(line, MAX_LINE) for line in [*asked, *lines])]


def _together(
    news: Mapping[str, Sequence[Alert]], incidents: Mapping[str, Incident], around: MessageContext
) -> list[str]:
    """Of several incidents: a line each for whoever works on them, and for an owner what it means for what they own."""
    lines, letters = [], 0
    for one in list(news)[:LISTED]:
        letter = around.letter(incidents[one])
        if letter is None:
            lines.append(f"- {headline(incidents[one], news[one])} ({one})")
        else:
            told = letter.lines if letters < LETTERS_IN_FULL else ()
            lines += [harmless(letter.title, MAX_LINE), *_to_owner(incidents[one], news[one], told), ""]
            letters += 1
    lines += [f"- and {len(news) - LISTED} more"] if len(news) > LISTED else []
    # Whoever only owns what reads the data has no command line of the platform.
    return lines if letters == min(len(news), LISTED) else [*lines, "All of them: reliability incidents list"]


def compose(
    news: Mapping[str, Sequence[Alert]],
    incidents: Mapping[str, Incident],
    around: MessageContext,
    postscripts: Sequence[str] = (),
) -> AlertMessage:
    """One message about what changed. `news` by incident, worst first."""
    ids = list(news)
    if len(ids) == 1:
        only = incidents[ids[0]]
        letter = around.letter(only)
        title = headline(only, news[only.id]) if letter is None else harmless(letter.title, MAX_LINE)
        lines = _single(only, news[only.id], around) if letter is None else _to_owner(only, news[only.id], letter.lines)
    else:
        handed_over = {alert.event for one in ids for alert in news[one]} == {HANDOVER}
        title = counted(len(ids), "incident") + (
            " are open and nobody is on them; you are on call" if handed_over else " changed"
        )
        standing = [incidents[one].severity for one in ids if incidents[one].state not in ENDED]
        title += f", the worst is {min(standing)}" if standing else ", all of them are over"
        lines = _together(news, incidents, around)
    told = [alert for one in ids for alert in news[one]]
    return AlertMessage(
        id=secrets.token_hex(8),
        title=title,
        body="\n".join(map(plain, [*lines, *postscripts])),
        level=level([incidents[one] for one in ids], told),
        alerts=told,
    )
