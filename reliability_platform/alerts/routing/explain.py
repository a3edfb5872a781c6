"""Who would hear of an incident, when and why; who would be told next if nobody answered; which tickets it has or would have.
Nothing is sent."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from reliability_platform.alerts.channels import Channel, channels_of_recipients, channels_of_settings
from reliability_platform.alerts.ledger import AlertLedger
from reliability_platform.alerts.routing.concerned import HearsAs, Router, holds
from reliability_platform.alerts.routing.declared import Routing, routing_of
from reliability_platform.alerts.routing.due import next_update, steps_due
from reliability_platform.alerts.tickets.preview import kept_tickets
from reliability_platform.formats import moment
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.response import read_policy
from reliability_platform.settings import Settings


@dataclass(frozen=True)
class Hearing:
    """One channel that would hear of an incident."""

    recipient: str
    """Who; empty for a channel of the settings."""
    channel: str
    """By its name: where its URL is or what it is stays a secret."""
    role: str
    """As what: `works on it`, `owns the source` or `owns what reads it`."""
    at: datetime
    """When (UTC); later than now where it waits."""
    why: str
    """By which routes, and what quiet hours have to do with it."""
    has_heard: bool
    """Whether it was told of the incident before."""


@dataclass(frozen=True)
class TicketPlace:
    """The ticket that a tracker keeps of an incident, or would open for it."""

    tracker: str
    """By its name in the routing file."""
    kind: str
    """As `jira`."""
    project: str
    """Where in the tracker; empty for one that a template speaks to."""
    ticket: str
    """Its key; empty where it would be opened."""
    link: str
    """Its page; the tracker's address where it would be opened."""
    why: str
    """Which incidents have tickets there."""


@dataclass(frozen=True)
class Hearings:
    """Everything about who hears of one incident."""

    incident: str
    """Its id."""
    severity: str
    """How bad it is."""
    now: list[Hearing]
    """Told as it stands, in the order of the routes."""
    if_nobody_answers: list[Hearing]
    """By the steps of the chain, as it is now: whoever is on call may be another one by then."""
    tickets: list[TicketPlace]
    """In the trackers that it concerns."""
    nobody: tuple[str, ...]
    """Owners who are no recipients, and so hear nothing."""


def _when(channel: Channel, incident: Incident, at: datetime) -> tuple[datetime, str]:
    """When it would go, and what quiet hours have to do with it."""
    end = channel.quiet.end(at)
    if end is None:
        return at, ""
    if incident.severity in channel.quiet.quieted:
        return (
            end,
            f"; its quiet hours ({channel.quiet.hours} {channel.quiet.zone}) keep {incident.severity} until {moment(end)}",
        )
    return at, f"; {incident.severity} goes through its quiet hours ({channel.quiet.hours} {channel.quiet.zone})"


def _tickets(routing: Routing, incident: Incident) -> list[TicketPlace]:
    """Those that are there stay, also where their tracker would open none any more."""
    kept = {one.tracker: one for one in kept_tickets([incident])}
    return [
        TicketPlace(
            name,
            tracker.kind,
            tracker.place.project,
            kept[name].ticket if name in kept else "",
            kept[name].link if name in kept else tracker.place.url,
            tracker.when.in_words,
        )
        for name, tracker in routing.trackers.items()
        if name in kept or (incident.is_open and holds(tracker.when, incident))
    ]


def explain(settings: Settings, engine: Engine, incident: Incident, now: datetime, *, asks: bool = True) -> Hearings:
    """Who would hear of an incident as it stands; `asks` as of `calendar_of`. Raises `UsageError` for a routing file that is none."""
    routing = routing_of(settings)
    own = [] if routing is None else channels_of_recipients(settings, routing)
    heard = _heard(settings, engine, incident)

    def hearings(recipient: str, role: HearsAs, why: str, at: datetime) -> Iterator[Hearing]:
        for channel in own if recipient else channels_of_settings(settings):
            if channel.recipient == recipient and incident.severity in channel.severities:
                when, quiet = _when(channel, incident, at)
                yield Hearing(recipient, channel.name, role.value, when, why + quiet, channel.name in heard)

    found = list(hearings("", HearsAs.TEAM, "a channel of RELIABILITY_ALERT_URLS", now))
    if routing is None:
        return Hearings(incident.id, incident.severity.value, found, [], [], ())
    router = Router(settings, routing, now, asks=asks)
    audience = router.audience(incident)
    for told in audience.told.values():
        updates = f"; an update by {moment(next_update(incident))}" if told.role is not HearsAs.TEAM else ""
        found += hearings(told.recipient, told.role, "; ".join(told.why) + (updates if incident.is_open else ""), now)
    later: list[Hearing] = []
    policy = read_policy(settings.response_policy)
    for number, due, tell in steps_due(routing, incident, policy):
        for recipient, _, more in router.found(tell, incident)[0]:
            why = f"step {number} if nobody has answered by then" + (f" ({more})" if more else "")
            later += hearings(recipient, HearsAs.TEAM, why, max(due, now))
    tickets = _tickets(routing, incident)
    return Hearings(incident.id, incident.severity.value, found, later, tickets, audience.nobody)


def _heard(settings: Settings, engine: Engine, incident: Incident) -> set[str]:
    ledger = AlertLedger(engine)
    names = [name for name, dry_run in ledger.channels() if dry_run == settings.alert_dry_run]
    return {name for name in names if ledger.heard(name, settings.alert_dry_run, [incident.id])}
