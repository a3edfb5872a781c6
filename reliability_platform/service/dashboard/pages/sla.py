"""Service levels: which objectives hold, what is left of their error budgets, and what has spent them."""

from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup

from reliability_platform.counted import counted
from reliability_platform.formats import joined, number, percent
from reliability_platform.service.dashboard.charts import strip
from reliability_platform.service.dashboard.page import DashboardPage, KeyNumber, PageGroup, PageRequest, PageView, Tone
from reliability_platform.service.queries.slo import ObjectiveReport, RunsReport, SloReport, slo_report

KEYS = (("green", "good day"), ("red", "bad day"), ("amber", "nobody can say"))


@dataclass(frozen=True)
class ObjectiveRow:
    """One objective with its days drawn."""

    report: ObjectiveReport
    width: int
    """Days of its window."""
    cells: Markup


@dataclass(frozen=True, kw_only=True)
class SlaView(PageView):
    """What the page shows."""

    report: SloReport
    runs: KeyNumber | None
    """The objective over runs; None where none is promised."""
    rows: list[ObjectiveRow]
    keys: tuple[tuple[str, str], ...] = KEYS


def view(asked: PageRequest) -> SlaView:
    """Where each objective stands; those without budget first."""
    report = slo_report(asked.settings, asked.engine, asked.now)
    judged = [one for one in report.objectives if one.good + one.bad + one.unknown]
    judged.sort(key=lambda one: (not one.exhausted, one.budget_left_days))
    sentence, tone = _answer(report, judged)
    rows, runs = [_row(one) for one in judged], None if report.runs is None else _of_runs(report.runs)
    return SlaView(sentence=sentence, tone=tone, report=report, runs=runs, rows=rows)


def _of_runs(one: RunsReport) -> KeyNumber:
    left = f"{number(one.budget_left_runs)} of {number(one.budget_runs)} that may fail are left" + (
        ", and the budget burns" if one.burning else ""
    )
    tone = Tone.BAD if one.missed or one.burning else Tone.PLAIN
    return KeyNumber("Runs that ended well", percent(one.attained), f"{percent(one.target)} promised; {left}", tone)


def _answer(report: SloReport, judged: list[ObjectiveReport]) -> tuple[str, Tone]:
    if not judged:
        return "No landing day was judged yet, so no objective is kept or missed.", Tone.PLAIN
    whole = counted(len(judged), "objective")
    if report.exhausted:
        many = counted(report.exhausted, "has no error budget left", "have no error budget left")
        frozen = f" Changes of {joined(report.frozen)} are frozen." if report.frozen else ""
        return f"Of {whole}, {many} as of landing day {report.as_of}.{frozen}", Tone.BAD
    return f"All of {whole} hold as of landing day {report.as_of}.", Tone.GOOD


def _row(one: ObjectiveReport) -> ObjectiveRow:
    days = [one.first_day + timedelta(days=offset) for offset in range((one.last_day - one.first_day).days + 1)]
    classes: dict[date, tuple[str, str]] = dict.fromkeys(days, ("green", "good"))
    classes |= {bad.day: ("red", f"bad: {', '.join(bad.checks)}") for bad in one.bad_days}
    classes |= {unknown.day: ("amber", f"not evaluated: {', '.join(unknown.checks)}") for unknown in one.unknown_days}
    return ObjectiveRow(one, len(days), strip(days, classes))


PAGE = DashboardPage(
    "sla", "SLA", "Which promises do we keep, and what is left of their budgets?", PageGroup.NOW, view, "sla"
)
