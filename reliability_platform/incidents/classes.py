"""Failure classes: what a failure means, how bad it is, which other failures are only its symptoms.

The order of the table is the order of precedence, from the source onwards: where two causes of one day could explain a
symptom, it joins the upper one. What to do about a class is the policy's business, in `remediation`.
"""

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
    spoils_numbers: bool
    """Whether consumers see wrong or incomplete numbers if a landing day of it was published before it was noticed."""
    what_it_means: str
    contained_by: str
    first_steps: tuple[str, ...]
    """What a person looks at before anything is done."""
    prevention: str


_HELD = "The landing day is held: consumers keep the last good rows of its event dates."
_ROWS = "The rows are in quarantine, and the landing day is held."

_SEE_FILES = "See which files were refused, and why: `reliability quarantine list`."
_SEE_ROWS = "See the rejected rows and their reasons: `reliability quarantine list`, then `quarantine show` on a batch."
_ASK_OWNER = "Tell the owner of the source which batches are concerned, and ask what changed."
_SEE_MODELS = "See which model or test failed, in the run's log or on the page of the asset."

_TABLE = (
    FailureClass(
        name="schema_break",
        title="A file breaks the schema contract",
        severity=Severity.P1,
        explains=frozenset(
            {"missing_data", "volume_anomaly", "reconciliation_mismatch", "freshness_breach", "key_skew"}
        ),
        spoils_numbers=True,
        what_it_means="The producer changed its columns. The file was refused whole; its rows are not in the warehouse.",
        contained_by="The file is in quarantine, and the landing day is held.",
        first_steps=(
            _SEE_FILES,
            "Compare the refused columns with the contract; a likely rename is named.",
            _ASK_OWNER,
        ),
        prevention="Agree on a notice period for schema changes with the owner; announce new columns in the contract.",
    ),
    FailureClass(
        name="file_corruption",
        title="A delivered file is broken or strange",
        severity=Severity.P1,
        explains=frozenset(
            {"missing_data", "volume_anomaly", "reconciliation_mismatch", "freshness_breach", "key_skew"}
        ),
        spoils_numbers=False,
        what_it_means="A file is unreadable, cut short, or comes without or against its manifest. It was refused whole.",
        contained_by="The file is in quarantine. If a scheduled batch is missing for it, the landing day is held.",
        first_steps=(
            _SEE_FILES,
            "Find out whether it is a broken batch or a stray file that nobody expected.",
            _ASK_OWNER,
        ),
        prevention="Let the producer write files in one step and the manifest last.",
    ),
    FailureClass(
        name="missing_data",
        title="Expected batches are missing",
        severity=Severity.P1,
        explains=frozenset({"volume_anomaly", "reconciliation_mismatch", "freshness_breach", "key_skew"}),
        spoils_numbers=True,
        what_it_means="The schedule promises batches that have not been admitted.",
        contained_by=_HELD,
        first_steps=("See which batches of the day are missing, in the first table below.", _ASK_OWNER),
        prevention="Let the producer confirm each batch; alert the producer's owner before the deadline.",
    ),
    FailureClass(
        name="null_spike",
        title="A required field is suddenly null",
        severity=Severity.P2,
        explains=frozenset({"reject_share", "reconciliation_mismatch", "volume_anomaly"}),
        spoils_numbers=True,
        what_it_means="More rows than tolerated lack a required value.",
        contained_by=_ROWS,
        first_steps=(_SEE_ROWS, "See whether all batches of the day are hit or only some.", _ASK_OWNER),
        prevention="Let the producer validate required fields before it sends.",
    ),
    FailureClass(
        name="payload_corruption",
        title="Payloads are malformed",
        severity=Severity.P2,
        explains=frozenset({"reject_share", "volume_anomaly", "reconciliation_mismatch"}),
        spoils_numbers=True,
        what_it_means="More payloads than tolerated are not the JSON objects that they should be.",
        contained_by=_ROWS,
        first_steps=(_SEE_ROWS, "See whether the payloads are cut short, empty or of another format.", _ASK_OWNER),
        prevention="Let the producer serialise with a library and test its payloads against the schema.",
    ),
    FailureClass(
        name="invalid_values",
        title="Values outside of what is allowed",
        severity=Severity.P2,
        explains=frozenset({"reject_share", "volume_anomaly", "reconciliation_mismatch"}),
        spoils_numbers=True,
        what_it_means="Values are unknown to the contract or out of range.",
        contained_by=_ROWS,
        first_steps=(_SEE_ROWS, "Decide whether the values are wrong or the contract is too narrow.", _ASK_OWNER),
        prevention="Extend the contract if the values are right; otherwise let the producer validate them.",
    ),
    FailureClass(
        name="broken_references",
        title="References lead nowhere",
        severity=Severity.P2,
        explains=frozenset({"reject_share", "volume_anomaly", "reconciliation_mismatch"}),
        spoils_numbers=True,
        what_it_means="Rows name customers, merchants or products that the reference data do not know.",
        contained_by=_ROWS,
        first_steps=(_SEE_ROWS, "See whether the reference data are older than the events that use them."),
        prevention="Deliver reference data before the events that use them.",
    ),
    FailureClass(
        name="reject_share",
        title="Too many rows are rejected",
        severity=Severity.P2,
        explains=frozenset({"volume_anomaly", "reconciliation_mismatch"}),
        spoils_numbers=True,
        what_it_means="More rows than tolerated are rejected, for reasons that no other check explains.",
        contained_by=_ROWS,
        first_steps=(_SEE_ROWS, "Take one rejected row and judge it by hand: a parser bug rejects good rows."),
        prevention="Look at the reasons: a parser bug rejects good rows.",
    ),
    FailureClass(
        name="duplicate_delivery",
        title="Batches were delivered more than once",
        severity=Severity.P2,
        explains=frozenset(),
        spoils_numbers=False,
        what_it_means="A producer re-sent what it had delivered.",
        contained_by="Deduplication on the unique key: no row counts twice.",
        first_steps=(
            "See which batches came again, in the first table below.",
            "Ask the owner whether the producer is retrying.",
        ),
        prevention="Let the producer retry under the same batch id.",
    ),
    FailureClass(
        name="late_data",
        title="Events came late",
        severity=Severity.P3,
        explains=frozenset({"volume_anomaly"}),
        spoils_numbers=False,
        what_it_means="Rows belong to earlier event dates, whose published numbers change with them.",
        contained_by="Within the watermark the event dates are recomputed; rows beyond it are held, not dropped.",
        first_steps=(
            "See which event dates changed, below.",
            "Tell those who have already reported the earlier numbers.",
        ),
        prevention="Ask the owner for the reason of the delay; widen the watermark if it is normal.",
    ),
    FailureClass(
        name="freshness_breach",
        title="Data came after the deadline, or are stale",
        severity=Severity.P2,
        explains=frozenset(),
        spoils_numbers=False,
        what_it_means="The newest data are older than the schedule promises.",
        contained_by="Consumers keep the last good rows.",
        first_steps=("Ask the owner when the data will come.", "Tell the consumers below that their numbers are old."),
        prevention="Agree on a deadline that the source can keep, or move the job.",
    ),
    FailureClass(
        name="volume_anomaly",
        title="An unusual number of rows",
        severity=Severity.P2,
        explains=frozenset({"reconciliation_mismatch"}),
        spoils_numbers=True,
        what_it_means="The number of rows is far from what the source's own past promises.",
        contained_by=_HELD,
        first_steps=("Ask the owner whether the volume is real: a campaign, a migration, an outage.",),
        prevention="Announce campaigns and migrations that change volumes.",
    ),
    FailureClass(
        name="key_skew",
        title="One key has most of the rows",
        severity=Severity.P2,
        explains=frozenset(),
        spoils_numbers=False,
        what_it_means="One customer has more of the rows than is plausible.",
        contained_by="None needed: the numbers are right, processing may be slower.",
        first_steps=("Look at the rows of that customer: a robot, a test account, or a default value?",),
        prevention="Ask whether a robot or a test account is behind it.",
    ),
    FailureClass(
        name="rows_unaccounted",
        title="Rows went missing inside the platform",
        severity=Severity.P1,
        explains=frozenset({"reconciliation_mismatch"}),
        spoils_numbers=True,
        what_it_means="Delivered rows are neither accepted nor duplicate nor quarantined nor held.",
        contained_by=_HELD,
        first_steps=(
            "Find the batch that does not add up, with the first question to the warehouse below.",
            _SEE_MODELS,
        ),
        prevention="Add the case that lost them as a test.",
    ),
    FailureClass(
        name="transform_failure",
        title="A transformation failed",
        severity=Severity.P1,
        explains=frozenset({"check_not_evaluated", "rows_unaccounted", "reconciliation_mismatch"}),
        spoils_numbers=True,
        what_it_means="A dbt model broke, or one of the tests that guard the models failed.",
        contained_by="All landing days of the run are held.",
        first_steps=(_SEE_MODELS, "Ask what was changed last in the models, the contracts or the reference data."),
        prevention="Add a dbt unit test for the case.",
    ),
    FailureClass(
        name="reconciliation_mismatch",
        title="Two tables that should agree do not",
        severity=Severity.P1,
        explains=frozenset(),
        spoils_numbers=True,
        what_it_means="The same fact has different numbers in two places.",
        contained_by=_HELD,
        first_steps=("See which table and measure differ, in the first table below.", _SEE_MODELS),
        prevention="Never write to gold but through dbt.",
    ),
    FailureClass(
        name="check_not_evaluated",
        title="A check could not be evaluated",
        severity=Severity.P2,
        explains=frozenset(),
        spoils_numbers=False,
        what_it_means="A check crashed. It says nothing about the data, good or bad.",
        contained_by="A blocking check that did not judge holds the landing day.",
        first_steps=(
            "Read the error in the first table below.",
            "Run the checks of the day again: the cause may have passed.",
        ),
        prevention="Mend the check; test it on an empty and on a broken table.",
    ),
)
CLASSES: dict[str, FailureClass] = {one.name: one for one in _TABLE}
