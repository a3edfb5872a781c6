"""Reads contracts written in the Open Data Contract Standard 3, with the standard's own published classes.

Source: https://bitol-io.github.io/open-data-contract-standard/ (3.2). A file may declare several tables; each is a source.
What the standard has a field for stands in that field: a column's `physicalName` is the producer's name for it. The rest
are custom properties:

| where | property | says |
|---|---|---|
| contract or table | `eventTime` | the column that says when a row happened |
| contract or table | `critical` | whether readers are told at once when the source fails |
| contract or table | `announcedColumns` | nullable columns that will come |
| contract or table | `sourceKind` | how it delivers, where its server does not say: `simulated` (by the lab, the default) or `drop` (it sends by itself) |
| contract | `servers` | where it is reached, see below; a table in a database is called by its `physicalName` |
| contract or table | `query` | the rows of one batch in a database, by `:start` and `:end`, `:day` or `:slot`; by default those of the table, by event time |
| contract or table | `fileFormat` | how the files are written, as {format: csv, delimiter: ";"}; Parquet if nothing is said. Of a stream its records: json if nothing is said, {format: avro, schema: orders.avsc}, or {format: protobuf, schema: orders.desc, message: shop.Order} |
| contract or table | `dayZone` | the zone whose calendar says which day an event is of; by default the one of the event time, or UTC |
| contract or table | `severalDays` | a file holds several days, and is taken apart by those of its events |
| contract or table | `dayOffset` | days from the one in a file's name to the one of its events: -1 where it is named for the day after |
| contract or table | `feeds` | in an own dbt project what the source stands for: `source.table` of dbt, or the name of a seed |
| contract or table | `takenOver` | generated tables that a person writes by hand instead, as `stg_orders` |
| contract or table | `provisional` | which rows may stand in, beside what is published, for a day that is missing past its deadline: see `contract.PROVISIONAL` |
| contract or table | `compatibility` | what a delivery may have that nobody announced: see `contract.MODES` |
| `quality` of a table | one for each kind of relation | what must hold between columns, rows and sources: see `quality` |
| column | `aliases` | other names under which the producer may send it |
| column | `role` | `measure`, `segment` or `entity`: what is watched by its history |
| server | `credentials` | where the secret is: `env:NAME`, `file:/path` or `command:program`; the contract never holds it |
| server | `user` | who asks; over HTTP, without one, the secret is sent as a bearer token |
| server | `caFile` | certificates that vouch for it, in place of those of the system |
| server | `tls` | false: a database on another machine is spoken to in the clear; what speaks TLS is always verified |
| server | `options` | what fsspec gives the driver of a bucket, or librdkafka its client, secrets by reference: `{key: env:KEY, secret: env:SECRET}` |
| server | `fallback` | true: it is asked where the servers before it do not answer; others after the first are not used |
| server | `deadLetterTopic` | of a Kafka cluster: the topic to which records are sent once more that cannot be decoded |
| server | `engine` | `sqlite`, with `type: custom`: the standard has no type for it |

| type of server | is reached as |
|---|---|
| `api` | HTTP at its `location`, by the platform's protocol |
| `kafka` | a `stream`: the topic that is the table's `physicalName`, of the cluster whose brokers are its `host` |
| `duckdb`, `postgresql`, `custom` with `engine: sqlite` | a `database`, asked for one batch at a time |
| any other | files at its `path` or `location`, an `endpointUrl` given to the driver |
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from open_data_contract_standard.model import (
    DataQuality,
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
    ServiceLevelAgreementProperty,
    Team,
)
from pydantic import BaseModel, ValidationError

from reliability_platform.clock import is_zone
from reliability_platform.contracts.contract import (
    MODES,
    PROVISIONAL,
    TOLERANT,
    UNKNOWN_OWNER,
    Cadence,
    Column,
    Contract,
    Reference,
)
from reliability_platform.contracts.file_format import PARQUET, ROWS, FileFormat, file_format, record_format
from reliability_platform.contracts.names import refusal
from reliability_platform.contracts.quality import relations_of
from reliability_platform.contracts.query import objection
from reliability_platform.contracts.servers import KIND, Server, servers_of
from reliability_platform.contracts.types import canonical_type, is_number
from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.strict_yaml import StrictYaml

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""How a source may be called: it becomes part of the names of tables, folders and checks."""
PLATFORM_TABLES = frozenset({"admissions"})
"""The platform's own tables in bronze, beside one for each source."""


