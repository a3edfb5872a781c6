"""Who would hear of an incident, when and why; and who would be told next if nobody answered. Nothing is sent."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from reliability_platform.alerts.channels import Channel, channels_of_recipients, channels_of_settings
from reliability_platform.alerts.ledger import AlertLedger
from reliability_platform.alerts.routing.concerned import HearsAs, Router
from reliability_platform.alerts.routing.declared import routing_of
from reliability_platform.alerts.routing.due import next_update, steps_due
from reliability_platform.formats import moment
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.response import read_policy
from reliability_platform.settings import Settings


@dataclass(frozen=True)
class Hearing:
    """One channel that would hear of an incident."""

    recipient: str
    """Empty for a channel of the settings."""
    channel: str
    role: str
    at: datetime
    """UTC; later than now where it waits."""
    why: str
    has_heard: bool
    """Whether it was told of the incident before."""


@dataclass(frozen=True)
class Hearings:
    """Everything about who hears of one incident."""

    incident: str
    severity: str
    now: list[Hearing]
    """Told as it stands, in the order of the routes."""
    if_nobody_answers: list[Hearing]
    """By the steps of the chain, as it is now: whoever is on call may be another one by then."""
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


def explain(settings: Settings, engine: Engine, incident: Incident, now: datetime) -> Hearings:
    """Who would hear of an incident as it stands. Raises `UsageError` for a routing file that is none."""
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
        return Hearings(incident.id, incident.severity.value, found, [], ())
    router = Router(settings, routing, now)
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
    return Hearings(incident.id, incident.severity.value, found, later, audience.nobody)


def _heard(settings: Settings, engine: Engine, incident: Incident) -> set[str]:
    ledger = AlertLedger(engine)
    names = [name for name, dry_run in ledger.channels() if dry_run == settings.alert_dry_run]
    return {name for name in names if ledger.heard(name, settings.alert_dry_run, [incident.id])}
