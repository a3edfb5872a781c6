"""What was broken on purpose, and what became of it."""

from typing import Any

from reliability_platform.checks.results import CheckStatus
from reliability_platform.lab.faults.catalogue import fault_named
from reliability_platform.lab.faults.plan import ActivePlan
from reliability_platform.lab.scorecard.evidence import backfill, contracts, deduplication, sla, watermark
from reliability_platform.lab.scorecard.evidence.report import Folder, Report, ReportColumn, Row, table
from reliability_platform.lab.scorecard.evidence.run import GradedRun
from reliability_platform.lab.scorecard.headline import headline, share
from reliability_platform.lab.scorecard.score import FaultScore

_TOTALS = (
    ReportColumn("injections", "Injections that something should have noticed", "count"),
    ReportColumn("detected_share", "Detected injections of all injections", "share 0 to 1"),
    ReportColumn("contained_share", "Injections of which no bad row reached consumers", "share 0 to 1"),
    ReportColumn("told_share", "Injections of which wrong numbers were published, and told at once", "share 0 to 1"),
    ReportColumn("healed_share", "Injections whose incident is verified, resolved or closed", "share 0 to 1"),
    ReportColumn("severity_share", "Injections whose incident has the declared severity", "share 0 to 1"),
    ReportColumn("false_alarms", "Incidents that no injection explains", "count"),
    ReportColumn("incidents_opened", "Incidents ever opened", "count"),
    ReportColumn("incidents_resolved", "Incidents that have ended", "count"),
    ReportColumn("delivered_rows", "Rows of all delivered files", "rows"),
    ReportColumn("accepted_rows", "Delivered rows that are in silver", "rows"),
    ReportColumn("duplicate_rows", "Delivered rows that silver holds already", "rows"),
    ReportColumn("quarantined_rows", "Delivered rows that were rejected, or came in a refused file", "rows"),
    ReportColumn("held_late_rows", "Delivered rows held beyond the watermark", "rows"),
    ReportColumn("unaccounted_rows", "Delivered rows that ended nowhere; must be 0", "rows"),
    ReportColumn("sla_compliance", "Promised batches that were usable by their deadline", "share 0 to 1"),
    ReportColumn(
        "deduplication_accuracy", "Keys of a run without failures that silver holds exactly once", "share 0 to 1"
    ),
    ReportColumn("contract_pass_rate", "Rules of the contracts that are kept now", "share 0 to 1"),
    ReportColumn(
        "watermark_consistent_share", "Landing partitions whose late rows are handled as declared", "share 0 to 1"
    ),
    ReportColumn("backfills_safe_share", "Landing partitions run again without harm", "share 0 to 1"),
    ReportColumn("oracle_tables", "Published tables compared with a run without failures", "count"),
    ReportColumn("oracle_tables_equal", "Those that are equal, row for row", "count"),
    ReportColumn("proved", "Whether nothing keeps the run from being proved", "yes/no"),
    ReportColumn("failures", "What keeps it from being proved", "list"),
)
_EMPTY: dict[str, Any] = {column.name: None for column in _TOTALS}


def _fault_row(score: FaultScore) -> dict[str, Any]:
    graded = score.expected_severity is not None
    return {
        "row_kind": "injection" if graded else "control",
        "fault": score.fault,
        "source": score.source,
        "landing_date": score.partition,
        "magnitude": score.magnitude,
        "expected_severity": score.expected_severity,
        "severity": score.severity,
        "severity_as_expected": score.severity == score.expected_severity if graded else None,
        "detected": score.detected,
        "detected_by": score.detected_by,
        "incident": score.incident,
        "contained": score.contained,
        "told": score.told,
        "healed": score.healed,
        "shown_wrong": score.shown_wrong,
        "seconds_to_detect_wall_clock": score.time_to_detect_seconds,
        "seconds_to_recover_wall_clock": score.time_to_recover_seconds,
    }


def _controls(run: GradedRun) -> dict[str, float | None]:
    """What the other reports add up to."""
    landing = next(row for row in table(sla.SUMMARY, run) if row["stage"] == "landing")
    kept = table(contracts.VALIDATION, run)
    late, again = table(watermark.VALIDATION, run), table(backfill.SAFETY, run)
    keys = [row for row in table(deduplication.ACCURACY, run) if row["expected_unique_keys"] is not None]
    wrong = sum(row["missing_keys"] + row["extra_keys"] + row["keys_twice_in_silver"] for row in keys)
    expected = sum(row["expected_unique_keys"] for row in keys)
    return {
        "sla_compliance": share(landing["units"] - landing["breaches"], landing["units"]),
        "deduplication_accuracy": share(max(0, expected - wrong), expected),
        "contract_pass_rate": share(sum(row["status"] == CheckStatus.PASSED for row in kept), len(kept)),
        "watermark_consistent_share": share(sum(row["consistent"] for row in late), len(late)),
        "backfills_safe_share": share(sum(row["safe"] for row in again), len(again)),
    }


def _total_row(run: GradedRun) -> dict[str, Any]:
    card, rows = run.card, run.card.conservation
    return {
        **dict.fromkeys(_fault_columns(), None),
        **headline(card),
        **_controls(run),
        "row_kind": "total",
        "incidents_opened": card.incidents["opened"],
        "incidents_resolved": card.incidents["resolved"],
        "delivered_rows": rows.delivered,
        "accepted_rows": rows.accepted,
        "duplicate_rows": rows.duplicate,
        "quarantined_rows": rows.quarantined,
        "held_late_rows": rows.held_late,
        "oracle_tables": len(card.oracle),
        "oracle_tables_equal": sum(table.equal for table in card.oracle),
        "proved": not card.failures,
        "failures": card.failures,
    }


