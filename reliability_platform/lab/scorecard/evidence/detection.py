"""How well failures are noticed: every incident against every injection."""

from collections.abc import Sequence
from typing import Any

from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.model import Incident
from reliability_platform.lab.faults.truth import Truth
from reliability_platform.lab.scorecard.evidence.report import Folder, Report, ReportColumn, Row
from reliability_platform.lab.scorecard.evidence.run import GradedRun, is_merged
from reliability_platform.lab.scorecard.headline import graded, share
from reliability_platform.lab.scorecard.score import FaultScore
from reliability_platform.remediation.policy import POLICIES


def false_positives(run: GradedRun) -> list[Incident]:
    """Incidents that no injection explains, those that a person has called a false alarm among them."""
    return [incident for incident in run.incidents if incident.id not in run.injection_of and not is_merged(incident)]


def _is_quiet(run: GradedRun, control: Truth) -> bool:
    """Whether nothing but injections was noticed on the source and days of a control."""
    return not any(
        control.source in one.sources and set(control.landing_dates) & set(one.partitions)
        for one in false_positives(run)
    )


def _measures(
    run: GradedRun, injections: Sequence[FaultScore], alarms: Sequence[Incident] | None, controls: Sequence[Truth]
) -> dict[str, Any]:
    """The measures of one group; `alarms` is None where incidents without an injection cannot be told apart by it."""
    found = [score for score in injections if score.detected]
    incidents = {one.id: one for one in run.incidents}
    truths = {(truth.fault, truth.source, truth.landing_date.isoformat()): truth for truth in run.truths}
    pairs = [
        (truths[key], incidents[score.incident])
        for score in found
        if score.incident in incidents and (key := (score.fault, score.source, score.partition)) in truths
    ]
    columns = [(truth, incident) for truth, incident in pairs if truth.expected_column is not None]
    false = None if alarms is None else len(alarms)
    precision = None if false is None else share(len(found), len(found) + false)
    recall = share(len(found), len(injections))
    return {
        "injections": len(injections),
        "true_positives": len(found),
        "false_negatives": len(injections) - len(found),
        "false_positives": false,
        "controls": len(controls),
        "quiet_controls": sum(_is_quiet(run, control) for control in controls),
        "precision": precision,
        "recall": recall,
        "f1": None
        if precision is None or recall is None or precision + recall == 0
        else round(2 * precision * recall / (precision + recall), 6),
        "severity_share": share(sum(score.severity == score.expected_severity for score in found), len(found)),
        "root_share": share(sum(truth.expected_root == one.root_dataset for truth, one in pairs), len(pairs)),
        "column_share": share(sum(truth.expected_column == one.column for truth, one in columns), len(columns)),
        "missed": [f"{one.fault}/{one.source}/{one.partition}" for one in injections if not one.detected],
        "false_positive_incidents": [one.id for one in alarms or ()],
    }


def _accuracy(run: GradedRun) -> list[Row]:
    injections, alarms = graded(run.card), false_positives(run)
    controls = [truth for truth in run.truths if truth.is_silent]
    class_of = {truth.fault: truth.expected_class for truth in run.truths}
    rows = [{"level": "overall", "name": "all", **_measures(run, injections, alarms, controls)}]
    classes = {*(class_of[one.fault] for one in injections), *(one.failure_class for one in alarms)}
    for name in sorted(one for one in classes if one is not None):
        own = [score for score in injections if class_of[score.fault] == name]
        named = [incident for incident in alarms if incident.failure_class == name]
        rows.append({"level": "failure class", "name": name, **_measures(run, own, named, [])})
    for name in sorted({score.fault for score in injections}):
        own = [score for score in injections if score.fault == name]
        rows.append({"level": "fault", "name": name, **_measures(run, own, None, [])})
    for name in sorted({truth.fault for truth in controls}):
        same = [truth for truth in controls if truth.fault == name]
        rows.append({"level": "control", "name": name, **_measures(run, [], None, same)})
    return list(rows)


