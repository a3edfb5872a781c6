"""Service level objectives: which hold, what is left of their error budgets, what has spent them."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import Engine

from reliability_platform.service.queries.answer import QueryAnswer
from reliability_platform.settings import Settings
from reliability_platform.slo import report
from reliability_platform.slo.objectives import objectives_of
from reliability_platform.slo.status import SloStatus, status


class SpentDay(QueryAnswer):
    """A landing day that has spent budget."""

    day: date
    """The landing day."""
    checks: list[str]
    """The checks that were bad, and the promised hour if the day was published after it."""
    incidents: list[str]
    """The incidents to which their failures belong."""
    noticed_later: bool
    """Whether all of these checks had passed at first, so that consumers may have been shown the day."""


class UnjudgedDay(QueryAnswer):
    """A landing day of which nobody can say whether it was good."""

    day: date
    """The landing day."""
    checks: list[str]
    """The checks that were never evaluated."""


class ObjectiveReport(QueryAnswer):
    """One objective at the end of a landing day."""

    dataset: str
    """The published table or the source."""
    objective: str
    """What is promised, as `freshness`."""
    means: str
    """The same in words."""
    judged: str
    """`first`: the first judgement of a day counts; `ever`: whatever was noticed since, too."""
    target: float
    """The share of landing days that must be good, 0 to 1."""
    window_days: int
    """Over so many landing days."""
    first_day: date
    """The first landing day of the window, or of the dataset if that is younger."""
    last_day: date
    """The last landing day of the window."""
    good: int
    """Good landing days."""
    bad: int
    """Bad landing days."""
    unknown: int
    """Landing days of which nobody can say; they count as bad."""
    attained: float | None
    """The share of good days; null where there is no day."""
    budget_days: float
    """So many days of the window may be bad."""
    budget_left_days: float
    """So many are left; negative where more were bad."""
    budget_consumed: float | None
    """The share of the budget that is spent."""
    exhausted: bool
    """Whether nothing is left."""
    missed: bool
    """Whether the objective is missed whatever comes."""
    exhausted_since: date | None
    """Since which landing day."""
    burn_rates: dict[str, float | None]
    """Window in landing days → how fast the budget burns there; 1 spends it exactly."""
    burning: list[str]
    """The burn alerts both of whose windows burn."""
    words: str
    """Where the objective stands, in words."""
    bad_days: list[SpentDay]
    """The days that have spent budget."""
    unknown_days: list[UnjudgedDay]
    """The days that nobody can judge."""
    incidents: list[str]
    """All incidents of the bad days."""


class RunsReport(QueryAnswer):
    """The objective over runs of the pipeline."""

    target: float
    """The share of runs that must end well, 0 to 1."""
    window_days: int
    """Over so many days of the clock."""
    good: int
    """Runs that ended well."""
    bad: int
    """Runs that failed, were killed or refused."""
    attained: float | None
    """The share of runs that ended well; null where there was none."""
    budget_runs: float
    """So many of them may fail."""
    budget_left_runs: float
    """So many are left; negative where more failed."""
    budget_consumed: float | None
    """The share of the budget that is spent."""
    exhausted: bool
    """Whether nothing is left."""
    missed: bool
    """Whether more was spent than there was."""
    burn_rates: dict[str, float | None]
    """Window in days → how fast the budget burns there; 1 spends it exactly."""
    burning: list[str]
    """The burn alerts both of whose windows burn."""
    words: str
    """Where the objective stands, in words."""
    incidents: list[str]
    """Incidents of the failed runs, the newest first."""


class SloReport(QueryAnswer):
    """All objectives as of one landing day."""

    as_of: date | None
    """The landing day; null if nothing was ever judged."""
    exhausted: int
    """Objectives without any budget left."""
    frozen: list[str]
    """Datasets of which no change is deployed that nobody approves; none unless `RELIABILITY_CHANGE_FREEZE` is on."""
    objectives: list[ObjectiveReport]
    """One per objective."""
    runs: RunsReport | None
    """The objective over runs as of now; null where none is promised, or where a past day or datasets were asked for."""


def slo_status(
    settings: Settings, engine: Engine, now: datetime, as_of: date | None = None, datasets: Sequence[str] = ()
) -> SloStatus:
    """Where all objectives stand, or those of some datasets. Raises `UsageError` for a dataset that has none."""
    return status(engine, objectives_of(settings, datasets), now, as_of)


def slo_report(
    settings: Settings, engine: Engine, now: datetime, as_of: date | None = None, datasets: Sequence[str] = ()
) -> SloReport:
    """The same as plain numbers."""
    return SloReport.model_validate(report.document(slo_status(settings, engine, now, as_of, datasets)))


def datasets_with_objectives(settings: Settings) -> list[str]:
    """The published tables and sources of which something is promised."""
    return list(dict.fromkeys(one.dataset for one in objectives_of(settings).all))
