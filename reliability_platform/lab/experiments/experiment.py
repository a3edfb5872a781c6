"""What an experiment file may say: a steady state, a hypothesis, a method, and the end that the hypothesis expects.

Declared or refused: whatever does not exist or cannot be is said in one line, with its file and line. Those that come with the
platform lie in `shipped/`; a project has its own in `experiments/` beside its contracts, and one of the same name counts instead.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.contracts import SOURCES
from reliability_platform.errors import UsageError
from reliability_platform.incidents.classes import CLASSES, Severity
from reliability_platform.recovery.drill_log import MAX_NAME, Drill
from reliability_platform.settings import PROJECT
from reliability_platform.strict_yaml import Location, StrictYaml, said_of

SHIPPED = Path(__file__).parent / "shipped"
OWN = PROJECT / "experiments"
NO_CLASS = "none"
"""What a file says where no incident is expected."""

Day = date  # a field called `date` hides the type inside its class


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Probe(_Declared):
    """A question to the published tables, answered by one number."""

    query: str = Field(min_length=1, max_length=10_000)
    """SQL over the published tables by their names. It answers with one row of one number."""
    at_least: float | None = None
    """The least that the answer may be."""
    at_most: float | None = None
    """The most that the answer may be."""

    @model_validator(mode="after")
    def _says_what_it_expects(self) -> "Probe":
        if self.at_least is None and self.at_most is None:
            raise ValueError("say at_least, at_most or both")
        if self.at_least is not None and self.at_most is not None and not self.at_least <= self.at_most:
            raise ValueError("no answer is at least the one and at most the other: at_least must not be above at_most")
        return self


class SteadyState(_Declared):
    """What is so before anything is injected, and must be so again once all has healed."""

    no_open_incidents: bool = True
    """No incident is open."""
    nothing_held: bool = True
    """Everything that has landed is published."""
    budgets_left: bool = False
    """No objective has exhausted its error budget."""
    checks_passed: tuple[str, ...] = ()
    """Checks whose last result is passed."""
    queries: tuple[Probe, ...] = ()
    """Questions to the published tables."""


class MethodStep(_Declared):
    """One thing that is done to the clone: a fault of the catalogue, or a drill."""

    fault: str | None = None
    """A fault or control (`reliability faults list`)."""
    source: str | None = None
    """Whose deliveries or tables it hits. By default the first source that has what it hits."""
    days_ago: int = Field(default=0, ge=0, le=3660, strict=True)
    """The landing day, counted back from the newest one on which all that it touches has landed."""
    date: Day | None = None
    """The landing day itself, instead of `days_ago`."""
    days: int = Field(default=1, ge=1, le=366, strict=True)
    """On how many landing days in a row it hits."""
    magnitude: str | float = "medium"
    """small, medium or large, or a number in the unit of the fault."""
    drill: Drill | None = None
    """A drill instead of a fault: what is lost."""
    table: str | None = None
    """The table that is lost in the drill table-loss. By default the largest."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> "MethodStep":
        if (self.fault is None) == (self.drill is None):
            raise ValueError("name either a fault or a drill")
        others = self.model_fields_set - ({"drill", "table"} if self.drill else {"fault", *_OF_A_FAULT})
        if others:
            raise ValueError(f"{min(others)} is nothing that a {'drill' if self.drill else 'fault'} has")
        if self.table is not None and self.drill is not Drill.TABLE_LOSS:
            raise ValueError(f"table says what is lost in {Drill.TABLE_LOSS}; {self.drill} loses more than one")
        if {"date", "days_ago"} <= self.model_fields_set:
            raise ValueError("give either days_ago or date")
        return self


_OF_A_FAULT = ("source", "days_ago", "date", "days", "magnitude")


class Expected(_Declared):
    """The end that the hypothesis expects. What is left out is as it should be, or is not judged."""

    failure_class: str | None = Field(default=None, alias="class")
    """The failure class of the incident, or `none` where nobody may notice. By default what the catalogue says of the faults."""
    severity: Severity | None = None
    """The severity of that incident."""
    detected_within_seconds: float | None = Field(default=None, gt=0)
    """From the first bad row or the injection to the incident. On the clone nobody waits for sensors: the work alone."""
    contained: bool = True
    """Whether no wrong row is ever published."""
    recovered: bool = True
    """Whether every incident comes to its end."""
    recovered_within_seconds: float | None = Field(default=None, gt=0)
    """From the detection to data that are right again; the work alone."""
    attempts_at_most: int | None = Field(default=None, ge=1)
    """So many actions are begun on the incident at most."""
    tables_equal: bool | None = None
    """Whether the published tables are, row for row, those of before. By default yes, if it recovers."""


