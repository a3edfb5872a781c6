"""Scorecards and other evidence: the reports that the last grading of the home has left in its folders."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.service.queries.answer import EVERYTHING, Page, QueryAnswer, Window, page
from reliability_platform.settings import Settings

FOLDERS = ("scorecards", "incidents", "quarantine")
"""Where below the home reports lie."""
INDEX = Path("scorecards", "README.md")
"""Says what each report answers, and what its columns mean."""
_LINE = re.compile(r"^\| \[(?P<name>\w+)\]\(#\w+\) \| (?P<about>.*) \|$", re.MULTILINE)


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
        declared = dict(_LINE.findall((settings.home / INDEX).read_text(encoding="utf-8")))
    except OSError:
        return []
    found = []
    for name, about in declared.items():
        path = next((one for folder in FOLDERS if (one := settings.home / folder / f"{name}.json").is_file()), None)
        if path is not None:
            written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            file = path.relative_to(settings.home).as_posix()
            found.append(EvidenceReport(name=name, about=about, written_at=written, file=file))
    return found


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
