"""Incidents, their timelines, and whom they reach."""

from collections.abc import Sequence
from typing import Any

from reliability_platform.contracts import CONTRACTS
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.impact import Numbers, Reach, numbers_of_each, reach
from reliability_platform.incidents.model import Incident
from reliability_platform.lab.scorecard.evidence.report import Folder, Report, ReportColumn, Row
from reliability_platform.lab.scorecard.evidence.run import GradedRun
from reliability_platform.masking import scrub
from reliability_platform.warehouse.dbt_manifest import ensure_manifest


def _seconds(incident: Incident) -> float | None:
    took = incident.times.time_to_recover
    return None if took is None else round(took.total_seconds(), 3)


def _incidents(run: GradedRun) -> list[Row]:
    return [
        {
            "incident": incident.id,
            "title": CLASSES[incident.failure_class].title,
            "fingerprint": incident.fingerprint if incident.partitions else None,
            "failure_class": incident.failure_class,
            "sources": list(incident.sources),
            "landing_dates": incident.partitions,
            "root_dataset": incident.root_dataset,
            "column": incident.column,
            "severity": incident.severity,
            "state": incident.state,
            "linked_to": incident.linked_to,
            "signals": len(incident.signals),
            "still_failing": len(incident.still_failing),
            "attempts": incident.attempts,
            "batches_replayed": sum(replay.incident_id == incident.id for replay in run.replays),
            "timeline_entries": len(incident.timeline),
            "timeline_intact": incident.id not in run.edited_incidents,
            "detected_at_wall_clock": incident.detected_at,
            "recovered_at_wall_clock": incident.recovered_at,
            "seconds_to_recover_wall_clock": _seconds(incident),
        }
        for incident in run.incidents
    ]


INCIDENTS = Report(
    name="incidents",
    folder=Folder.INCIDENTS,
    about="Which incidents were there, and where does each stand?",
    grain="One row per incident, in the order of their numbers.",
    columns=(
        ReportColumn("incident", "The incident"),
        ReportColumn("title", "What its class means, in words"),
        ReportColumn("fingerprint", "Root dataset, failure class, source and landing days"),
        ReportColumn("failure_class", "What failed"),
        ReportColumn("sources", "Sources concerned", "list"),
        ReportColumn("landing_dates", "Landing days covered", "list of dates"),
        ReportColumn("root_dataset", "Dataset where it began"),
        ReportColumn("column", "Column that it is about, where it is one"),
        ReportColumn("severity", "P0 to P3"),
        ReportColumn("state", "Where the incident is in its life"),
        ReportColumn("linked_to", "The earlier incident of the same failure, or the cause of which it was a symptom"),
        ReportColumn("signals", "Failed evaluations that belong to it", "count"),
        ReportColumn("still_failing", "Checks and days that no passed evaluation has followed", "count"),
        ReportColumn("attempts", "Remediation actions begun", "count"),
        ReportColumn("batches_replayed", "Batches that came again for it", "count"),
        ReportColumn("timeline_entries", "Entries of its timeline", "count"),
        ReportColumn("timeline_intact", "Whether each entry's hash follows from the one before", "yes/no"),
        ReportColumn("detected_at_wall_clock", "When it was opened", "timestamp"),
        ReportColumn("recovered_at_wall_clock", "When the last check that had failed passed", "timestamp"),
        ReportColumn("seconds_to_recover_wall_clock", "Between the two", "seconds"),
    ),
    rows=_incidents,
)


def _injected(run: GradedRun, incident: Incident) -> list[Row]:
    """The injection behind an incident, which its own timeline cannot know."""
    score = run.injection_of.get(incident.id)
    return [
        {
            "incident": incident.id,
            "number": 0,
            "kind": "injected",
            "to_state": None,
            "actor": "fault plan",
            "why": f"{truth.fault}, {truth.magnitude}, injected into {truth.source} on {truth.landing_date}",
            "at_wall_clock": truth.injected_at,
        }
        for truth in run.truths
        if score is not None
        and (truth.fault, truth.source, truth.landing_date.isoformat()) == (score.fault, score.source, score.partition)
    ]


def _timelines(run: GradedRun) -> list[Row]:
    found: list[Row] = []
    for incident in run.incidents:
        found += _injected(run, incident)
        found += [
            {
                "incident": incident.id,
                "number": entry.number,
                "kind": entry.kind,
                "to_state": entry.data.get("to"),
                "actor": scrub(entry.actor),
                "why": scrub(entry.why),
                "at_wall_clock": entry.at,
            }
            for entry in incident.timeline
        ]
    return found


