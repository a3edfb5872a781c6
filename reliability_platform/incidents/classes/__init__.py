"""Failure classes: one file each, `<name>.yml` beside this module, with all that is to be said of a class.

What it means and how bad it is, which other failures are only its symptoms, what the source is asked for again, which
action heals it on which conditions and what proves that it did, and what people are told. The fields below are those of
the files; a key that is none of them, or a value that cannot be, is refused when the files are read.

A project says some of it otherwise in `failure_classes/<name>.yml` beside its contracts (`OVERRIDABLE`).

Which check raises a class is declared in `checks/catalogue.py`; that its action and its conditions exist, `remediation`
says when it is imported. A new class is a file here, and a check that raises it.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Interval
from pydantic import BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from reliability_platform.causes import CAUSES, Cause, Persistence
from reliability_platform.contracts.rejections import Rule
from reliability_platform.errors import UsageError
from reliability_platform.settings import PROJECT, suggestion
from reliability_platform.strict_yaml import StrictYaml, said_of


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

MAX_WATCH_DAYS = 28
"""A longer watch would be a limit of its own: write it into the contract."""
_STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


@dataclass(frozen=True)
class Policy:
    """How incidents of a class are healed."""

    action: str
    automatic: bool
    """Whether it runs without a person's approval."""
    max_attempts: int
    escalation: str
    """Who decides once no attempt is left, or once nothing would be other with the next one."""
    conditions: tuple[str, ...] = ()
    """What must hold before the platform acts by itself: names in `remediation/conditions.py`. A person's approval
    overrules them."""
    proof: tuple[str, ...] = ()
    """Checks that must pass after the action besides those that had failed, with `{source}` to fill in. In any case what
    had failed must pass on all landing days of the incident, and no check may hold one of them."""
    event_date_proof: tuple[str, ...] = ()
    """Checks that must pass on each earlier event date, too, on which the action lets rows count."""
    backoff: timedelta = timedelta(seconds=30)
    """The wait before the second attempt; it doubles for each further one."""
    time_limit: timedelta = timedelta(minutes=10)
    """An action that has not ended after so long is stopped, or taken for dead."""
    watch_days: Annotated[int, Interval(ge=0, le=MAX_WATCH_DAYS)] = 3
    """After a verified recovery: so many landing days what failed is judged more strictly, and is the same incident if it fails
    again; 0 for none."""

    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class Prevention:
    """Something that would keep a class of failures from coming back, as an action item proposes it."""

    what: str
    owner: str
    """`source` or `platform`: whose work it is."""
    days: int
    """How long it may take."""

    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class ClassText:
    """What people are told: the platform's own Markdown. `{id}`, `{source}`, `{first}`, `{last}` stand for the
    incident's own names; on the page of a class they stand as capitals."""

    symptoms: tuple[str, ...]
    """What people notice before anybody shows them a check."""
    causes: tuple[str, ...]
    """What was behind it most often."""
    to_do: tuple[str, ...]
    """Containment that the platform cannot do by itself."""
    decide: str
    """What a person must make up their mind about, or what automation does not need one for."""
    validation: str
    """What besides the checks shows that it is over."""
    escalate: str
    """When to call for somebody else, and whom."""
    questions: tuple[str, ...]
    """Names of questions to the warehouse."""
    prevention: tuple[Prevention, ...]
    afterwards: tuple[str, ...] = ()
    """What recovery does not do, and people must once it is over."""

    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class FailureClass:
    """One way to fail, in words for the person on call."""

    name: str
    """That of its file."""
    title: str
    precedence: int
    """From the source onwards: of two causes of one day that could explain a symptom, it joins the one with the lower
    number."""
    what_it_means: str
    type: IncidentType
    harm: Harm
    cause: Annotated[Cause, BeforeValidator(CAUSES.__getitem__)]
    """What it comes of as a rule, by its name in `causes.py`; the error of an incident may say otherwise."""
    origin: Origin
    aspect: Aspect
    contained_by: str
    first_steps: tuple[str, ...]
    """What a person looks at before anything is done."""
    prevention: str
    policy: Policy
    texts: ClassText
    explains: frozenset[str] = frozenset()
    """Classes that, on the same source and day, are symptoms of this one."""
    rejections: frozenset[Rule] = frozenset()
    """The rules for which rows of it are rejected: by their commonest one the share of rejected rows joins it."""
    is_about_event_time: bool = False
    """Whether it is always about the column that says when a row happened."""
    asks_for: frozenset[AskFor] = frozenset({AskFor.REJECTED_ROWS})
    severity_by_impact: dict[Severity, Annotated[float, Interval(ge=0, le=1)]] = field(default_factory=dict)
    """From which part of the day's numbers on it is how bad; empty where that is no question of how much."""
    spoils_numbers: bool = False
    """Whether consumers see wrong or incomplete numbers if a landing day of it was published before it was noticed."""
    stays_in_the_data: bool = False
    """Whether its evidence stays after recovery: the batch did come twice, the rows did come late."""
    between_sources: bool = False
    """Whether it says of no source alone that it is wrong: all sources of its checks are concerned."""
    of_our_machinery: bool = False
    """Whether it is one cause, whichever sources were to be judged."""
    of_the_home: bool = False
    """Whether it is about the home itself and no landing day: then its date is the day on which it was noticed."""
    told_by_its_error: bool = False
    """Whether the error of an incident tells its cause, and so whether it passes by itself."""
    of_whole_tables: bool = False
    """Whether its checks judge a table as a whole: what fails on one day of a run may be the doing of another one."""
    of_missing_batches: bool = False
    """Whether it says that batches are missing: refused files explain it only as far as they are those batches."""
    of_broken_checks: bool = False
    """Whether it is that of every check that broke off, whatever class its failure would have."""
    told_by_people: bool = False
    """Whether people say it and no check: it holds nothing by itself, and a person alone can say that it is over."""
    keeps_snapshots: bool = False
    """Whether a snapshot may be its cure: a loss, or what damaged files make fail, of which nobody may know yet."""

    __pydantic_config__ = _STRICT

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


