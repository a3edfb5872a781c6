"""What a request may ask: the parameters and bodies of all routes, each checked before anything is done.

A parameter or a field that does not exist is refused: a misspelt filter that is passed over in silence shows everything.
"""

from collections.abc import Collection, Mapping
from datetime import date
from re import fullmatch
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from reliability_platform.clock import FIRST_DAY, utc_now
from reliability_platform.contracts import SOURCES
from reliability_platform.incidents.classes import CLASSES, Severity
from reliability_platform.incidents.decisions import MAX_NAME, MAX_TEXT, IncidentRole
from reliability_platform.incidents.model import State
from reliability_platform.incidents.reports import REPORTABLE, PersonReport
from reliability_platform.operations.tables import MAX_REASON
from reliability_platform.pauses import Pausable
from reliability_platform.service.queries.answer import MAX_LIMIT, Window

MAX_OFFSET = 10_000_000


def _one_of(what: str, known: Collection[str]) -> AfterValidator:
    def check(value: str) -> str:
        if value not in known:
            raise ValueError(f"there is no {what} {value[:100]!r}: choose one of {', '.join(known)}")
        return value

    return AfterValidator(check)


def _written_out(value: object) -> object:
    """Pydantic takes a number as well, and `0` for 1970-01-01."""
    if isinstance(value, date) or (isinstance(value, str) and fullmatch(r"\d{4}-\d\d-\d\d", value)):
        return value
    raise ValueError("it is no day: write it as in 2026-01-31")


def _landed(day: date) -> date:
    if day >= utc_now().date():
        raise ValueError(f"{day} is not over yet: only days before today (UTC) have landed")
    if day < FIRST_DAY:
        raise ValueError(f"{day} lies before the platform's first day, {FIRST_DAY}")
    return day


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty: say it in a few words")
    return text.strip()


SourceName = Annotated[str, _one_of("source", SOURCES), Field(json_schema_extra={"enum": list(SOURCES)})]
DatasetName = Annotated[
    str, _one_of("source or published table", REPORTABLE), Field(json_schema_extra={"enum": sorted(REPORTABLE)})
]
ClassName = Annotated[str, _one_of("failure class", CLASSES), Field(json_schema_extra={"enum": list(CLASSES)})]
Day = Annotated[date, BeforeValidator(_written_out)]
LandingDay = Annotated[Day, AfterValidator(_landed)]
"""A landing day that is over."""
_NO_CONTROLS = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"


def _filled_without(controls: str) -> Any:
    """The document says as one pattern what is refused in two sentences: control characters, and nothing but blanks."""
    return Field(json_schema_extra={"pattern": f"^[^{controls}]*[^\\s{controls}][^{controls}]*$"})


Reason = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_REASON, pattern=_NO_CONTROLS),
    AfterValidator(_filled),
    _filled_without(r"\x00-\x08\x0b-\x1f\x7f"),
]
Words = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_TEXT, pattern=_NO_CONTROLS),
    AfterValidator(_filled),
    _filled_without(r"\x00-\x08\x0b-\x1f\x7f"),
]
PersonName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_NAME, pattern=r"^[^\x00-\x1f\x7f]+$"),
    AfterValidator(_filled),
    _filled_without(r"\x00-\x1f\x7f"),
]
Text = Annotated[str, StringConstraints(max_length=300, pattern=_NO_CONTROLS)]
FaultName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,79}$")]


WRONG = {
    "missing": "it is missing",
    "extra_forbidden": "it is not known here: leave it out",
    "json_invalid": "it is no JSON ({error})",
    "model_attributes_type": "it must be a JSON object, sent as Content-Type: application/json",
    "int_parsing": "it must be a whole number",
    "float_parsing": "it must be a number",
    "float_type": "it must be a number",
    "int_type": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "bool_parsing": "it must be true or false",
    "bool_type": "it must be true or false",
    "string_type": "it must be a text",
    "string_too_short": "it has fewer characters than {min_length}",
    "string_too_long": "it has more characters than {max_length}",
    "greater_than_equal": "it must be at least {ge}",
    "less_than_equal": "it must be at most {le}",
    "enum": "it must be {expected}",
    "literal_error": "it must be {expected}",
    "date_from_datetime_parsing": "it is no day: write it as in 2026-01-31",
    "date_parsing": "it is no day: write it as in 2026-01-31",
}
"""Kind of error of pydantic → what a person reads; where the kind is not here, pydantic's own words."""


def what_is_wrong(error: Mapping[str, Any]) -> str:
    """What a person reads of an error of pydantic: a reason of ours as it stands, and no pattern that only a program reads."""
    if error["type"] == "string_pattern_mismatch" and "\\x7f" in error["ctx"]["pattern"]:
        return "it holds control characters: leave them out"
    if error["type"] in WRONG:
        return WRONG[error["type"]].format(**error.get("ctx", {}))
    return str(error["msg"]).removeprefix("Value error, ")


