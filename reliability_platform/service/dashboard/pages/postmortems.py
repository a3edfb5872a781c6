"""Postmortems: which incidents are over, and what was learned from each."""

from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from reliability_platform.counted import counted
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.service.dashboard.markdown import as_html
from reliability_platform.service.dashboard.page import DashboardPage, PageGroup, PageRequest, PageView, Tone
from reliability_platform.service.queries.answer import MAX_LIMIT, Page, Window, page
from reliability_platform.service.queries.documents import WrittenDocument, postmortem_of
from reliability_platform.service.queries.incidents import IncidentFilter, IncidentSummary, incident_page, summary_of


@dataclass(frozen=True)
class PostmortemRow:
    """One incident that is over."""

    incident: IncidentSummary
    written_at: datetime | None
    """When its postmortem was kept; None where it was not."""
    is_late: bool


@dataclass(frozen=True, kw_only=True)
class PostmortemsView(PageView):
    """What the list shows."""

    rows: Page[PostmortemRow]


@dataclass(frozen=True, kw_only=True)
class PostmortemView(PageView):
    """One postmortem."""

    incident: IncidentSummary
    written: WrittenDocument | None
    text: Markup
    command: str


def view(asked: PageRequest) -> PostmortemsView:
    """Incidents that are over, the newest first."""
    over = IncidentFilter(only_over=True)
    newest = incident_page(asked.settings, asked.engine, asked.now, over, Window(MAX_LIMIT))
    shown = incident_page(asked.settings, asked.engine, asked.now, over, asked.window)
    sentence, tone = _answer(asked, newest)
    rows = [_row(asked, one) for one in shown.items]
    return PostmortemsView(sentence=sentence, tone=tone, rows=page(rows, shown.total, asked.window))


def _row(asked: PageRequest, one: IncidentSummary) -> PostmortemRow:
    written = postmortem_of(asked.settings, one.id)
    late = written is None and one.postmortem_due is not None and one.postmortem_due < asked.now
    return PostmortemRow(one, None if written is None else written.written_at, late)


def _answer(asked: PageRequest, newest: Page[IncidentSummary]) -> tuple[str, Tone]:
    over = newest.items
    if not over:
        return "No incident is over yet, so there is nothing to look back on.", Tone.PLAIN
    due = [one for one in over if one.postmortem_due is not None]
    late = sum(_row(asked, one).is_late for one in due)
    whole = counted(newest.total, "incident is over", "incidents are over")
    if newest.total > len(over):
        whole += f"; of the newest {len(over):,}"
    wanted = counted(len(due), "asks for a postmortem", "ask for a postmortem")
    if late:
        return f"{whole}, {wanted}; {counted(late, 'is', 'are')} late.", Tone.BAD
    return f"{whole}, {wanted}; none is late.", Tone.GOOD


def view_one(asked: PageRequest) -> PostmortemView:
    """One incident's postmortem. Raises `UsageError` if there is no such incident."""
    incident = IncidentStore(asked.engine).get(asked.path["incident"])
    summary, written = summary_of(asked.settings, incident, asked.now), postmortem_of(asked.settings, incident.id)
    short = "-".join(incident.id.split("-")[:2])
    said = "No postmortem was kept" if written is None else "What was learned"
    return PostmortemView(
        sentence=f"{said} of {short}: {incident.failure_class.replace('_', ' ')} of {incident.source}.",
        incident=summary,
        written=written,
        text=Markup("") if written is None else as_html(written.text),
        command=f"reliability incidents postmortem {short} --record",
    )


PAGE = DashboardPage(
    "postmortems", "Postmortems", "What have we learned from what went wrong?", PageGroup.LESSONS, view, "postmortems"
)
ONE = DashboardPage(
    "postmortems/{incident}",
    "Postmortem",
    "What happened, why, and what is done about it?",
    PageGroup.LESSONS,
    view_one,
    "postmortem",
    in_navigation=False,
)
