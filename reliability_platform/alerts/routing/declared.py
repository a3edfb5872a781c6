"""The form of `routing.yml`. Declared or refused: a name that nothing bears comes back with the nearest one.

What is wrong is said with its line. Secrets do not stand there: a channel is a reference to where its URL is.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from reliability_platform.alerts.tickets.shapes import TrackerPlace
from reliability_platform.alerts.tickets.template import TicketTemplate, read_template
from reliability_platform.checks.catalogue import CHECKS, MART_SOURCES
from reliability_platform.contracts import SOURCES
from reliability_platform.credentials import HOW, is_reference
from reliability_platform.errors import UsageError
from reliability_platform.incidents.classes import CLASSES, IncidentType, Severity
from reliability_platform.settings import PROJECT, Settings, suggestion
from reliability_platform.strict_yaml import Location, StrictYaml, said_of

OWN = "routing.yml"
"""The file of a project, beside its contracts."""
TEMPLATES, TEMPLATE_NAME = "*.ticket.yml", re.compile(r"[A-Za-z0-9_-]{1,80}\.ticket\.yml")
"""The templates of trackers, beside it."""
SOURCE_OWNER, READER_OWNERS = "source_owner", "reader_owners"
"""Instead of a recipient: whoever owns the sources concerned by their contracts, and whoever owns each exposure downstream."""
OWNERS = (SOURCE_OWNER, READER_OWNERS)


def _severities_and_reference(text: str) -> str:
    taken, _, reference = text.rpartition("=") if text[:1] == "P" and text[1:2].isdigit() else ("", "", text)
    wrong = [one for one in taken.split(",") if one and one not in Severity.__members__]
    if wrong or not is_reference(reference):
        raise ValueError(
            f"a channel is a reference to its Apprise URL, as P0,P1=env:TEAM_PAGER or env:TEAM_CHAT: {HOW}"
        )
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name[:40]!r} is not a time zone such as UTC or Europe/Zurich") from None
    return name


def _without_zone(moment: datetime) -> datetime:
    if moment.tzinfo is not None:
        raise ValueError("write it without an offset: the rotation says its zone")
    return moment


def _open_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("it must be an http:// or https:// URL with a host, without a user or a query")
    return url


def _reference(text: str) -> str:
    if not is_reference(text):
        raise ValueError(f"a token never stands in a file: {HOW}")
    return text


def _open_place(place: str) -> str:
    if place.startswith(("http://", "https://")):
        parts = urlsplit(place)
        if parts.username or parts.password or parts.query or not parts.hostname:
            raise ValueError(f"a calendar's URL with a user or a query is a secret, and one needs a host: {HOW}")
    return place


def _template(name: object, info: ValidationInfo) -> TicketTemplate:
    """Of a file beside the routing file, by its name."""
    if not isinstance(name, str) or not TEMPLATE_NAME.fullmatch(name):
        raise ValueError("it is the name of a file beside routing.yml, as desk.ticket.yml")
    return read_template(Path((info.context or {}).get("folder", ".")) / name)


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$", strict=True)]
Words = Annotated[str, Field(min_length=1, max_length=200, strict=True)]
ChannelReference = Annotated[str, Field(strict=True, max_length=400), AfterValidator(_severities_and_reference)]
Zone = Annotated[str, Field(strict=True), AfterValidator(_zone)]
Moment = Annotated[datetime, AfterValidator(_without_zone)]
Names = Annotated[tuple[Words, ...], Field(min_length=1)]
Told = Annotated[tuple[Name, ...], Field(min_length=1)]


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DeclaredQuietHours(_Declared):
    """When a recipient is left alone, and what goes through all the same."""

    hours: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$", strict=True)]
    """HH:MM-HH:MM, over midnight too."""
    zone: Zone = "UTC"
    through: tuple[Severity, ...] = (Severity.P0, Severity.P1)
    """The severities that are told at once."""

    @model_validator(mode="after")
    def _end(self) -> "DeclaredQuietHours":
        begin, end = self.hours.split("-")
        if begin == end:
            raise ValueError(
                "hours that begin and end at the same minute never end: leave quiet out, or take severities off the channel"
            )
        return self


class Recipient(_Declared):
    """A person or a team."""

    channels: Annotated[tuple[ChannelReference, ...], Field(min_length=1)]
    """Where the Apprise URL of each channel is, with the severities that it takes in front where not all."""
    known_as: tuple[Words, ...] = ()
    """Names and addresses by which contracts, exposures and calendars mean this recipient."""
    quiet: DeclaredQuietHours | None = None
    """Without it, those of the settings: P3 waits for the morning."""

    def is_meant(self, name: str, said: Sequence[str]) -> bool:
        """Whether one of these names or addresses means the recipient called `name`."""
        own = {one.casefold() for one in (name, *self.known_as)}
        return any(one.strip().casefold() in own for one in said)


class Shift(_Declared):
    """Somebody's turn, in the zone of the rotation."""

    recipient: Name
    begin: Moment = Field(alias="from")
    until: Moment

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "Shift":
        if self.until <= self.begin:
            raise ValueError("until must be later than from")
        return self


