"""The report of a drill: JSON for programs, Markdown for people, an entry in the log for the calendar."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from reliability_platform.atomic import write_atomically
from reliability_platform.formats import NOTHING, second
from reliability_platform.incidents.documents.blocks import Block, Bullets, Grid, Heading, Paragraph
from reliability_platform.incidents.documents.render import markdown
from reliability_platform.lab.drills.drills import DrillReport
from reliability_platform.recovery.drill_log import DrillLog
from reliability_platform.settings import Settings

ABOUT = (
    "The loss was real, and so was the recovery; both happened on a clone of the home, made for the drill and removed "
    "after it, so that consumers and writers of the home never noticed."
)


def _yes(answer: bool | None) -> str:
    return {True: "yes", False: "NO", None: "not asked"}[answer]


def blocks(report: DrillReport) -> list[Block]:
    """The document as data."""
    days = ", ".join(day.isoformat() for day in report.landing_days_built_again) or "none"
    found: list[Block] = [
        Heading(1, f"Drill {report.drill}: {'objectives met' if report.met else 'objectives NOT met'}"),
        Paragraph(f"Begun {second(report.began_at)} UTC. Lost: {report.lost}. {ABOUT}"),
        Grid(
            ("measure", "measured", "objective"),
            (
                ("rows lost (RPO)", f"{report.rows_lost:,}", f"at most {report.objective_rows:,}"),
                ("seconds to recover (RTO)", f"{report.recovery_seconds:.1f}", f"at most {report.objective_seconds:g}"),
                ("landing partitions lost", str(len(report.partitions_lost)), "0"),
                ("equal to before, row for row", _yes(report.equal_to_before), "yes"),
                ("equal to a run without failures", _yes(report.oracle_equal), "yes, if nothing was held before"),
                ("landing partitions held before", str(report.held_before), NOTHING),
            ),
        ),
    ]
    if report.snapshot is not None:
        found.append(
            Paragraph(f"From snapshot {report.snapshot}, {(report.snapshot_age_seconds or 0) / 3600:.1f} hours old.")
        )
    found += [
        Paragraph(f"Landing days built again: {days}."),
        Heading(2, "Steps"),
        Grid(("step", "seconds"), [(step, f"{seconds:.1f}") for step, seconds in report.steps.items()]),
        Heading(2, "Tables"),
        Grid(
            ("layer", "table", "rows", "as before", "rows lost"),
            [
                (one["layer"], one["table"], f"{one['rows']:,}", _yes(one["equal_to_before"]), f"{one['rows_lost']:,}")
                for one in report.tables
            ],
        ),
    ]
    if report.remarks:
        found += [Heading(2, "Remarks"), Bullets(report.remarks)]
    return found


def keep(settings: Settings, engine: Engine, report: DrillReport) -> Path:
    """Write the report into the home and the entry into the log; returns the Markdown file."""
    remark = " ".join(report.remarks)
    number = DrillLog(engine).record(
        report.drill, report.began_at, report.rows_lost, report.recovery_seconds, report.met, remark
    )
    return write_report(
        settings, f"{number:04d}-{report.drill}", {"number": number, **report.document()}, blocks(report)
    )


def write_report(settings: Settings, name: str, document: Mapping[str, Any], page: Sequence[Block]) -> Path:
    """Write a report as JSON and as Markdown; returns the Markdown file."""
    path = settings.drills / f"{name}.md"
    write_atomically(path.with_suffix(".json"), (json.dumps(document, indent=2, default=str) + "\n").encode())
    write_atomically(path, markdown(page).encode())
    return path
