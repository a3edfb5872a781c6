"""Failure classes: what a failure means, how bad it is, which other failures are only its symptoms."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """P0 breach or major loss · P1 pipeline down or wrong critical numbers · P2 degraded · P3 minor."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"


RESPONSE = {
    Severity.P0: "answer within 15 minutes, postmortem within 48 hours",
    Severity.P1: "answer within 1 hour, postmortem within 7 days",
    Severity.P2: "answer within 4 hours, postmortem optional",
    Severity.P3: "answer within 1 business day, no postmortem",
}


@dataclass(frozen=True)
class FailureClass:
    """One way to fail, in words for the person on call."""

    name: str
    title: str
    severity: Severity
    explains: frozenset[str]
    """Classes that, on the same source and day, are symptoms of this one."""
    what_it_means: str
    contained_by: str
    prevention: str


def _class(
    name: str, title: str, severity: str, explains: str, what_it_means: str, contained_by: str, prevention: str
) -> FailureClass:
    return FailureClass(
        name, title, Severity(severity), frozenset(explains.split()), what_it_means, contained_by, prevention
    )


_HELD = "The landing day is held: consumers keep the last good rows of its event dates."
_ROWS = "The rows are in quarantine, and the landing day is held."

CLASSES: dict[str, FailureClass] = {
    one.name: one
    for one in (
        _class(
            "schema_break",
            "A file breaks the schema contract",
            "P1",
            "missing_data volume_anomaly reconciliation_mismatch reject_share freshness_breach null_spike",
            "The producer changed its columns. The file was refused whole; its rows are not in the warehouse.",
            "The file is in quarantine, and the landing day is held.",
            "Agree on a notice period for schema changes with the owner; announce new columns in the contract.",
        ),
        _class(
            "file_corruption",
            "A delivered file is broken or strange",
            "P1",
            "missing_data volume_anomaly reconciliation_mismatch freshness_breach",
            "A file is unreadable, cut short, or comes without or against its manifest. It was refused whole.",
            "The file is in quarantine. If a scheduled batch is missing for it, the landing day is held.",
            "Let the producer write files in one step and the manifest last.",
        ),
        _class(
            "missing_data",
            "Expected batches are missing",
            "P1",
            "volume_anomaly reconciliation_mismatch freshness_breach",
            "The schedule promises batches that have not been admitted.",
            _HELD,
            "Let the producer confirm each batch; alert the producer's owner before the deadline.",
        ),
        _class(
            "null_spike",
            "A required field is suddenly null",
            "P2",
            "reject_share broken_references reconciliation_mismatch volume_anomaly",
            "More rows than tolerated lack a required value.",
            _ROWS,
            "Let the producer validate required fields before it sends.",
        ),
        _class(
            "payload_corruption",
            "Payloads are malformed",
            "P2",
            "reject_share volume_anomaly reconciliation_mismatch",
            "More payloads than tolerated are not the JSON objects that they should be.",
            _ROWS,
            "Let the producer serialise with a library and test its payloads against the schema.",
        ),
        _class(
            "invalid_values",
            "Values outside of what is allowed",
            "P2",
            "reject_share volume_anomaly reconciliation_mismatch",
            "Values are unknown to the contract or out of range.",
            _ROWS,
            "Extend the contract if the values are right; otherwise let the producer validate them.",
        ),
        _class(
            "broken_references",
            "References lead nowhere",
            "P2",
            "reject_share volume_anomaly reconciliation_mismatch",
            "Rows name customers, merchants or products that the reference data do not know.",
            _ROWS,
            "Deliver reference data before the events that use them.",
        ),
        _class(
            "reject_share",
            "Too many rows are rejected",
            "P2",
            "volume_anomaly reconciliation_mismatch",
            "More rows than tolerated are rejected, for reasons that no other check explains.",
            _ROWS,
            "Look at the reasons: a parser bug rejects good rows.",
        ),
        _class(
            "duplicate_delivery",
            "Batches were delivered more than once",
            "P2",
            "volume_anomaly",
            "A producer re-sent what it had delivered.",
            "Deduplication on the unique key: no row counts twice.",
            "Let the producer retry under the same batch id.",
        ),
        _class(
            "late_data",
            "Events came late",
            "P3",
            "volume_anomaly",
            "Rows belong to earlier event dates, whose published numbers change with them.",
            "Within the watermark the event dates are recomputed; rows beyond it are held, not dropped.",
            "Ask the owner for the reason of the delay; widen the watermark if it is normal.",
        ),
        _class(
            "freshness_breach",
            "Data came after the deadline, or are stale",
            "P2",
            "",
            "The newest data are older than the schedule promises.",
            "Consumers keep the last good rows.",
            "Agree on a deadline that the source can keep, or move the job.",
        ),
        _class(
            "volume_anomaly",
            "An unusual number of rows",
            "P2",
            "reconciliation_mismatch",
            "The number of rows is far from what the source's own past promises.",
            _HELD,
            "Announce campaigns and migrations that change volumes.",
        ),
        _class(
            "key_skew",
            "One key has most of the rows",
            "P2",
            "",
            "One customer has more of the rows than is plausible.",
            "None needed: the numbers are right, processing may be slower.",
            "Ask whether a robot or a test account is behind it.",
        ),
        _class(
            "rows_unaccounted",
            "Rows went missing inside the platform",
            "P1",
            "reconciliation_mismatch",
            "Delivered rows are neither accepted nor duplicate nor quarantined nor held.",
            _HELD,
            "Add the case that lost them as a test.",
        ),
        _class(
            "transform_failure",
            "A transformation failed",
            "P1",
            "reconciliation_mismatch check_not_evaluated rows_unaccounted",
            "A dbt model broke, or one of the tests that guard the models failed.",
            "All landing days of the run are held.",
            "Add a dbt unit test for the case.",
        ),
        _class(
            "reconciliation_mismatch",
            "Two tables that should agree do not",
            "P1",
            "",
            "The same fact has different numbers in two places.",
            _HELD,
            "Never write to gold but through dbt.",
        ),
        _class(
            "check_not_evaluated",
            "A check could not be evaluated",
            "P2",
            "",
            "A check crashed. It says nothing about the data, good or bad.",
            "A blocking check that did not judge holds the landing day.",
            "Mend the check; test it on an empty and on a broken table.",
        ),
    )
}
