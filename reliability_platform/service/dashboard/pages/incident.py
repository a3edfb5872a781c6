"""One incident: its state and what to do next, what changed before it, its timeline, what it reaches, its runbook."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from reliability_platform.alerts.message import page as page_in_dagster
from reliability_platform.counted import counted
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.formats import landing_days
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.documents.changes import COLUMNS, rows
from reliability_platform.incidents.documents.samples import SampleTable, sample_tables
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.service.dashboard.charts import DayChart, DayMark, line
from reliability_platform.service.dashboard.markdown import as_html
from reliability_platform.service.dashboard.page import DashboardPage, PageGroup, PageRequest, PageView, Tone
from reliability_platform.service.queries.changes import IncidentChanges, changes_of
from reliability_platform.service.queries.checks import values_by_day
from reliability_platform.service.queries.documents import postmortem_of
from reliability_platform.service.queries.impact import RecordedImpact, recorded_impact
from reliability_platform.service.queries.incidents import IncidentDetail, detail_of
from reliability_platform.service.queries.response import IncidentHearings, IncidentResponse, hearings_of, response_of
from reliability_platform.service.queries.runbooks import runbook_of
from reliability_platform.warehouse.dbt_manifest import ensure_manifest

BEFORE, AFTER = timedelta(days=30), timedelta(days=7)
PICTURES = 3
"""Checks that are drawn at most; the table below has all."""
NEXT: dict[State, tuple[str, str]] = {
    State.DETECTED: ("Nobody is on it yet: take it, so that others know.", "reliability incidents ack {id}"),
    State.REOPENED: ("It came back, and nobody is on it: take it.", "reliability incidents ack {id}"),
    State.ACKNOWLEDGED: (
        "See what healing would do; then leave out --dry-run.",
        "reliability heal --incident {id} --dry-run",
    ),
    State.CONTAINED: (
        "See what healing would do; then leave out --dry-run.",
        "reliability heal --incident {id} --dry-run",
    ),
    State.RECOVERING: ("It is being healed; watch it until its checks pass.", "reliability incidents show {id}"),
    State.VERIFIED: ("Its data are proved right again: resolve it.", "reliability incidents resolve {id} --why TEXT"),
    State.RESOLVED: ("It is over: write down what was learned.", "reliability incidents postmortem {id}"),
    State.FALSE_ALARM: ("It was a false alarm; read what was decided.", "reliability incidents show {id}"),
    State.CLOSED: ("It is closed; read its postmortem.", "reliability incidents postmortem {id}"),
}
"""State → what a person does next, and the command for it."""


@dataclass(frozen=True, kw_only=True)
class IncidentView(PageView):
    """Everything about one incident."""

    incident: IncidentDetail
    title: str
    next_step: str
    next_command: str
    response: IncidentResponse
    hearings: IncidentHearings | None
    """None where the routing file is none."""
    hearings_trouble: str
    """Why."""
    impact: RecordedImpact | None
    """None where lineage cannot be told."""
    changes: IncidentChanges | None
    """What changed since the last good run; None where lineage cannot be told."""
    changed: list[list[str]]
    """The same as rows of a table."""
    changed_columns: tuple[str, ...] = COLUMNS
    pictures: list[DayChart]
    """What the checks measured over the days before, with the days of the incident as they were found."""
    samples: list[SampleTable]
    """Some of the rows that they object to."""
    in_dagster: str
    """The address of the incident in Dagster's UI."""
    runbook: Markup
    runbook_written_at: datetime | None
    """None where the page of the incident was never written, and this is the runbook of its class."""
    has_postmortem: bool
    is_open: bool


def view(asked: PageRequest) -> IncidentView:
    """One incident by its id or the beginning of it. Raises `UsageError` if there is none."""
    incident = IncidentStore(asked.engine).get(asked.path["incident"])
    detail, runbook = detail_of(asked.settings, incident, asked.now), runbook_of(asked.settings, incident)
    impact, changes = None, None
    with suppress(EnvironmentUnusableError):  # the page says so
        impact = recorded_impact(ensure_manifest(), incident)
        changes = changes_of(asked.settings, asked.engine, ensure_manifest(), incident)
    hearings, hearings_trouble = None, ""
    try:
        hearings = hearings_of(asked.settings, asked.engine, incident, asked.now)
    except (UsageError, EnvironmentUnusableError) as error:  # whoever mends the file needs the page all the more
        hearings_trouble = str(error)
    step, command = NEXT[incident.state]
    return IncidentView(
        sentence=_sentence(detail, is_open=incident.is_open),
        tone=Tone.GOOD if not incident.is_open else Tone.BAD if incident.severity in ("P0", "P1") else Tone.PLAIN,
        about=(incident.source, incident.partitions),
        incident=detail,
        title=CLASSES[incident.failure_class].title,
        next_step=step,
        next_command=command.format(id="-".join(incident.id.split("-")[:2])),
        response=response_of(asked.settings, asked.engine, incident, asked.now),
        hearings=hearings,
        hearings_trouble=hearings_trouble,
        impact=impact,
        changes=changes,
        changed=rows(changes.changes) if changes is not None else [],
        pictures=_pictures(asked, incident),
        samples=sample_tables(incident.latest_signals),
        in_dagster=page_in_dagster(asked.settings.ui_url, incident.id),
        runbook=as_html(runbook.text),
        runbook_written_at=runbook.written_at,
        is_open=incident.is_open,
        has_postmortem=postmortem_of(asked.settings, incident.id) is not None,
    )


def _pictures(asked: PageRequest, incident: Incident) -> list[DayChart]:
    """Of the checks that measured a number, each over a month before the incident and a week after it; the root's first."""
    told: dict[str, list[DayMark]] = {}
    own_first = sorted(incident.latest_signals, key=lambda one: one.dataset != incident.root_dataset)
    for one in own_first:
        if one.value is not None and one.partition in incident.partitions:
            told.setdefault(one.check, []).append(DayMark(one.partition, "alarm", one.message, one.value))
    first, last = incident.partitions[0] - BEFORE, incident.partitions[-1] + AFTER
    pictures = []
    for check, marks in list(told.items())[:PICTURES]:
        values = values_by_day(asked.engine, check, first, last)
        points = {one.day: one.value for one in marks if one.value is not None} | values
        alt = (
            f"{check} on {counted(len(points), 'landing day')}; {counted(len(marks), 'day')} as the incident found it."
        )
        drawn = line(check, alt, points, marks, {"series": "newest result", "alarm": "as the incident found it"})
        pictures += [] if drawn is None or len(points) < 2 else [drawn]
    return pictures


def _sentence(one: IncidentDetail, *, is_open: bool) -> str:
    what = f"{CLASSES[one.failure_class].title}: {one.source}, {landing_days(one.landing_days)}"
    if not is_open:
        watched = "" if one.watched_until is None else f", under watch until landing day {one.watched_until}"
        return f"{what}. It is over ({one.state.value.replace('_', ' ')}){watched}."
    still = counted(one.still_failing, "result still fails", "results still fail")
    return f"{what}. It is {one.state.value.replace('_', ' ')}; {still}."


PAGE = DashboardPage(
    "incidents/{incident}",
    "One incident",
    "What happened, how far is it, and what comes next?",
    PageGroup.NOW,
    view,
    "incident",
    in_navigation=False,
)
