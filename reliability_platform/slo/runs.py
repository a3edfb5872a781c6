"""The objective over runs: how many of the pipeline's runs ended well, and how fast the budget of the others burns.

A run is one build of landing days, or a run that died before or after its build; each counts once, by when it began or died.
One that was refused, because another was at work, has not ended well either; one that is at work is not counted yet. Days here
are days of the clock: a run belongs to no landing day alone.

With n runs in a window, (1 - target) x n may fail; the burn rate is the failed ones divided by those.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import ColumnElement, Engine, String, and_, case, cast, func, literal, or_, select, union_all

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import CheckStatus
from reliability_platform.counted import counted
from reliability_platform.operations.tables import (
    build_fingerprints,
    builds,
    check_results,
    failed_runs,
    incident_signals,
)
from reliability_platform.slo.budget import Budget
from reliability_platform.slo.objectives import BurnAlert, RunPromise, burns_at
from reliability_platform.warehouse.journal import BLOCKED, FAILED, RUNNING, SUCCEEDED

PIPELINE, RUNS = "pipeline", "runs"
"""What this objective is called beside those of datasets."""
INCIDENTS = 20
"""So many of the incidents of failed runs are named, the newest first."""
_BUILD, _RUN = "build-", "run-"
"""How the monitor of runs begins the run ids of what it has found out about a build, and about a run that died."""


@dataclass(frozen=True)
class RunsStatus:
    """Where the objective over runs stands."""

    target: Decimal
    window: int
    """Days of the clock."""
    budget: Budget
    """In runs."""
    burns: Mapping[int, Budget]
    """By window in days, the longest first."""
    burning: Sequence[BurnAlert]
    """The alerts both of whose windows burn."""
    incidents: Sequence[str]
    """Of the runs that failed within the window, the newest first."""

    @property
    def words(self) -> str:
        """Where it stands, in one sentence."""
        spent = self.budget
        if not spent.judged:
            return f"No run has ended within {counted(self.window, 'day')}."
        ended = f"{counted(spent.good, 'run')} of {spent.judged} within {counted(self.window, 'day')} ended well"
        allowed = f"{float(100 * self.target):g} % allow {float(spent.allowed):.2f} that do not"
        left = "the objective is missed" if spent.missed else f"{float(spent.remaining):.2f} left"
        return f"{ended}; {allowed}: {left}."


def _found_failed(prefix: str, key: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the monitor of runs has written that it failed."""
    results = check_results.c
    found = select(results.id).where(results.run_id == prefix + key, results.status == CheckStatus.FAILED.value)
    return found.exists()


def runs_status(
    engine: Engine, promise: RunPromise, windows: Sequence[int], alerts: Sequence[BurnAlert], now: datetime
) -> RunsStatus:
    """Count the runs of the windows, in one statement."""
    killed = and_(builds.c.outcome == RUNNING, _found_failed(_BUILD, cast(builds.c.id, String)))
    died = select(failed_runs.c.run_id)
    built = (
        select(builds.c.began_at.label("at"), case((builds.c.outcome == SUCCEEDED, 0), else_=1).label("bad"))
        .outerjoin(build_fingerprints, build_fingerprints.c.build == builds.c.id)
        .where(
            or_(builds.c.outcome.in_([SUCCEEDED, FAILED, BLOCKED]), killed),
            or_(build_fingerprints.c.run.is_(None), build_fingerprints.c.run.not_in(died)),
        )
    )
    ended = union_all(built, select(failed_runs.c.failed_at.label("at"), literal(1).label("bad"))).subquery()
    asked = dict.fromkeys([promise.budget_window, *windows])
    since = {window: now - timedelta(days=window) for window in asked}
    numbers = [
        func.coalesce(func.sum(case((ended.c.at > start, one), else_=0)), 0)
        for start in since.values()
        for one in (1, ended.c.bad)
    ]
    with engine.connect() as connection:
        row = connection.execute(select(*numbers).where(ended.c.at <= now)).one()
    counts = dict(zip(since, zip(row[::2], row[1::2], strict=True), strict=True))
    budgets = {
        window: Budget(promise.target, window=runs, good=runs - bad, bad=bad, unknown=0)
        for window, (runs, bad) in counts.items()
    }
    burns = {window: budgets[window] for window in windows}
    return RunsStatus(
        target=promise.target,
        window=promise.budget_window,
        budget=budgets[promise.budget_window],
        burns=burns,
        burning=[alert for alert in alerts if burns_at(alert, burns)],
        incidents=_incidents(engine, since[promise.budget_window]),
    )


def _incidents(engine: Engine, since: datetime) -> list[str]:
    results = check_results.c
    monitors = [name for name, spec in CHECKS.items() if spec.engine == "run"]  # a run may call itself run-7, too
    of_runs = results.check_name.in_(monitors) & or_(results.run_id.startswith(_BUILD), results.run_id.startswith(_RUN))
    newest = func.max(results.id)
    query = (
        select(incident_signals.c.incident_id)
        .join(check_results, results.id == incident_signals.c.result_id)
        .where(of_runs, results.status == CheckStatus.FAILED.value, results.evaluated_at > since)
        .group_by(incident_signals.c.incident_id)
        .order_by(newest.desc())
        .limit(INCIDENTS)
    )
    with engine.connect() as connection:
        return list(connection.execute(query).scalars())
