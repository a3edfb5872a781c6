"""One tick of alerting: read the timeline, decide, deliver, write down what became of it."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from sqlalchemy import Engine

from reliability_platform.alerts.channels import Channel, channels_of_routing, channels_of_settings
from reliability_platform.alerts.collect import Collector, incidents_of
from reliability_platform.alerts.decide import AlertDecision, AlertFacts, News, cap_reason, decide, ready
from reliability_platform.alerts.delivery import Delivered, Delivery, DeliveryOutcome, keep, rehearse, send
from reliability_platform.alerts.ledger import Alert, AlertLedger, Health, Status
from reliability_platform.alerts.message import AlertMessage, MessageContext, OwnerLetter
from reliability_platform.alerts.policy import MAX_ATTEMPTS, URGENT, WINDOW, wait
from reliability_platform.alerts.routing.concerned import HearsAs, Router
from reliability_platform.alerts.routing.declared import routing_of
from reliability_platform.alerts.routing.due import note_due
from reliability_platform.alerts.tickets.kinds import shape_of
from reliability_platform.alerts.tickets.text import TICKET
from reliability_platform.checks.steps import ALERTS_TOLD, Step, steps
from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.incidents.apart import noted
from reliability_platform.incidents.impact import Exposure, reach
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.response import read_policy
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.masking import error_text
from reliability_platform.operations.cursors import advance, cursor_of
from reliability_platform.settings import Settings
from reliability_platform.slo.burns import note_burns
from reliability_platform.slo.objectives import objectives_of
from reliability_platform.slo.status import status
from reliability_platform.warehouse.dbt_manifest import ensure_manifest

ACTOR = "alerts"
BURNS_READ = "burns_of_budgets"
"""Under this name stands up to which result of an incident budgets were looked at."""
UNCLAIMED = timedelta(days=1)
"""An alert for a channel that nobody has configured for so long is suppressed. Not at once: another shell on the same
home may know fewer URLs than the daemon."""
SUSPICIOUS_FAILURES = 2
"""Failures in a row after which the other channels are told of it."""


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
    trouble: tuple[str, ...] = ()
    """The steps that failed; the others were taken. It is a failed check of the home, too."""

    def __add__(self, other: "Dispatched") -> "Dispatched":
        return Dispatched(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


LetterWriter = Callable[[Settings, Engine, Incident, datetime, HearsAs, Sequence[Exposure]], OwnerLetter]
"""What an owner is told, by whoever may ask the home: incident, now, as what, and what of theirs reads the data."""


def readers(source: str) -> list[str]:
    """Who reads what is made from a source; nobody where there are no models to ask."""
    try:
        exposures = reach(ensure_manifest(), source).exposures
    except OSError:
        return []  # no lineage is no reason to keep an alert back
    return [one.name + (" (critical)" if one.critical else "") for one in exposures]


class _Tick:
    """What all channels of one tick share."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        now: datetime,
        random: Random,
        delivery: Delivery,
        step: Step,
        router: Router | None,
        write: LetterWriter | None,
    ) -> None:
        self.settings, self.now, self.random, self.delivery, self.step = settings, now, random, delivery, step
        self.store, self.ledger = IncidentStore(engine), AlertLedger(engine)
        self.dry_run, self.router, self.write = settings.alert_dry_run, router, write
        self.letters: dict[tuple[str, str], OwnerLetter] = {}
        self.on_record: set[tuple[str, str]] = set()
        """Incidents whose timeline says already that they were told, or could not be."""
        self.collector = Collector(settings, self.store, self.ledger, now, router)

    def collect(self, channel: Channel) -> Dispatched:
        """Write down what one channel should hear."""
        with self.step(f"what is new for {channel.name} could not be read"):
            return Dispatched(new=self.collector.collect(channel))
        return Dispatched()

    def serve_apart(self, channel: Channel, waiting: Sequence[Alert]) -> Dispatched:
        """`serve`, so that a channel that fails costs no other its turn."""
        with self.step(f"{channel.name} could not be served"):
            return self.serve(channel, waiting)
        return Dispatched(deferred=len(waiting))

    def serve(self, channel: Channel, waiting: Sequence[Alert]) -> Dispatched:
        """Deliver what is due for one channel, if nobody else is at it."""
        if not any(alert.due_at <= self.now for alert in waiting):
            return Dispatched(deferred=len(waiting))
        with self.ledger.held(channel.name, self.dry_run, self.now) as held:
            if not held:
                return Dispatched()
            # Read again: between the look and the hold another dispatcher may have sent them.
            waiting = [
                one for one in self.ledger.waiting() if (one.channel, one.dry_run) == (channel.name, self.dry_run)
            ]
            health = self.ledger.channels()[channel.name, self.dry_run]
            left_alone = health.retry_at is not None and health.retry_at > self.now
            if left_alone and (channel.tracker is not None or not any(map(self._cannot_wait, waiting))):
                return Dispatched(deferred=len(waiting))
            decision, unspeakable = self._decide(channel, waiting, health)
            moved = sum(len(one.alerts) for one in decision.messages) + sum(map(len, decision.symptoms))
            done = Dispatched(deferred=len(waiting) - moved - unspeakable.failed - unspeakable.retried) + unspeakable
            if not decision.messages:
                return done
            outcomes = self.delivery(self.settings, channel, decision.messages, self.now)
            return done + self._settle(channel, decision.messages, outcomes, health.failures)

    def _cannot_wait(self, alert: Alert) -> bool:
        """What is urgent and new is tried at once, even on a channel that is left alone for a while."""
        return alert.severity in URGENT and not alert.attempts and alert.due_at <= self.now

    def _decide(self, channel: Channel, waiting: Sequence[Alert], health: Health) -> tuple[AlertDecision, Dispatched]:
        """Decide, and write down what is not the outcome of a delivery; also what became of alerts without a message."""
        cap = self.settings.alert_cap_per_hour
        news = ready(channel, waiting, self.now, cap)
        facts = AlertFacts(
            now=self.now,
            cap=cap,
            sent=self.ledger.sent_times(channel.name, self.dry_run, self.now - WINDOW),
            heard=self.ledger.heard(channel.name, self.dry_run, news),
            incidents={incident.id: incident for incident in incidents_of(self.store, news)},
            around=MessageContext(
                self.settings.ui_url,
                read_policy(self.settings.response_policy),
                readers,
                lambda incident: self._letter(channel, incident),
            ),
            notes=[*self._notes(health), *self._notes_to(channel)],
        )
        self.on_record |= {
            (incident.id, str(entry.data.get("phase")))
            for incident in facts.incidents.values()
            for entry in incident.timeline
            if entry.kind == "alert"
        }
        failed = _undecidable(channel, news, facts)
        decision = decide(channel, {one: alerts for one, alerts in news.items() if one not in failed}, facts)
        unspeakable = sum(
            (self._put_off(news[one], facts.incidents.get(one), error) for one, error in failed.items()), Dispatched()
        )
        for alerts, until in decision.deferred:
            self.ledger.mark(_ids(alerts), status=Status.PENDING, due_at=until, reason=cap_reason(cap))
        for alerts in decision.symptoms:
            cause = facts.incidents[alerts[0].incident_id].linked_to
            self.ledger.mark(_ids(alerts), status=Status.SUPPRESSED, reason=f"it turned out to be a symptom of {cause}")
        for message in decision.messages:
            self.ledger.mark(_ids(message.alerts), status=Status.SENDING, message=message.id)
        return decision, unspeakable

    def _letter(self, channel: Channel, incident: Incident) -> OwnerLetter | None:
        """What the owner is told whose channel it is; None for whoever works on the incident."""
        if self.write is None or self.router is None:
            return None
        role = self.collector.role_of(channel, incident)
        if role is HearsAs.TEAM:
            return None
        if (channel.name, incident.id) not in self.letters:
            own = [one for one in self.router.exposures(incident) if channel.recipient in self.router.meant_by(one)]
            letter = self.write(self.settings, self.store.engine, incident, self.now, role, own)
            self.letters[channel.name, incident.id] = letter
        return self.letters[channel.name, incident.id]

    def _put_off(self, alerts: Sequence[Alert], incident: Incident | None, error: Exception) -> Dispatched:
        """What no message could be made of is tried again like what was not delivered, and given up as late."""
        words, attempts = error_text(error), max(alert.attempts for alert in alerts) + 1
        what = f"no message could be made of what is new about {alerts[0].incident_id}"
        with noted(self.store, incident, self.now, what[0].upper() + what[1:]) if incident else self.step(what):
            raise error
        if attempts < MAX_ATTEMPTS:
            again = self.now + wait(attempts, self.random)
            self.ledger.mark(_ids(alerts), attempts=attempts, status=Status.PENDING, due_at=again, reason=words)
            return Dispatched(retried=len(alerts))
        self.ledger.mark(_ids(alerts), attempts=attempts, status=Status.FAILED, reason=words)
        return Dispatched(failed=len(alerts))

    def _notes(self, health: Health) -> list[str]:
        """What a channel should know beside the incidents: which others are dead, and what it missed itself."""
        notes = [
            f"The channel {other.name} takes nothing at present: reliability alerts status"
            for other in self.ledger.channels().values()
            if other.name != health.name and other.dry_run == self.dry_run and other.failures >= SUSPICIOUS_FAILURES
        ]
        missed = self.ledger.undelivered(health) if health.failures else 0
        if missed:
            notes.append(f"{counted(missed, 'earlier alert')} could not be delivered here: reliability alerts list")
        return notes

    def _notes_to(self, channel: Channel) -> list[str]:
        """Why the recipient hears now: in place of somebody who is not on call, or though it is quiet."""
        if self.router is None or not channel.recipient:
            return []
        duties = [one for one in self.router.duties if channel.recipient in one.recipients]
        notes = [f"{one.why[:1].upper()}{one.why[1:]}." for one in duties if one.is_gap or one.trouble]
        if channel.quiet.end(self.now) is not None:
            notes.append(f"It is quiet for you ({channel.quiet.hours} {channel.quiet.zone}), and this goes through.")
        return notes

    def _settle(
        self, channel: Channel, messages: Sequence[AlertMessage], outcomes: Mapping[str, Delivered], failures: int
    ) -> Dispatched:
        """Write down what became of each message, and how the channel does. `failures` are those before."""
        bad = [outcomes[one.id] for one in messages if outcomes[one.id].outcome is not DeliveryOutcome.SENT]
        health: dict[str, object] = {"failures": 0, "retry_at": None, "last_error": ""}
        again = self.now
        if bad:
            asked = timedelta(seconds=max(one.pause for one in bad))
            again += max(wait(failures + 1, self.random), asked)
            health = {"failures": failures + 1, "retry_at": again, "last_error": bad[-1].words}
            health["last_failed_at"] = self.now
        if len(bad) < len(messages):
            health["last_sent_at"] = self.now
        self.ledger.note_health(channel.name, self.dry_run, **health)
        # A channel that has been dead for long gets one try, and then the file.
        tries = 1 if failures >= MAX_ATTEMPTS else MAX_ATTEMPTS
        done = Dispatched()
        for one in messages:
            with self.step(f"what became of a message to {channel.name} could not be written down"):
                done += self._settle_one(channel, one, outcomes[one.id], again, tries)
        return done

    def _settle_one(
        self, channel: Channel, message: AlertMessage, delivered: Delivered, again: datetime, tries: int
    ) -> Dispatched:
        ids, attempts = _ids(message.alerts), max(alert.attempts for alert in message.alerts) + 1
        if delivered.outcome is DeliveryOutcome.SENT:
            status = Status.DRY_RUN if self.dry_run else Status.SENT
            self._keep_ticket(message, channel, delivered.ticket)
            settled = {"status": status, "sent_at": self.now, "capped": message.capped, "reason": ""}
            self.ledger.mark(ids, attempts=attempts, **settled)
            self._note(message, channel, "dry_run" if self.dry_run else "sent")
            return Dispatched(sent=len(ids))
        self._keep_ticket(message, channel, delivered.ticket)
        # A ticket is a record, and as good an hour later: it is never given up while its tracker may yet take it.
        if delivered.outcome is DeliveryOutcome.TRANSIENT and (attempts < tries or channel.tracker is not None):
            tried = attempts - delivered.untried
            self.ledger.mark(ids, attempts=tried, status=Status.PENDING, due_at=again, reason=delivered.words)
            if tried >= MAX_ATTEMPTS:
                self._note(message, channel, "failed")
            return Dispatched(retried=len(ids))
        keep(self.settings.alerts / "undelivered.jsonl", channel.name, [message], self.now, delivered.words)
        self.ledger.mark(ids, attempts=attempts, status=Status.FAILED, reason=delivered.words)
        self._note(message, channel, "failed")
        return Dispatched(failed=len(ids))

    def _keep_ticket(self, message: AlertMessage, channel: Channel, ticket: str) -> None:
        """Tell the incident's timeline which ticket it has, before anything else is done about it."""
        if ticket and channel.tracker is not None:
            incident_id = message.alerts[0].incident_id
            link = shape_of(channel.tracker.place).link(ticket)
            data = {"phase": TICKET, "channel": channel.name, "ticket": ticket, "link": link}
            key = f"ticket/{incident_id}/{channel.name}"
            self.store.append(incident_id, self.now, ACTOR, "alert", f"its ticket is {link}", data, key=key)

    def _note(self, message: AlertMessage, channel: Channel, phase: str) -> None:
        """Tell the incident's timeline, once, that its opening was told, or could not be."""
        words = {
            "sent": f"told to {channel.name}",
            "dry_run": f"would have been told to {channel.name} (dry run)",
            "failed": f"could not be told to {channel.name}; see `reliability alerts status`",
        }[phase]
        data = {"phase": phase, "channel": channel.name}
        for incident_id in {alert.incident_id for alert in message.alerts if alert.event == "opened"}:
            if (incident_id, phase) in self.on_record:  # of 1,000 incidents and 20 recipients, 20,000 attempts of 5 ms
                continue
            self.on_record.add((incident_id, phase))
            self.store.append(incident_id, self.now, ACTOR, "alert", words, data, key=f"alert/{incident_id}/{phase}")

    def suppress(self, waiting: Sequence[Alert], known: set[tuple[str, bool]]) -> None:
        """Give up what waits for channels that were taken out of the settings a while ago."""
        stale = [
            one for one in waiting if (one.channel, one.dry_run) not in known and one.due_at < self.now - UNCLAIMED
        ]
        if stale:
            self.ledger.mark(_ids(stale), status=Status.SUPPRESSED, reason="its channel is not configured any more")