ACCURACY = Report(
    name="incident_detection_accuracy_report",
    folder=Folder.SCORECARDS,
    about="How many injections were noticed, how many alarms were false, and was it called by its right name?",
    grain="One row overall, then one per failure class, per fault and per control, each by name.",
    columns=(
        ReportColumn("level", "overall, failure class, fault or control"),
        ReportColumn("name", "all, or the name of the class, fault or control"),
        ReportColumn("injections", "Injections that something should have noticed", "count"),
        ReportColumn("true_positives", "Injections that an incident names", "count"),
        ReportColumn("false_negatives", "Injections that none names", "count"),
        ReportColumn(
            "false_positives", "Incidents that no injection explains; null for a single fault or control", "count"
        ),
        ReportColumn("controls", "Injections that nothing may notice", "count"),
        ReportColumn("quiet_controls", "Controls on whose source and day no false positive stands", "count"),
        ReportColumn("precision", "true positives / (true positives + false positives)", "share 0 to 1"),
        ReportColumn("recall", "true positives / injections", "share 0 to 1"),
        ReportColumn("f1", "Harmonic mean of precision and recall", "0 to 1"),
        ReportColumn("severity_share", "Detected injections whose incident has the declared severity", "share 0 to 1"),
        ReportColumn("root_share", "Detected injections whose incident names the right root dataset", "share 0 to 1"),
        ReportColumn("column_share", "Detected injections of one column whose incident names it", "share 0 to 1"),
        ReportColumn("missed", "Missed injections as fault/source/landing day", "list"),
        ReportColumn("false_positive_incidents", "Incidents that no injection explains", "list"),
    ),
    rows=_accuracy,
)


def _detections(run: GradedRun) -> list[Row]:
    found: list[Row] = []
    for incident in run.incidents:
        first, score = incident.signals[0] if incident.signals else None, run.injection_of.get(incident.id)
        kind = CLASSES[incident.failure_class]
        found.append(
            {
                "incident": incident.id,
                "failure_class": incident.failure_class,
                "source": incident.source,
                "landing_dates": incident.partitions,
                "root_dataset": incident.root_dataset,
                "column": incident.column,
                "severity": incident.severity,
                "severity_reason": incident.severity_reason,
                "state": incident.state,
                "first_check": first.check if first else None,
                "first_value": first.value if first else None,
                "first_threshold": first.threshold if first else None,
                "checks": incident.checks,
                "signals": len(incident.signals),
                "injection": f"{score.fault}/{score.source}/{score.partition}" if score else None,
                "contained_by": kind.contained_by,
                "recovery_action": POLICIES[incident.failure_class].action,
                "recovery_is_automatic": POLICIES[incident.failure_class].automatic,
                "prevention": kind.prevention,
                "detected_at_wall_clock": incident.detected_at,
                "seconds_to_detect_wall_clock": score.time_to_detect_seconds if score else None,
            }
        )
    return found


DETECTION = Report(
    name="incident_detection_report",
    folder=Folder.SCORECARDS,
    about="What was noticed, by which check first, and what is done about it?",
    grain="One row per incident, in the order of their numbers.",
    columns=(
        ReportColumn("incident", "The incident"),
        ReportColumn("failure_class", "What failed, as the platform understands it"),
        ReportColumn("source", "Source concerned, the first one"),
        ReportColumn("landing_dates", "Landing days covered", "list of dates"),
        ReportColumn("root_dataset", "Dataset where it began"),
        ReportColumn("column", "Column that it is about, where it is one"),
        ReportColumn("severity", "P0 to P3"),
        ReportColumn("severity_reason", "Why this severity"),
        ReportColumn("state", "Where the incident is in its life"),
        ReportColumn("first_check", "Check of the first signal"),
        ReportColumn("first_value", "What that check measured", "unit of the check"),
        ReportColumn("first_threshold", "What it tolerates"),
        ReportColumn("checks", "All checks that failed", "list"),
        ReportColumn("signals", "Failed evaluations that belong to it", "count"),
        ReportColumn("injection", "fault/source/landing day behind it; null for a false positive"),
        ReportColumn("contained_by", "What keeps it from consumers"),
        ReportColumn("recovery_action", "Action that the policy names"),
        ReportColumn("recovery_is_automatic", "Whether it runs without approval", "yes/no"),
        ReportColumn("prevention", "What would keep it from happening again"),
        ReportColumn("detected_at_wall_clock", "When it was opened", "timestamp"),
        ReportColumn("seconds_to_detect_wall_clock", "From the injection's landing to the incident", "seconds"),
    ),
    rows=_detections,
)