class Rotation(_Declared):
    """Who is on call when: as shifts, or by a calendar. Named in routes as recipients are."""

    shifts: tuple[Shift, ...] = ()
    calendar: Annotated[str, Field(min_length=1, max_length=400, strict=True), AfterValidator(_open_place)] | None = (
        None
    )
    """An iCal file beside routing.yml, a URL, or where a URL is that nobody else may know (env:NAME …)."""
    zone: Zone = "UTC"
    """Of shifts, and of a calendar's moments that have none."""
    otherwise: Told
    """Who is told while nobody is on call."""

    @model_validator(mode="after")
    def _one_of_both(self) -> "Rotation":
        if bool(self.shifts) == (self.calendar is not None):
            raise ValueError("give shifts or a calendar")
        return self


class RouteCondition(_Declared):
    """Which incidents. All keys that are there must hold, each by one of its values: one without a value would mean any."""

    severity: tuple[Severity, ...] = Field(default=(), min_length=1)
    failure_class: tuple[Words, ...] = Field(default=(), alias="class", min_length=1)
    type: tuple[IncidentType, ...] = Field(default=(), min_length=1)
    dataset: tuple[Words, ...] = Field(default=(), min_length=1)
    """Patterns; of where it began, of its sources, and of the datasets of its failed checks."""
    source: tuple[Words, ...] = Field(default=(), min_length=1)

    @property
    def in_words(self) -> str:
        """What it asks for, in the words of the file."""
        said = [
            f"{field.alias or name} {'/'.join(map(str, getattr(self, name)))}"
            for name, field in type(self).model_fields.items()
            if getattr(self, name)
        ]
        return ", ".join(said) or "any"


class Route(_Declared):
    """Who is told of some incidents."""

    name: Words
    """Why they are told, in a few words."""
    when: RouteCondition = RouteCondition()
    """Without it, of every incident."""
    tell: Told


class EscalationStep(_Declared):
    """Who is told next if nobody has answered."""

    after_minutes: Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)] = 0
    """After the moment at which an answer was due (the response policy says it)."""
    tell: Told


class Escalation(_Declared):
    """A chain of steps for some incidents; the first whose condition holds counts."""

    name: Words
    when: RouteCondition = RouteCondition()
    steps: Annotated[tuple[EscalationStep, ...], Field(min_length=1)]


