"""Incidents: which there are, and everything about one."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, func, select

from reliability_platform.incidents.classes import CLASSES, Severity
from reliability_platform.incidents.model import Incident, State, TimelineEntry
from reliability_platform.incidents.response import ResponsePolicy, overdue, postmortem_due, read_policy, response_due
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.incidents.times import Times
from reliability_platform.operations.tables import incident_heads
from reliability_platform.service.queries.answer import EVERYTHING, Page, QueryAnswer, Window, page
from reliability_platform.settings import Settings


class IncidentSummary(QueryAnswer):
    """One incident on one line of a list."""

    id: str
    """As `INC-0003-null_spike-orders-2026-01-03`; its beginning `INC-0003` is enough wherever an id is asked for."""
    severity: Severity
    """P0 is the worst."""
    severity_reason: str
    """Why this severity, in one sentence."""
    state: State
    """Where it is in its life."""
    source: str
    """The source concerned; the first one, if there are several."""
    failure_class: str
    """What kind of failure it is; each has a runbook."""
    type: str
    """The kind of incident, as `quality degradation`."""
    persistence: str
    """Whether it passes by itself: `transient` or `deterministic`."""
    origin: str
    """Whether it began `upstream` or in the platform."""
    aspect: str
    """What it is about, as `quality` or `timeliness`."""
    root_dataset: str
    """The dataset in which it began."""
    column: str | None
    """The column that it is about, where it is one."""
    landing_days: list[date]
    """The landing days concerned, ascending."""
    checks: list[str]
    """The checks that failed."""
    still_failing: int
    """How many results of these checks no passed evaluation has followed."""
    assignee: str | None
    """Its commander: who acknowledged it, or to whom it is given."""
    responders: list[str]
    """Who else works on it."""
    channel: str | None
    """Where they talk about it."""
    linked_to: str | None
    """The earlier incident of the same failure, or the cause of which this is a symptom."""
    watched_until: date | None
    """The last landing day of its watch: what fails again by then is this incident; null while it is open or not watched."""
    detected_at: datetime
    """When it was opened."""
    recovered_at: datetime | None
    """When the data were right again."""
    times: Times
    """When it came to each of its stages; null for what has not happened."""
    response_due: datetime
    """When somebody must be on it."""
    postmortem_due: datetime | None
    """When its postmortem must be written; null while it goes on, or where none is asked for."""
    overdue: list[str]
    """What was not done in time, in words."""
    fingerprint: str
    """Root dataset, failure class, source and range of landing days."""


class SeenResult(QueryAnswer):
    """What a check found on a landing day, when the incident last saw it."""

    check: str
    """The check."""
    landing_date: date
    """The landing day."""
    status: str
    """`failed` or `not_evaluated`."""
    value: float | None
    """What it measured, where that is a number."""
    limit: str
    """What it may be."""
    message: str
    """The same in words."""
    rows: list[dict[str, Any]]
    """A few of the rows that it objects to, with personal data and free text masked."""


class IncidentDetail(IncidentSummary):
    """One incident with all that has happened to it."""

    results: list[SeenResult]
    """What its checks found, by landing day and check."""
    timeline: list[TimelineEntry]
    """Every entry, oldest first: when, who, what, why. Each carries the hash of the one before in the store."""


@dataclass(frozen=True)
class IncidentFilter:
    """Which incidents are asked for; what is None or false narrows nothing."""

    only_open: bool = False
    only_over: bool = False
    state: str | None = None
    severity: str | None = None
    source: str | None = None
    failure_class: str | None = None
    assignee: str | None = None
    day: date | None = None
    """A landing day that they touch."""
    since: date | None = None
    """Detected on this day (UTC) or later."""

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """The same, of the heads of incidents."""
        names = ("state", "severity", "source", "failure_class", "assignee")
        found = [incident_heads.c[name] == value for name in names if (value := getattr(self, name)) is not None]
        if self.only_open:
            found.append(incident_heads.c.is_open)
        if self.only_over:
            found.append(~incident_heads.c.is_open)
        if self.day is not None:
            found.append(and_(incident_heads.c.first_day <= self.day, incident_heads.c.last_day >= self.day))
        if self.since is not None:
            began = datetime(self.since.year, self.since.month, self.since.day, tzinfo=UTC)
            found.append(incident_heads.c.detected_at >= began)
        return found


def _summary(incident: Incident, policy: ResponsePolicy, now: datetime) -> dict[str, Any]:
    triage = incident.triage
    return {
        "id": incident.id,
        "severity": incident.severity,
        "severity_reason": incident.severity_reason,
        "state": incident.state,
        "source": incident.source,
        "failure_class": incident.failure_class,
        "type": triage.type,
        "persistence": triage.classification.persistence,
        "origin": triage.classification.origin,
        "aspect": triage.classification.aspect,
        "root_dataset": incident.root_dataset,
        "column": incident.column,
        "landing_days": incident.partitions,
        "checks": incident.checks,
        "still_failing": len(incident.still_failing),
        "assignee": incident.assignee,
        "responders": incident.responders,
        "channel": incident.channel,
        "linked_to": incident.linked_to,
        "watched_until": incident.watch.last if incident.watch is not None else None,
        "detected_at": incident.detected_at,
        "recovered_at": incident.recovered_at,
        "times": incident.times,
        "response_due": response_due(incident, policy),
        "postmortem_due": postmortem_due(incident, policy),
        "overdue": list(overdue(incident, policy, now).values()),
        "fingerprint": incident.fingerprint,
    }


def summary_of(settings: Settings, incident: Incident, now: datetime) -> IncidentSummary:
    """An incident that somebody has read already, on one line."""
    return IncidentSummary(**_summary(incident, read_policy(settings.response_policy), now))


def incident_page(
    settings: Settings,
    engine: Engine,
    now: datetime,
    asked: IncidentFilter = IncidentFilter(),
    window: Window = EVERYTHING,
) -> Page[IncidentSummary]:
    """Incidents, the newest first."""
    found, total = IncidentStore(engine).newest(asked.conditions, window.limit, window.offset)
    policy = read_policy(settings.response_policy)
    return page([IncidentSummary(**_summary(one, policy, now)) for one in found], total, window)


def incident_detail(settings: Settings, engine: Engine, incident_id: str, now: datetime) -> IncidentDetail:
    """One incident, by its id or an unambiguous beginning of it. Raises `UsageError`."""
    return detail_of(settings, IncidentStore(engine).get(incident_id), now)


def detail_of(settings: Settings, incident: Incident, now: datetime) -> IncidentDetail:
    """An incident that somebody has read already, with its timeline."""
    policy = read_policy(settings.response_policy)
    results = [
        SeenResult(
            check=one.check,
            landing_date=one.partition,
            status=one.status,
            value=one.value,
            limit=one.threshold,
            message=one.message,
            rows=one.sample,
        )
        for one in incident.latest_signals
    ]
    return IncidentDetail(**_summary(incident, policy, now), results=results, timeline=incident.timeline)


def open_by_severity(engine: Engine) -> dict[str, int]:
    """Severity → open incidents; those without any are 0."""
    counts = dict.fromkeys((one.value for one in Severity), 0)
    with engine.connect() as connection:
        query = select(incident_heads.c.severity, func.count()).where(incident_heads.c.is_open)
        found = connection.execute(query.group_by(incident_heads.c.severity)).all()
    return counts | {row[0]: row[1] for row in found}


RECENT_INCIDENTS = 100
"""Reading the timelines of so many takes 40 ms; of 500 it took 190."""


class OpenIncidents(QueryAnswer):
    """How many incidents of one class and severity are not over."""

    failure_class: str
    """What kind of failure they are."""
    severity: str
    """How bad they are."""
    incidents: int
    """How many."""


def open_by_class(engine: Engine) -> list[OpenIncidents]:
    """By class and severity; a class without any counts 0 at the severity that it begins with."""
    counts = {(name, one.severity.value): 0 for name, one in CLASSES.items()}
    head = incident_heads.c
    query = select(head.failure_class, head.severity, func.count()).where(head.is_open)
    with engine.connect() as connection:
        rows = connection.execute(query.group_by(head.failure_class, head.severity))
        counts |= {(row[0], row[1]): row[2] for row in rows}
    return [OpenIncidents(failure_class=one[0], severity=one[1], incidents=count) for one, count in counts.items()]


def ever_by_class(engine: Engine) -> dict[str, int]:
    """Class → incidents that were ever opened; those without any are 0."""
    head = incident_heads.c
    with engine.connect() as connection:
        rows = connection.execute(select(head.failure_class, func.count()).group_by(head.failure_class))
        return dict.fromkeys(CLASSES, 0) | {row[0]: row[1] for row in rows}


def recent_incidents(engine: Engine, since: datetime) -> list[Incident]:
    """At most 100 incidents that were detected since a moment, the newest first."""
    return IncidentStore(engine).newest([incident_heads.c.detected_at >= since], RECENT_INCIDENTS)[0]
