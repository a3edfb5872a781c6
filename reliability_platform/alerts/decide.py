"""What goes to a channel now, and in how many messages; what waits, and until when; what nobody needs to hear.

Pure: what is known comes in, decisions come out.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from reliability_platform.alerts.channels import Channel
from reliability_platform.alerts.ledger import Alert
from reliability_platform.alerts.message import AlertMessage, MessageContext, compose
from reliability_platform.alerts.pagerduty import action, event
from reliability_platform.alerts.policy import allowance, room
from reliability_platform.alerts.tickets.text import ticket_task
from reliability_platform.counted import counted
from reliability_platform.incidents.model import Incident

News = Mapping[str, Sequence[Alert]]
"""By incident, what a channel has not heard of it."""


@dataclass(frozen=True)
class AlertFacts:
    """What a decision rests on."""

    now: datetime
    cap: int
    """Messages an hour."""
    sent: Sequence[datetime]
    """When messages went to the channel in the last hour that count against the cap."""
    heard: frozenset[str]
    """Incidents of which the channel has heard something already."""
    incidents: Mapping[str, Incident]
    around: MessageContext
    notes: Sequence[str] = ()
    """What else the channel should know: of other channels, and of what it missed."""


@dataclass(frozen=True)
class AlertDecision:
    """What becomes of the alerts; each is in one place."""

    messages: list[AlertMessage] = field(default_factory=list)
    deferred: list[tuple[Sequence[Alert], datetime]] = field(default_factory=list)
    """For want of room under the cap, and until when."""
    symptoms: list[Sequence[Alert]] = field(default_factory=list)
    """Of incidents that were over as symptoms of others before anybody heard of them."""


def cap_reason(cap: int) -> str:
    """Why an alert waits for room."""
    return f"the cap of {counted(cap, 'message')} an hour"


def ready(channel: Channel, waiting: Sequence[Alert], now: datetime, cap: int) -> News:
    """What is due. It takes along what of the same incident waits for the end of quiet hours."""
    news: dict[str, list[Alert]] = defaultdict(list)
    for alert in waiting:
        news[alert.incident_id].append(alert)
    due = {one for one, alerts in news.items() if any(alert.due_at <= now for alert in alerts)}
    if (
        due and not channel.is_pager and channel.tracker is None
    ):  # a message that goes anyway takes along what waits only for room
        due |= {alert.incident_id for alert in waiting if alert.reason == cap_reason(cap)}
    return {one: alerts for one, alerts in news.items() if one in due}


def decide(channel: Channel, news: News, facts: AlertFacts) -> AlertDecision:
    """Decide about what is ready, the worst first."""
    decision = AlertDecision()
    told: dict[str, Sequence[Alert]] = {}
    for incident_id in sorted(news, key=lambda one: (facts.incidents[one].severity, one)):
        if facts.incidents[incident_id].is_symptom and incident_id not in facts.heard:
            decision.symptoms.append(news[incident_id])
        else:
            told[incident_id] = news[incident_id]
    if told and channel.tracker is not None:
        _tickets(decision, channel.name, channel.tracker.kind, told, facts)
    elif told and channel.is_pager:
        _events(decision, told, facts)
    elif told:
        _digest(decision, told, facts)
    return decision


def _digest(decision: AlertDecision, news: News, facts: AlertFacts) -> None:
    """All of it as one message, if there is room for one."""
    everything = [alert for alerts in news.values() for alert in alerts]
    free, again = room(facts.sent, facts.now, allowance(facts.cap, min(alert.severity for alert in everything)))
    if not free:
        decision.deferred.append((everything, again))
        return
    last = f"This channel gets {counted(facts.cap, 'message')} an hour at the most; what follows comes together, later."
    notes = [*facts.notes, *([last] if free == 1 else [])]
    decision.messages.append(compose(news, facts.incidents, facts.around, notes))


TICKETS_AT_ONCE = 8
"""In one tick, the worst first: each is up to five requests, and a sender has 20 s for all."""


def _tickets(decision: AlertDecision, channel: str, kind: str, news: News, facts: AlertFacts) -> None:
    """Bring tickets up to date; what only follows a ticket that is there does not count against the cap."""
    sent = list(facts.sent)
    for incident_id, alerts in news.items():
        incident = facts.incidents[incident_id]
        task = ticket_task(kind, channel, incident, alerts, facts.around)
        opens = not task["ticket"]
        free, again = room(sent, facts.now, allowance(facts.cap, incident.severity))
        if opens and not free:
            decision.deferred.append((alerts, again))
        elif len(decision.messages) < TICKETS_AT_ONCE:
            words = compose({incident_id: alerts}, facts.incidents, facts.around)
            decision.messages.append(replace(words, events=[task], capped=opens))
            sent += [facts.now] if opens else []


def _events(decision: AlertDecision, news: News, facts: AlertFacts) -> None:
    """Events for each incident; what only quietens the pager does not count against the cap."""
    sent = list(facts.sent)
    for incident_id, alerts in news.items():
        incident = facts.incidents[incident_id]
        do = action(incident)
        # Nothing can be acknowledged or resolved over there that was never raised.
        steps = [do] if do == "trigger" or incident_id in facts.heard else ["trigger", do]
        rings = "trigger" in steps
        free, again = room(sent, facts.now, allowance(facts.cap, incident.severity))
        if rings and not free:
            decision.deferred.append((alerts, again))
            continue
        words = compose({incident_id: alerts}, facts.incidents, facts.around)
        events = [event(incident, alerts, facts.around.ui_url, step) for step in steps]
        decision.messages.append(replace(words, events=events, capped=rings))
        sent += [facts.now] if rings else []
