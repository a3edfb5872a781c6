"""Every report, declared. What is not here is not written."""

from reliability_platform.lab.scorecard.evidence import (
    backfill,
    contracts,
    deduplication,
    detection,
    faults,
    idempotency,
    incidents,
    quarantine,
    schema_drift,
    sla,
    watermark,
)
from reliability_platform.lab.scorecard.evidence.report import Report

REPORTS: tuple[Report, ...] = (
    faults.SCORECARD,
    detection.ACCURACY,
    detection.DETECTION,
    sla.BREACHES,
    sla.SUMMARY,
    deduplication.ACCURACY,
    idempotency.CONTROL,
    watermark.VALIDATION,
    schema_drift.DRIFT,
    backfill.SAFETY,
    contracts.VALIDATION,
    incidents.IMPACT,
    faults.MANIFEST_OF_FAILURES,
    incidents.INCIDENTS,
    incidents.TIMELINES,
    quarantine.SUMMARY,
)