def _fault_columns() -> list[str]:
    return [column.name for column in SCORECARD.columns if column.name not in _EMPTY]


def _ungraded(run: GradedRun) -> list[dict[str, Any]]:
    """Planned injections that have no score: those that never landed, and controls where they are not scored."""
    scored = {(score.fault, score.source, score.partition) for score in run.card.faults}
    landed = {(truth.fault, truth.source, truth.landing_date) for truth in run.truths}
    found = []
    for injection in ActivePlan.load(run.settings).injections:
        key = (injection.fault, injection.source, injection.landing_date)
        if (injection.fault, injection.source, injection.landing_date.isoformat()) not in scored:
            fault = fault_named(injection.fault)
            landed_kind = "control" if fault.is_control else "injection"
            planned = {
                "row_kind": landed_kind if key in landed else "not landed",
                "fault": injection.fault,
                "source": injection.source,
                "landing_date": injection.landing_date.isoformat(),
                "magnitude": injection.magnitude,
                "expected_severity": fault.expected_severity,
            }
            found.append({**dict.fromkeys(_fault_columns(), None), **planned})
    return found


def _scorecard(run: GradedRun) -> list[Row]:
    rows = [*(_fault_row(score) for score in run.card.faults), *_ungraded(run)]
    rows.sort(key=lambda row: (row["landing_date"], row["source"], row["fault"]))
    total = _total_row(run)
    return [*({**row, **_EMPTY} for row in rows), {name: total[name] for name in (*_fault_columns(), *_EMPTY)}]


SCORECARD = Report(
    name="pipeline_reliability_scorecard",
    folder=Folder.SCORECARDS,
    about="What became of everything that was broken on purpose?",
    grain="One row per planned injection and control, by landing day, source and fault; the last row is the total.",
    columns=(
        ReportColumn("row_kind", "injection, control (nothing may notice it), not landed (planned only), or total"),
        ReportColumn("fault", "Name in the catalogue of faults"),
        ReportColumn("source", "Source of the injection"),
        ReportColumn("landing_date", "Landing day of the injection, the first one if it lasts", "date"),
        ReportColumn("magnitude", "small, medium or large"),
        ReportColumn("expected_severity", "Severity that the catalogue declares; null for a control"),
        ReportColumn("severity", "Severity of the incident"),
        ReportColumn("severity_as_expected", "Whether both are the same", "yes/no"),
        ReportColumn(
            "detected", "Whether an incident names the source, the class and a day of the injection", "yes/no"
        ),
        ReportColumn("detected_by", "Checks that failed", "list"),
        ReportColumn("incident", "The incident"),
        ReportColumn("contained", "Whether no bad row ever reached consumers", "yes/no"),
        ReportColumn("told", "Whether wrong numbers were published where that is declared, and told", "yes/no"),
        ReportColumn("healed", "Whether recovery was verified", "yes/no"),
        ReportColumn("shown_wrong", "version/table/event date that consumers saw differ from the oracle", "list"),
        ReportColumn("seconds_to_detect_wall_clock", "From the injection's landing to the incident", "seconds"),
        ReportColumn("seconds_to_recover_wall_clock", "From the incident to its verified recovery", "seconds"),
        *_TOTALS,
    ),
    rows=_scorecard,
)


def _manifest(run: GradedRun) -> list[Row]:
    found: list[Row] = []
    for truth in run.truths:
        fault = fault_named(truth.fault)
        found.append(
            {
                "fault": truth.fault,
                "family": fault.family,
                "description": fault.description,
                "is_control": fault.is_control,
                "source": truth.source,
                "landing_date": truth.landing_date,
                "magnitude": truth.magnitude,
                "seed": truth.seed,
                "expected_class": truth.expected_class,
                "expected_severity": truth.expected_severity,
                "expected_root_dataset": truth.expected_root,
                "expected_column": truth.expected_column,
                "containment": truth.containment,
                "batches": truth.batches,
                "landing_dates": truth.landing_dates,
                "event_dates": truth.event_dates,
                "bad_rows": truth.rows.num_rows,
                "injected_at_wall_clock": truth.injected_at,
            }
        )
    return found


MANIFEST_OF_FAILURES = Report(
    name="injected_failure_manifest",
    folder=Folder.INCIDENTS,
    about="What exactly was broken? The truth, which nothing that detects or heals has seen.",
    grain="One row per injection and control that landed, by landing day, source and fault.",
    columns=(
        ReportColumn("fault", "Name in the catalogue of faults"),
        ReportColumn("family", "Its family in the catalogue"),
        ReportColumn("description", "What it does"),
        ReportColumn("is_control", "Whether nothing may notice it", "yes/no"),
        ReportColumn("source", "Source of the injection"),
        ReportColumn("landing_date", "Landing day of the injection, the first one if it lasts", "date"),
        ReportColumn("magnitude", "small, medium or large"),
        ReportColumn("seed", "Seed with which the injection can be made again", "number"),
        ReportColumn("expected_class", "Failure class by which an incident must know it; null for a control"),
        ReportColumn("expected_severity", "Severity that the incident must have; null for a control"),
        ReportColumn("expected_root_dataset", "Dataset that the incident must name as its root"),
        ReportColumn("expected_column", "Column that it is about, where it is one"),
        ReportColumn("containment", "What is declared to keep it from consumers"),
        ReportColumn("batches", "Batches changed, added or missing", "list"),
        ReportColumn("landing_dates", "Landing days whose deliveries differ from the clean ones", "list of dates"),
        ReportColumn("event_dates", "Event dates of the rows touched", "list of dates"),
        ReportColumn("bad_rows", "Rows that must not be taken for good", "rows"),
        ReportColumn("injected_at_wall_clock", "When the injection was first written", "timestamp"),
    ),
    rows=_manifest,
)