TIMELINES = Report(
    name="incident_timelines",
    folder=Folder.INCIDENTS,
    about="What happened to each incident, when, by whom and why?",
    grain="One row per entry, by incident and number; entry 0 is the injection behind it, added by the scorecard.",
    columns=(
        ReportColumn("incident", "The incident"),
        ReportColumn("number", "Place in its timeline; 0 for the injection", "number"),
        ReportColumn("kind", "injected, opened, signals, recovery, transition, action or note"),
        ReportColumn("to_state", "State that a transition led to"),
        ReportColumn("actor", "Who did it"),
        ReportColumn("why", "Why, in words"),
        ReportColumn("at_wall_clock", "When", "timestamp"),
    ),
    rows=_timelines,
)


def _impacts(run: GradedRun) -> list[Row]:
    asked = [(one, source) for one in run.incidents for source in one.sources]
    found = numbers_of_each(run.connection, [(source, one.partitions) for one, source in asked])
    counted: dict[str, list[Numbers]] = {one.id: [] for one in run.incidents}
    for (incident, _), numbers in zip(asked, found, strict=True):
        counted[incident.id].append(numbers)
    manifest = ensure_manifest()
    reached = {source: reach(manifest, source) for _, source in asked}
    return [_impact(run, one, counted[one.id], [reached[source] for source in one.sources]) for one in run.incidents]


def _impact(run: GradedRun, incident: Incident, counted: Sequence[Numbers], reached: Sequence[Reach]) -> dict[str, Any]:
    exposures = {one.name: one for each in reached for one in each.exposures}
    days = sorted({day for each in counted for day in each.event_dates})
    held = run.publications[-1].held if run.publications else {}
    return {
        "incident": incident.id,
        "severity": incident.severity,
        "state": incident.state,
        "sources": list(incident.sources),
        "source_owners": sorted({CONTRACTS[source].owner for source in incident.sources}),
        "tables": sorted({table for each in reached for table in each.tables}),
        "published_tables": sorted({table for each in reached for table in each.published}),
        "metrics": sorted(
            {f"{table}.{column}" for each in reached for table, names in each.columns.items() for column in names}
        ),
        "exposures": sorted(exposures),
        "critical_exposures": sorted(one.name for one in exposures.values() if one.critical),
        "exposure_owners": sorted({one.owner for one in exposures.values()}),
        "event_dates": days,
        "delivered_rows": sum(each.delivered_rows for each in counted),
        "accepted_rows": sum(each.accepted_rows for each in counted),
        "duplicate_rows": sum(each.duplicate_rows for each in counted),
        "quarantined_rows": sum(each.quarantined_rows for each in counted),
        "held_late_rows": sum(each.held_late_rows for each in counted),
        "refused_files": sum(each.refused_files for each in counted),
        "quarantined_keys": sum(each.quarantined_keys for each in counted),
        "contained_by": CLASSES[incident.failure_class].contained_by,
        "held_now": any(f"{source}/{day}" in held for source in incident.sources for day in incident.partitions),
        "recovered": incident.recovered_at is not None,
    }


IMPACT = Report(
    name="downstream_impact_report",
    folder=Folder.SCORECARDS,
    about="Which tables, numbers, readers and rows does each incident concern?",
    grain="One row per incident, in the order of their numbers. Rows are those of its landing days, as they stand now.",
    columns=(
        ReportColumn("incident", "The incident"),
        ReportColumn("severity", "P0 to P3"),
        ReportColumn("state", "Where the incident is in its life"),
        ReportColumn("sources", "Sources concerned", "list"),
        ReportColumn("source_owners", "Teams that own them, as their contracts say", "list"),
        ReportColumn("tables", "Tables downstream, by dbt's lineage", "list"),
        ReportColumn("published_tables", "Those that consumers read", "list"),
        ReportColumn("metrics", "Columns of the published tables", "list"),
        ReportColumn("exposures", "What reads the published tables", "list"),
        ReportColumn("critical_exposures", "Those declared critical", "list"),
        ReportColumn("exposure_owners", "Teams that own the exposures", "list"),
        ReportColumn("event_dates", "Event dates of the rows of its landing days", "list of dates"),
        ReportColumn("delivered_rows", "Rows delivered on its landing days", "rows"),
        ReportColumn("accepted_rows", "Those in silver", "rows"),
        ReportColumn("duplicate_rows", "Those that silver holds already", "rows"),
        ReportColumn("quarantined_rows", "Those rejected, or in a refused file", "rows"),
        ReportColumn("held_late_rows", "Those held beyond the watermark", "rows"),
        ReportColumn("refused_files", "Files refused whole", "files"),
        ReportColumn("quarantined_keys", "Rejected keys that no later attempt has replaced", "count"),
        ReportColumn("contained_by", "What keeps it from consumers"),
        ReportColumn("held_now", "Whether the current version holds one of its landing days", "yes/no"),
        ReportColumn("recovered", "Whether recovery was verified", "yes/no"),
    ),
    rows=_impacts,
)