OVERRIDABLE: dict[str, frozenset[str]] = {
    "what_it_means": frozenset(),
    "first_steps": frozenset(),
    "prevention": frozenset(),
    "severity_by_impact": frozenset(),
    "policy": frozenset({"automatic", "max_attempts", "escalation", "backoff", "time_limit", "watch_days"}),
    "texts": frozenset({one.name for one in fields(ClassText)} - {"questions"}),
}
"""What a project may say instead of the platform, and within which keys. How a failure is told from others, which action heals
it, on which conditions and by which proof, is not among it: those belong to the checks and to the code of the action."""
MAX_ATTEMPTS = 20
_BRACES = re.compile(r"(?:[^{}]|\{\{|\}\}|\{(?:id|source|first|last)\})*")


def read_classes(folder: Path, own: Path | None = None) -> dict[str, FailureClass]:
    """The classes of a folder, in the order of their precedence, with what the files of the folder `own` say instead of
    some of it. Raises `UsageError` if a file says what cannot be."""
    files = {path.stem: _content(path, path.name) for path in sorted(folder.glob("*.yml"))}
    found = {name: _class_of(name, content, file) for name, (content, file) in files.items()}
    for name, (said, file) in own_files(own, found).items():
        found[name] = _class_of(name, _merged(files[name][0], said, file), file)
        _refuse_braces(found[name], file)
    at: dict[int, str] = {}
    for name, one in found.items():
        if unknown := one.explains - found.keys():
            raise UsageError(
                f"{name}.yml: explains {', '.join(sorted(unknown))}, which no file declares; "
                f"allowed: {', '.join(sorted(found.keys() - {name}))}"
            )
        if (other := at.setdefault(one.precedence, name)) != name:
            raise UsageError(f"{name}.yml: precedence {one.precedence} is the same precedence as that of {other}.yml")
    try:
        tuple(TopologicalSorter({name: one.explains for name, one in found.items()}).static_order())
    except CycleError as error:
        circle = error.args[1]
        raise UsageError(
            f"{circle[0]}.yml: explains itself: {', '.join(circle)}; a symptom is never its own cause"
        ) from None
    return dict(sorted(found.items(), key=lambda item: item[1].precedence))