def _undecidable(channel: Channel, news: News, facts: AlertFacts) -> dict[str, Exception]:
    """The incidents of which no message can be made, and why. They are looked for one by one once all together fail."""
    try:
        decide(channel, news, facts)
    except Exception:
        failed: dict[str, Exception] = {}
        for one, alerts in news.items():
            try:
                decide(channel, {one: alerts}, facts)
            except UsageError:
                raise
            except Exception as error:
                failed[one] = error
        return failed
    return {}


def _ids(alerts: Sequence[Alert]) -> list[int]:
    return [alert.id for alert in alerts]


def dispatch(
    settings: Settings,
    engine: Engine,
    now: datetime,
    *,
    random: Random | None = None,
    delivery: Delivery | None = None,
    write: LetterWriter | None = None,
) -> Dispatched:
    """Tell every channel what is due. Channels are served side by side; a tick takes no longer than one sender may.

    `random` is for the jitter of retries. By default, a dry run writes to a file and anything else sends. Without `write`
    owners are told as those who work on it.
    """
    how = delivery or (rehearse if settings.alert_dry_run else send)
    with steps(engine, ALERTS_TOLD, now) as step:
        configured, router = channels_of_settings(settings), None
        try:
            if (routing := routing_of(settings)) is not None:
                router = Router(settings, routing, now)
                configured += channels_of_routing(settings, routing)
        except UsageError as error:  # recipients hear once it can be read again; the channels of the settings go on
            step.failed.append(str(error))
        tick = _Tick(settings, engine, now, random or Random(), how, step, router, write)
        done = _dispatch(tick, configured, whole=not step.failed)
    return done + Dispatched(trouble=tuple(step.failed))