class RequestForm(BaseModel):
    """Base of all."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Paging(RequestForm):
    """Which part of a list."""

    limit: int = Field(default=50, ge=1, le=MAX_LIMIT)
    """Items at most."""
    offset: int = Field(default=0, ge=0, le=MAX_OFFSET)
    """How many to pass over: `next_offset` of the page before."""

    @property
    def window(self) -> Window:
        """The same for the read layer."""
        return Window(self.limit, self.offset)


class OfIncidents(Paging):
    """Which incidents."""

    open: bool = False
    """Only those that are not over."""
    state: State | None = None
    """Only those in this state."""
    severity: Severity | None = None
    """Only those of this severity."""
    source: SourceName | None = None
    """Only those of this source."""
    failure_class: ClassName | None = None
    """Only those of this failure class."""
    assignee: Text | None = None
    """Only those of this person."""
    day: Day | None = None
    """Only those that touch this landing day."""
    since: Day | None = None
    """Only those detected on this day (UTC) or later."""


class OfDays(Paging):
    """Which landing days."""

    first: Day | None = Field(default=None, alias="from")
    """The first landing day."""
    last: Day | None = Field(default=None, alias="to")
    """The last landing day, included."""


class OfChecks(OfDays):
    """Which results of checks."""

    source: SourceName | None = None
    """Only of this source."""
    dataset: Text | None = None
    """Only of this dataset."""
    check: Text | None = None
    """Only of this check."""
    everything: bool = False
    """Those that passed, too."""


class OfQuarantine(OfDays):
    """What of the quarantine."""

    source: SourceName | None = None
    """Only of this source."""
    state: Text | None = None
    """Only in this state."""


class OfRuns(Paging):
    """Which runs."""

    outcome: Text | None = None
    """Only with this outcome."""
    day: Day | None = None
    """Only those that built this landing day."""


class OfActs(Paging):
    """Which acts."""

    command: Text | None = None
    """Only this act, as `publish` or `hold`."""
    who: Text | None = None
    """Only of this person or token."""
    since: Day | None = None
    """Only on this day (UTC) or later."""


class OfProfiles(OfDays):
    """Which numbers of a source's profile."""

    source: SourceName
    """The source."""
    kind: Text | None = None
    """Only this kind of metric."""
    subject: Text | None = None
    """Only this column."""


class OfObjectives(RequestForm):
    """Which objectives, as of when."""

    as_of: LandingDay | None = None
    """The last landing day looked at; by default the newest one that was judged or due."""
    dataset: list[Text] = Field(default=[], max_length=50)
    """Only these published tables or sources; may be given more than once."""


class OfPublications(Paging):
    """Which versions."""

    limit: int = Field(default=20, ge=1, le=100)
    """Versions at most: the record of each has every event date."""


class OfImpact(OfIncidents):
    """Of which incidents."""

    open: bool = True
    """Only those that are not over."""


class OfLineage(RequestForm):
    """Which part of the lineage."""

    dataset: Text | None = None
    """Only what leads to this dataset, and what comes from it."""


class WithReason(RequestForm):
    """A decision that needs no reason of its own."""

    why: Words = "seen"
    """For the timeline."""


class Because(RequestForm):
    """A decision and its reason."""

    why: Words
    """For the timeline."""


class Assignment(RequestForm):
    """To whom something is given."""

    to: PersonName
    """The person, or the channel."""
    role: IncidentRole = IncidentRole.COMMANDER
    """As what: who leads, who else works on it, or where they talk about it."""
    why: Words = "on duty"
    """For the timeline."""


class UpdateAsked(RequestForm):
    """How an incident stands, for everybody who was told of it."""

    say: Words
    """No names of people."""
    next_hours: float | None = Field(default=None, ge=0.1, le=168)
    """Hours until the next update, which is promised; without it, as the severity asks."""


class OfLandingDay(RequestForm):
    """A landing day that is kept back, or let go."""

    source: SourceName
    """The source."""
    date: LandingDay
    """The landing day."""
    why: Words
    """The reason; it stands beside the day wherever it is missing."""


class Pausing(RequestForm):
    """A source or a published table that is paused, or goes on."""

    kind: Pausable
    """`source`, which is not asked then, or `table`, which stays as it was published last."""
    name: DatasetName
    """Which."""
    why: Reason
    """The reason; it stands wherever the pause is shown."""

    @model_validator(mode="after")
    def _of_its_kind(self) -> "Pausing":
        if (self.kind is Pausable.SOURCE) != (self.name in SOURCES):
            raise ValueError(f"there is no {self.kind.value} {self.name!r}")
        return self