class Experiment(_Declared):
    """One file."""

    title: str = Field(min_length=1, max_length=200)
    """What it is about, in one line."""
    hypothesis: str = Field(min_length=1, max_length=2_000)
    """What is believed, in words. Whether it is so is judged by `expect`."""
    every_days: float | None = Field(default=None, gt=0, le=3660)
    """How often `reliability dev` rehearses it; overdue a sixth later. By default as RELIABILITY_REHEARSAL_DAYS says."""
    steady_state: SteadyState = SteadyState()
    """What is so before and after."""
    method: tuple[MethodStep, ...] = Field(min_length=1, max_length=20)
    """What is done, in this order: all that hits deliveries together, then the rest one after the other."""
    approve: bool = False
    """Whether somebody says yes at once to what waits for a person."""
    expect: Expected = Expected()
    """The end that the hypothesis expects."""

    @property
    def faults(self) -> list[MethodStep]:
        """The steps that inject a fault."""
        return [one for one in self.method if one.fault is not None]

    @property
    def drills(self) -> list[MethodStep]:
        """The steps that do a drill."""
        return [one for one in self.method if one.drill is not None]


def experiment_files() -> Mapping[str, Path]:
    """Name → file: those of the project before those that come with the platform."""
    return {path.stem: path for folder in (SHIPPED, OWN) for path in sorted(folder.glob("*.yml"))}


def file_of(name_or_path: str) -> Path:
    """The file of an experiment, by its name or path. Raises `UsageError`."""
    known = experiment_files()
    if name_or_path in known:
        return known[name_or_path]
    if name_or_path.endswith((".yml", ".yaml")):
        return Path(name_or_path)
    raise UsageError(
        f"There is no experiment {name_or_path[:200]!r}: choose one of {', '.join(sorted(known))}, or give the path of a file "
        "that ends with .yml."
    )


def read_experiment(path: Path) -> Experiment:
    """The experiment of a file. Raises `UsageError` that names file and line."""
    file = StrictYaml.of_file(path)
    try:
        found = Experiment.model_validate(file.content)
    except ValidationError as error:
        first = error.errors()[0]
        raise file.problem(first["loc"] or ("experiment",), f"{said_of(first)}.") from None
    if len(path.stem) > MAX_NAME:
        raise UsageError(f"{path}: the name of an experiment has {MAX_NAME} characters at most.")
    if path.stem in set(Drill):
        raise UsageError(f"{path}: {path.stem} is the name of a drill; give the file another one.")
    for location, what in _undeclared(found):
        raise file.problem(location, what)
    return found


def _undeclared(found: Experiment) -> Iterator[tuple[Location, str]]:
    """The names that nothing bears, each with its place."""
    from reliability_platform.lab.faults.catalogue import fault_named  # with numpy and Arrow, 0.4 s

    for number, check in enumerate(found.steady_state.checks_passed):
        if check not in CHECKS:
            yield (
                ("steady_state", "checks_passed", number),
                f"there is no check {check[:80]!r}: see `reliability checks`.",
            )
    wanted = found.expect.failure_class
    if wanted is not None and wanted not in CLASSES and wanted != NO_CLASS:
        yield ("expect", "class"), f"there is no failure class {wanted[:80]!r}: see `reliability incidents classes`."
    for number, step in enumerate(found.method):
        if step.fault is None:
            continue
        try:
            fault = fault_named(step.fault)
            size = fault.size(str(step.magnitude))
        except UsageError as error:
            yield ("method", number, "fault"), str(error)
            return
        except ValueError:
            size = 0.0
        if not size > 0:
            yield (
                ("method", number, "magnitude"),
                f"use {', '.join(fault.magnitudes)}, or a number ({fault.magnitude_meaning}).",
            )
        if step.source is not None and step.source not in SOURCES:
            yield (
                ("method", number, "source"),
                f"there is no source {step.source[:80]!r}: choose one of {', '.join(SOURCES)}.",
            )


def document_of(experiment: Experiment) -> dict[str, Any]:
    """Ready for JSON, under the names of the file."""
    return experiment.model_dump(mode="json", by_alias=True, exclude_unset=True)
