"""Plans: which faults hit where. A YAML file for people, and the resolved plan that a home follows.

A plan that names what does not exist or contradicts itself is refused before anything is written.
"""

import json
import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from reliability_platform.atomic import write_atomically
from reliability_platform.contracts import check_source
from reliability_platform.counted import counted
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.lab.faults.catalogue import fault_named
from reliability_platform.lab.faults.fault import Fault, Stage
from reliability_platform.settings import Settings, variable
from reliability_platform.sources.endpoint import endpoints_of
from reliability_platform.strict_yaml import StrictYaml, said_of

PLANS = Path(__file__).parent / "plans"
"""Those that come with the platform."""
MAX_DAY = 3660
"""No window is longer than ten years."""

Day = date  # a field called `date` hides the type inside its class


class PlannedInjection(BaseModel):
    """One line of a plan: a fault, its source, its day of the window (1 is the first) or date, its size."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fault: str
    source: str
    day: int | None = Field(default=None, ge=1, le=MAX_DAY, strict=True)
    date: Day | None = None
    days: int = Field(default=1, ge=1, le=MAX_DAY, strict=True)
    """On how many consecutive landing days it hits."""
    magnitude: str | float = "medium"
    """small, medium or large, or a number in the unit that the fault declares."""
    seed: int | None = None
    """Another choice of rows and batches than the plan's own seed would make."""


OLD_KEY = "strikes"
"""What 0.3.0 called the injections of a plan, in plan files and in the plan of a home."""