def own_files(folder: Path | None, classes: Collection[str]) -> dict[str, tuple[dict[str, Any], StrictYaml]]:
    """What a project says of classes, by class, with its file. Raises `UsageError` for a file of no class."""
    if folder is None or not folder.is_dir():
        return {}
    found = {}
    for path in sorted(one for one in folder.iterdir() if one.suffix in (".yml", ".yaml")):
        if path.stem not in classes:
            raise UsageError(
                f"{folder.name}/{path.name}: there is no failure class {path.stem!r}{suggestion(path.stem, classes)}"
            )
        found[path.stem] = _content(path, f"{folder.name}/{path.name}")
    return found


def _merged(shipped: dict[str, Any], own: dict[str, Any], file: StrictYaml) -> dict[str, Any]:
    """A class as the project has it: key by key, in `policy` and `texts` too."""
    merged = dict(shipped)
    for key, value in own.items():
        if key not in OVERRIDABLE:
            raise file.problem((key,), _not_overridable(key, OVERRIDABLE))
        within = OVERRIDABLE[key]
        if within and not isinstance(value, dict):
            raise file.problem((key,), f"it must hold keys and values: {', '.join(sorted(within))}")
        for one in value if within else ():
            if one not in within:
                raise file.problem((key, str(one)), _not_overridable(str(one), within))
        merged[key] = {**shipped[key], **value} if within else value
    attempts = merged["policy"]["max_attempts"]
    if isinstance(attempts, int) and not 1 <= attempts <= MAX_ATTEMPTS:
        raise file.problem(("policy", "max_attempts"), f"it must be between 1 and {MAX_ATTEMPTS}")
    return merged


def _not_overridable(key: str, allowed: Collection[str]) -> str:
    names = sorted(allowed)
    return f"a project cannot say this of a class{suggestion(key, names).rstrip('.?')}; it can say: {', '.join(names)}"


def _refuse_braces(kind: FailureClass, file: StrictYaml) -> None:
    """A text with braces of its own would break the runbook in the night in which it is read."""
    for one in fields(kind.texts):
        said = getattr(kind.texts, one.name)
        for text in (said,) if isinstance(said, str) else said:
            if isinstance(text, str) and not _BRACES.fullmatch(text):
                words = "braces may hold id, source, first or last alone; write {{ and }} for a brace"
                raise file.problem(("texts", one.name), words)


def _content(path: Path, called: str) -> tuple[dict[str, Any], StrictYaml]:
    file = StrictYaml.of_file(path, called)
    if not isinstance(file.content, dict):
        raise file.problem((), "it must hold keys and values")
    return file.content, file


def _class_of(name: str, declared: dict[str, Any], file: StrictYaml) -> FailureClass:
    """The class that a file declares. Raises `UsageError` with the file, the key and what is allowed."""
    if isinstance(declared.get("precedence"), bool):
        raise file.problem(("precedence",), "must be a whole number")
    try:
        return _CLASS.validate_python({**declared, "name": name})
    except ValidationError as error:
        first = min(error.errors(), key=lambda one: one["type"] not in _UNKNOWN_KEY)
        known = f"; allowed: {', '.join(_keys_beside(first['loc']))}" if first["type"] in _UNKNOWN_KEY else ""
        raise file.problem(first["loc"], f"{said_of(first)}{known}") from None
    except KeyError as error:
        raise file.problem(("cause",), f"{error.args[0]!r} is no cause; allowed: {', '.join(CAUSES)}") from None


def _keys_said(said: dict[str, Any]) -> Iterator[str]:
    for key, value in said.items():
        yield from (f"{key}.{one}" for one in value) if OVERRIDABLE[key] else (key,)


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """The keys that a file may have where an unknown one stands."""
    kinds = {"policy": Policy, "prevention": Prevention, "texts": ClassText}
    names = [part for part in location[:-1] if isinstance(part, str)]
    return [one.name for one in fields(kinds[names[-1]] if names else FailureClass) if one.name != "name"]


_CLASS = TypeAdapter(FailureClass)
_UNKNOWN_KEY = {"unexpected_keyword_argument", "extra_forbidden"}
OWN = PROJECT / "failure_classes"
"""What the project says of classes, one file each, beside its contracts; a new release leaves it as it is."""
CLASSES = read_classes(Path(__file__).parent, OWN)
OVERRIDDEN = {name: tuple(_keys_said(said)) for name, (said, _) in own_files(OWN, CLASSES).items()}
"""By class, what the project says of it, as `policy.max_attempts`."""
[BROKEN_CHECK] = [name for name, one in CLASSES.items() if one.of_broken_checks]
