"""Failure classes: what a failure means, how bad it is, which other failures are only its symptoms.

The order of the table is the order of precedence, from the source onwards: where two causes of one day could explain a
symptom, it joins the upper one. What to do about a class is the policy's business, in `remediation`.
"""

from dataclasses import dataclass
from enum import StrEnum

from reliability_platform.causes import (
    CHECK_BROKE_OFF,
    DAMAGE,
    HELD,
    KILLED,
    LOST_ON_THE_WAY,
    NO_ROOM,
    NOT_STARTED,
    OTHER_BUILD,
    OUR_MODELS,
    OVERDUE,
    PRODUCER,
    ROWS_REMOVED,
    SOURCE_DOWN,
    UNFORESEEN,
    UNTIMELY,
    WATERMARK,
    Cause,
    Persistence,
)
from reliability_platform.sources.rejections import Rule


class Severity(StrEnum):
    """P0 breach or major loss · P1 pipeline down or wrong critical numbers · P2 degraded · P3 minor."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"


class IncidentType(StrEnum):
    """What kind of incident it is, in the words of data incident response."""

    DATA_LOSS = "data loss"
    CORRUPTION = "corruption"
    BREACH = "breach"
    PIPELINE_FAILURE = "pipeline failure"
    SCHEMA_BREAK = "schema break"
    QUALITY_DEGRADATION = "quality degradation"
    FRESHNESS_VIOLATION = "freshness violation"


class Harm(StrEnum):
    """What a failure does if nobody acts; `triage` derives the severity from it."""

    EXPOSURE = "exposure"
    LOSS = "loss"
    WRONG_NUMBERS = "wrong_numbers"
    STANDSTILL = "standstill"
    DEGRADED = "degraded"
    MINOR = "minor"


class Origin(StrEnum):
    """Who can mend it."""

    UPSTREAM = "upstream"
    OURS = "ours"


class Aspect(StrEnum):
    """Whether values are wrong, or the shape in which they come, or neither: they come late, twice or not at all."""

    QUALITY = "quality"
    STRUCTURE = "structure"
    DELIVERY = "delivery"


class AskFor(StrEnum):
    """Which batches of its landing days a failure gives reason to ask the source for again."""

    MISSING = "missing batches"
    UNASKED = "attempts that came unasked"
    REFUSED_FOR_COLUMNS = "files refused for their columns"
    REFUSED_AS_BROKEN = "files refused as broken"
    REJECTED_ROWS = "batches with rejected rows"
    WRONG_CLOCK = "days whose rows cannot be late"
    """What is truly late is there already; a wrong clock may be wrong both ways, and no batch is known to be right."""
    SHIFTED = "days whose times are shifted"
    EVERYTHING = "all batches of the days"
    """Where nothing says which batch is wrong."""


BY_CLOCK = frozenset({AskFor.WRONG_CLOCK, AskFor.SHIFTED})
"""What is asked for because of the times of its rows: an answer may not take the place of rows that it lacks."""

HARM_SEVERITY = {
    Harm.EXPOSURE: Severity.P0,
    Harm.LOSS: Severity.P0,
    Harm.WRONG_NUMBERS: Severity.P1,
    Harm.STANDSTILL: Severity.P1,
    Harm.DEGRADED: Severity.P2,
    Harm.MINOR: Severity.P3,
}


@dataclass(frozen=True)
class FailureClass:
    """One way to fail, in words for the person on call."""

    name: str
    title: str
    type: IncidentType
    harm: Harm
    cause: Cause
    """What it comes of as a rule; the error of an incident may say otherwise."""
    origin: Origin
    aspect: Aspect
    explains: frozenset[str]
    """Classes that, on the same source and day, are symptoms of this one."""
    spoils_numbers: bool
    """Whether consumers see wrong or incomplete numbers if a landing day of it was published before it was noticed."""
    what_it_means: str
    contained_by: str
    first_steps: tuple[str, ...]
    """What a person looks at before anything is done."""
    prevention: str
    asks_for: frozenset[AskFor] = frozenset({AskFor.REJECTED_ROWS})
    rejections: frozenset[Rule] = frozenset()
    """The rules for which rows of it are rejected: by their commonest one the share of rejected rows joins it."""
    column: str | None = None
    """The column that it is always about."""
    between_sources: bool = False
    """Whether it says of no source alone that it is wrong: all sources of its checks are concerned."""
    of_the_home: bool = False
    """Whether it is about the home itself and no landing day: then its date is the day on which it was noticed."""

    @property
    def persistence(self) -> Persistence:
        """Whether trying again can help without any change, as a rule."""
        return self.cause.persistence

    @property
    def refuses_files(self) -> bool:
        """Whether files of it are refused whole, so that the batches that they are of are missing for it."""
        return bool(self.asks_for & {AskFor.REFUSED_FOR_COLUMNS, AskFor.REFUSED_AS_BROKEN})

    @property
    def severity(self) -> Severity:
        """How bad it is before anybody knows whom it hit."""
        return HARM_SEVERITY[self.harm]


_HELD = "The landing day is held: consumers keep the last good rows of its event dates."
_ROWS = "The rows are in quarantine, and the landing day is held."

_SEE_FILES = "See which files were refused, and why: `reliability quarantine list`."
_SEE_ROWS = "See the rejected rows and their reasons: `reliability quarantine list`, then `quarantine show` on a batch."
_ASK_OWNER = "Tell the owner of the source which batches are concerned, and ask what changed."
_SAME_GAPS = frozenset({"volume_anomaly", "sources_disagree", "freshness_breach", "key_skew", "late_data"})
"""What rows that are not there look like downstream; among those left, the late ones have a larger share."""
_AFTER_REJECTS = frozenset({"reject_share", "volume_anomaly", "sources_disagree", "key_skew"})
"""What rejected rows look like downstream."""
_SEE_MODELS = "See which model or test failed, in the run's log or on the page of the asset."

_TABLE = (
    FailureClass(
        name="pii_leak",
        title="Personal data in free text",
        type=IncidentType.BREACH,
        harm=Harm.EXPOSURE,
        cause=PRODUCER,
        origin=Origin.UPSTREAM,
        aspect=Aspect.QUALITY,
        explains=_AFTER_REJECTS,
        spoils_numbers=False,
        rejections=frozenset({Rule.PERSONAL_DATA}),
        what_it_means="Card numbers or mail addresses came in a field that anybody may read. This is a breach.",
        contained_by="The rows are in quarantine, masked; no table, sample or document shows them. The day is held.",
        first_steps=(
            "Tell whoever is responsible for data protection now; the clock of the law is running.",
            _SEE_ROWS,
            "Ask the owner to stop the leak and to send clean rows.",
            "The raw files in landing and bronze still hold the data, until they are purged: restrict who can read them.",
        ),
        prevention="Let the producer mask free text before it leaves; scan it there too.",
    ),
    FailureClass(
        name="data_loss",
        title="A table of the warehouse has lost rows",
        type=IncidentType.DATA_LOSS,
        harm=Harm.LOSS,
        cause=ROWS_REMOVED,
        origin=Origin.OURS,
        aspect=Aspect.QUALITY,
        explains=frozenset({"rows_unaccounted", "missing_data", "transform_failure", "reconciliation_mismatch"})
        | _SAME_GAPS,
        spoils_numbers=True,
        what_it_means="Rows that had been built are gone, while the layer before still has them: somebody deleted them.",
        contained_by="All days concerned are held; the published version is a file of its own and stays as it was.",
        first_steps=(
            "Stop whoever writes to the warehouse besides the pipeline.",
            "See which table lost which days, in the table of the checks.",
            "A snapshot may have the rows, and bronze is whole: putting back or building again brings every row back.",
        ),
        prevention="Let nobody but the pipeline open the warehouse for writing.",
    ),
    FailureClass(
        name="upstream_unavailable",
        title="A source turns us away",
        type=IncidentType.FRESHNESS_VIOLATION,
        harm=Harm.DEGRADED,
        cause=SOURCE_DOWN,
        origin=Origin.UPSTREAM,
        aspect=Aspect.DELIVERY,
        explains=frozenset({"source_silent", "missing_data"}) | _SAME_GAPS,
        spoils_numbers=False,
        asks_for=frozenset({AskFor.MISSING}),
        what_it_means="The source is busy or does not answer. Batches may not have come; the deadline may be at risk.",
        contained_by="What came is whole; a day that lacks a batch is held, and consumers keep the last good rows.",
        first_steps=(
            "Ask the owner of the source whether we ask too often, or it is overloaded.",
            "See the breaker, what is missing, and the deadline: `reliability sources list`.",
            "Do not ask more often: the breaker leaves it alone on purpose.",
        ),
        prevention="Agree on a rate with the owner, and stay below it.",
    ),
    FailureClass(
        name="source_silent",
        title="A source has gone silent",
        type=IncidentType.PIPELINE_FAILURE,
        harm=Harm.STANDSTILL,
        cause=SOURCE_DOWN,
        origin=Origin.UPSTREAM,
        aspect=Aspect.DELIVERY,
        explains=frozenset({"missing_data"}) | _SAME_GAPS,
        spoils_numbers=True,
        asks_for=frozenset({AskFor.MISSING}),
        what_it_means="Nothing at all came on a landing day: not late, not broken, nothing.",
        contained_by=_HELD,
        first_steps=("Ask the owner whether the source is down, or the way to it.", _ASK_OWNER),
        prevention="Let the source send an empty batch when it has nothing to say.",
    ),
    FailureClass(
        name="schema_break",
        title="A file breaks the schema contract",
        type=IncidentType.SCHEMA_BREAK,
        harm=Harm.STANDSTILL,
        cause=PRODUCER,
        origin=Origin.UPSTREAM,
        aspect=Aspect.STRUCTURE,
        explains=frozenset({"missing_data"}) | _SAME_GAPS,
        spoils_numbers=True,
        asks_for=frozenset({AskFor.REFUSED_FOR_COLUMNS}),
        what_it_means="The producer changed its columns. The file was refused whole; its rows are not in the warehouse.",
        contained_by="The file is in quarantine, and the landing day is held.",
        first_steps=(
            _SEE_FILES,
            "Compare the refused columns with the contract, and with their past where another way to read them is named.",
            _ASK_OWNER,
        ),
        prevention="Agree on a notice period for schema changes with the owner; announce new columns in the contract.",
    ),
    FailureClass(
        name="file_corruption",
        title="A delivered file is broken or strange",
        type=IncidentType.CORRUPTION,
        harm=Harm.STANDSTILL,
        cause=LOST_ON_THE_WAY,
        origin=Origin.UPSTREAM,
        aspect=Aspect.STRUCTURE,
        explains=frozenset({"missing_data"}) | _SAME_GAPS,
        spoils_numbers=False,
        asks_for=frozenset({AskFor.REFUSED_AS_BROKEN}),
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
        type=IncidentType.PIPELINE_FAILURE,
        harm=Harm.WRONG_NUMBERS,
        cause=LOST_ON_THE_WAY,
        origin=Origin.UPSTREAM,
        aspect=Aspect.DELIVERY,
        explains=_SAME_GAPS,
        spoils_numbers=True,
        asks_for=frozenset({AskFor.MISSING}),
        what_it_means="The schedule promises batches that have not been admitted.",
        contained_by=_HELD,
        first_steps=("See which batches of the day are missing, in the table of the checks.", _ASK_OWNER),
        prevention="Let the producer confirm each batch; alert the producer's owner before the deadline.",
    ),
    FailureClass(
        name="key_conflict",
        title="One key, two contents",
        type=IncidentType.CORRUPTION,
        harm=Harm.WRONG_NUMBERS,
        cause=PRODUCER,
        origin=Origin.UPSTREAM,
        aspect=Aspect.QUALITY,
        explains=_AFTER_REJECTS | {"duplicate_delivery"},
        spoils_numbers=True,
        rejections=frozenset({Rule.KEY_CONFLICT}),
        what_it_means="A key came again with another content. The first delivery was kept; nobody knows which is right.",
        contained_by=_ROWS,
        first_steps=(_SEE_ROWS, "Compare the first delivery with the later one.", _ASK_OWNER),
        prevention="Let the producer send corrections as such, under a version of the key.",
    ),
    FailureClass(
        name="unasked_attempt",
        title="A second attempt contradicts a good one",
        type=IncidentType.CORRUPTION,
        harm=Harm.DEGRADED,
        cause=PRODUCER,
        origin=Origin.UPSTREAM,
        aspect=Aspect.DELIVERY,
        explains=frozenset(),
        spoils_numbers=False,
        asks_for=frozenset({AskFor.UNASKED}),
        what_it_means="Nobody asked for another attempt of a batch that is good, and rows of the good one are gone or other in it.",
        contained_by="The attempt is in quarantine; the good one counts as before, and nothing else is held.",
        first_steps=(
            "See how many rows are gone and how many contradict, in the table of the checks.",
            "Ask the owner of the source whether it is a correction or a mistake.",
        ),
        prevention="Agree with the owner that corrections are announced.",
    ),
    FailureClass(
        name="misplaced_delivery",
        title="Something lies in landing where no run looks",
        type=IncidentType.PIPELINE_FAILURE,
        harm=Harm.DEGRADED,
        cause=PRODUCER,
        origin=Origin.UPSTREAM,
        aspect=Aspect.DELIVERY,
        explains=frozenset(),
        spoils_numbers=False,
        what_it_means="Files or folders belong to no landing day of a declared source, or came into one after its run.",
        contained_by="Nothing reads them: they are in no number, and they stay as they are.",
        first_steps=(
            "See which entries they are, in the table of the checks; `reliability doctor` names them too.",
            "Find out who put them there: a delivery in the wrong place is missing from the right one.",
        ),
        prevention="Give each producer the right to write below its own source only.",
    ),
    FailureClass(
        name="future_data",
        title="Events of the future",
        type=IncidentType.CORRUPTION,
        harm=Harm.WRONG_NUMBERS,
        cause=PRODUCER,
        origin=Origin.UPSTREAM,
        aspect=Aspect.QUALITY,
        explains=_AFTER_REJECTS | {"freshness_breach"},
        spoils_numbers=True,
        asks_for=frozenset({AskFor.REJECTED_ROWS, AskFor.WRONG_CLOCK}),
        rejections=frozenset({Rule.IN_FUTURE}),
        column="event_time",
        what_it_means="Event times lie after the moment at which the rows landed: most likely a time-zone bug.",
        contained_by=_ROWS,
        first_steps=(_SEE_ROWS, "Look by how many hours they are ahead: it names the time zone.", _ASK_OWNER),
        prevention="Let the producer send UTC, and test it on the day on which the clocks change.",
    ),
    FailureClass(
        name="shifted_timestamps",
        title="Timestamps are shifted",
        type=IncidentType.CORRUPTION,
        harm=Harm.WRONG_NUMBERS,
        cause=PRODUCER,
        origin=Origin.UPSTREAM,
        aspect=Aspect.QUALITY,
        explains=_SAME_GAPS | {"held_late"},
        spoils_numbers=True,
        asks_for=frozenset({AskFor.SHIFTED}),
        column="event_time",
        what_it_means="Event times lie hours away from the slots with which the rows came: most likely a time-zone bug.",
        contained_by=_HELD,
        first_steps=(
            "See by how many hours rows are away from their slot: it names the time zone.",
            "See whether all batches of the day are hit, and whether another source of the same producer is.",
            _ASK_OWNER,
        ),
        prevention="Let the producer send UTC, and test it on the day on which the clocks change.",
    ),
    FailureClass(
        name="null_spike",
        title="A required field is suddenly null",
        type=IncidentType.QUALITY_DEGRADATION,
        harm=Harm.DEGRADED,
        cause=PRODUCER,
        origin=Origin.UPSTREAM,
        aspect=Aspect.QUALITY,
        explains=_AFTER_REJECTS,
        spoils_numbers=True,
        rejections=frozenset({Rule.MISSING}),
        what_it_means="More rows than tolerated lack a required value.",
        contained_by=_ROWS,
        first_steps=(_SEE_ROWS, "See whether all batches of the day are hit or only some.", _ASK_OWNER),
        prevention="Let the producer validate required fields before it sends.",
    ),
    FailureClass(
        name="payload_corruption",
        title="Payloads are malformed",
        type=IncidentType.QUALITY_DEGRADATION,
        harm=Harm.DEGRADED,
        cause=PRODUCER,
        origin=Origin.UPSTREAM,
        aspect=Aspect.STRUCTURE,
        explains=_AFTER_REJECTS,
        spoils_numbers=True,
        rejections=frozenset({Rule.MALFORMED}),
        column="payload",
        what_it_means="More payloads than tolerated are not the JSON objects that they should be.",
        contained_by=_ROWS,
        first_steps=(_SEE_ROWS, "See whether the payloads are cut short, empty or of another format.", _ASK_OWNER),
        prevention="Let the producer serialise with a library and test its payloads against the schema.",
    ),
    FailureClass(
        name="poison_message",
        title="Single records that break parsers",
        type=IncidentType.QUALITY_DEGRADATION,
        harm=Harm.MINOR,
        cause=PRODUCER,
        origin=Origin.UPSTREAM,
        aspect=Aspect.STRUCTURE,
        explains=_AFTER_REJECTS,
        spoils_numbers=False,
        rejections=frozenset({Rule.POISONOUS}),
        what_it_means="A few records are so deep or so long that no parser survives them. All others were processed.",
        contained_by="The records are dead letters in quarantine; the landing day goes on.",
        first_steps=(_SEE_ROWS, "Ask the owner what made them; discard them if nobody misses them."),
        prevention="Limit depth and length where the records are made.",
    ),
    FailureClass(
        name="unknown_values",
        title="Labels that the contract does not know",
        type=IncidentType.QUALITY_DEGRADATION,
        harm=Harm.DEGRADED,
        cause=PRODUCER,
        origin=Origin.UPSTREAM,
        aspect=Aspect.QUALITY,
        explains=_AFTER_REJECTS,
        spoils_numbers=True,
        rejections=frozenset({Rule.UNKNOWN_VALUE}),
        what_it_means="A column that may hold a few labels holds another one.",
        contained_by=_ROWS,
        first_steps=(_SEE_ROWS, "Decide whether the label is wrong or the contract is too narrow.", _ASK_OWNER),
        prevention="Agree on new labels before they are used; extend the contract first.",
    ),
    FailureClass(
        name="invalid_values",
        title="Values out of their range",
        type=IncidentType.QUALITY_DEGRADATION,
        harm=Harm.DEGRADED,
        cause=PRODUCER,
        origin=Origin.UPSTREAM,
        aspect=Aspect.QUALITY,
        explains=_AFTER_REJECTS,
        spoils_numbers=True,
        rejections=frozenset({Rule.OUT_OF_RANGE, Rule.IMPOSSIBLE}),
        what_it_means="Numbers are negative or absurd.",
        contained_by=_ROWS,
        first_steps=(_SEE_ROWS, "Decide whether the values are wrong or the contract is too narrow.", _ASK_OWNER),
        prevention="Extend the contract if the values are right; otherwise let the producer validate them.",
    ),
    FailureClass(
        name="broken_references",
        title="References lead nowhere",
        type=IncidentType.QUALITY_DEGRADATION,
        harm=Harm.DEGRADED,
        cause=PRODUCER,
        origin=Origin.UPSTREAM,
        aspect=Aspect.QUALITY,
        explains=_AFTER_REJECTS,
        spoils_numbers=True,
        rejections=frozenset({Rule.UNKNOWN_REFERENCE}),
        what_it_means="Rows name customers, merchants or products that the reference data do not know.",
        contained_by=_ROWS,
        first_steps=(_SEE_ROWS, "See whether the reference data are older than the events that use them."),
        prevention="Deliver reference data before the events that use them.",
    ),
    FailureClass(
        name="reject_share",
        title="Too many rows are rejected",
        type=IncidentType.QUALITY_DEGRADATION,
        harm=Harm.DEGRADED,
        cause=PRODUCER,
        origin=Origin.OURS,
        aspect=Aspect.QUALITY,
        explains=frozenset({"volume_anomaly", "sources_disagree"}),
        spoils_numbers=True,
        what_it_means="More rows than tolerated are rejected, for reasons that no other check explains.",
        contained_by=_ROWS,
        first_steps=(_SEE_ROWS, "Take one rejected row and judge it by hand: a parser bug rejects good rows."),
        prevention="Look at the reasons: a parser bug rejects good rows.",
    ),
    FailureClass(
        name="duplicate_delivery",
        title="Batches were delivered more than once",
        type=IncidentType.QUALITY_DEGRADATION,
        harm=Harm.DEGRADED,
        cause=UNTIMELY,
        origin=Origin.UPSTREAM,
        aspect=Aspect.DELIVERY,
        explains=frozenset(),
        spoils_numbers=False,
        what_it_means="A producer re-sent what it had delivered.",
        contained_by="Deduplication on the unique key: no row counts twice.",
        first_steps=(
            "See which batches came again, in the table of the checks.",
            "Ask the owner whether the producer is retrying.",
        ),
        prevention="Let the producer retry under the same batch id.",
    ),
    FailureClass(
        name="stale_redelivery",
        title="An old batch was delivered again",
        type=IncidentType.QUALITY_DEGRADATION,
        harm=Harm.MINOR,
        cause=UNTIMELY,
        origin=Origin.UPSTREAM,
        aspect=Aspect.DELIVERY,
        explains=frozenset(),
        spoils_numbers=False,
        what_it_means="A batch of an earlier landing day came again, byte for byte.",
        contained_by="It was ignored: its first delivery counts.",
        first_steps=("See which batches came again, in the table of the checks.", _ASK_OWNER),
        prevention="Let the producer remember what it has delivered.",
    ),
    FailureClass(
        name="schema_addition",
        title="A column that nobody announced",
        type=IncidentType.SCHEMA_BREAK,
        harm=Harm.MINOR,
        cause=PRODUCER,
        origin=Origin.UPSTREAM,
        aspect=Aspect.STRUCTURE,
        explains=frozenset(),
        spoils_numbers=False,
        what_it_means="Files have a column that the contract neither knows nor announces. All others are as promised.",
        contained_by="Its values are kept in the rescued-data column; nothing else changed.",
        first_steps=("See which column it is, in the table of the checks.", _ASK_OWNER),
        prevention="Announce new columns in the contract.",
    ),
    FailureClass(
        name="held_late",
        title="Events came too late",
        type=IncidentType.FRESHNESS_VIOLATION,
        harm=Harm.DEGRADED,
        cause=WATERMARK,
        origin=Origin.UPSTREAM,
        aspect=Aspect.DELIVERY,
        explains=frozenset({"late_data", "volume_anomaly"}),
        spoils_numbers=False,
        what_it_means="Rows belong to event dates beyond the watermark, whose numbers are final unless somebody decides.",
        contained_by="The rows are held, not dropped; the published numbers of their event dates stand.",
        first_steps=(
            "See how many rows are held, and of which event dates: `select * from hld_too_late`.",
            "Ask those who have reported the old numbers whether they want them changed.",
        ),
        prevention="Ask the owner for the reason of the delay; widen the watermark if it is normal.",
    ),
    FailureClass(
        name="late_data",
        title="Events came late",
        type=IncidentType.FRESHNESS_VIOLATION,
        harm=Harm.MINOR,
        cause=UNTIMELY,
        origin=Origin.UPSTREAM,
        aspect=Aspect.DELIVERY,
        explains=frozenset({"volume_anomaly"}),
        spoils_numbers=False,
        asks_for=frozenset({AskFor.WRONG_CLOCK}),
        what_it_means="Rows belong to earlier event dates, whose published numbers change with them.",
        contained_by="The rows are within the watermark: they count once their event dates have been built again.",
        first_steps=(
            "See which event dates changed, below.",
            "Tell those who have already reported the earlier numbers.",
        ),
        prevention="Ask the owner for the reason of the delay; widen the watermark if it is normal.",
    ),
    FailureClass(
        name="freshness_breach",
        title="Data came after the deadline, or are stale",
        type=IncidentType.FRESHNESS_VIOLATION,
        harm=Harm.DEGRADED,
        cause=UNTIMELY,
        origin=Origin.UPSTREAM,
        aspect=Aspect.DELIVERY,
        explains=frozenset(),
        spoils_numbers=False,
        what_it_means="The newest data are older than the schedule promises.",
        contained_by="What has come is whole; of what has not, consumers keep the last good rows.",
        first_steps=("Ask the owner when the data will come.", "Tell the consumers below that their numbers are old."),
        prevention="Agree on a deadline that the source can keep, or move the job.",
    ),
    FailureClass(
        name="distribution_shift",
        title="Amounts are of another scale",
        type=IncidentType.CORRUPTION,
        harm=Harm.WRONG_NUMBERS,
        cause=PRODUCER,
        origin=Origin.UPSTREAM,
        aspect=Aspect.QUALITY,
        explains=frozenset({"sources_disagree", "invalid_values", "reject_share"}),
        spoils_numbers=True,
        asks_for=frozenset({AskFor.EVERYTHING}),
        what_it_means="The usual amount changed overnight by a factor: most likely another unit or currency.",
        contained_by=_HELD,
        first_steps=(
            "Read the factor in the table of the checks: 100 speaks for minor units, 1.609 for miles.",
            "See whether all rows changed or one currency alone.",
            _ASK_OWNER,
        ),
        prevention="Put the unit into the column's name or beside the value.",
    ),
    FailureClass(
        name="volume_anomaly",
        title="An unusual number of rows",
        type=IncidentType.QUALITY_DEGRADATION,
        harm=Harm.DEGRADED,
        cause=PRODUCER,
        origin=Origin.UPSTREAM,
        aspect=Aspect.QUALITY,
        explains=frozenset({"sources_disagree"}),
        spoils_numbers=True,
        asks_for=frozenset({AskFor.EVERYTHING}),
        what_it_means="The number of rows is far from what the source's own past promises.",
        contained_by=_HELD,
        first_steps=("Ask the owner whether the volume is real: a campaign, a migration, an outage.",),
        prevention="Announce campaigns and migrations that change volumes.",
    ),
    FailureClass(
        name="sources_disagree",
        title="Two sources contradict each other",
        type=IncidentType.CORRUPTION,
        harm=Harm.WRONG_NUMBERS,
        cause=PRODUCER,
        origin=Origin.UPSTREAM,
        aspect=Aspect.QUALITY,
        explains=frozenset(),
        spoils_numbers=True,
        asks_for=frozenset({AskFor.EVERYTHING}),
        what_it_means="What two sources tell of the same fact differs: one of them is wrong, or lacks rows.",
        contained_by=_HELD,
        first_steps=(
            "See how many rows have no partner, and how many are of another amount, in the table of the checks.",
            "Find out with the question below which of the two sources left its own past.",
            "Ask both owners what changed.",
        ),
        prevention="Let the two producers compare their totals before they send.",
        between_sources=True,
    ),
    FailureClass(
        name="key_skew",
        title="One key has most of the rows",
        type=IncidentType.QUALITY_DEGRADATION,
        harm=Harm.DEGRADED,
        cause=PRODUCER,
        origin=Origin.UPSTREAM,
        aspect=Aspect.QUALITY,
        explains=frozenset(),
        spoils_numbers=False,
        asks_for=frozenset({AskFor.EVERYTHING}),
        what_it_means="One customer has more of the rows than is plausible.",
        contained_by="None needed: the numbers are right, processing may be slower.",
        first_steps=("Look at the rows of that customer: a robot, a test account, or a default value?",),
        prevention="Ask whether a robot or a test account is behind it.",
    ),
    FailureClass(
        name="run_killed",
        title="A run was killed",
        type=IncidentType.PIPELINE_FAILURE,
        harm=Harm.STANDSTILL,
        cause=KILLED,
        origin=Origin.OURS,
        aspect=Aspect.DELIVERY,
        explains=frozenset(),
        spoils_numbers=False,
        what_it_means="A run ended without a word and its process is gone: tables may be of two times.",
        contained_by="What it was building has not been judged since, and is held; consumers read the version before.",
        first_steps=(
            "Find out who or what killed it: the machine's memory, a deployment, a person.",
            "See that nothing else is at work on the same days.",
        ),
        prevention="Give builds enough memory, and let deployments wait for them.",
    ),
    FailureClass(
        name="day_not_run",
        title="A landing day was due and has not been run",
        type=IncidentType.PIPELINE_FAILURE,
        harm=Harm.STANDSTILL,
        cause=NOT_STARTED,
        origin=Origin.OURS,
        aspect=Aspect.DELIVERY,
        explains=frozenset(),
        spoils_numbers=False,
        what_it_means="The schedules are switched on and the turn of the day has passed, but no build of it has begun: "
        "the daemon was down, or a run waits in the queue, never started, or ended before it built anything.",
        contained_by="Consumers read the version before, which ends a day early.",
        first_steps=(
            "See whether the daemon is up and the schedule `daily_pipeline` is on: `reliability dev` serves both.",
            "Look into the queue of runs: one that waits for a pool or was never started stands there.",
        ),
        prevention="Let the machine's service manager keep `reliability dev` up, and watch its health from outside.",
    ),
    FailureClass(
        name="write_failure",
        title="The warehouse or the home could not be written",
        type=IncidentType.PIPELINE_FAILURE,
        harm=Harm.STANDSTILL,
        cause=HELD,
        origin=Origin.OURS,
        aspect=Aspect.DELIVERY,
        explains=frozenset(),
        spoils_numbers=False,
        what_it_means="A run failed because the warehouse is locked by another program, or the home lacks room or rights.",
        contained_by="Nothing was written; consumers read the version before.",
        first_steps=(
            "Read in the table of the checks whether the cause is transient (a lock) or permanent (room, rights).",
            "If it is permanent, make room or give rights first; building again before that fails again.",
        ),
        prevention="Keep shells away from the warehouse file; watch the room on its disk.",
    ),
    FailureClass(
        name="run_failed",
        title="A stage of the pipeline failed",
        type=IncidentType.PIPELINE_FAILURE,
        harm=Harm.STANDSTILL,
        cause=UNFORESEEN,
        origin=Origin.OURS,
        aspect=Aspect.DELIVERY,
        explains=frozenset(),
        spoils_numbers=False,
        what_it_means="A run ended in an error before its days were judged and published; the stage and the error are below.",
        contained_by="What was not judged is held, and nothing was published; consumers read the version before.",
        first_steps=(
            "Read in the table of the checks which stage failed, and with what error.",
            "See whether the error names a file, a setting or a source; that is where to look.",
        ),
        prevention="Mend what failed; add the case as a test.",
    ),
    FailureClass(
        name="unsafe_backfill",
        title="A backfill was refused as unsafe",
        type=IncidentType.PIPELINE_FAILURE,
        harm=Harm.WRONG_NUMBERS,
        cause=OTHER_BUILD,
        origin=Origin.OURS,
        aspect=Aspect.DELIVERY,
        explains=frozenset(),
        spoils_numbers=False,
        what_it_means="A backfill wanted days that another one was building, that somebody holds or an incident binds; or "
        "it came with models or deliveries older than the tables, or would have changed closed periods.",
        contained_by="It was refused before it wrote anything; what was at work went on.",
        first_steps=(
            "Ask whoever started it whether it is still needed, now that the days have been built.",
            "If its models or deliveries were too old, find out which machine still has them.",
            "If it is needed all the same, let its dry run show what it would change, then approve it.",
        ),
        prevention="Look for runs under way before a backfill is started; start backfills from one place.",
    ),
    FailureClass(
        name="published_damage",
        title="What is published is not what was audited",
        type=IncidentType.CORRUPTION,
        harm=Harm.WRONG_NUMBERS,
        cause=DAMAGE,
        origin=Origin.OURS,
        aspect=Aspect.QUALITY,
        explains=frozenset(),
        spoils_numbers=True,
        what_it_means="A published table, its record or the pointer was changed, cut short, replaced or deleted from outside.",
        contained_by="Nothing is copied out of a file whose checksum is wrong; until it is put back, consumers may have read it.",
        first_steps=(
            "See which file differs, and how: `reliability doctor`.",
            "Find out who can write to the folder of published versions besides the platform.",
            "Tell consumers since when the file has been other than it was; its time of change says so.",
        ),
        prevention="Give consumers the right to read the published folder, and nobody but the platform the right to write.",
    ),
    FailureClass(
        name="rows_unaccounted",
        title="Rows went missing inside the platform",
        type=IncidentType.DATA_LOSS,
        harm=Harm.WRONG_NUMBERS,
        cause=OUR_MODELS,
        origin=Origin.OURS,
        aspect=Aspect.QUALITY,
        explains=frozenset({"sources_disagree"}),
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
        type=IncidentType.PIPELINE_FAILURE,
        harm=Harm.STANDSTILL,
        cause=OUR_MODELS,
        origin=Origin.OURS,
        aspect=Aspect.STRUCTURE,
        explains=frozenset({"check_not_evaluated", "rows_unaccounted", "reconciliation_mismatch", "sources_disagree"}),
        spoils_numbers=True,
        what_it_means="A dbt model broke, or one of the tests that guard the models failed.",
        contained_by="All landing days of the run are held.",
        first_steps=(_SEE_MODELS, "Ask what was changed last in the models, the contracts or the reference data."),
        prevention="Add a dbt unit test for the case.",
    ),
    FailureClass(
        name="reconciliation_mismatch",
        title="Two layers of the warehouse that should agree do not",
        type=IncidentType.CORRUPTION,
        harm=Harm.WRONG_NUMBERS,
        cause=OUR_MODELS,
        origin=Origin.OURS,
        aspect=Aspect.QUALITY,
        explains=frozenset(),
        spoils_numbers=True,
        what_it_means="Gold does not add up to silver: no delivery explains that, it is our own work.",
        contained_by=_HELD,
        first_steps=("See which table and measure differ, in the table of the checks.", _SEE_MODELS),
        prevention="Never write to gold but through dbt.",
    ),
    FailureClass(
        name="recovery_at_risk",
        title="Recovery is not as ready as promised",
        type=IncidentType.PIPELINE_FAILURE,
        harm=Harm.DEGRADED,
        cause=OVERDUE,
        origin=Origin.OURS,
        aspect=Aspect.DELIVERY,
        explains=frozenset(),
        spoils_numbers=False,
        what_it_means="A snapshot failed or is too old, a drill failed or is overdue, or a step of detection or alerting failed. What is lost now may stay lost, or unseen.",
        contained_by="Published data are not concerned.",
        first_steps=(
            "Read in the table of the checks which of them it is; `reliability doctor` says the same.",
            "Take a snapshot with `reliability snapshot create`, or do the drill: `reliability drill table-loss`.",
        ),
        prevention="Keep snapshots where there is room, and look at the runs of `snapshot_warehouse`.",
        of_the_home=True,
    ),
    FailureClass(
        name="capacity_low",
        title="Room or memory runs out",
        type=IncidentType.PIPELINE_FAILURE,
        harm=Harm.DEGRADED,
        cause=NO_ROOM,
        origin=Origin.OURS,
        aspect=Aspect.DELIVERY,
        explains=frozenset(),
        spoils_numbers=False,
        what_it_means="Less room on the disk or less memory is left than the settings ask for: builds will fail soon.",
        contained_by="Nothing has failed yet.",
        first_steps=("See what has grown: landing, snapshots, the orchestrator's history.", "Make room, or add some."),
        prevention="Watch the growth of the home, and keep snapshots elsewhere (RELIABILITY_SNAPSHOT_URL).",
        of_the_home=True,
    ),
    FailureClass(
        name="clock_disagreement",
        title="A producer's times contradict ours",
        type=IncidentType.FRESHNESS_VIOLATION,
        harm=Harm.MINOR,
        cause=PRODUCER,
        origin=Origin.UPSTREAM,
        aspect=Aspect.QUALITY,
        explains=frozenset(),
        spoils_numbers=False,
        what_it_means="A manifest says that its batch landed before it was made, after we had seen it, or long before a "
        "look that did not find it.",
        contained_by="Lateness is judged by our own time; the rows are not concerned.",
        first_steps=("Compare the manifest's times with ours, in the table of the checks.", _ASK_OWNER),
        prevention="Let the producer take its times from a clock that is kept right, when it writes the manifest.",
    ),
    FailureClass(
        name="check_not_evaluated",
        title="A check could not be evaluated",
        type=IncidentType.PIPELINE_FAILURE,
        harm=Harm.DEGRADED,
        cause=CHECK_BROKE_OFF,
        origin=Origin.OURS,
        aspect=Aspect.STRUCTURE,
        explains=frozenset(),
        spoils_numbers=False,
        what_it_means="A check crashed. It says nothing about the data, good or bad.",
        contained_by="A blocking check that did not judge holds the landing day.",
        first_steps=(
            "Read the error in the table of the checks.",
            "Run the checks of the day again: the cause may have passed.",
        ),
        prevention="Mend the check; test it on an empty and on a broken table.",
    ),
)
CLASSES: dict[str, FailureClass] = {one.name: one for one in _TABLE}
