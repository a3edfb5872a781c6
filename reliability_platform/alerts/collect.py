"""From the timeline to alerts: which entries a channel should hear of, and when at the earliest."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime

from reliability_platform.alerts.channels import Channel
from reliability_platform.alerts.ledger import Alert, AlertLedger
from reliability_platform.alerts.policy import quiet_until
from reliability_platform.incidents.apart import noted
from reliability_platform.incidents.classes import Severity
from reliability_platform.incidents.model import Incident, fold
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations.tables import incident_heads
from reliability_platform.settings import Settings

TOLD = frozenset({"opened", "transition", "severity", "deadline", "escalation"})
"""Kinds of timeline entries that are news. Signals, notes, and alerts themselves are not."""
AT_ONCE = 500
"""Entries read in one tick."""


def _words(incident: Incident, number: int) -> tuple[str, str] | None:
    """The event that an entry is, and what changed by it; None if nothing did."""
    entry = incident.timeline[number - 1]
    if entry.kind == "opened":
        return "opened", "opened"
    if entry.kind == "deadline":
        return "deadline", f"{entry.data['deadline']} overdue"
    if entry.kind == "escalation":
        return "escalation", f"{entry.data['to']} must {entry.data.get('must', 'decide')}"
    before = fold(incident.id, incident.timeline[: number - 1])
    after = fold(incident.id, incident.timeline[:number])
    if before.severity != after.severity:
        return "severity", f"{before.severity} → {after.severity}"
    if before.state != after.state:
        return "state", f"{before.state} → {after.state}".replace("_", " ")
    return None


def _alert(
    settings: Settings, channel: Channel, incident: Incident, number: int, severity: Severity, now: datetime
) -> Alert | None:
    found = _words(incident, number)
    if found is None:
        return None
    quiet = quiet_until(settings, severity, now)
    return Alert(
        incident_id=incident.id,
        number=number,
        channel=channel.name,
        dry_run=settings.alert_dry_run,
        event=found[0],
        summary=found[1],
        severity=severity,
        at=incident.timeline[number - 1].at,
        due_at=quiet or now,
        reason="quiet hours" if quiet else "",
    )


UNTOLD = "Nobody could be told of what is new about it"


def _openings(
    settings: Settings, channel: Channel, incidents: Iterable[Incident], now: datetime
) -> Iterable[Alert | None]:
    """What a new channel hears: every incident that is open and concerns it, and nothing of those that are over."""
    for incident in incidents:
        if incident.severity in channel.severities:
            yield _alert(settings, channel, incident, 1, incident.severity, now)


def incidents_of(store: IncidentStore, ids: Collection[str]) -> list[Incident]:
    """Several incidents by their ids, in one go."""
    return store.find(incident_heads.c.incident_id.in_(ids)) if ids else []


def collect(settings: Settings, store: IncidentStore, ledger: AlertLedger, channel: Channel, now: datetime) -> int:
    """Write what the channel should hear since the last time; how many alerts that is."""
    dry_run = settings.alert_dry_run
    known = ledger.channels().get((channel.name, dry_run))
    if known is None:
        last = store.last_position()
        first = [one for one in _openings(settings, channel, store.open(), now) if one is not None]
        ledger.record(channel.name, dry_run, last, first)
        return len(first)
    entries = store.entries_after(known.position, AT_ONCE)
    if not entries:
        return 0
    news: dict[str, list[int]] = defaultdict(list)
    for _, incident_id, entry in entries:
        if entry.kind in TOLD:
            news[incident_id].append(entry.number)
    told = ledger.told(channel.name, dry_run, news)
    unread = {one: [number for number in numbers if number not in told[one]] for one, numbers in news.items()}
    new: list[Alert] = []
    for incident in incidents_of(store, [one for one, numbers in unread.items() if numbers]):
        hears = bool(told[incident.id])
        for number in unread[incident.id]:
            with noted(store, incident, now, UNTOLD):
                severity = fold(incident.id, incident.timeline[:number]).severity
                one = _alert(settings, channel, incident, number, severity, now)
                # Who was told that an incident is a P1 must also hear that it is a P3 now, and that it is over.
                if one is not None and (hears or one.severity in channel.severities):
                    new.append(one)
                    hears = True
    ledger.record(channel.name, dry_run, entries[-1][0], new)
    return len(new)
