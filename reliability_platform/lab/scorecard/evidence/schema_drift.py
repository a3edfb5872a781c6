"""Columns that came otherwise than promised: which file, which column, what became of it."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Contract
from reliability_platform.lab.scorecard.evidence.report import Folder, Report, ReportColumn, Row
from reliability_platform.lab.scorecard.evidence.run import GradedRun
from reliability_platform.landing.breach import Breach
from reliability_platform.landing.manifest import MANIFEST_SUFFIX, Manifest
from reliability_platform.landing.writer import landing_folder
from reliability_platform.masking import shown_name, shown_type

MAX_COLUMNS = 50
"""A file with more new columns than this gets one line for all of them."""
_KINDS = {
    "schema_column_renamed": "renamed",
    "schema_column_missing": "missing",
    "schema_type_changed": "type changed",
}
_ACTIONS = {
    "renamed": "Declare the name as an alias in the contract, or approve the reading beside its past.",
    "missing": "Ask the source again; agree on the column before it goes.",
    "type changed": "Read it with a cast that agrees with the past, or ask the source again; agree on the type before it changes.",
    "added": "Take the column into the contract, or announce it there.",
    "other": "Read the reason beside the file in quarantine.",
}


def _types(run: GradedRun, source: str, day: date, batch_id: str) -> dict[str, str]:
    """The columns and types that the manifest declares, as they may be shown; none if there is no readable one."""
    try:
        manifest = Manifest.read(landing_folder(run.settings, source, day) / f"{batch_id}{MANIFEST_SUFFIX}")
        return {shown_name(str(column["name"])): shown_type(str(column["type"])) for column in manifest.columns}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _expected(contract: Contract, name: str) -> str | None:
    return str(contract.arrow_schema.field(name).type) if name in contract.arrow_schema.names else None


def _refusals(contract: Contract, reason: str, detail: str, types: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """One entry per column that a refusal names."""
    kind, broken = _KINDS.get(reason, "other"), Breach.read(reason, detail)
    renames = {wanted: came for came, wanted in broken.rename.items()}
    for name in broken.missing:
        came = renames.get(name)
        yield {
            "kind": kind,
            "column": name,
            "delivered_as": came,
            "expected_type": _expected(contract, name),
            "found_type": types.get(came) if came else None,
        }
    for name, pair in broken.changed.items():
        yield {
            "kind": _KINDS["schema_type_changed"],
            "column": name,
            "delivered_as": renames.get(name, name),
            "expected_type": pair.get("expected"),
            "found_type": pair.get("found"),
        }
    if broken == Breach(reason):
        yield {"kind": kind, "column": None, "delivered_as": None, "expected_type": None, "found_type": None}


def _additions(contract: Contract, rescued: str, types: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    known = {*contract.arrow_schema.names, *contract.announced}
    # Names may hold commas; the manifest knows them one by one. It may also be full of names that never came.
    names = [name for name in types if name not in known and name in rescued]
    for name in names if 0 < len(names) <= MAX_COLUMNS else [rescued]:
        yield {
            "kind": "added",
            "column": name,
            "delivered_as": name,
            "expected_type": None,
            "found_type": types.get(name),
        }


def drift(run: GradedRun) -> list[dict[str, Any]]:
    """Every column of every file that broke its contract or went beyond it."""
    files = [
        (record["source"], date.fromisoformat(record["landing_date"]), record["batch_id"], record)
        for record in run.refused_files
        if str(record.get("reason") or "").startswith("schema_")
    ]
    rescued = run.query("select * from admissions where status = 'admitted' and rescued_columns is not null")
    files += [(row["source"], row["landing_date"], row["batch_id"], row) for row in rescued]
    found = []
    for source, day, batch_id, record in sorted(files, key=lambda file: (file[1], file[0], file[2])):
        contract, types = CONTRACTS[source], _types(run, source, day, batch_id)
        entries: list[dict[str, Any]] = []
        if str(record.get("reason") or "").startswith("schema_"):
            entries += _refusals(contract, record["reason"], str(record.get("detail") or ""), types)
        if record.get("rescued_columns"):
            entries += _additions(contract, record["rescued_columns"], types)
        for entry in entries:
            admitted = record["status"] == "admitted"
            found.append(
                {
                    "source": source,
                    "landing_date": day,
                    "batch_id": batch_id,
                    **entry,
                    "rows": record["delivered_rows"],
                    "admitted": admitted,
                    "outcome": "rescued" if admitted and entry["kind"] == "added" else record["state"],
                    "shim": bool(record.get("shim")),
                }
            )
    return found


def _report(run: GradedRun) -> list[Row]:
    return [
        {
            **row,
            "incidents": run.incidents_on([(row["source"], row["landing_date"])]),
            "recommended_action": _ACTIONS[row["kind"]],
        }
        for row in drift(run)
    ]


DRIFT = Report(
    name="schema_drift_report",
    folder=Folder.SCORECARDS,
    about="Which files came with other columns than promised, and what became of them?",
    grain="One row per file and column, by landing day, source and batch.",
    columns=(
        ReportColumn("source", "The source"),
        ReportColumn("landing_date", "Landing day", "date"),
        ReportColumn("batch_id", "The file's batch"),
        ReportColumn("kind", "renamed, missing, type changed, added, or other"),
        ReportColumn("column", "Column of the contract, or the one that was added"),
        ReportColumn("delivered_as", "Name under which it came; null if it did not"),
        ReportColumn("expected_type", "Type that the contract promises", "Arrow type"),
        ReportColumn("found_type", "Type that came, as the manifest declares it", "Arrow type"),
        ReportColumn("rows", "Rows of the file", "rows"),
        ReportColumn("admitted", "Whether the file is in bronze now", "yes/no"),
        ReportColumn(
            "outcome", "quarantined, superseded by a later attempt, replayed through a shim, rescued or admitted"
        ),
        ReportColumn("shim", "Whether the file is read through a shim", "yes/no"),
        ReportColumn("incidents", "Incidents of the source that cover the landing day", "list"),
        ReportColumn("recommended_action", "What to do about drift of this kind"),
    ),
    rows=_report,
)
