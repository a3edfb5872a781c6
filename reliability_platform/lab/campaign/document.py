"""The campaign's document as a home keeps it: the last one that was run."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reliability_platform.atomic import write_atomically
from reliability_platform.csv_cell import csv_cell
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.settings import Settings


def _path(settings: Settings) -> Path:
    return settings.home / "scorecards" / "campaign.json"


def keep_campaign(settings: Settings, document: Mapping[str, Any]) -> Path:
    """Write it in one step, and its figures of the healing as CSV beside it; returns the path of the document."""
    path = _path(settings)
    write_atomically(path, (json.dumps(document, indent=1) + "\n").encode())
    healing, drills = document["summary"].get("healing") or {}, document.get("drills") or {}
    families = [*healing.get("by_family", ()), *([{**healing, "family": "all"}] if healing else ())]
    for name, columns, rows in (
        ("campaign_healing.csv", FAMILY, families),
        ("campaign_drills.csv", DRILL, drills.get("drills") or []),
    ):
        _write_csv(path.with_name(name), columns, rows)
    return path


FAMILY = (
    *("family", "scenarios", "healed", "n", "median_seconds", "p95_seconds", "incidents", "remediations"),
    "remediations_per_incident",
)
DRILL = (
    *("drill", "rows_lost", "objective_rows", "recovery_seconds", "objective_seconds", "equal_to_before"),
    *("oracle_equal", "met"),
)


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows with a header; no file if there is nothing, not even one of an earlier campaign."""
    if not rows:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([csv_cell(row.get(name)) for name in columns] for row in rows)
    write_atomically(path, text.getvalue().encode())


def last_campaign(settings: Settings) -> dict[str, Any] | None:
    """The document; None if no campaign was run. Raises `EnvironmentUnusableError` if the file is something else."""
    path = _path(settings)
    if not path.exists():
        return None
    try:
        document: dict[str, Any] = json.loads(path.read_text())
        if not {"scenarios", "controls", "summary", "mutation"} <= document.keys():
            raise ValueError
    except (ValueError, AttributeError):
        raise EnvironmentUnusableError(f"{path} is no campaign: delete it, then run `reliability campaign`.") from None
    return document
