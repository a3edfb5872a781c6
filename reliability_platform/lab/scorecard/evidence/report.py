"""What an evidence report is: a declaration of its columns, and the function that gives its rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reliability_platform.lab.scorecard.evidence.run import GradedRun
from reliability_platform.lab.scorecard.evidence.text import cell

Row = Mapping[str, Any]
WALL_CLOCK = "_wall_clock"
"""How the name of every column ends that a second run of the same seed would fill differently."""


class Folder(StrEnum):
    """Where below the home a report is written."""

    SCORECARDS = "scorecards"
    INCIDENTS = "incidents"
    QUARANTINE = "quarantine"


@dataclass(frozen=True)
class ReportColumn:
    """One column: its name, what it means in one line, and its unit."""

    name: str
    meaning: str
    unit: str = "text"


@dataclass(frozen=True)
class Report:
    """One report. `rows` gives a value for each column and nothing else, in the order that `grain` names."""

    name: str
    folder: Folder
    about: str
    """The question that it answers."""
    grain: str
    """What one row is, and the order of the rows."""
    columns: tuple[ReportColumn, ...]
    rows: Callable[[GradedRun], Sequence[Row]]


def table(report: Report, run: GradedRun) -> list[dict[str, Any]]:
    """The rows of a report as its files hold them; made once per run, for other reports may sum them up.

    A row with another set of columns than declared is a bug of the report.
    """
    if report.name not in run.tables:
        names = [column.name for column in report.columns]
        rows = report.rows(run)
        for row in rows:
            if set(row) != set(names):
                raise RuntimeError(f"{report.name} gives other columns than it declares: {set(row) ^ set(names)}")
        run.tables[report.name] = [{name: cell(row[name]) for name in names} for row in rows]
    return run.tables[report.name]
