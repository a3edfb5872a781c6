"""The objectives as JSON, as CSV and as a page: the same numbers for a program, a spreadsheet and a person."""

import csv
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from reliability_platform.atomic import write_atomically
from reliability_platform.counted import counted
from reliability_platform.csv_cell import csv_cell
from reliability_platform.day_clock import due_after
from reliability_platform.formats import NOTHING, joined
from reliability_platform.incidents.documents.blocks import Block, Bullets, Grid, Heading, Paragraph
from reliability_platform.settings import Settings
from reliability_platform.slo.runs import PIPELINE, RUNS, RunsStatus
from reliability_platform.slo.status import BadDay, ObjectiveStatus, SloStatus

DIGITS = 6
ADVICE = (
    "An exhausted budget holds no publication: checks alone do. It says where the next hour of work belongs: to what made the "
    "days bad, before anything new."
)


def _number(value: float | None) -> float | None:
    return None if value is None else round(float(value), DIGITS)


def _bad_day(one: BadDay) -> dict[str, Any]:
    return {
        "day": one.day.isoformat(),
        "checks": one.checks,
        "incidents": one.incidents,
        "noticed_later": one.noticed_later,
    }


def _incidents(one: ObjectiveStatus) -> list[str]:
    return sorted({incident for day in one.bad_days for incident in day.incidents})


def _burning(one: ObjectiveStatus | RunsStatus) -> dict[str, Any]:
    """How fast a budget burns, by window, and the alerts that this is enough for."""
    return {
        "burn_rates": {str(window): _number(burn.burn_rate) for window, burn in one.burns.items()},
        "burning": [alert.name for alert in one.burning],
    }


def _document(one: ObjectiveStatus) -> dict[str, Any]:
    objective, spent = one.objective, one.budget
    return {
        "dataset": objective.dataset,
        "objective": objective.name,
        "means": objective.means,
        "judged": objective.judged.value,
        "target": float(objective.target),
        "window_days": objective.window,
        "first_day": one.first_day.isoformat(),
        "last_day": one.last_day.isoformat(),
        "good": spent.good,
        "bad": spent.bad,
        "unknown": spent.unknown,
        "attained": _number(spent.attained),
        "budget_days": _number(float(spent.allowed)),
        "budget_left_days": _number(float(spent.remaining)),
        "budget_consumed": _number(spent.burn_rate),
        "exhausted": spent.exhausted,
        "missed": spent.missed,
        "exhausted_since": one.exhausted_since.isoformat() if one.exhausted_since else None,
        **_burning(one),
        "words": spent.words,
        "bad_days": [_bad_day(day) for day in one.bad_days],
        "unknown_days": [{"day": day.day.isoformat(), "checks": day.checks} for day in one.unknown_days],
        "incidents": _incidents(one),
    }


def _document_of_runs(one: RunsStatus) -> dict[str, Any]:
    spent = one.budget
    return {
        "target": float(one.target),
        "window_days": one.window,
        "good": spent.good,
        "bad": spent.bad,
        "attained": _number(spent.attained),
        "budget_runs": _number(float(spent.allowed)),
        "budget_left_runs": _number(float(spent.remaining)),
        "budget_consumed": _number(spent.burn_rate),
        "exhausted": spent.exhausted,
        "missed": spent.missed,
        **_burning(one),
        "words": one.words,
        "incidents": list(one.incidents),
    }


def document(status: SloStatus) -> dict[str, Any]:
    """Everything as one JSON document. Shares are 0 to 1, budgets are landing days, burn rates are by window in days."""
    return {
        "as_of": status.as_of.isoformat() if status.as_of else None,
        "exhausted": len(status.exhausted),
        "frozen": status.frozen,
        "objectives": [_document(one) for one in status.objectives],
        "runs": None if status.runs is None else _document_of_runs(status.runs),
    }


def as_json(status: SloStatus) -> bytes:
    """The document as a file."""
    return (json.dumps(document(status), indent=2, ensure_ascii=False) + "\n").encode()