class Tracker(_Declared):
    """Where a ticket is opened for each of some incidents, and closed with it."""

    kind: Literal["github", "gitlab", "jira", "jira_data_center", "servicenow", "template"]
    project: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}$", strict=True)] = "incident"
    """`owner/name` of GitHub, the path of a project of GitLab, the key of a Jira project, the table of ServiceNow."""
    url: Annotated[str, Field(strict=True, max_length=400), AfterValidator(_open_address)] = ""
    """Of the API for GitHub, else of the server."""
    token: Annotated[str, Field(strict=True, max_length=400), AfterValidator(_reference)]
    user: Annotated[str, Field(strict=True, max_length=200, pattern=r"^[^:\s]*$")] = ""
    """Whose password or API token it is, where the tracker asks for a pair (Jira, ServiceNow)."""
    when: RouteCondition = RouteCondition()
    """Without it, of every incident."""
    issue_type: Words = "Task"
    closing: Words | None = None
    """The transition of Jira that closes, by name or id; the close code of ServiceNow."""
    reopening: Words | None = None
    """The transition of Jira that opens again; without it, a comment says so."""
    fields: dict[str, Any] = {}
    """What else a new ticket is given, in the words of its API."""
    template: Annotated[TicketTemplate | None, BeforeValidator(_template)] = None
    """The file beside routing.yml that says how a tracker of the kind `template` is spoken to."""

    @model_validator(mode="after")
    def _is_whole(self) -> "Tracker":
        if not self.url and self.kind not in _HOSTS:
            raise ValueError(f"give the url of your {self.kind}")
        if (self.kind == "template") != (self.template is not None):
            raise ValueError("a tracker of the kind template, and no other, has a template")
        if self.kind in _JIRA and self.closing is None:
            raise ValueError("give closing: the name or id of the transition of your workflow that closes a ticket")
        if self.kind not in ("servicenow", "template") and "project" not in self.model_fields_set:
            raise ValueError("give project")
        if self.kind in _JIRA and not self.project.isidentifier():
            raise ValueError("the project of Jira is its key, as DATA")
        if self.kind in ("github", "gitlab") and ("/" not in self.project or ".." in self.project):
            raise ValueError(f"the project of {self.kind} is its path, as team/data")
        return self

    @property
    def place(self) -> TrackerPlace:
        """As those who speak to it know it."""
        return TrackerPlace(
            kind=self.kind,
            url=(self.url or _HOSTS[self.kind]).rstrip("/"),
            project="" if self.kind == "template" else self.project,
            user=self.user,
            issue_type=self.issue_type,
            closing=self.closing or _CLOSE_CODE,
            reopening=self.reopening or "",
            fields=self.fields,
            template={} if self.template is None else self.template.model_dump(),
        )


_HOSTS = {"github": "https://api.github.com", "gitlab": "https://gitlab.com"}
_JIRA = ("jira", "jira_data_center")
_CLOSE_CODE = "Solved (Permanently)"
"""Of ServiceNow, as it comes."""


class Routing(_Declared):
    """The whole file."""

    recipients: Annotated[dict[Name, Recipient], Field(min_length=1)]
    rotations: dict[Name, Rotation] = {}
    routes: Annotated[tuple[Route, ...], Field(min_length=1)]
    otherwise: Told
    """Who is told of an incident for which no route names anybody who works on it; owners alone do not."""
    escalation: tuple[Escalation, ...] = ()
    trackers: dict[Name, Tracker] = {}

    def meant(self, said: Sequence[str]) -> list[str]:
        """The recipients that go by one of these names or addresses."""
        return [name for name, one in self.recipients.items() if one.is_meant(name, said)]


def _told(declared: Routing) -> Iterator[tuple[Location, tuple[str, ...], bool]]:
    """Each place where recipients are named, and whether owners and rotations may stand there."""
    for name, rotation in declared.rotations.items():
        yield ("rotations", name, "otherwise"), rotation.otherwise, False
        for place, shift in enumerate(rotation.shifts):
            yield ("rotations", name, "shifts", place, "recipient"), (shift.recipient,), False
    for place, route in enumerate(declared.routes):
        yield ("routes", place, "tell"), route.tell, True
    yield ("otherwise",), declared.otherwise, False
    for place, chain in enumerate(declared.escalation):
        for number, step in enumerate(chain.steps):
            yield ("escalation", place, "steps", number, "tell"), step.tell, True


def _datasets() -> list[str]:
    return sorted({*SOURCES, *MART_SOURCES, *(spec.dataset for spec in CHECKS.values())})


def _conditioned(declared: Routing) -> Iterator[tuple[Location, RouteCondition]]:
    for place, route in enumerate(declared.routes):
        yield ("routes", place, "when"), route.when
    for place, chain in enumerate(declared.escalation):
        yield ("escalation", place, "when"), chain.when
    for name, tracker in declared.trackers.items():
        yield ("trackers", name, "when"), tracker.when


