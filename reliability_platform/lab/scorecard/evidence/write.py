"""Writes every report as JSON and as CSV, and the index that documents their columns."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from reliability_platform.atomic import write_atomically
from reliability_platform.csv_cell import csv_cell
from reliability_platform.lab.scorecard.evidence.catalogue import REPORTS
from reliability_platform.lab.scorecard.evidence.report import Folder, Report, table
from reliability_platform.lab.scorecard.evidence.run import StageTiming, opened
from reliability_platform.lab.scorecard.score import Scorecard
from reliability_platform.settings import Settings

INDEX = "README.md"
REPORTS_FILE = "reports.json"
"""What the index says, for programs: name, question and place of each report."""


def write_evidence(
    settings: Settings, engine: Engine, card: Scorecard, stage_seconds: Sequence[StageTiming] = ()
) -> list[Path]:
    """Write all reports of a graded run below the home; returns the files, the index last.

    `stage_seconds` are durations of steps (seconds) that only an orchestrator has measured; without them those
    columns are null. The same run gives the same bytes. Raises `EnvironmentUnusableError` if there is no warehouse.
    """
    with opened(settings, engine, card, stage_seconds) as run:
        contents = {report: table(report, run) for report in REPORTS}
    files = []
    for report, rows in contents.items():
        target = settings.home / report.folder / report.name
        for suffix, content in ((".json", as_json(rows)), (".csv", as_csv(report, rows))):
            write_atomically(target.with_suffix(suffix), content)
            files.append(target.with_suffix(suffix))
    for name, content in ((REPORTS_FILE, as_json(_declared(REPORTS))), (INDEX, index(REPORTS))):
        files.append(settings.home / Folder.SCORECARDS / name)
        write_atomically(files[-1], content)
    return files


def _declared(reports: Sequence[Report]) -> list[dict[str, Any]]:
    return [
        {"name": report.name, "about": report.about, "file": f"{report.folder}/{report.name}.json"}
        for report in reports
    ]


def as_json(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A list of objects, one per line."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return f"[\n{lines}\n]\n".encode() if lines else b"[]\n"


def as_csv(report: Report, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A header and a line per row; lists are joined with `; `."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in report.columns])
    writer.writerows([csv_cell(row[column.name]) for column in report.columns] for row in rows)
    return text.getvalue().encode()


def index(reports: Sequence[Report]) -> bytes:
    """The document that says what each file answers and what each column means."""
    lines = [
        "# Evidence",
        "",
        "Generated. Every report is there as JSON (a list of objects) and as CSV (the same cells; lists joined with",
        "`; `, no value as an empty cell, text that a spreadsheet would execute behind an apostrophe). The same seed",
        "gives the same rows in the same order, except for columns whose name ends in `_wall_clock`: these tell when",
        "and how fast this very run was. No report holds anybody's data.",
        "",
        "| report | question |",
        "|---|---|",
        *(f"| [{report.name}](#{report.name}) | {report.about} |" for report in reports),
    ]
    for report in reports:
        place = f"../{report.folder}/{report.name}" if report.folder is not Folder.SCORECARDS else report.name
        lines += [
            "",
            f"## {report.name}",
            "",
            f"[JSON]({place}.json), [CSV]({place}.csv). {report.about} {report.grain}",
            "",
            "| column | meaning | unit |",
            "|---|---|---|",
            *(f"| `{column.name}` | {column.meaning} | {column.unit} |" for column in report.columns),
        ]
    return ("\n".join(lines) + "\n").encode()
