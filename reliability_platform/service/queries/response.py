"""How people deal with one incident: who hears of it, what was said and promised, how long it usually takes, what is left to do.

Nobody else is asked for it: calendars are those that the daemon has read.
"""

from datetime import date, datetime, timedelta

from sqlalchemy import Engine

from reliability_platform.alerts.routing.due import next_update, promised_by
from reliability_platform.alerts.routing.explain import Hearing, TicketPlace, explain
from reliability_platform.alerts.tickets.preview import KeptTicket, kept_tickets
from reliability_platform.incidents.breach import breach_of, clock_words
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.recurring import Occurrence, recurrence_of
from reliability_platform.incidents.response import BREACH_REPORT, breach_report_due, overdue, read_policy
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.incidents.usual_recovery import usual_recovery
from reliability_platform.service.queries.answer import QueryAnswer
from reliability_platform.settings import Settings


class GivenUpdate(QueryAnswer):
    """What those who were told of an incident heard about how it stands."""

    at: datetime
    """When."""
    who: str
    """Who said it; `alerts` for what owners hear by themselves."""
    said: str
    """How it stands."""
    next_by: datetime | None
    """By when the next one was promised; null where nobody promised it."""


class ExpectedRecovery(QueryAnswer):
    """How long the last incidents of the class took from detection to data that are right again. No promise."""

    words: str
    """The same in a sentence."""
    incidents: int
    """How many of them it rests on."""
    median: timedelta
    """Half of them took no longer."""
    p90: timedelta
    """Nine in ten took no longer."""
    expected_by: datetime
    """When nine in ten like it were over."""


class RecurringCause(QueryAnswer):
    """The times that the class came to the source within 180 days, this one included."""

    words: str
    """The same in a sentence."""
    occurrences: list[Occurrence]
    """Each of the times, the oldest first."""


class BreachClock(QueryAnswer):
    """What the law asks for of a breach of personal data."""

    report_due: datetime | None
    """By when it must be reported; null where it is a false alarm."""
    decided_at: datetime | None
    """When it was recorded that it was reported, or need not be."""
    overdue: bool
    """Whether neither was recorded in time."""
    looks: int
    """How often somebody was shown rows of the incident unmasked."""
    other_looks: int
    """How often somebody was shown other rows unmasked since the first bad batch landed."""
    words: list[str]
    """The same in sentences. `reliability incidents breach` counts the affected keys, too."""


class TrackedAction(QueryAnswer):
    """Something that has to be done so that it does not come again."""

    number: int
    """Its number within the incident."""
    what: str
    """What has to be done."""
    owner: str
    """Who does it."""
    due: date
    """By when."""
    done_at: datetime | None
    """When it was done; null where it is not."""
    overdue: bool
    """Whether it is not done, and its day is over."""


class IncidentResponse(QueryAnswer):
    """How people deal with one incident. Who leads it, who else works on it and where is said with the incident."""

    updates: list[GivenUpdate]
    """What was said to those who were told, the oldest first."""
    next_update_due: datetime | None
    """When they hear again, as a person has promised, else as the severity asks; null where it is over."""
    next_update_promised_by: str | None
    """Who has promised that; null where it is given by itself."""
    update_overdue: bool
    """Whether that moment has passed."""
    expected_recovery: ExpectedRecovery | None
    """Null where it is over, or where fewer than three of its class have recovered."""
    recurrence: RecurringCause | None
    """Null where it is the first of its class at its source within 180 days."""
    breach: BreachClock | None
    """Null where it is no breach of personal data."""
    action_items: list[TrackedAction]
    """What has to be done, by number."""
    tickets: list[KeptTicket]
    """Those that are open or were, one in each tracker that it concerned."""


class IncidentHearings(QueryAnswer):
    """Who would hear of an incident as it stands, when and why."""

    incident: str
    """Its id."""
    severity: str
    """How bad it is."""
    now: list[Hearing]
    """Told as it stands, in the order of the routes."""
    if_nobody_answers: list[Hearing]
    """Told next, by the steps of the chain as it is now."""
    tickets: list[TicketPlace]
    """Its tickets, those that would be opened included."""
    nobody: list[str]
    """Owners who are no recipients, and so hear nothing."""


def hearings_of(settings: Settings, engine: Engine, incident: Incident, now: datetime) -> IncidentHearings:
    """For an incident that somebody has read already. Raises `UsageError` for a routing file that is none."""
    return IncidentHearings(**vars(explain(settings, engine, incident, now, asks=False)))


def response_of(settings: Settings, engine: Engine, incident: Incident, now: datetime) -> IncidentResponse:
    """For an incident that somebody has read already."""
    due = next_update(incident) if incident.is_open else None
    return IncidentResponse(
        updates=_updates(incident),
        next_update_due=due,
        next_update_promised_by=None if due is None else promised_by(incident),
        update_overdue=due is not None and due < now,
        expected_recovery=_expected(engine, incident),
        recurrence=_recurrence(engine, incident),
        breach=_breach(settings, engine, incident, now),
        action_items=[TrackedAction(**vars(one), overdue=one.is_late(now.date())) for one in incident.action_items],
        tickets=kept_tickets([incident]),
    )


def _updates(incident: Incident) -> list[GivenUpdate]:
    said = [entry for entry in incident.timeline if entry.kind == "update"]
    return [GivenUpdate(at=one.at, who=one.actor, said=one.data["said"], next_by=one.data.get("next")) for one in said]


def _expected(engine: Engine, incident: Incident) -> ExpectedRecovery | None:
    usual = usual_recovery(IncidentStore(engine), incident.failure_class) if incident.is_open else None
    if usual is None:
        return None
    return ExpectedRecovery(
        words=usual.in_words,
        incidents=usual.of,
        median=usual.median,
        p90=usual.p90,
        expected_by=usual.expected_by(incident),
    )


def _recurrence(engine: Engine, incident: Incident) -> RecurringCause | None:
    found = recurrence_of(IncidentStore(engine), incident)
    return None if found is None else RecurringCause(words=found.in_words, occurrences=list(found.occurrences))


def _breach(settings: Settings, engine: Engine, incident: Incident, now: datetime) -> BreachClock | None:
    found, terms = breach_of(settings, engine, incident, counts=False), read_policy(settings.response_policy)
    if found is None:
        return None
    own = sum(one.is_of_incident for one in found.looks)
    return BreachClock(
        report_due=breach_report_due(incident, terms),
        decided_at=incident.breach_reported_at,
        overdue=BREACH_REPORT in overdue(incident, terms, now),
        looks=own,
        other_looks=len(found.looks) - own,
        words=clock_words(incident, terms, found),
    )
