"""The executive overview: whether consumers can trust what they read, on one screen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from reliability_platform.counted import counted
from reliability_platform.formats import NOTHING, joined, span
from reliability_platform.service.dashboard.charts import DayChart, bars
from reliability_platform.service.dashboard.page import DashboardPage, KeyNumber, PageGroup, PageRequest, PageView, Tone
from reliability_platform.service.queries.answer import MAX_LIMIT, Page, Window
from reliability_platform.service.queries.health import Readiness, readiness
from reliability_platform.service.queries.incidents import IncidentFilter, IncidentSummary, incident_page
from reliability_platform.service.queries.slo import SloReport, slo_report
from reliability_platform.service.queries.summary import PipelineSummary, pipeline_summary

SEVERITIES = {
    "P0": "P0: critical readers were shown wrong numbers",
    "P1": "P1",
    "P2": "P2",
    "P3": "P3: told, nothing is held",
}


@dataclass(frozen=True, kw_only=True)
class OverviewView(PageView):
    """What the first page shows."""

    summary: PipelineSummary
    numbers: list[KeyNumber]
    chart: DayChart | None
    incidents: Page[IncidentSummary]
    """Open ones."""
    health: Readiness


def view(asked: PageRequest) -> OverviewView:
    """The state of the pipeline now."""
    summary = pipeline_summary(asked.settings, asked.engine, asked.now)
    objectives = slo_report(asked.settings, asked.engine, asked.now)
    health = readiness(asked.settings, asked.engine, asked.now)
    open_ones = incident_page(asked.settings, asked.engine, asked.now, IncidentFilter(only_open=True), Window(10))
    newest = incident_page(asked.settings, asked.engine, asked.now, window=Window(MAX_LIMIT))
    sentence, tone = _answer(summary)
    return OverviewView(
        sentence=sentence,
        tone=tone,
        summary=summary,
        numbers=_numbers(summary, objectives, health),
        chart=by_landing_day(newest.items, summary.newest_day),
        incidents=open_ones,
        health=health,
    )


def _answer(summary: PipelineSummary) -> tuple[str, Tone]:
    if summary.published is None:
        return "Nothing has been published yet: consumers read nothing.", Tone.PLAIN
    bad = {name: summary.open_incidents.get(name, 0) for name in ("P0", "P1")}
    number_open, held = sum(summary.open_incidents.values()), summary.published.held
    kept = f"{counted(len(held), 'landing day is', 'landing days are')} held back from them" if held else ""
    if number_open == 0:
        if held:
            return f"No incident is open, and {kept}.", Tone.PLAIN
        return "Consumers read audited data, no incident is open and nothing is held back.", Tone.GOOD
    worst = joined([f"{number} of {name}" for name, number in bad.items() if number])
    text = f"{counted(number_open, 'incident is', 'incidents are')} open" + (f", {worst}" if worst else "")
    return f"{text}; {kept or 'nothing is held back from consumers'}.", Tone.BAD if worst or held else Tone.PLAIN


def _numbers(summary: PipelineSummary, objectives: SloReport, health: Readiness) -> list[KeyNumber]:
    number_open = sum(summary.open_incidents.values())
    checks, waiting, run = summary.checks, summary.quarantine, summary.last_run
    by_severity = ", ".join(f"{number} {name}" for name, number in summary.open_incidents.items() if number)
    failed = 0 if checks is None else checks.failed
    return [
        KeyNumber(
            "Open incidents", f"{number_open:,}", by_severity, Tone.BAD if number_open else Tone.GOOD, "incidents"
        ),
        KeyNumber(
            "Failed checks",
            NOTHING if checks is None else f"{failed:,}",
            "nothing was judged yet" if checks is None else f"{checks.passed:,} passed on {summary.newest_day}",
            Tone.BAD if failed else Tone.PLAIN,
            "dag",
        ),
        KeyNumber(
            "Objectives without budget",
            f"{objectives.exhausted:,}",
            f"of {len(objectives.objectives):,}",
            Tone.BAD if objectives.exhausted else Tone.PLAIN,
            "sla",
        ),
        KeyNumber(
            "Rows in quarantine",
            f"{waiting.waiting_rows:,}",
            counted(waiting.waiting_files, "whole file waits", "whole files wait"),
            link="quarantine",
        ),
        KeyNumber(
            "Published version",
            NOTHING if summary.published is None else summary.published.version,
            "" if summary.published is None else counted(len(summary.published.held), "held landing day"),
        ),
        KeyNumber(
            "Last run",
            NOTHING if run is None else run.outcome,
            "" if run is None else span([run.first_day, run.last_day]),
            Tone.BAD if run is not None and run.outcome in ("failed", "killed", "blocked") else Tone.PLAIN,
            "dag",
        ),
        KeyNumber(
            "Daemons",
            f"{sum(one.beats for one in health.daemons)} of {len(health.daemons)}" if health.daemons else "none",
            "run schedules and sensors",
            Tone.BAD if any(not one.beats for one in health.daemons) else Tone.PLAIN,
        ),
    ]


def by_landing_day(incidents: list[IncidentSummary], newest_day: date | None) -> DayChart | None:
    """Incidents by the first landing day that they touch, and severity."""
    firsts = [one.landing_days[0] for one in incidents if one.landing_days]
    if not firsts:
        return None
    last = max([*firsts, *([newest_day] if newest_day else [])])
    first = min(firsts)
    series: dict[str, dict[date, int]] = {name: {} for name in SEVERITIES}
    for one in incidents:
        if one.landing_days:
            counts = series[one.severity.value]
            counts[one.landing_days[0]] = counts.get(one.landing_days[0], 0) + 1
    used: Mapping[str, dict[date, int]] = {name: counts for name, counts in series.items() if counts}
    title = "Incidents by landing day and severity"
    alt = f"{counted(len(firsts), 'incident')} on landing days {first} to {last}; the table below names them."
    return bars(title, alt, [first, last], used, {name: SEVERITIES[name] for name in used})


PAGE = DashboardPage("", "Overview", "Can consumers trust what they read?", PageGroup.NOW, view, "overview")
