"""One tick of alerting: read the timeline, decide, deliver, write down what became of it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from sqlalchemy import Engine

from reliability_platform.alerts.channels import Channel, channels
from reliability_platform.alerts.collect import collect
from reliability_platform.alerts.delivery import Delivered, Delivery, Outcome, keep, rehearse, send
from reliability_platform.alerts.ledger import Alert, Ledger, Status
from reliability_platform.alerts.message import Message, Surroundings, compose
from reliability_platform.alerts.pagerduty import action, event
from reliability_platform.alerts.policy import MAX_ATTEMPTS, WINDOW, allowance, room, wait
from reliability_platform.incidents.impact import reach
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.response import read_policy
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.settings import Settings
from reliability_platform.warehouse.dbt_runner import MANIFEST

ACTOR = "alerts"
UNCLAIMED = timedelta(days=1)
"""An alert for a channel that nobody has configured for so long is suppressed. Not at once: another shell on the same
home may know fewer URLs than the daemon."""


@dataclass(frozen=True)
class Dispatched:
    """What a tick did, in alerts."""

    new: int = 0
    sent: int = 0
    retried: int = 0
    """Not delivered; they are tried again."""
    failed: int = 0
    """Given up, and written to the file of undelivered messages."""
    deferred: int = 0
    """Waiting for the end of quiet hours, for room under the cap, or for a channel that does not answer."""

    def __add__(self, other: "Dispatched") -> "Dispatched":
        return Dispatched(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


def _readers(source: str) -> list[str]:
    try:
        exposures = reach(MANIFEST, source).exposures
    except OSError:
        return []  # no lineage is no reason to keep an alert back
    return [one.name + (" (critical)" if one.critical else "") for one in exposures]


class _Tick:
    """What all channels of one tick share."""

    def __init__(self, settings: Settings, engine: Engine, now: datetime, random: Random, delivery: Delivery) -> None:
        self.settings, self.now, self.random, self.delivery = settings, now, random, delivery
        self.store, self.ledger = IncidentStore(engine), Ledger(engine)
        self.dry_run = settings.alert_dry_run
        self.around = Surroundings(settings.ui_url, read_policy(settings.response_policy), _readers)

    def serve(self, channel: Channel, waiting: Sequence[Alert]) -> Dispatched:
        """Deliver what is due for one channel, if nobody else is at it."""
        if not any(alert.due_at <= self.now for alert in waiting):
            return Dispatched(deferred=len(waiting))
        with self.ledger.held(channel.name, self.dry_run, self.now) as holder:
            if holder is None:
                return Dispatched()
            # Read again: between the look and the hold another dispatcher may have sent them.
            waiting = [alert for alert in self.ledger.waiting() if self._concerns(alert, channel)]
            health = self.ledger.channels()[channel.name, self.dry_run]
            if health.retry_at is not None and health.retry_at > self.now:
                return Dispatched(deferred=len(waiting))
            messages, deferred = self._decide(channel, waiting)
            if not messages:
                return Dispatched(deferred=deferred)
            for message in messages:
                self.ledger.mark(_ids(message), status=Status.SENDING, message=message.id)
            outcomes = self.delivery(self.settings, channel, messages, self.now)
            return self._settle(channel, messages, outcomes, health.failures) + Dispatched(deferred=deferred)

    def _concerns(self, alert: Alert, channel: Channel) -> bool:
        return alert.channel == channel.name and alert.dry_run == self.dry_run

    def _decide(self, channel: Channel, waiting: Sequence[Alert]) -> tuple[list[Message], int]:
        """The messages that may go now, worst first, and how many alerts wait on."""
        by_incident: dict[str, list[Alert]] = defaultdict(list)
        for alert in waiting:
            by_incident[alert.incident_id].append(alert)
        # What is due of an incident takes along what of it was waiting for the end of quiet hours.
        due = {one: news for one, news in by_incident.items() if any(alert.due_at <= self.now for alert in news)}
        if not due:
            return [], len(waiting)
        if not channel.is_pager:  # a message that goes anyway takes along what waits only for room under the cap
            due |= {one: news for one, news in by_incident.items() if any(self._capped(alert) for alert in news)}
        incidents = {incident_id: self.store.get(incident_id) for incident_id in due}
        due = dict(sorted(due.items(), key=lambda item: (incidents[item[0]].severity, item[0])))
        decide = self._events if channel.is_pager else self._digest
        messages = decide(channel, due, incidents)
        going = sum(len(message.alerts) for message in messages)
        return messages, len(waiting) - going

    def _digest(
        self, channel: Channel, due: Mapping[str, Sequence[Alert]], incidents: Mapping[str, Incident]
    ) -> list[Message]:
        """All that is due as one message, if the cap has room for one."""
        cap = self.settings.alert_cap_per_hour
        sent = self.ledger.sent_times(channel.name, self.dry_run, self.now - WINDOW)
        worst = min(alert.severity for news in due.values() for alert in news)
        free, again = room(sent, self.now, allowance(cap, worst))
        if not free:
            self._defer([alert for news in due.values() for alert in news], again)
            return []
        full = f"This channel gets {cap} messages an hour at the most; what follows comes together, a little later."
        return [compose(due, incidents, self.around, full if free == 1 else "")]

    def _events(
        self, channel: Channel, due: Mapping[str, Sequence[Alert]], incidents: Mapping[str, Incident]
    ) -> list[Message]:
        """An event for each incident; those that only quieten the pager do not count against the cap."""
        cap = self.settings.alert_cap_per_hour
        sent = self.ledger.sent_times(channel.name, self.dry_run, self.now - WINDOW)
        messages: list[Message] = []
        for incident_id, news in due.items():
            incident, do = incidents[incident_id], action(incidents[incident_id])
            steps = [do]
            if do != "trigger" and not self.ledger.heard(channel.name, self.dry_run, incident_id):
                steps = ["trigger", do]  # nothing can be acknowledged or resolved that was never raised
            free, again = room(sent, self.now, allowance(cap, incident.severity))
            if "trigger" in steps and not free:
                self._defer(news, again)
                continue
            words = compose({incident_id: news}, incidents, self.around)
            events = [event(incident, news, self.settings.ui_url, step) for step in steps]
            messages.append(replace(words, events=events, capped="trigger" in steps))
            sent += [self.now] if "trigger" in steps else []
        return messages

    def _defer(self, news: Sequence[Alert], until: datetime) -> None:
        ids = [alert.id for alert in news]
        self.ledger.mark(ids, status=Status.PENDING, due_at=until, reason=self._cap_reason)

    @property
    def _cap_reason(self) -> str:
        return f"the cap of {self.settings.alert_cap_per_hour} messages an hour"

    def _capped(self, alert: Alert) -> bool:
        return alert.reason == self._cap_reason

    def _settle(
        self, channel: Channel, messages: Sequence[Message], outcomes: Mapping[str, Delivered], failures: int
    ) -> Dispatched:
        """Write down what became of each message."""
        total = Dispatched()
        bad = [outcomes[one.id] for one in messages if outcomes[one.id].outcome is not Outcome.SENT]
        if bad:
            again = self.now + wait(failures + 1, self.random)
            self.ledger.note_health(
                channel.name,
                self.dry_run,
                failures=failures + 1,
                retry_at=again,
                last_failed_at=self.now,
                last_error=bad[-1].words,
            )
        else:
            again = self.now
            self.ledger.note_health(channel.name, self.dry_run, failures=0, retry_at=None, last_error="")
        if len(bad) < len(messages):
            self.ledger.note_health(channel.name, self.dry_run, last_sent_at=self.now)
        for message in messages:
            total += self._settle_one(channel, message, outcomes[message.id], again)
        return total

    def _settle_one(self, channel: Channel, message: Message, delivered: Delivered, again: datetime) -> Dispatched:
        count, attempts = len(message.alerts), max(alert.attempts for alert in message.alerts) + 1
        if delivered.outcome is Outcome.SENT:
            status = Status.DRY_RUN if self.dry_run else Status.SENT
            self.ledger.mark(
                _ids(message), status=status, attempts=attempts, sent_at=self.now, capped=message.capped, reason=""
            )
            self._note(message, channel, "dry_run" if self.dry_run else "sent")
            return Dispatched(sent=count)
        if delivered.outcome is Outcome.TRANSIENT and attempts < MAX_ATTEMPTS:
            self.ledger.mark(
                _ids(message), status=Status.PENDING, attempts=attempts, due_at=again, reason=delivered.words
            )
            return Dispatched(retried=count)
        keep(self.settings.alerts / "undelivered.jsonl", channel.name, [message], self.now, delivered.words)
        self.ledger.mark(_ids(message), status=Status.FAILED, attempts=attempts, reason=delivered.words)
        self._note(message, channel, "failed")
        return Dispatched(failed=count)

    def _note(self, message: Message, channel: Channel, phase: str) -> None:
        """Tell the incident's timeline, once, that its opening was told, or could not be."""
        words = {
            "sent": f"told to {channel.name}",
            "dry_run": f"would have been told to {channel.name} (dry run)",
            "failed": f"could not be told to {channel.name}; see `reliability alerts status`",
        }[phase]
        for incident_id in {alert.incident_id for alert in message.alerts if alert.event == "opened"}:
            data = {"phase": phase, "channel": channel.name}
            self.store.append(incident_id, self.now, ACTOR, "alert", words, data, key=f"alert/{incident_id}/{phase}")