def _wrong_conditions(declared: Routing) -> Iterator[tuple[Location, str]]:
    """Each name in a condition that nothing bears."""
    datasets = _datasets()
    for where, when in _conditioned(declared):
        for number, name in enumerate(when.failure_class):
            if name not in CLASSES:
                yield (*where, "class", number), f"there is no failure class {name[:80]!r}{suggestion(name, CLASSES)}"
        for number, name in enumerate(when.source):
            if name not in SOURCES:
                yield (*where, "source", number), f"there is no source {name[:80]!r}{suggestion(name, SOURCES)}"
        for number, name in enumerate(when.dataset):
            if not any(fnmatchcase(dataset, name) for dataset in datasets):
                yield (*where, "dataset", number), f"no dataset is called {name[:80]!r}{suggestion(name, datasets)}"


def _problems(declared: Routing) -> Iterator[tuple[Location, str]]:
    """What types alone cannot tell: names that nothing bears, or two things do."""
    for name in declared.rotations:
        if name in declared.recipients or name in OWNERS:
            yield ("rotations", name), "it is the name of a recipient, too, or reserved: choose another."
    for name in declared.trackers:
        if name in declared.recipients:
            yield ("trackers", name), "it is the name of a recipient, too: choose another."
    for name in declared.recipients:
        if name in OWNERS:
            yield ("recipients", name), f"{' and '.join(OWNERS)} stand for owners: choose another name."
    known = [*declared.recipients, *declared.rotations, *OWNERS]
    for place, names, anybody in _told(declared):
        allowed = known if anybody else list(declared.recipients)
        for number, name in enumerate(names):
            if name not in allowed:
                where = (*place, number) if place[-1] != "recipient" else place
                yield where, f"there is no recipient {name!r}{suggestion(name, allowed)}"
    yield from _wrong_conditions(declared)
    meant: dict[str, str] = {}
    for name, recipient in declared.recipients.items():
        for number, other in enumerate(recipient.known_as):
            if (first := meant.setdefault(other.casefold(), name)) != name:
                yield ("recipients", name, "known_as", number), f"{other[:80]!r} is {first} already."


def routing_file(settings: Settings) -> Path | None:
    """The routing file of the project; None if it has none."""
    own = settings.routing_file or PROJECT / OWN
    return own if settings.routing_file is not None or own.is_file() else None


def routing_of(settings: Settings) -> Routing | None:
    """What the project's routing file says; None without one. Raises `UsageError` that names the line and what to do."""
    path = routing_file(settings)
    if path is None:
        return None
    try:
        templates = sorted(one for one in path.parent.glob(TEMPLATES) if one.is_file())
        return read_routing(path, tuple((one.name, one.stat().st_mtime_ns) for one in (path, *templates)))
    except OSError as error:
        raise UsageError(f"The routing file {path} cannot be read: {error.strerror}.") from None


@lru_cache(maxsize=4)
def read_routing(path: Path, _stamp: object = 0) -> Routing:
    """The routing of a file. Raises `UsageError`."""
    file = StrictYaml.of_file(path, path.name)
    try:
        declared = Routing.model_validate(file.content, context={"folder": path.parent})
    except ValidationError as error:
        first = error.errors()[0]
        raise file.problem(
            first["loc"], _in_words(said_of(first), first["type"], first["loc"], str(first["input"])[:80])
        ) from None
    for where, what in _problems(declared):
        raise file.problem(where, what)
    return declared


_FORMS: dict[str, type[_Declared]] = {
    "recipients": Recipient,
    "rotations": Rotation,
    "routes": Route,
    "escalation": Escalation,
    "trackers": Tracker,
    "when": RouteCondition,
    "shifts": Shift,
    "steps": EscalationStep,
    "quiet": DeclaredQuietHours,
}


def _in_words(message: str, kind: str, location: Location, said: str) -> str:
    if kind == "literal_error":
        kinds = Tracker.model_fields["kind"].annotation.__args__  # type: ignore[union-attr]
        return f"it must be one of {', '.join(kinds)}{suggestion(said, kinds)}"
    if kind != "extra_forbidden":
        return f"{message}."
    form = next((_FORMS[str(part)] for part in reversed(location[:-1]) if part in _FORMS), Routing)
    keys = [field.alias or name for name, field in form.model_fields.items()]
    return f"there is no such key{suggestion(str(location[-1]), keys)[:-1].rstrip('?')}; allowed: {', '.join(keys)}."
