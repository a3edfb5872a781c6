"""The objectives of a project, and the checks that each of them rests on. Declared or refused.

They are those of `defaults.yml`, key by key replaced by the project's own `objectives.yml` if it has one. Where nobody names
`datasets`, each published table and each source has the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from reliability_platform.checks.catalogue import CHECKS, MART_SOURCES, CheckSpec
from reliability_platform.contracts import SOURCES
from reliability_platform.errors import UsageError
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.settings import PROJECT, Settings
from reliability_platform.slo.budget import Budget
from reliability_platform.strict_yaml import Location, StrictYaml, said_of

DEFAULTS = Path(__file__).with_name("defaults.yml")
OWN = "objectives.yml"
"""The file of a project, beside its contracts."""
MAX_WINDOW = 366
"""No budget is counted over more landing days than a year has."""
DATASETS: dict[str, tuple[str, ...]] = {**MART_SOURCES, **{source: (source,) for source in SOURCES}}
"""What an objective can be about, published marts and sources, and the sources that each is made from."""


class Judged(StrEnum):
    """Which results on a day count: those of its first judgement, or whatever was ever noticed."""

    FIRST = "first"
    EVER = "ever"


def _share(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a target is a share between 0 and 1: write 0.99 for 99 %")
    return Decimal(str(value))


Share = Annotated[Decimal, BeforeValidator(_share), Field(gt=0, lt=1)]
Days = Annotated[int, Field(ge=1, le=MAX_WINDOW, strict=True)]
Words = Annotated[str, Field(min_length=1, max_length=300, strict=True)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$", strict=True)]


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Indicator(_Declared):
    """Which checks make a day bad: by name, by failure class, or all that can hold the publication."""

    means: Words
    judged: Judged
    checks: tuple[Words, ...] = ()
    classes: tuple[Words, ...] = ()
    blocking: Annotated[bool, Field(strict=True)] = False


class BurnAlert(_Declared):
    """Burns if a long and a short window both spend at least `rate` times what the budget allows."""

    name: Name
    long: Days
    short: Days
    rate: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Promise(_Declared):
    """The target of one objective, and the window of its budget if it is not the usual one."""

    indicator: Name
    target: Share
    budget_window: Days | None = None
    published_by: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", strict=True)] | None = None
    """Hour and minute (UTC) of the day after by which consumers must have been shown a day; of marts alone."""


class RunPromise(_Declared):
    """The share of the pipeline's runs that end well, over so many days of the clock."""

    target: Share
    budget_window: Days


class Promises(_Declared):
    """The objectives of one dataset."""

    freshness: Promise | None = None
    completeness: Promise | None = None
    correctness: Promise | None = None


class Declaration(_Declared):
    """The whole file."""

    budget_window: Days
    burn_windows: Annotated[tuple[Days, ...], Field(min_length=1)]
    burn_alerts: tuple[BurnAlert, ...] = ()
    runs: RunPromise | None = None
    """None where nothing is promised of runs."""
    indicators: dict[Name, Indicator]
    of_a_table: Promises = Promises()
    """Of each published table, where no datasets are named."""
    of_a_source: Promises = Promises()
    datasets: Annotated[dict[str, Promises], Field(min_length=1)] | None = None
    """By dataset; one that is not named has no objectives."""

    @property
    def promises(self) -> dict[str, Promises]:
        """What is promised of each dataset: as named, or the same of all of a kind."""
        if self.datasets is not None:
            return self.datasets
        return {name: self.of_a_table if name in MART_SOURCES else self.of_a_source for name in DATASETS}


@dataclass(frozen=True)
class Objective:
    """One objective of one dataset, bound to the checks that it rests on."""

    dataset: str
    name: str
    """freshness, completeness or correctness."""
    indicator: str
    means: str
    judged: Judged
    target: Decimal
    window: int
    """Landing days of the error budget."""
    checks: tuple[str, ...]
    published_by: time | None = None
    """UTC, of the day after; a day that is shown later is bad. None where no hour is promised."""

    def deadline(self, day: date) -> datetime | None:
        """When consumers must have been shown a day."""
        if self.published_by is None:
            return None
        return datetime.combine(day + timedelta(days=1), self.published_by, tzinfo=UTC)


@dataclass(frozen=True)
class Objectives:
    """All objectives, in the order of the file."""

    all: tuple[Objective, ...]
    burn_windows: tuple[int, ...]
    """Landing days, the longest first."""
    alerts: tuple[BurnAlert, ...]
    runs: RunPromise | None = None
    """None where nothing is promised of runs, or where only some datasets were asked for."""
    freezes: bool = False
    """Whether changes of a dataset without budget are frozen: `change_freeze` of the settings."""


def burns_at(alert: BurnAlert, burns: Mapping[int, Budget]) -> bool:
    """Whether both windows of an alert burn at its rate."""
    return all((burns[window].burn_rate or 0) >= alert.rate for window in (alert.long, alert.short))


def _named(pattern: str, dataset: str) -> list[str]:
    """The patterns that one with placeholders stands for."""
    filled = pattern.replace("{dataset}", dataset)
    return [filled.replace("{source}", source) for source in DATASETS[dataset]]


