"""From the timeline to alerts: which entries a channel should hear of, and when at the earliest.

Who works on an incident hears of all that happens to it. Whoever owns a source or what reads it hears that it began, that it is
over, what is asked of them, and the updates that they were promised.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from reliability_platform.alerts.channels import Channel
from reliability_platform.alerts.ledger import HANDOVER, Alert, AlertLedger
from reliability_platform.alerts.message import CAME_BACK, harmless
from reliability_platform.alerts.routing.concerned import Audience, HearsAs, Router, holds
from reliability_platform.counted import counted
from reliability_platform.incidents.apart import noted
from reliability_platform.incidents.classes import Severity
from reliability_platform.incidents.model import Incident, State, TimelineEntry, fold
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations.tables import incident_heads
from reliability_platform.settings import Settings

TOLD = frozenset({"opened", "transition", "severity", "deadline", "escalation", "update", "burn"})
"""Kinds of timeline entries that are news. Signals, notes, and alerts themselves are not."""
MAX_SUMMARY = 200
"""What the ledger keeps of it."""
AT_ONCE = 500
"""Entries read in one tick."""


@dataclass(frozen=True)
class Heard:
    """What an entry says, and the incident as it stood after it."""

    event: str
    summary: str
    incident: Incident
    ends: bool
    """Whether the incident was over by it, or came back by it."""


def _heard(incident: Incident, number: int) -> Heard | None:
    """What an entry says; None if nothing changed by it."""
    entry = incident.timeline[number - 1]
    before = fold(incident.id, incident.timeline[: number - 1]) if number > 1 else None
    after = fold(incident.id, incident.timeline[:number])
    if before is None:
        return Heard("opened", "opened", after, ends=False)
    if entry.kind == "deadline":
        return Heard("deadline", f"{entry.data['deadline']} overdue", after, ends=False)
    if entry.kind == "escalation":
        return Heard("escalation", f"{entry.data['to']} must {entry.data.get('must', 'decide')}", after, ends=False)
    if entry.kind == "burn":
        first, *more = entry.data["objectives"]
        others = f" and {counted(len(more), 'other objective')}" if more else ""
        return Heard("burn", f"budget of {first}{others} burns ({entry.data['alert']})", after, ends=False)
    if entry.kind == "update":
        kind = "update" if "next" in entry.data else "reminder"
        return Heard(kind, harmless(str(entry.data["said"]), MAX_SUMMARY), after, ends=False)
    if before.severity != after.severity:
        return Heard("severity", f"{before.severity} → {after.severity}", after, ends=False)
    if before.state != after.state:
        back = after.state is State.REOPENED
        words = CAME_BACK if back else f"{before.state} → {after.state}".replace("_", " ")
        return Heard("state", words, after, ends=before.is_open != after.is_open)
    return None


UNTOLD = "Nobody could be told of what is new about it"


def incidents_of(store: IncidentStore, ids: Collection[str]) -> list[Incident]:
    """Several incidents by their ids, in one go."""
    return store.find(incident_heads.c.incident_id.in_(ids)) if ids else []


class Collector:
    """Collects for every channel of a tick; what all of them read is read once."""

    def __init__(
        self, settings: Settings, store: IncidentStore, ledger: AlertLedger, now: datetime, router: Router | None
    ) -> None:
        self.dry_run, self.store, self.ledger, self.now, self.router = (
            settings.alert_dry_run, store, ledger, now, router,
        )  # fmt: skip
        self._entries: dict[int, list[tuple[int, str, TimelineEntry]]] = {}
        self._incidents: dict[str, Incident] = {}
        self._heard: dict[tuple[str, int], Heard | None] = {}
        self._audiences: dict[tuple[str, int], Audience] = {}

    def collect(self, channel: Channel) -> int:
        """Write what the channel should hear since the last time; how many alerts that is."""
        known = self.ledger.channels().get((channel.name, self.dry_run))
        if known is None:
            last = self.store.last_position()
            first = list(self._openings(channel))
            self.ledger.record(channel.name, self.dry_run, last, first)
            return len(first)
        entries = self._entries_after(known.position)
        new = self._news(channel, entries)
        if len(entries) < AT_ONCE:  # before all is read, what has not been told is not what somebody else was told
            new += self._handed_over(channel, {one.incident_id for one in new})
        if entries or new:
            self.ledger.record(channel.name, self.dry_run, entries[-1][0] if entries else known.position, new)
        return len(new)

    def _news(self, channel: Channel, entries: Sequence[tuple[int, str, TimelineEntry]]) -> list[Alert]:
        """What of these entries a channel should hear."""
        news: dict[str, list[int]] = defaultdict(list)
        for _, incident_id, entry in entries:
            if entry.kind in TOLD:
                news[incident_id].append(entry.number)
        told = self.ledger.told(channel.name, self.dry_run, news)
        unread = {one: [number for number in numbers if number not in told[one]] for one, numbers in news.items()}
        new: list[Alert] = []
        for incident in self._read({one: numbers for one, numbers in unread.items() if numbers}):
            first_told = min(told[incident.id], default=None)
            for number in sorted(unread[incident.id]):
                with noted(self.store, incident, self.now, UNTOLD):
                    if self._hears(channel, incident, number, first_told):
                        heard = self._what(incident, number)
                        assert heard is not None
                        new.append(self._alert(channel, incident, number, heard, heard.incident.severity))
                        first_told = number if first_told is None else first_told
        return new

    @cached_property
    def _unanswered(self) -> list[Incident]:
        """What is open, and nobody is on it."""
        return [] if self.router is None else [one for one in self.store.open() if one.times.answered is None]

    def _handed_over(self, channel: Channel, besides: Collection[str]) -> list[Alert]:
        """What whoever has come on call since it began must know of: once, as the opening that they did not hear."""
        if self.router is None or not self._unanswered or not self.router.is_on_call(channel.recipient):
            return []
        found, told = [], self.ledger.told(channel.name, self.dry_run, [one.id for one in self._unanswered])
        for incident in self._unanswered:
            with noted(self.store, incident, self.now, UNTOLD):
                is_new = not told[incident.id] and incident.id not in besides
                if is_new and self._role(channel, incident, len(incident.timeline)) is HearsAs.TEAM:
                    heard = Heard(HANDOVER, "handed over: nobody is on it", incident, ends=False)
                    found.append(self._alert(channel, incident, 1, heard, incident.severity))
        return found

    def _openings(self, channel: Channel) -> Iterable[Alert]:
        """What a new channel hears: every incident that is open and concerns it, and nothing of those that are over."""
        for incident in self.store.open():
            with noted(self.store, incident, self.now, UNTOLD):
                if self._role(channel, incident, len(incident.timeline)) is not None:
                    heard = self._what(incident, 1)
                    assert heard is not None
                    yield self._alert(channel, incident, 1, heard, incident.severity)

    def _hears(self, channel: Channel, incident: Incident, number: int, first_told: int | None) -> bool:
        """Whether a channel is told of an entry. Who was told that an incident is a P1 must also hear that it is a P3 now,
        and that it is over."""
        heard = self._what(incident, number)
        if heard is None:
            return False
        role = self._role(channel, incident, number)
        if first_told is None:
            return role is not None and (heard.event != "reminder" if role is HearsAs.TEAM else heard.incident.is_open)
        role = role or self._role(channel, incident, first_told) or HearsAs.TEAM
        if role is HearsAs.TEAM:
            return heard.event != "reminder"
        is_theirs = heard.ends or heard.event in ("update", "reminder")
        return is_theirs or (role is HearsAs.SOURCE and self._is_asked(channel, incident, number))

    def role_of(self, channel: Channel, incident: Incident) -> HearsAs:
        """As what a channel is told of an incident now: as it stands, else as when it was first told."""
        if not channel.recipient or self.router is None:
            return HearsAs.TEAM
        numbers = self.ledger.told(channel.name, self.dry_run, [incident.id])[incident.id]
        now = self._role(channel, incident, len(incident.timeline))
        return now or self._role(channel, incident, min(numbers, default=1)) or HearsAs.TEAM

    def _is_asked(self, channel: Channel, incident: Incident, number: int) -> bool:
        """Whether an entry asks something of the recipient in particular."""
        entry = incident.timeline[number - 1]
        assert self.router is not None
        asks = "to" in entry.data and entry.kind in ("escalation", "deadline")
        return asks and channel.recipient in self.router.routing.meant([str(entry.data["to"])])

    def _role(self, channel: Channel, incident: Incident, number: int) -> HearsAs | None:
        """As what a channel is told of an incident as it was after an entry; None if that does not concern it."""
        entry, heard = incident.timeline[number - 1], self._what(incident, number)
        then = fold(incident.id, incident.timeline[:number]) if heard is None else heard.incident
        if then.severity not in channel.severities:
            return None
        if channel.tracker is not None:
            return HearsAs.TEAM if holds(channel.tracker.when, then) else None
        if not channel.recipient or self.router is None:
            return HearsAs.TEAM
        if entry.kind == "escalation" and channel.recipient in entry.data.get("recipients", ()):
            return HearsAs.TEAM
        place = (incident.id, number)
        if place not in self._audiences:
            self._audiences[place] = self.router.audience(then)
        told = self._audiences[place].told.get(channel.recipient)
        if told is None and self._is_asked(channel, incident, number):
            return HearsAs.TEAM
        return None if told is None else told.role

    def _what(self, incident: Incident, number: int) -> Heard | None:
        place = (incident.id, number)
        if place not in self._heard:
            self._heard[place] = _heard(incident, number)
        return self._heard[place]

    def _alert(self, channel: Channel, incident: Incident, number: int, heard: Heard, severity: Severity) -> Alert:
        quiet = channel.quiet.until(severity, self.now)
        return Alert(
            incident_id=incident.id,
            number=number,
            channel=channel.name,
            dry_run=self.dry_run,
            event=heard.event,
            summary=heard.summary,
            severity=severity,
            at=incident.timeline[number - 1].at,
            due_at=quiet or self.now,
            reason="quiet hours" if quiet else "",
        )

    def _entries_after(self, position: int) -> list[tuple[int, str, TimelineEntry]]:
        if position not in self._entries:
            self._entries[position] = self.store.entries_after(position, AT_ONCE)
        return self._entries[position]

    def _read(self, numbers: Mapping[str, Sequence[int]]) -> list[Incident]:
        """The incidents with at least these entries: one that another channel read may lack the last of them."""
        lacking = [
            one
            for one, wanted in numbers.items()
            if one not in self._incidents or len(self._incidents[one].timeline) < max(wanted)
        ]
        self._incidents.update((one.id, one) for one in incidents_of(self.store, lacking))
        return sorted((self._incidents[one] for one in numbers if one in self._incidents), key=lambda one: one.id)
