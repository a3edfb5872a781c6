"""Failure-scenario detection: what was broken on purpose, and whether it was noticed, contained and healed."""

from dataclasses import dataclass
from datetime import date

from reliability_platform.counted import counted
from reliability_platform.formats import percent
from reliability_platform.service.dashboard.charts import DayChart, bars
from reliability_platform.service.dashboard.evidence import GradedRows, Row, graded_rows
from reliability_platform.service.dashboard.page import DashboardPage, PageGroup, PageRequest, PageView, Tone
from reliability_platform.service.queries.answer import Page, page

KEYS = {"passed": "noticed", "amber": "told, not held", "failed": "missed"}


@dataclass(frozen=True, kw_only=True)
class DetectionView(PageView):
    """What the page shows."""

    scorecard: GradedRows | None
    """None where nothing was graded."""
    injections: Page[Row]
    accuracy: list[Row]
    """By family and fault: how many were noticed, how many alarms were false."""
    chart: DayChart | None


def view(asked: PageRequest) -> DetectionView:
    """The last grading."""
    scorecard, accuracy = (
        graded_rows(asked, "pipeline_reliability_scorecard"),
        graded_rows(asked, "incident_detection_accuracy_report"),
    )
    injections = [] if scorecard is None else [one for one in scorecard.rows if one["row_kind"] == "injection"]
    sentence, tone = _answer(injections, accuracy)
    return DetectionView(
        sentence=sentence,
        tone=tone,
        scorecard=scorecard,
        injections=page(asked.window.cut(injections), len(injections), asked.window),
        accuracy=[] if accuracy is None else [one for one in accuracy.rows if one["level"] != "overall"],
        chart=_chart(injections),
    )


def _answer(injections: list[Row], accuracy: GradedRows | None) -> tuple[str, Tone]:
    if not injections:
        return "Nothing was broken on purpose and graded yet.", Tone.PLAIN
    noticed = sum(bool(one["detected"]) for one in injections)
    healed = sum(bool(one["healed"]) for one in injections)
    overall = next((one for one in accuracy.rows if one["level"] == "overall"), None) if accuracy else None
    false_alarms = (
        f"; precision {percent(overall['precision'])}" if overall and overall["precision"] is not None else ""
    )
    whole = counted(len(injections), "injected failure")
    tone = Tone.GOOD if noticed == healed == len(injections) else Tone.PLAIN
    return f"Of {whole}, {noticed:,} were noticed and {healed:,} healed{false_alarms}.", tone


def _chart(injections: list[Row]) -> DayChart | None:
    series: dict[str, dict[date, int]] = {name: {} for name in KEYS}
    for one in injections:
        kind = "failed" if not one["detected"] else "amber" if one["told"] else "passed"
        day = date.fromisoformat(one["landing_date"])
        series[kind][day] = series[kind].get(day, 0) + 1
    used = {name: counts for name, counts in series.items() if counts}
    days = sorted({day for counts in used.values() for day in counts})
    title, alt = "Injected failures by landing day", "Injected failures by landing day; the table below names each."
    return bars(title, alt, days, used, {name: KEYS[name] for name in used})


PAGE = DashboardPage(
    "detection", "Failure scenarios", "Which failures do our checks notice?", PageGroup.LESSONS, view, "detection"
)
