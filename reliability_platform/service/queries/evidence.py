"""Scorecards and other evidence: the reports that the last grading of the home has left in its folders."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.service.queries.answer import EVERYTHING, Page, QueryAnswer, Window, page
from reliability_platform.settings import Settings

DECLARED = Path("scorecards", "reports.json")
"""Says which reports the last grading has written, what each answers, and where it lies below the home."""


class EvidenceReport(QueryAnswer):
    """One report of the last grading."""

    name: str
    """As `pipeline_reliability_scorecard`."""
    about: str
    """The question that it answers."""
    written_at: datetime
    """When it was written."""
    file: str
    """Where it lies below the home."""


def evidence_reports(settings: Settings) -> list[EvidenceReport]:
    """The reports that the last grading has left; none before the first one."""
    try:
        declared = json.loads((settings.home / DECLARED).read_text(encoding="utf-8"))
        return [
            EvidenceReport(**one, written_at=datetime.fromtimestamp((settings.home / one["file"]).stat().st_mtime, UTC))
            for one in declared
            if (settings.home / one["file"]).is_file()
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError):
        raise EnvironmentUnusableError(
            f"The list of reports {DECLARED} cannot be read: `reliability scorecard` writes it anew."
        ) from None


def evidence_rows(settings: Settings, name: str, window: Window = EVERYTHING) -> Page[dict[str, Any]]:
    """The rows of one report. Raises `UsageError` if there is none of the name."""
    report = next((one for one in evidence_reports(settings) if one.name == name), None)
    if report is None:
        known = (
            ", ".join(one.name for one in evidence_reports(settings)) or "none yet: `reliability scorecard` writes them"
        )
        raise UsageError(f"There is no report {name!r}; there are: {known}.")
    try:
        rows = json.loads((settings.home / report.file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise EnvironmentUnusableError(
            f"The report {report.file} cannot be read: `reliability scorecard` writes it anew."
        ) from None
    return page(window.cut(rows), len(rows), window)