def as_csv(status: SloStatus) -> bytes:
    """One row per objective, the one over runs last; lists are joined with `; `, days of bad and unknown partitions by their dates.

    What an objective does not have is empty: budgets of datasets are in landing days, that of runs in runs.
    """
    header = [
        *("dataset", "objective", "judged", "target", "window_days", "first_day", "last_day", "good", "bad", "unknown"),
        *("attained", "budget_days", "budget_left_days", "budget_runs", "budget_left_runs", "budget_consumed"),
        *("exhausted", "missed", "exhausted_since"),
        *(f"burn_rate_{window}" for window in status.burn_windows),
        *("burning", "bad_days", "unknown_days", "incidents", "words"),
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in [_document(one) for one in status.objectives] + _row_of_runs(status):
        row |= {f"burn_rate_{window}": rate for window, rate in row["burn_rates"].items()}
        row |= {name: [day["day"] for day in row.get(name, ())] for name in ("bad_days", "unknown_days")}
        writer.writerow([csv_cell(row.get(name)) for name in header])
    return text.getvalue().encode()


def _row_of_runs(status: SloStatus) -> list[dict[str, Any]]:
    return [{"dataset": PIPELINE, "objective": RUNS, **_document_of_runs(status.runs)}] if status.runs else []


def write_report(settings: Settings, status: SloStatus) -> list[Path]:
    """Write `slo/slo.json` and `slo/slo.csv` of the home; the same store gives the same bytes."""
    files = {settings.slo / "slo.json": as_json(status), settings.slo / "slo.csv": as_csv(status)}
    for path, content in files.items():
        write_atomically(path, content)
    return list(files)


def freeze_words(status: SloStatus) -> str:
    """Of which datasets changes are frozen, and what that means."""
    return (
        f"Frozen: {joined(status.frozen)}. Changes of their models and contracts are refused until the budget has recovered or "
        "`reliability run --approve --why REASON` lets them through; data flow on."
    )


def staleness(status: SloStatus, engine: Engine, now: datetime) -> str | None:
    """What to say if days that were due have not been judged at all; None if the newest was."""
    if status.as_of is None:
        return "No landing day has been judged yet: `reliability run --from DAY --to DAY` does."
    unjudged = due_after(engine, status.as_of, now)
    if not unjudged:
        return None
    return (
        f"{status.as_of} is the newest day looked at; {counted(unjudged, 'later day is', 'later days are')} over and "
        "not in these numbers."
    )


def share(value: float | None) -> str:
    """A share for a person; as many digits as tell 99.9 % from 100 %."""
    return NOTHING if value is None else f"{100 * value:.4g} %"


def rate(value: float | None) -> str:
    """A burn rate for a person."""
    return NOTHING if value is None else f"{value:.1f}"


def people_header(status: SloStatus) -> list[str]:
    """The header of the table for people."""
    burns = [f"burn {window}" for window in status.burn_windows]
    return [
        "dataset",
        "objective",
        "target",
        "good / bad / unknown",
        "budget left",
        *burns,
        "burning",
        "exhausted since",
    ]


def people_row(one: ObjectiveStatus) -> list[str]:
    """One objective as a line of that table."""
    spent = one.budget
    return [
        one.objective.dataset,
        one.objective.name,
        f"{share(float(one.objective.target))} of {one.objective.window}",
        f"{spent.good} / {spent.bad} / {spent.unknown}",
        f"{float(spent.remaining):.2f} of {float(spent.allowed):.2f}" if spent.judged else NOTHING,
        *(rate(burn.burn_rate) for burn in one.burns.values()),
        ", ".join(alert.name for alert in one.burning) or NOTHING,
        f"{one.exhausted_since}{', missed' if spent.missed else ''}" if one.exhausted_since else NOTHING,
    ]


def page(status: SloStatus) -> list[Block]:
    """The page of the asset: what is exhausted first, then all objectives, then the days that spent the budgets."""
    blocks: list[Block] = [Heading(1, f"Service level objectives as of {status.as_of or 'never'}")]
    runs = [] if status.runs is None else [Paragraph(f"Runs: {status.runs.words}")]
    if not status.objectives:
        return [*blocks, Paragraph("No landing day has been judged yet."), *runs]
    exhausted = status.exhausted
    blocks.append(Paragraph(f"Error budgets exhausted: {len(exhausted)} of {len(status.objectives)}. {ADVICE}"))
    if exhausted:
        lines = [f"{one.objective.dataset} {one.objective.name}: {one.budget.words}" for one in exhausted]
        blocks += [Heading(2, "Exhausted"), Bullets(lines)]
    if status.frozen:
        blocks.append(Paragraph(freeze_words(status)))
    blocks += [
        Heading(2, "All objectives"),
        Grid(people_header(status), [people_row(one) for one in status.objectives]),
        Paragraph(
            "Days are landing days. A burn rate of 1 spends the budget in exactly its window. Days that were bad when "
            "first judged stay bad, healed or not; unknown days are neither good nor bad."
        ),
        *runs,
    ]
    spent = [
        [
            one.objective.dataset,
            one.objective.name,
            str(day.day),
            _few(day.checks),
            ", ".join(day.incidents) or "none yet",
            "later" if day.noticed_later else "at first",
        ]
        for one in status.objectives
        for day in one.bad_days
    ]
    if spent:
        header = ["dataset", "objective", "landing day", "failed", "incidents", "noticed"]
        blocks += [Heading(2, "What has spent the budgets"), Grid(header, spent)]
    return blocks


def _few(checks: list[str]) -> str:
    more = f" and {len(checks) - 2} more" if len(checks) > 2 else ""
    return ", ".join(checks[:2]) + more