class Plan(BaseModel):
    """A plan file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    description: str = ""
    injections: tuple[PlannedInjection, ...] = Field((), validation_alias=AliasChoices("injections", OLD_KEY))


@dataclass(frozen=True)
class Injection:
    """A fault bound to a source, a landing day and a size; with `days`, on so many consecutive landing days."""

    fault: str
    source: str
    landing_date: date
    magnitude: str
    days: int = 1
    seed: int | None = None

    def injected_days(self) -> list[date]:
        """The landing days that it hits, one after the other."""
        return [self.landing_date + timedelta(days=offset) for offset in range(self.days)]

    def landing_dates(self) -> list[date]:
        """The landing days that the injection may touch."""
        last = self.days - 1 + fault_named(self.fault).days_touched
        return [self.landing_date + timedelta(days=offset) for offset in range(last)]


def plan_names() -> list[str]:
    """The plans that come with the platform."""
    return sorted(path.stem for path in PLANS.glob("*.yml"))


def load_plan(name_or_path: str) -> Plan:
    """A plan by its name, from a YAML file, or from the YAML text itself (which has more than one line).

    Raises `UsageError` that names the line and what is wrong.
    """
    path = Path(name_or_path)
    if "\n" in name_or_path:
        file = StrictYaml(name_or_path, "The plan given")
    elif name_or_path in plan_names():
        file = StrictYaml.of_file(PLANS / f"{name_or_path}.yml", f"The plan {name_or_path}")
    elif _is_file(path):
        file = StrictYaml.of_file(path, f"The plan {path}")
    else:
        raise UsageError(
            f"There is no plan {name_or_path[:200]!r}: choose one of {', '.join(plan_names())}, or give the path of a file."
        )
    try:
        return Plan.model_validate(file.content)
    except ValidationError as error:
        first = error.errors()[0]
        raise file.problem(first["loc"] or ("plan",), f"{said_of(first)}.") from None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long for a path, or not one
        return False


def _magnitude(fault: Fault, planned: PlannedInjection, label: str) -> str:
    """The size as an injection keeps it. A number must lie within ten times what the fault declares."""
    if planned.magnitude in fault.magnitudes:
        return str(planned.magnitude)
    low, high = min(fault.magnitudes.values()), max(fault.magnitudes.values())
    try:
        size = float(planned.magnitude)
    except ValueError:
        size = math.nan
    if not 0 < size <= (1 if high <= 1 else 10 * high):
        raise UsageError(
            f"{label}: {planned.magnitude!r} is no magnitude; use {', '.join(fault.magnitudes)}, or a number like those "
            f"from {low:g} to {high:g} ({fault.magnitude_meaning})."
        )
    return f"{size:g}"


def resolve_injection(planned: PlannedInjection, first: date, last: date) -> Injection:
    """Bind one planned injection to a window. Raises `UsageError` if it does not fit."""
    fault = fault_named(planned.fault)
    label = f"{planned.fault} on {planned.source}"
    check_source(planned.source)
    reason = fault.why_not(planned.source)
    if reason is not None:
        elsewhere = f"; use {', '.join(fault.applies_to)}" if fault.applies_to else ""
        raise UsageError(f"{label} has nothing that this fault hits: {reason}{elsewhere}.")
    magnitude = _magnitude(fault, planned, label)
    if (planned.day is None) == (planned.date is None):
        raise UsageError(f"{label}: give either day (1 is the first of the window) or date.")
    day = planned.date or first + timedelta(days=(planned.day or 1) - 1)
    injection = Injection(planned.fault, planned.source, day, magnitude, planned.days, planned.seed)
    if day > date.max - timedelta(days=fault.days_touched + planned.days):
        raise UsageError(f"{label}: {day} is too far ahead: choose a day of the window {first} to {last}.")
    if not first <= injection.landing_dates()[0] <= injection.landing_dates()[-1] <= last:
        raise UsageError(
            f"{label} hits {injection.landing_dates()[0]} to {injection.landing_dates()[-1]}, outside the window "
            f"{first} to {last}: choose another day or a longer window."
        )
    earliest = day - timedelta(days=fault.days_read)
    if earliest < first:
        raise UsageError(
            f"{label} delivers again what landed {counted(fault.days_read, 'day')} before, on {earliest}; the window begins on "
            f"{first}: choose a later day."
        )
    return injection


def check_together(injections: Sequence[Injection]) -> None:
    """Refuse injections that contradict each other: the same twice, or two that each need a whole day of one source."""
    taken: dict[tuple[str, date], Injection] = {}
    seen: set[tuple[str, str, date]] = set()
    for injection in injections:
        fault = fault_named(injection.fault)
        for day in injection.injected_days():
            if (injection.fault, injection.source, day) in seen:
                raise UsageError(f"{injection.fault} hits {injection.source} on {day} twice: leave one of them out.")
            seen.add((injection.fault, injection.source, day))
            other = taken.setdefault((injection.source, day), injection) if fault.whole_day else injection
            if other is not injection:
                raise UsageError(
                    f"{injection.fault} and {other.fault} each need all of what {injection.source} delivers on {day}: "
                    "move one of them to another day or source."
                )


@dataclass(frozen=True)
class ActivePlan:
    """The injections that a home follows, with the seed of their randomness."""

    seed: int = 7
    injections: tuple[Injection, ...] = ()

    @classmethod
    def resolve(cls, plan: Plan, *, seed: int, first: date, last: date) -> "ActivePlan":
        """Bind a plan to a window. Raises `UsageError` if it does not fit or contradicts itself."""
        injections = tuple(resolve_injection(planned, first, last) for planned in plan.injections)
        check_together(injections)
        return cls(seed, injections)

    @classmethod
    def load(cls, settings: Settings) -> "ActivePlan":
        """The home's plan; one without injections if there is none."""
        path = settings.faults / "plan.json"
        if not path.exists():
            return cls()
        try:
            raw = json.loads(path.read_text())
            injections = tuple(
                Injection(**{**item, "landing_date": date.fromisoformat(item["landing_date"])})
                for item in raw.get("injections", raw.get(OLD_KEY))
            )
            return cls(raw["seed"], injections)
        except (ValueError, KeyError, TypeError):
            raise EnvironmentUnusableError(f"{path} is not a plan: delete it to go on without faults.") from None

    def save(self, settings: Settings) -> None:
        """Write it to the home in one step."""
        write_atomically(
            settings.faults / "plan.json",
            json.dumps(
                {"seed": self.seed, "injections": [asdict(injection) for injection in self.injections]}, default=str
            ).encode(),
        )

    def refuse_over_http(self, settings: Settings, sources: Collection[str], days: Collection[date]) -> None:
        """Raises `UsageError` if deliveries of these days shall be broken that come over HTTP: only simulated ones can be."""
        for source in sources:
            broken = {
                injection.fault
                for injection in self.injections
                if injection.source == source
                and fault_named(injection.fault).stage is Stage.LANDING
                and not set(days).isdisjoint(injection.landing_dates())
            }
            if broken and endpoints_of(settings, source):
                said = "source_urls" if source in settings.source_urls else "source_url"
                raise UsageError(
                    f"The plan breaks deliveries of {source} ({', '.join(sorted(broken))}), but it is fetched over HTTP: "
                    f"choose days that the plan leaves alone, or unset {variable(said)}."
                )

    def with_injection(self, injection: Injection) -> "ActivePlan":
        """The plan and one more injection. Raises `UsageError` if it contradicts those there."""
        injections = (*self.injections, injection)
        check_together(injections)
        return ActivePlan(self.seed, injections)
