"""Rows of a report of the last grading, for pages that show one. A home that was never graded has none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reliability_platform.formats import NOTHING, number, percent
from reliability_platform.service.dashboard.page import PageRequest
from reliability_platform.service.queries.answer import MAX_LIMIT, Page, Window, page
from reliability_platform.service.queries.evidence import evidence_reports, evidence_rows

Row = dict[str, Any]


@dataclass(frozen=True)
class GradedRows:
    """All rows of one report."""

    name: str
    written_at: datetime
    rows: list[Row]

    def window(self, rows: Sequence[Row], asked: PageRequest) -> Page[Row]:
        """One part of some of the rows."""
        return page(asked.window.cut(list(rows)), len(rows), asked.window)


def graded_rows(asked: PageRequest, name: str) -> GradedRows | None:
    """A report of the last grading; None where nothing was graded yet."""
    report = next((one for one in evidence_reports(asked.settings) if one.name == name), None)
    if report is None:
        return None
    rows: list[Row] = []
    while True:
        part = evidence_rows(asked.settings, name, Window(MAX_LIMIT, len(rows)))
        rows += part.items
        if part.next_offset is None:
            return GradedRows(name, report.written_at, rows)


def said(value: object) -> str:
    """A field of a report as people read it; a list of more than three names is counted."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        names = [str(one) for one in value]
        return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or NOTHING
    return number(value)


def share(value: object) -> str:
    """A share of a report."""
    return percent(value) if isinstance(value, float | int) else NOTHING