def _note_burns(tick: _Tick) -> None:
    """Before news is collected: a budget that burns by an incident is told with it. Counted where incidents have new results."""
    engine, newest = tick.store.engine, tick.store.last_result()
    if newest > cursor_of(engine, BURNS_READ):
        note_burns(tick.store, status(engine, objectives_of(tick.settings), tick.now), tick.now)
        advance(engine, BURNS_READ, newest)


def _dispatch(tick: _Tick, configured: Sequence[Channel], *, whole: bool) -> Dispatched:
    with tick.step("who must be told next could not be found out"):
        note_due(tick.store, tick.router, read_policy(tick.settings.response_policy), tick.now)
    with tick.step("which error budgets burn could not be found out"):
        _note_burns(tick)
    done = sum(map(tick.collect, configured), Dispatched())
    waiting = tick.ledger.waiting()
    if not waiting:
        return done
    if whole:
        with tick.step("alerts of channels that are not configured could not be suppressed"):
            tick.suppress(waiting, {(channel.name, tick.dry_run) for channel in configured})
    queues = {
        channel: [one for one in waiting if (one.channel, one.dry_run) == (channel.name, tick.dry_run)]
        for channel in configured
    }
    busy = [(channel, queue) for channel, queue in queues.items() if queue]
    with ThreadPoolExecutor(max_workers=len(busy) or 1) as pool:
        return sum(pool.map(lambda one: tick.serve_apart(*one), busy), done)
