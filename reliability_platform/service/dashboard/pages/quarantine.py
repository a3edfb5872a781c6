"""Quarantine: what was kept out, why, and what became of it."""

from dataclasses import dataclass
from datetime import date

from reliability_platform.contracts import SOURCES
from reliability_platform.counted import counted
from reliability_platform.service.dashboard.charts import DayChart, bars
from reliability_platform.service.dashboard.page import DashboardPage, PageGroup, PageRequest, PageView, Tone
from reliability_platform.service.queries.answer import MAX_LIMIT, Page, Window
from reliability_platform.service.queries.quarantine import (
    QuarantineFilter,
    QuarantineTotals,
    RefusedFile,
    RejectedRows,
    file_page,
    quarantine_totals,
    row_page,
)

STATES = {"amber": "waiting", "grey": "replayed, superseded or discarded"}
FILTERS: dict[str, tuple[str, ...]] = {
    "source": tuple(SOURCES),
    "state": ("quarantined", "replayed", "superseded", "discarded"),
}


@dataclass(frozen=True, kw_only=True)
class QuarantineView(PageView):
    """What the page shows."""

    totals: QuarantineTotals
    rows: Page[RejectedRows]
    files: Page[RefusedFile]
    waiting: RejectedRows | RefusedFile | None
    """The first that has no end yet: what a replay would begin with; None if nothing waits."""
    chart: DayChart | None
    filters: dict[str, tuple[str, ...]]
    chosen: dict[str, str]
    keep: str


def view(asked: PageRequest) -> QuarantineView:
    """Rejected rows and refused files, the newest landing day first."""
    chosen = {name: value for name, known in FILTERS.items() if (value := asked.choice(name, known)) is not None}
    narrowed = QuarantineFilter(source=chosen.get("source"), state=chosen.get("state"))
    totals = quarantine_totals(asked.settings, asked.engine)
    waits = totals.waiting_rows + totals.waiting_files
    rows, files = row_page(asked.engine, narrowed, asked.window), file_page(asked.settings, narrowed, asked.window)
    shown: list[RejectedRows | RefusedFile] = [*rows.items, *files.items]
    return QuarantineView(
        sentence=_sentence(totals),
        tone=Tone.GOOD if not waits else Tone.PLAIN,
        totals=totals,
        rows=rows,
        files=files,
        waiting=next((one for one in shown if one.state == "quarantined"), None),
        chart=_chart(row_page(asked.engine, narrowed, Window(MAX_LIMIT)).items),
        filters=FILTERS,
        chosen=chosen,
        keep="".join(f"&{name}={value}" for name, value in chosen.items()),
    )


def _sentence(totals: QuarantineTotals) -> str:
    if not totals.waiting_rows + totals.waiting_files:
        return "Nothing waits in quarantine."
    rows = counted(totals.waiting_rows, "rejected row")
    files = counted(totals.waiting_files, "refused file")
    worst = max(totals.by_source.items(), key=lambda one: one[1], default=None)
    most = f"; most of {worst[0]}" if worst is not None and len(totals.by_source) > 1 else ""
    return f"{rows} and {files} wait for an end{most}."


def _chart(rows: list[RejectedRows]) -> DayChart | None:
    series: dict[str, dict[date, int]] = {name: {} for name in STATES}
    for one in rows:
        counts = series["amber" if one.state == "quarantined" else "grey"]
        counts[one.landing_date] = counts.get(one.landing_date, 0) + one.rows
    days = sorted({one.landing_date for one in rows})
    title = "Rejected rows by landing day"
    return bars(title, f"{title}; the table below has them by batch and reason.", days, series, STATES)


PAGE = DashboardPage(
    "quarantine", "Quarantine", "What was kept out, why, and what became of it?", PageGroup.DATA, view, "quarantine"
)
