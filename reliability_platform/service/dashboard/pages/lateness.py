"""Late data and the watermark: rows that come within the allowed time count, later ones are held, none is lost."""

from dataclasses import dataclass
from datetime import date

from reliability_platform.counted import counted
from reliability_platform.service.dashboard.charts import DayChart, bars
from reliability_platform.service.dashboard.check_strips import KEYS, CheckRow, checks_of_classes
from reliability_platform.service.dashboard.evidence import GradedRows, Row, graded_rows
from reliability_platform.service.dashboard.page import DashboardPage, PageGroup, PageRequest, PageView, Tone
from reliability_platform.service.queries.answer import Page, page
from reliability_platform.service.queries.sources import SourceStanding, source_standings

CLASSES = ("late_data", "held_late", "future_data", "shifted_timestamps", "freshness_breach", "missing_data")
"""The failure classes whose checks watch over times."""
LATE = {"series": "late, and counted", "amber": "beyond the watermark, and held"}


@dataclass(frozen=True, kw_only=True)
class LatenessView(PageView):
    """What the page shows."""

    sources: list[SourceStanding]
    checks: list[CheckRow]
    report: GradedRows | None
    days: Page[Row]
    """Days on which anything was late, the newest first."""
    chart: DayChart | None
    keys: tuple[tuple[str, str], ...] = KEYS


def view(asked: PageRequest) -> LatenessView:
    """Deadlines that come next, the checks of times, and what the last grading found."""
    report = graded_rows(asked, "watermark_validation_report")
    late = (
        []
        if report is None
        else [one for one in report.rows if one["rows_late_within"] or one["rows_held_beyond"] or not one["consistent"]]
    )
    late.sort(key=lambda one: (one["landing_date"], one["source"]), reverse=True)
    sources = source_standings(asked.settings, asked.engine, asked.now)
    sentence, tone = _answer(report, sources)
    return LatenessView(
        sentence=sentence,
        tone=tone,
        sources=sources,
        checks=checks_of_classes(asked, CLASSES),
        report=report,
        days=page(asked.window.cut(late), len(late), asked.window),
        chart=_chart(late),
    )


def _answer(report: GradedRows | None, sources: list[SourceStanding]) -> tuple[str, Tone]:
    at_risk = [one.source for one in sources if one.at_risk]
    risk = f"the next deadline of {', '.join(at_risk)} is at risk" if at_risk else "no deadline is at risk"
    if report is None or not report.rows:
        return f"Late rows were not graded yet; {risk}.", Tone.BAD if at_risk else Tone.PLAIN
    within = sum(one["rows_late_within"] for one in report.rows)
    beyond = sum(one["rows_held_beyond"] for one in report.rows)
    wrong = sum(not one["consistent"] for one in report.rows)
    text = f"{counted(within, 'row')} came late and within the watermark, {counted(beyond, 'row')} beyond it"
    if wrong:
        return f"{text}; on {counted(wrong, 'day')} the watermark was not kept; {risk}.", Tone.BAD
    return f"{text}, and each is where the watermark says; {risk}.", Tone.BAD if at_risk else Tone.GOOD


def _chart(late: list[Row]) -> DayChart | None:
    series: dict[str, dict[date, int]] = {name: {} for name in LATE}
    for one in late:
        day = date.fromisoformat(one["landing_date"])
        for name, field in (("series", "rows_late_within"), ("amber", "rows_held_beyond")):
            series[name][day] = series[name].get(day, 0) + one[field]
    days = sorted({day for counts in series.values() for day in counts})
    title = "Late rows by landing day"
    return bars(title, f"{title}; the table below has them by source.", days, series, LATE)


PAGE = DashboardPage(
    "lateness",
    "Late data",
    "What came late, and does it count as the watermark says?",
    PageGroup.DATA,
    view,
    "lateness",
)
