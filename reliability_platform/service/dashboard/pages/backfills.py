"""Backfill safety: days that were run again or replaced, and whether that ever counted rows twice."""

from dataclasses import dataclass
from datetime import date

from reliability_platform.counted import counted
from reliability_platform.service.dashboard.charts import DayChart, bars
from reliability_platform.service.dashboard.evidence import GradedRows, Row, graded_rows
from reliability_platform.service.dashboard.page import ROWS, DashboardPage, PageGroup, PageRequest, PageView, Tone
from reliability_platform.service.queries.answer import Page, Window, page
from reliability_platform.service.queries.backfills import OverruledBackfill, overruled_backfills
from reliability_platform.service.queries.runs import PipelineRun, RunFilter, run_page


@dataclass(frozen=True, kw_only=True)
class BackfillsView(PageView):
    """What the page shows."""

    blocked: Page[PipelineRun]
    """Runs to which the guard objected."""
    overruled: Page[OverruledBackfill]
    report: GradedRows | None
    days: Page[Row]
    """Days that were run again, unsafe ones first."""
    chart: DayChart | None


def view(asked: PageRequest) -> BackfillsView:
    """What the guard stopped, what people let through, and what the last grading found of days run again."""
    report = graded_rows(asked, "backfill_safety_report")
    days = [] if report is None else sorted(report.rows, key=lambda one: (one["safe"], one["landing_date"]))
    blocked = run_page(asked.settings, asked.engine, RunFilter(outcome="blocked"), Window(ROWS))
    overruled = overruled_backfills(asked.engine, Window(ROWS))
    sentence, tone = _answer(days, blocked.total, overruled.total)
    return BackfillsView(
        sentence=sentence,
        tone=tone,
        blocked=blocked,
        overruled=overruled,
        report=report,
        days=page(asked.window.cut(days), len(days), asked.window),
        chart=_chart(days),
    )


def _answer(days: list[Row], blocked: int, overruled: int) -> tuple[str, Tone]:
    guard = f"the guard has stopped {counted(blocked, 'run')}, people have overruled it in {counted(overruled, 'case')}"
    unsafe = sum(not one["safe"] for one in days)
    if unsafe:
        return f"{counted(unsafe, 'rerun day is', 'rerun days are')} not safe, of {len(days):,}; {guard}.", Tone.BAD
    if days:
        return f"All of {counted(len(days), 'rerun day')} are what one run would have given; {guard}.", Tone.GOOD
    return f"No rerun day was graded yet; {guard}.", Tone.PLAIN


KEYS = {"passed": "safe", "failed": "not safe"}


def _chart(rows: list[Row]) -> DayChart | None:
    series: dict[str, dict[date, int]] = {name: {} for name in KEYS}
    for one in rows:
        day, name = date.fromisoformat(one["landing_date"]), "passed" if one["safe"] else "failed"
        series[name][day] = series[name].get(day, 0) + 1
    used = {name: counts for name, counts in series.items() if counts}
    days = sorted({day for counts in used.values() for day in counts})
    title = "Rerun days, by landing day and how many sources"
    return bars(title, f"{title}; the table below names them.", days, used, {name: KEYS[name] for name in used})


PAGE = DashboardPage(
    "backfills", "Backfill safety", "Can days be run again without harm?", PageGroup.CHANGES, view, "backfills"
)