class WithdrawAsked(RequestForm):
    """Taking a published table from consumers."""

    table: Annotated[DatasetName, Field(json_schema_extra={"enum": sorted({*REPORTABLE} - {*SOURCES})})]
    """Which."""
    why: Reason
    """The reason, for the audit log and wherever the table is missed."""

    @model_validator(mode="after")
    def _of_a_table(self) -> "WithdrawAsked":
        if self.table in SOURCES:
            raise ValueError(f"{self.table!r} is a source: no consumer reads it")
        return self


class PauseAsked(Pausing):
    """What is paused."""

    until: AwareDatetime | None = None
    """When it ends by itself; by default when somebody ends it."""


class Range(RequestForm):
    """Landing days."""

    first: LandingDay = Field(alias="from")
    """The first landing day."""
    last: LandingDay = Field(alias="to")
    """The last landing day, included."""

    @model_validator(mode="after")
    def _in_order(self) -> "Range":
        if self.last < self.first:
            raise ValueError(f"`to` {self.last} lies before `from` {self.first}: give the earlier day first")
        return self


class ReportAsked(RequestForm):
    """Something wrong that somebody has seen."""

    first: LandingDay = Field(alias="from")
    """The first day on which it looks wrong."""
    last: LandingDay | None = Field(default=None, alias="to")
    """The last one, included; by default the first."""

    dataset: DatasetName
    """The published table or the source in which it was seen."""
    words: Words
    """What was seen, and what was expected; masked where it holds personal data."""

    @model_validator(mode="after")
    def _in_order(self) -> "ReportAsked":
        if self.last is not None and self.last < self.first:
            raise ValueError(f"`to` {self.last} lies before `from` {self.first}: give the earlier day first")
        return self

    def by(self, who: str, key: str | None) -> PersonReport:
        """What was seen by somebody; the same key is one report."""
        return PersonReport(self.dataset, self.first, self.last or self.first, self.words, who, key)


class RunAsked(Range):
    """Landing days to run."""

    dry_run: bool = False
    """Say what would change for consumers, and change nothing."""
    approve: bool = False
    """Let the days through whatever the guard objects to that can be approved; needs `why`, and the role `admin`."""
    why: Reason | None = None
    """The reason of the approval."""

    @model_validator(mode="after")
    def _whole(self) -> "RunAsked":
        if self.approve != (self.why is not None):
            raise ValueError("`approve` and `why` go together: say why the days must be run again")
        return self


class FailureAsked(RequestForm):
    """A failure to simulate."""

    failure_type: FaultName
    """What breaks, as `duplicate_retry_storm`; the `detail` of a refusal lists all."""
    source: SourceName | None = None
    """What is broken; by default the first source that has what the failure hits."""
    date: LandingDay | None = None
    """Into which landing day; by default the newest one."""
    magnitude: Annotated[str, StringConstraints(pattern=r"^(small|medium|large|[0-9]{1,9}(\.[0-9]{1,6})?)$")] = "medium"
    """`small`, `medium` or `large`, or a number in the unit of the failure."""


class HealAsked(RequestForm):
    """The approval of an incident's action."""

    action: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,79}$")] | None = None
    """Another action than the policy's."""
    dry_run: bool = False
    """Say what would be done, and do nothing."""


class LettersAsked(RequestForm):
    """What of the quarantine is meant."""

    source: SourceName | None = None
    """Only of this source."""
    date: LandingDay | None = None
    """Of one landing day; instead of `from` and `to`."""
    first: LandingDay | None = Field(default=None, alias="from")
    """From this landing day on."""
    last: LandingDay | None = Field(default=None, alias="to")
    """To this landing day, included."""
    batch: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")] | None = None
    """Only this batch."""
    reason: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")] | None = (
        None
    )
    """Only what has this reason."""
    dry_run: bool = False
    """Say what would be done, and change nothing."""

    @model_validator(mode="after")
    def _says_what(self) -> "LettersAsked":
        if self.date is not None and (self.first or self.last) is not None:
            raise ValueError("give either `date` or `from` and `to`, not both")
        if self.batch is None and (self.source is None or (self.date or self.first) is None):
            raise ValueError("say what is meant: `source` with `date` or `from`, or `batch`")
        return self


class ReplayAsked(LettersAsked):
    """What to replay."""

    limit: int | None = Field(default=None, ge=1, le=1_000_000)
    """Files and groups of rows at most, oldest first."""


class DiscardAsked(LettersAsked):
    """What to give up."""

    why: Reason
    """The reason, for the audit log."""


class RollBackAsked(RequestForm):
    """Going back one version."""

    why: Reason
    """The reason, for the audit log."""
    leaving: Annotated[str, StringConstraints(pattern=r"^v[0-9]{6}$")]
    """The version that consumers read now: another one has been published since you looked if it is not that."""