def _ids(message: Message) -> list[int]:
    return [alert.id for alert in message.alerts]


def _suppress(ledger: Ledger, waiting: Sequence[Alert], known: set[str], dry_run: bool, now: datetime) -> None:
    stale = [
        alert.id
        for alert in waiting
        if (alert.channel not in known or alert.dry_run != dry_run) and alert.due_at < now - UNCLAIMED
    ]
    if stale:
        ledger.mark(stale, status=Status.SUPPRESSED, reason="its channel is not configured any more")


def dispatch(
    settings: Settings,
    engine: Engine,
    now: datetime,
    *,
    random: Random | None = None,
    delivery: Delivery | None = None,
) -> Dispatched:
    """Tell every channel what is due. Channels are served side by side; a tick takes no longer than one courier may.

    `random` is for the jitter of retries. By default, a dry run writes to a file and anything else sends.
    """
    tick = _Tick(settings, engine, now, random or Random(), delivery or (rehearse if settings.alert_dry_run else send))
    configured = channels(settings)
    new = sum(collect(settings, tick.store, tick.ledger, channel, now) for channel in configured)
    waiting = tick.ledger.waiting()
    if not waiting:
        return Dispatched(new=new)
    _suppress(tick.ledger, waiting, {channel.name for channel in configured}, settings.alert_dry_run, now)
    queues = [
        (channel, [alert for alert in waiting if alert.channel == channel.name and alert.dry_run == tick.dry_run])
        for channel in configured
    ]
    busy = [(channel, queue) for channel, queue in queues if queue]
    with ThreadPoolExecutor(max_workers=max(1, len(busy))) as pool:
        done = list(pool.map(lambda one: tick.serve(*one), busy))
    return sum(done, Dispatched(new=new))