def name_refusal(name: str) -> str | None:
    """Why a source cannot be called so; None if it can."""
    if NAME.fullmatch(name) is None:
        return f"a source is called by at most 63 small letters, digits and underscores, a letter first, not {name!r}"
    if name in PLATFORM_TABLES:
        return f"{name!r} is a table of the platform's own beside those of the sources"
    return None


FEEDS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?")
"""A source of dbt with its table, or a seed."""
OURS = (
    "eventTime", "critical", "announcedColumns", "sourceKind", "fileFormat", "takenOver", "dayZone", "severalDays", "dayOffset",
    "query", "feeds", "compatibility", "provisional",
)  # fmt: skip
"""The custom properties of a table that the platform reads."""
OUR_LEVELS = ("frequency", "latency", "generalAvailability", "noticePeriod")
"""The service levels that the platform reads; others are for people."""
DRAFTS = ("draft", "proposed")
"""States of a contract before anybody relies on it, as the standard has them."""
OF_FILES = ("fileFormat", "severalDays", "dayOffset")
"""Those of them that say how files are."""
ROLES = ("measure", "segment", "entity")
_NESTED = frozenset({"object", "array", "map"})
_MINUTES = {"m": 1, "h": 60, "d": 1_440}
_CRON_WEEKDAY = re.compile(r"\S+ \S+ \* \* ([0-7])")
_CRON_DAY = re.compile(r"\S+ \S+ ([1-9]|[12]\d|3[01]) \* \*")

Place = tuple[str | int, ...]


class ContractError(UsageError):
    """A contract file cannot be meant as it stands."""


@dataclass(frozen=True)
class Objection:
    """What is wrong in one place of a file, and what to do."""

    place: Place
    what: str


def read_contracts(path: Path) -> list[Contract]:
    """The sources that a file declares. Raises `ContractError`, in one line with file, line and what to do."""
    file = StrictYaml.of_file(path, error=ContractError)
    content = file.content
    objections: list[Objection] = []
    contracts = _contracts(content, objections, path.parent) if isinstance(content, dict) else []
    if not isinstance(content, dict):
        objections.append(Objection((), "it is no contract: apiVersion, kind, id and schema are missing"))
    if objections:
        first, *others = objections
        more = f" ({counted(len(others), 'more objection')})" if others else ""
        raise file.problem_there(first.place, f"{first.what}{more}.")
    return contracts


def _contracts(content: dict[str, Any], objections: list[Objection], folder: Path) -> list[Contract]:
    """The contracts of a file's content; what is wrong with it is added to `objections`. `folder` holds what it names."""
    objections += _unknown_fields(content, OpenDataContractStandard, ())
    if objections:
        return []
    try:
        said = OpenDataContractStandard.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        objections.append(Objection(first["loc"], f"{_dotted(first['loc'])}: {_uncapitalised(first['msg'])}"))
        return []
    for field, value, wanted in (("kind", said.kind, "DataContract"), ("apiVersion", said.apiVersion, "v3")):
        if not (value or "").startswith(wanted):
            objections.append(Objection((field,), f"{field} is {value!r}: the platform reads {wanted} alone"))
    if not said.schema_:
        objections.append(Objection((), "it declares no table: say under `schema` which columns it has"))
    found, servers = [], servers_of(said.servers or [])
    objections += [Objection(place, what) for place, what in servers.objections]
    for number, table in enumerate(said.schema_ or []):
        reader = _Table(said, table, ("schema", number), servers.usable, folder)
        found.append(reader.contract())
        objections += reader.objections
    names = Counter(one.name for one in said.schema_ or [])
    objections += [
        Objection(("schema",), f"{name} is declared more than once") for name, times in names.items() if times > 1
    ]
    return [] if objections else [one for one in found if one is not None]


def _unknown_fields(content: Any, kind: Any, place: Place) -> Iterator[Objection]:
    """Keys that the standard does not have. Its classes pass over them, and a misspelt promise would be none."""
    for option in get_args(kind) if get_origin(kind) in (Union, UnionType) else [kind]:
        if get_origin(option) is list and isinstance(content, list):
            for number, one in enumerate(content):
                yield from _unknown_fields(one, get_args(option)[0], (*place, number))
            return
        if isinstance(option, type) and issubclass(option, BaseModel) and isinstance(content, dict):
            known = {field.alias or name: field.annotation for name, field in option.model_fields.items()}
            for key, value in content.items():
                if key not in known:
                    close = get_close_matches(str(key), known, n=1)
                    meant = f": did you mean {close[0]}?" if close else ""
                    yield Objection((*place, key), f"the standard knows no field {str(key)!r} there{meant}")
                else:
                    yield from _unknown_fields(value, known[key], (*place, key))
            return


