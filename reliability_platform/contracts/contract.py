"""What a source promises: columns, types, key, event time, allowed values, schedule, deadline, owner.

Admission, checks and healing read the contract, never the source. How a file says it is `odcs`'s business.
"""

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from reliability_platform.contracts.file_format import PARQUET, FileFormat
from reliability_platform.contracts.rejections import Rejection, rejections
from reliability_platform.contracts.relations import Relation, RelationKind
from reliability_platform.contracts.servers import FILES, Server
from reliability_platform.contracts.types import arrow_type

if TYPE_CHECKING:
    import pyarrow as pa  # 0.2 s, which a command that only asks for the names of sources should not take


@dataclass(frozen=True)
class Reference:
    """The column of another table in which each value of a column must be."""

    table: str
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


@dataclass(frozen=True)
class Column:
    """One column as the contract promises it."""

    name: str
    type: str
    """DuckDB's name of the type; text for what is nested (`json`)."""
    required: bool
    valid_values: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    references: Reference | None = None
    pii: bool = False
    json: bool = False
    aliases: tuple[str, ...] = ()
    """Other names under which the producer may send it."""
    physical_name: str = ""
    """What the producer calls it, where that is another name."""
    zone: str | None = None
    """The zone of moments that name none."""
    role: str | None = None
    """What it means to whoever watches: `measure`, `segment` or `entity`."""
    description: str = ""
    since: date | None = field(default=None, repr=False)
    """The landing day from which files must have it; None: every file."""

    @property
    def is_never_missing(self) -> bool:
        """Whether each row of every landing day has a value of it."""
        return self.required and not self.json and self.since is None

    def is_read_from_text(self, said: FileFormat) -> bool:
        """Whether its values arrive as text, and may not be of its type."""
        return said.of_texts and self.type != "VARCHAR"


@dataclass(frozen=True)
class Cadence:
    """When batches are due: so many on each due day, which is every day, one day of the week or one of the month."""

    batches: int = 1
    weekday: int | None = None
    """0 is Monday."""
    day_of_month: int | None = None
    """In a shorter month its last day."""

    @property
    def is_daily(self) -> bool:
        """Whether every day is a due one."""
        return self.weekday is None and self.day_of_month is None

    def by_sql(self, day: str) -> str:
        """The same number as `due_on`, as SQL of a day."""
        if self.weekday is not None:
            return f"case when isodow({day}) = {self.weekday + 1} then {self.batches} else 0 end"
        if self.day_of_month is not None:
            due = f"day({day}) = least({self.day_of_month}, day(last_day({day})))"
            return f"case when {due} then {self.batches} else 0 end"
        return str(self.batches)

    def due_on(self, day: date) -> int:
        """How many batches are due on a landing day."""
        if self.weekday is not None:
            return self.batches if day.weekday() == self.weekday else 0
        if self.day_of_month is not None:
            return self.batches if day.day == min(self.day_of_month, monthrange(day.year, day.month)[1]) else 0
        return self.batches


def major_of(version: str) -> str:
    """The first number of a version: it changes with what is incompatible."""
    return version.removeprefix("v").partition(".")[0]


UNKNOWN_OWNER = "unknown"
"""Where a contract names nobody."""
STRICT, TOLERANT, ADDITIVE = "strict", "tolerant", "additive"
MODES = (STRICT, TOLERANT, ADDITIVE)
"""What becomes of a column or a label that nobody announced: refused and rejected; kept aside with a warning and rejected;
kept aside and taken in without a word."""
PROVISIONAL = {"previousDay": 1, "sameWeekday": 7}
"""Which day may stand in for one whose deliveries are missing, as a contract says it → so many days before."""


