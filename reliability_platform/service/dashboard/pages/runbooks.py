"""Runbooks: what to do about each failure class, those of open incidents first."""

from dataclasses import dataclass

from markupsafe import Markup

from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.service.dashboard.markdown import as_html
from reliability_platform.service.dashboard.page import DashboardPage, PageGroup, PageRequest, PageView
from reliability_platform.service.queries.answer import MAX_LIMIT, Window
from reliability_platform.service.queries.documents import class_runbook
from reliability_platform.service.queries.incidents import IncidentFilter, IncidentSummary, incident_page


@dataclass(frozen=True)
class RunbookRow:
    """One failure class."""

    failure_class: str
    title: str
    severity: str
    what_it_means: str
    number_open: int


@dataclass(frozen=True, kw_only=True)
class RunbooksView(PageView):
    """What the list shows."""

    incidents: list[IncidentSummary]
    """Open ones, each with a runbook of its own."""
    rows: list[RunbookRow]


@dataclass(frozen=True, kw_only=True)
class RunbookView(PageView):
    """The runbook of a failure class."""

    failure_class: str
    text: Markup


def view(asked: PageRequest) -> RunbooksView:
    """All classes; those with open incidents first."""
    open_ones = incident_page(
        asked.settings, asked.engine, asked.now, IncidentFilter(only_open=True), Window(MAX_LIMIT)
    ).items
    classes = [one.failure_class for one in open_ones]
    rows = [
        RunbookRow(name, one.title, one.severity.value, one.what_it_means, classes.count(name))
        for name, one in CLASSES.items()
    ]
    rows.sort(key=lambda one: (-one.number_open, one.severity, one.title))
    whole = counted(len(rows), "failure class has a runbook", "failure classes have a runbook")
    open_text = counted(len(open_ones), "open incident has one of its own", "open incidents have one of their own")
    return RunbooksView(
        sentence=f"{whole}; {open_text if open_ones else 'no incident is open'}.",
        incidents=open_ones,
        rows=rows,
    )


def view_one(asked: PageRequest) -> RunbookView:
    """One class. Raises `UsageError` if there is none of the name."""
    name = asked.path["failure_class"]
    if name not in CLASSES:
        raise UsageError(f"There is no failure class {name[:100]!r}: `reliability incidents classes` names all.")
    kind = CLASSES[name]
    return RunbookView(
        sentence=f"{kind.title}. {kind.contained_by}",
        failure_class=name,
        text=as_html(class_runbook(asked.settings, name)),
    )


PAGE = DashboardPage(
    "runbooks", "Runbooks", "What do we do when something goes wrong?", PageGroup.LESSONS, view, "runbooks"
)
ONE = DashboardPage(
    "runbooks/{failure_class}",
    "Runbook",
    "What do we do about this failure?",
    PageGroup.LESSONS,
    view_one,
    "runbook",
    in_navigation=False,
)