class _Table:
    """Reads one table of a file as the contract of a source; `objections` says what is wrong with it."""

    def __init__(
        self,
        said: OpenDataContractStandard,
        table: SchemaObject,
        place: Place,
        servers: tuple[Server, ...],
        folder: Path,
    ) -> None:
        self.objections: list[Objection] = []
        self._servers, self._folder = servers, folder
        self._said, self._table, self._place = said, table, place
        self._custom = _custom(said) | _custom(table)
        self._name = table.name or ""

    def _object(self, what: str, *place: str | int) -> None:
        self.objections.append(Objection((*self._place, *place), what))

    def contract(self) -> Contract | None:
        """The contract; None if `objections` has something against it."""
        if (refused := name_refusal(self._name)) is not None:
            self._object(f"{refused}: rename the table", "name")
        columns = tuple(self._columns())
        names = [column.name for column in columns]
        if not columns:
            self._object(f"{self._name} has no columns: say under `properties` which ones", "name")
        key = self._key()
        event_time = self._custom.get("eventTime")
        if event_time is None:
            self._object(f"{self._name} does not say when a row happened: add the custom property eventTime", "name")
        elif event_time not in names:
            self._object(f"eventTime is {event_time!r}, which is no column of {self._name}", "name")
        elif not next(one for one in columns if one.name == event_time).type.startswith(("TIMESTAMP", "DATE")):
            self._object(f"eventTime is {event_time!r}, which holds neither moments nor days", "name")
        self._refuse_unknown_properties()
        self._refuse_unknown_levels()
        announced = self._names(self._custom.get("announcedColumns", []), "announcedColumns")
        taken_over = self._names(self._custom.get("takenOver", []), "takenOver")
        taken = Counter(
            [*map(str.lower, names), *announced, *(alias for column in columns for alias in column.aliases)]
        )
        for name, times in taken.items():
            if times > 1:
                self._object(f"{name} stands for more than one column", "properties")
        relations = relations_of(
            self._table.quality or [], columns, self._name, lambda what, number: self._object(what, "quality", number)
        )
        if self.objections:
            return None
        kind, cadence = self._kind(), self._cadence()
        if kind == "stream" and cadence != Cadence():
            self._object("it is a stream, which is complete by its offsets: remove the frequency", "name")
        found = Contract(
            source=self._name,
            key=key,
            event_time=str(event_time),
            columns=columns,
            cadence=cadence,
            deadline_minutes=self._deadline(),
            owner=_owner(self._said.team),
            critical=bool(self._custom.get("critical", False)),
            announced=announced,
            kind=kind,
            taken_over=taken_over,
            feeds=self._feeds(),
            file_format=self._file_format(kind),
            servers=self._servers,
            table=self._table.physicalName or self._name,
            query=self._query(kind, cadence),
            day_zone=self._day_zone(next(one.zone for one in columns if one.name == event_time)),
            day_offset=self._day_offset(),
            several_days=bool(self._custom.get("severalDays", False)),
            version=self._said.version or "1.0.0",
            is_draft=self._said.status in DRAFTS,
            holds_from=self._available_from(self._name, None),
            announced_on=self._announced_on(),
            notice_days=self._notice(),
            mode=self._mode(),
            provisional=self._provisional(),
            relations=relations,
            description=self._table.description or (self._said.description and self._said.description.purpose) or "",
        )
        return None if self.objections else found

    def _key(self) -> tuple[str, ...]:
        keyed = [one for one in self._table.properties or [] if one.primaryKey]
        if not keyed:
            self._object(
                f"{self._name} has no key: mark the columns that identify a row with `primaryKey: true`", "name"
            )
        return tuple(one.name or "" for one in sorted(keyed, key=lambda one: one.primaryKeyPosition or 0))

    def _columns(self) -> Iterator[Column]:
        for number, declared in enumerate(self._table.properties or []):
            place: Place = ("properties", number)
            name = declared.name or ""
            if not name or not name.isprintable():
                self._object("a column has no name", *place)
                continue
            if (why := refusal(name)) is not None:
                self._object(
                    f"a column cannot be called {name!r}, {why}: give it another name and say physicalName: {name!r}",
                    *place,
                )
                continue
            kind = canonical_type(declared.physicalType, declared.logicalType)
            if kind is None:
                told = declared.physicalType or declared.logicalType or "none"
                self._object(
                    f"{name} has the type {told!r}, which DuckDB does not know: name one of its types as physicalType",
                    *place,
                )
                continue
            yield self._column(declared, name, kind, place)

    def _column(self, declared: SchemaProperty, name: str, kind: str, place: Place) -> Column:
        custom = _custom(declared)
        options = declared.logicalTypeOptions or {}
        low, high = _range(options, declared.quality or [])
        zone, role = options.get("defaultTimezone"), custom.get("role")
        if zone is not None and not is_zone(zone):
            self._object(f"{name} has the zone {zone!r}, which does not exist", *place)
        if zone is not None and not kind.startswith("TIMESTAMP"):
            self._object(f"{name} has a zone, and is no TIMESTAMP", *place)
        if role is not None and role not in ROLES:
            self._object(f"{name} has the role {role!r}: choose one of {', '.join(ROLES)}", *place)
        for limit in (low, high):
            if limit is not None and (
                isinstance(limit, bool) or not isinstance(limit, int | float) or not isfinite(limit)
            ):
                self._object(f"{name} has the limit {limit!r}, which is no number", *place)
                low = high = None
        if (low, high) != (None, None) and not is_number(kind):
            self._object(
                f"{name} has limits, and its type {kind} is no number: remove them, or correct the type", *place
            )
        if low is not None and high is not None and low > high:
            self._object(f"{name} must lie between {low} and {high}, where nothing lies", *place)
        links = [one.to for one in declared.relationships or [] if isinstance(one.to, str)]
        nested = kind == "JSON" or (declared.logicalType or "").lower() in _NESTED
        return Column(
            name=name,
            type="VARCHAR" if nested else kind,
            required=bool(declared.required or declared.primaryKey),
            valid_values=_valid_values(declared),
            minimum=low,
            maximum=high,
            references=self._reference(name, links[0], place) if links else None,
            pii=declared.classification == "personal",
            json=nested,
            aliases=_aliases(declared, self._names(custom.get("aliases", []), "aliases")),
            physical_name=declared.physicalName if declared.physicalName and declared.physicalName != name else "",
            zone=zone,
            role=role,
            since=self._available_from(f"{self._name}.{name}"),
            description=declared.description or "",
        )

    def _reference(self, name: str, to: str, place: Place) -> Reference | None:
        table, _, column = to.partition(".")
        if not (NAME.fullmatch(table) and column.isidentifier()):
            self._object(f"{name} refers to {to!r}: write table.column", *place)
            return None
        return Reference(table, column)

    def _refuse_unknown_properties(self) -> None:
        """Those that look like one of the platform's: other programs may have their own."""
        for name in self._custom:
            meant = _meant(name, OURS)
            if meant is not None:
                self._object(f"the custom property {name!r} says nothing: did you mean {meant}?", "name")
        if not isinstance(self._custom.get("severalDays", False), bool):
            self._object(f"severalDays is {self._custom['severalDays']!r}, which is neither true nor false", "name")

    def _refuse_unknown_levels(self) -> None:
        """The same of service levels, and of the columns that they are of."""
        columns = [one.name for one in self._table.properties or []]
        for number, said in enumerate(self._said.slaProperties or []):
            name, (table, _, column) = said.property or "", (said.element or "").partition(".")
            meant, what = _meant(name, OUR_LEVELS), None
            if meant is not None:
                what = f"the service level {name!r} says nothing: did you mean {meant}?"
            elif name == "generalAvailability" and table == self._name and column and column not in columns:
                what = f"generalAvailability is of {said.element}, which is no column of {table}"
            if what is not None:
                self.objections.append(Objection(("slaProperties", number), what))

    def _kind(self) -> str:
        """What the contract says, or else its servers."""
        said = self._custom.get("sourceKind")
        found = KIND[self._servers[0].engine] if self._servers else None
        if found is not None and said in KIND.values() and said != found:
            self._object(f"sourceKind is {said!r}, and its server makes it {found!r}: remove one of them", "name")
        if found is None and said in KIND.values() and said != "drop":
            self._object(f"sourceKind is {said!r}, and no server says where it is reached", "name")
        return str(said or found or "simulated")

    def _query(self, kind: str, cadence: Cadence) -> str | None:
        said = self._custom.get("query")
        if said is None:
            return None
        why = objection(said, cadence.batches) if kind == "database" else "query is asked of databases, and it is none"
        if why is not None:
            self._object(why, "name")
        return str(said).strip().rstrip(";")

    def _file_format(self, kind: str) -> FileFormat:
        if kind == "database":
            for name in OF_FILES:
                if name in self._custom:
                    self._object(f"{name} says how files are, and it is in a database", "name")
            return ROWS
        said = self._custom.get("fileFormat")
        if kind == "stream":
            found = record_format(said, self._folder)
        else:
            found = PARQUET if said is None else file_format(said)
        if isinstance(found, str):
            self._object(found, "name")
            return PARQUET
        return found

    def _feeds(self) -> str | None:
        said = self._custom.get("feeds")
        if said is None or (isinstance(said, str) and FEEDS.fullmatch(said)):
            return said
        self._object(f"feeds is {said!r}: write source.table of your dbt project, or the name of a seed", "name")
        return None

    def _day_zone(self, event_zone: str | None) -> str:
        zone = self._custom.get("dayZone", event_zone or "UTC")
        if not is_zone(zone):
            self._object(f"dayZone is {zone!r}, which does not exist: name one as Europe/Berlin", "name")
        return str(zone)

    def _day_offset(self) -> int:
        offset = self._custom.get("dayOffset", 0)
        if not isinstance(offset, int) or isinstance(offset, bool) or not -31 <= offset <= 31:
            self._object(f"dayOffset is {offset!r}, which is no number of days", "name")
            return 0
        return offset

    def _names(self, declared: Any, what: str) -> tuple[str, ...]:
        """A list of names; a single name is not taken apart into its letters."""
        if isinstance(declared, list) and all(isinstance(name, str) and name for name in declared):
            return tuple(declared)
        self._object(f"{what} are a list of names, not {declared!r}", "name")
        return ()

    def _sla(self, name: str) -> ServiceLevelAgreementProperty | None:
        """A service level of this table, or else of the whole contract."""
        said = [one for one in self._said.slaProperties or [] if one.property == name]
        own = [one for one in said if (one.element or "").split(".")[0] == self._name]
        return next(iter([*own, *(one for one in said if one.element is None)]), None)

    def _available_from(self, *elements: str | None) -> date | None:
        """The landing day from which the first of some elements is there; None stands for the whole contract."""
        said = [one for one in self._said.slaProperties or [] if one.property == "generalAvailability"]
        value = next((one.value for element in elements for one in said if one.element == element), None)
        try:
            return None if value is None else date.fromisoformat(str(value)[:10])
        except ValueError:
            self.objections.append(
                Objection(
                    ("slaProperties",), f"generalAvailability is {value!r}, which is no day: say it as 2026-03-01"
                )
            )
            return None

    def _announced_on(self) -> date | None:
        """When this version was written, and so announced."""
        said = self._said.contractCreatedTs
        try:
            return None if said is None else date.fromisoformat(said[:10])
        except ValueError:
            self.objections.append(
                Objection(
                    ("contractCreatedTs",), f"contractCreatedTs is {said!r}, which is no day: say it as 2026-03-01"
                )
            )
            return None

    def _notice(self) -> int:
        """Days of notice that an incompatible change needs; none where nothing is said."""
        said = self._sla("noticePeriod")
        if said is None:
            return 0
        days = {"d": 1, "day": 1, "days": 1, "w": 7, "week": 7, "weeks": 7}.get((said.unit or "d").lower())
        if days is None or isinstance(said.value, bool) or not isinstance(said.value, int) or said.value < 0:
            self.objections.append(
                Objection(("slaProperties",), f"the noticePeriod {said.value} {said.unit} is none: say days or weeks")
            )
            return 0
        return said.value * days

    def _provisional(self) -> str | None:
        said = self._custom.get("provisional")
        if said is not None and said not in PROVISIONAL:
            self._object(f"provisional is {said!r}: choose one of {', '.join(PROVISIONAL)}, or leave it out", "name")
        return said

    def _mode(self) -> str:
        said = str(self._custom.get("compatibility", TOLERANT))
        if said not in MODES:
            self._object(f"compatibility is {said!r}: choose one of {', '.join(MODES)}", "name")
        return said

    def _cadence(self) -> Cadence:
        """One batch a day where nothing is said."""
        said = self._sla("frequency")
        if said is None:
            return Cadence()
        number, unit = said.value, (said.unit or "d").lower()
        whole = isinstance(number, int) and number > 0
        if whole and unit == "batches_per_day":
            return Cadence(int(str(number)))
        if whole and unit in ("h", "hour", "hours") and 24 % int(str(number)) == 0:
            return Cadence(24 // int(str(number)))
        if number == 1 and unit in ("d", "day", "days"):
            return Cadence()
        if number == 1 and unit in ("w", "week", "weeks"):
            found = _CRON_WEEKDAY.fullmatch(said.schedule or "")
            return Cadence(weekday=(int(found[1]) - 1) % 7 if found else 0)
        if number == 1 and unit in ("mo", "month", "months"):
            found = _CRON_DAY.fullmatch(said.schedule or "")
            return Cadence(day_of_month=int(found[1]) if found else 1)
        self.objections.append(
            Objection(
                ("slaProperties",),
                f"the frequency {number} {unit} is none that can be expected by the day: "
                "say a number of batches_per_day, 1 day, 1 week, 1 month, or hours of which 24 is a multiple",
            )
        )
        return Cadence()

    def _deadline(self) -> int:
        """Minutes after the end of the day; one day where nothing is said."""
        said = self._sla("latency")
        if said is None:
            return _MINUTES["d"]
        unit = (said.unit or "d").lower()
        minutes = 1 if unit in ("min", "minute", "minutes") else _MINUTES.get(unit[:1])
        if minutes is None or isinstance(said.value, bool) or not isinstance(said.value, int | float) or said.value < 0:
            self.objections.append(
                Objection(("slaProperties",), f"the latency {said.value} {unit} is none: say minutes, hours or days")
            )
            return _MINUTES["d"]
        return round(said.value * minutes)


def _meant(name: str, ours: Sequence[str]) -> str | None:
    """Which of ours a name was meant for that is none of them; None if it is one, or like none."""
    close = get_close_matches(name.lower(), [one.lower() for one in ours], n=1, cutoff=0.8)
    return None if name in ours else next((one for one in ours if [one.lower()] == close), None)


def _custom(declared: OpenDataContractStandard | SchemaObject | SchemaProperty) -> dict[str, Any]:
    return {one.property: one.value for one in declared.customProperties or [] if one.property is not None}


def _aliases(declared: SchemaProperty, aliases: tuple[str, ...]) -> tuple[str, ...]:
    """Other names of a column: the physical one first."""
    physical = declared.physicalName
    return (physical, *aliases) if physical and physical != declared.name and physical not in aliases else aliases


def _range(options: Mapping[str, Any], quality: Iterable[DataQuality]) -> tuple[float | None, float | None]:
    """The least and the greatest value: the options of the logical type, or what a rule on values says."""
    low, high = options.get("minimum"), options.get("maximum")
    for rule in quality:
        if (rule.metric or rule.rule) == "range" and rule.mustBeBetween:
            low, high = rule.mustBeBetween
    return low, high


def _valid_values(declared: SchemaProperty) -> tuple[str, ...]:
    """The values that a column may have: `enum`, or the metric `invalidValues` with its argument."""
    listed = [one.value for one in declared.enum or []]
    for rule in declared.quality or []:
        if (rule.metric or rule.rule) == "invalidValues":
            listed += (rule.arguments or {}).get("validValues", [])
    return tuple(str(one) for one in listed)


def _owner(team: Team | list[Any] | None) -> str:
    """Whom to tell: the member that is called owner, else the first."""
    members = team if isinstance(team, list) else (team.members or []) if team is not None else []
    owners = [one for one in members if (one.role or "").lower() == "owner"] or members
    return next((str(one.username or one.name) for one in owners if one.username or one.name), UNKNOWN_OWNER)


def _dotted(place: Iterable[str | int]) -> str:
    return ".".join(str(part) for part in place)


def _uncapitalised(text: str) -> str:
    return text[:1].lower() + text[1:]
