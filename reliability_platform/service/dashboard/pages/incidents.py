"""The incident timeline: which incidents there were, and where each stands."""

from dataclasses import dataclass

from reliability_platform.contracts import SOURCES
from reliability_platform.counted import counted
from reliability_platform.incidents.classes import CLASSES, Severity
from reliability_platform.incidents.model import State
from reliability_platform.service.dashboard.charts import DayChart
from reliability_platform.service.dashboard.page import DashboardPage, PageGroup, PageRequest, PageView, Tone
from reliability_platform.service.dashboard.pages.overview import by_landing_day
from reliability_platform.service.queries.answer import MAX_LIMIT, Page, Window
from reliability_platform.service.queries.incidents import (
    IncidentFilter,
    IncidentSummary,
    incident_page,
    open_by_severity,
)

FILTERS: dict[str, tuple[str, ...]] = {
    "open": ("yes",),
    "severity": tuple(one.value for one in Severity),
    "state": tuple(one.value for one in State),
    "source": tuple(SOURCES),
    "failure_class": tuple(CLASSES),
}
"""What the list can be narrowed by, and the values of each."""


@dataclass(frozen=True, kw_only=True)
class IncidentsView(PageView):
    """What the list shows."""

    page: Page[IncidentSummary]
    chart: DayChart | None
    filters: dict[str, tuple[str, ...]]
    chosen: dict[str, str]
    keep: str
    """What the addresses of other pages of the list carry of the filters."""


def view(asked: PageRequest) -> IncidentsView:
    """A page of incidents, the newest first."""
    chosen = {name: value for name, known in FILTERS.items() if (value := asked.choice(name, known)) is not None}
    narrowed = IncidentFilter(
        only_open="open" in chosen,
        severity=chosen.get("severity"),
        state=chosen.get("state"),
        source=chosen.get("source"),
        failure_class=chosen.get("failure_class"),
    )
    found = incident_page(asked.settings, asked.engine, asked.now, narrowed, asked.window)
    drawn = incident_page(asked.settings, asked.engine, asked.now, narrowed, Window(MAX_LIMIT))
    return IncidentsView(
        sentence=_sentence(asked, found.total, bool(chosen)),
        tone=Tone.PLAIN if any(open_by_severity(asked.engine).values()) else Tone.GOOD,
        page=found,
        chart=by_landing_day(drawn.items, None),
        filters=FILTERS,
        chosen=chosen,
        keep="".join(f"&{name}={value}" for name, value in chosen.items()),
    )


def _sentence(asked: PageRequest, total: int, narrowed: bool) -> str:
    by_severity = open_by_severity(asked.engine)
    number = sum(by_severity.values())
    parts = ", ".join(f"{many} {name}" for name, many in by_severity.items() if many)
    standing = f"{counted(number, 'incident is', 'incidents are')} open ({parts})" if number else "No incident is open"
    if narrowed:
        return f"{standing}; the filter finds {counted(total, 'incident')}."
    return (
        f"{standing}; there were {counted(total, 'incident')} in all." if total else "There has been no incident yet."
    )


PAGE = DashboardPage(
    "incidents", "Incidents", "What went wrong, and where does each incident stand?", PageGroup.NOW, view, "incidents"
)