@dataclass(frozen=True)
class Contract:
    """What a source promises."""

    source: str
    key: tuple[str, ...]
    """The columns that together identify a row."""
    event_time: str
    columns: tuple[Column, ...]
    cadence: Cadence
    deadline_minutes: int
    """The last batch of a day lands at most so long after the day's end."""
    owner: str
    critical: bool
    announced: tuple[str, ...] = ()
    """Nullable columns that will come: rescued without a word until the contract takes them in."""
    description: str = ""
    kind: str = "simulated"
    """The kind of source that delivers it; see `sources.source`."""
    file_format: FileFormat = PARQUET
    """How its files are written."""
    servers: tuple[Server, ...] = ()
    """Where it is reached, the fallbacks after the first; none where its producer puts deliveries into landing."""
    table: str = ""
    """What the source's own database calls its table."""
    query: str | None = None
    """The rows of one batch there, by the day; by default those of the table, by their event time."""
    day_zone: str = "UTC"
    """The zone whose calendar says which day an event is of."""
    several_days: bool = False
    """Whether a delivered file holds several days, and is taken apart by those of its events."""
    day_offset: int = 0
    """Days from the one in the name of a file to the one of its events: -1 where a file is named for the day after."""
    taken_over: tuple[str, ...] = ()
    """Generated files that a person writes by hand instead, by name without ending."""
    feeds: str | None = None
    """What of an own dbt project it stands for: a source of dbt as `source.table`, or a seed by its name."""
    version: str = "1.0.0"
    """As its file says; an incompatible change needs a new first number."""
    is_draft: bool = False
    """Whether its file calls it a draft, or proposed: nobody elsewhere reads by it yet."""
    holds_from: date | None = None
    """The first landing day that is read by this version; None: every day that no other version is for."""
    announced_on: date | None = None
    """The day on which it was written."""
    notice_days: int = 0
    """So long before it holds an incompatible change must be announced."""
    mode: str = TOLERANT
    """What a delivery may have that nobody announced; one of `MODES`."""
    relations: tuple[Relation, ...] = ()
    """What must hold between its columns, its rows and other sources."""
    provisional: str | None = None
    """Which rows may stand in, beside what is published, for a day that is missing past its deadline: one of `PROVISIONAL`;
    None: no rows do."""
    versions: tuple["Contract", ...] = ()
    """All versions of the source where it has several, the one of the first days first. The contract around them has the
    columns of all."""

    @property
    def feed(self) -> str | None:
        """The model under which an own dbt project reads it; a seed is read by its own name."""
        if self.feeds is None:
            return None
        return f"src_{self.source}" if "." in self.feeds else self.feeds

    @property
    def places(self) -> tuple[Server, ...]:
        """Where its deliveries appear as files."""
        return tuple(one for one in self.servers if one.engine == FILES)

    @property
    def is_stream(self) -> bool:
        """Whether it is a topic: as many batches a day as there is reason for, after one that closes the day."""
        return self.kind == "stream"

    def has_slot(self, number: int) -> bool:
        """Whether a batch of a day can have this number."""
        return number >= 1 and (self.is_stream or number <= self.cadence.batches)

    @property
    def suffixes(self) -> tuple[str, ...]:
        """How names of delivered files may end, by any version."""
        told = self.versions or (self,)
        return tuple(dict.fromkeys(suffix for one in told for suffix in one.file_format.suffixes))

    def may_come_as_text(self, column: Column) -> bool:
        """Whether values of a column arrive as text by some version, and may not be of its type."""
        return any(column.is_read_from_text(one.file_format) for one in self.versions or (self,))

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """What the servers after the first are called."""
        return tuple(one.name or f"fallback {number}" for number, one in enumerate(self.servers) if number)

    def on(self, day: date) -> "Contract":
        """The version by which the deliveries of a landing day are read."""
        held = [one for one in self.versions if one.holds_from is None or one.holds_from <= day]
        return held[-1] if held else self

    def may_lack(self, day: date) -> set[str]:
        """The columns that files of a landing day may be without: they came to the contract later."""
        return {one.name for one in self.columns if one.since is not None and day < one.since}

    def kept_as(self, column: str) -> str:
        """The name under which a value is kept beside its column that is not of the newest version's type."""
        return f"{column} of version {self.version}"

    def allowed_values(self, column: Column) -> tuple[str, ...]:
        """The only values that a column may have; none are said where labels may come that nobody announced."""
        return () if self.mode == ADDITIVE else column.valid_values

    @property
    def major(self) -> str:
        """The part of the version that says what is read alike."""
        return major_of(self.version)

    @property
    def key_list(self) -> str:
        """The key's columns as SQL: a list of names, in parentheses one value."""
        return ", ".join(f'"{name}"' for name in self.key)

    def day_starts(self, day: str) -> str:
        """The moment at which a landing day begins by the source's calendar, in UTC, as SQL of the day."""
        if self.day_zone == "UTC":
            return day
        return f"((cast({day} as timestamp) at time zone '{self.day_zone}') at time zone 'UTC')"

    @property
    def references_to_sources(self) -> dict[str, Relation]:
        """Column → the rule that it leads to another source; references to reference data have none."""
        return {one.columns[0]: one for one in self.relations if one.kind is RelationKind.LEADS_TO}

    def with_role(self, role: str) -> list[Column]:
        """The columns that the contract gives a role."""
        return [column for column in self.columns if column.role == role]

    @property
    def nested(self) -> list[Column]:
        """The columns that hold JSON: free text, in which anything may stand."""
        return [column for column in self.columns if column.json]

    @property
    def record_key(self) -> str:
        """The key of a row as one text without personal data, in SQL, as the macro of this name spells it in the models."""
        personal = {column.name for column in self.columns if column.pii}
        texts = [f'cast("{name}" as varchar)' for name in self.key]
        parts = [f"sha256({text})" if name in personal else text for name, text in zip(self.key, texts, strict=True)]
        joined = ", ".join(f"coalesce({part}, '')" for part in parts)
        return parts[0] if len(parts) == 1 else f"concat_ws('|', {joined})"

    @cached_property
    def arrow_schema(self) -> "pa.Schema":
        """The columns as Arrow types, in the contract's order."""
        import pyarrow as pa

        return pa.schema([(column.name, arrow_type(column.type)) for column in self.columns])

    @cached_property
    def rejections(self) -> dict[str, Rejection]:
        """What each code says for which staging rejects a row."""
        return rejections(
            [column.name for column in self.columns], {one.code: one.column for one in self.relations if one.of_rows}
        )

    @cached_property
    def aliases(self) -> dict[str, str]:
        """Each declared alias, and the column that it stands for."""
        return {alias: column.name for column in self.columns for alias in column.aliases}

    def meant_by(self, names: Iterable[str]) -> dict[str, str]:
        """The contract's column for each delivered name that says one."""
        declared = {name.casefold(): name for name in self.arrow_schema.names} | self.aliases
        said = {
            name: declared.get(name) or declared.get(name.removeprefix("\ufeff").strip().casefold()) for name in names
        }
        return {name: column for name, column in said.items() if column is not None}

    @cached_property
    def zones(self) -> dict[str, str]:
        """The columns that declare the zone of moments without one."""
        return {column.name: column.zone for column in self.columns if column.zone is not None}