def _selects(indicator: Indicator, dataset: str, spec: CheckSpec) -> bool:
    """Whether a day of `dataset` is judged by this check."""
    if not set(spec.sources) & set(DATASETS[dataset]):
        return False
    if indicator.blocking and spec.blocking:
        return True  # as the gate does: a check of one mart holds the landing day for all marts of the source
    if spec.dataset in MART_SOURCES and spec.dataset != dataset:
        return False
    by_name = any(fnmatchcase(spec.name, one) for pattern in indicator.checks for one in _named(pattern, dataset))
    return by_name or spec.failure_class in indicator.classes


def _problems(declared: Declaration) -> Iterator[tuple[Location, str]]:
    """What types alone cannot tell: names that nothing bears, windows that nobody looks at."""
    for place, alert in enumerate(declared.burn_alerts):
        if alert.short >= alert.long or not {alert.short, alert.long} <= set(declared.burn_windows):
            yield (
                ("burn_alerts", place),
                f"short ({alert.short}) must be less than long ({alert.long}), both one of burn_windows "
                f"({', '.join(map(str, declared.burn_windows))}).",
            )
    if declared.runs is not None and max(declared.burn_windows) > declared.runs.budget_window:
        yield ("runs",), "the budget's window is shorter than one of burn_windows: lengthen it."
    classes = sorted(CLASSES)  # of a project without nested columns, say, no check has some of them
    for name, indicator in declared.indicators.items():
        if not (indicator.checks or indicator.classes or indicator.blocking):
            yield ("indicators", name), "it names no check: give checks, classes, or blocking: true."
        for place, failure_class in enumerate(indicator.classes):
            if failure_class not in classes:
                yield (
                    ("indicators", name, "classes", place),
                    f"there is no class {failure_class[:100]!r}: choose from {', '.join(classes)}.",
                )
        for place, pattern in enumerate(indicator.checks):
            anywhere = (one for dataset in DATASETS for one in _named(pattern, dataset))
            if not any(fnmatchcase(check, one) for one in anywhere for check in CHECKS):
                yield (
                    ("indicators", name, "checks", place),
                    f"no check is called {pattern[:100]!r}: see checks/catalogue.py, or `reliability checks --all`.",
                )
    for dataset, promises in declared.promises.items():
        if dataset not in DATASETS:
            yield ("datasets", dataset), f"there is no such dataset: choose from {', '.join(DATASETS)}."
            continue
        for objective, promise in promises:
            where = ("datasets", dataset, objective)
            if promise is None:
                continue
            if promise.indicator not in declared.indicators:
                known = ", ".join(declared.indicators) or "none"
                yield (*where, "indicator"), f"there is no indicator {promise.indicator!r}; declared: {known}."
            elif declared.datasets is not None and not any(
                _selects(declared.indicators[promise.indicator], dataset, one) for one in CHECKS.values()
            ):
                yield (*where, "indicator"), f"{promise.indicator} selects no check of {dataset}."
            if promise.published_by is not None and dataset not in MART_SOURCES:
                yield (*where, "published_by"), f"{dataset} is a source: only marts are published."
            if max(declared.burn_windows) > (promise.budget_window or declared.budget_window):
                yield where, "the budget's window is shorter than one of burn_windows: lengthen it."


def _bound(declared: Declaration) -> Iterator[Objective]:
    for dataset, promises in declared.promises.items():
        for name, promise in promises:
            if promise is not None:
                indicator = declared.indicators[promise.indicator]
                yield Objective(
                    dataset=dataset,
                    name=name,
                    indicator=promise.indicator,
                    means=indicator.means,
                    judged=indicator.judged,
                    target=promise.target,
                    window=promise.budget_window or declared.budget_window,
                    checks=tuple(spec.name for spec in CHECKS.values() if _selects(indicator, dataset, spec)),
                    published_by=None if promise.published_by is None else time.fromisoformat(promise.published_by),
                )


def objectives_of(settings: Settings, datasets: Sequence[str] = ()) -> Objectives:
    """The objectives of the project, or those of some `datasets`. Raises `UsageError` that names the line and what to do."""
    own = settings.slo_file or (PROJECT / OWN if (PROJECT / OWN).is_file() else DEFAULTS)
    return replace(read_objectives(own, datasets), freezes=settings.change_freeze)


def _before_defaults(content: Any) -> Any:
    """What a file says, and the defaults for the keys that it has not. The alerts of other windows are none of its."""
    if not isinstance(content, dict):
        return content
    defaults = StrictYaml.of_file(DEFAULTS).content
    assert isinstance(defaults, dict)
    if "burn_windows" in content:
        defaults.pop("burn_alerts")
    return {**defaults, **content}


def read_objectives(path: Path, datasets: Sequence[str] = ()) -> Objectives:
    """The same of a file, which stands before the defaults key by key."""
    file = StrictYaml.of_file(path)
    try:
        declared = Declaration.model_validate(_before_defaults(file.content))
    except ValidationError as error:
        first = error.errors()[0]
        raise file.problem(first["loc"], f"{said_of(first)}.") from None
    for where, what in _problems(declared):
        raise file.problem(where, what)
    for dataset in datasets:
        if dataset not in declared.promises:
            known = ", ".join(declared.promises) or "none, for there is no source yet"
            raise UsageError(f"There is no objective for {dataset[:100]!r} in {path}: choose from {known}.")
    return Objectives(
        all=tuple(one for one in _bound(declared) if one.checks and (not datasets or one.dataset in datasets)),
        burn_windows=tuple(sorted(set(declared.burn_windows), reverse=True)),
        alerts=declared.burn_alerts,
        runs=None if datasets else declared.runs,
    )
