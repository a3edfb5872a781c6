"""What runs cost and how they end: stages by seconds, builds by outcome, errors by cause, steps that were tried again."""

from datetime import date, datetime, timedelta

from sqlalchemy import Engine, func, select

from reliability_platform.clock import day_end
from reliability_platform.day_clock import simulated
from reliability_platform.incidents.metrics import spread
from reliability_platform.operations.tables import (
    builds,
    failed_runs,
    fetches,
    first_published,
    row_counts,
    stage_durations,
)
from reliability_platform.service.queries.answer import QueryAnswer
from reliability_platform.service.queries.dagster_storage import Kept, dagster_rows
from reliability_platform.service.queries.runs import last_run
from reliability_platform.settings import Settings
from reliability_platform.warehouse.journal import KILLED, RUNNING, BuildJournal

EVENT_DATES = 30
"""The newest event dates of a table whose way to consumers is measured."""


class StageSeconds(QueryAnswer):
    """How long one stage took, each time that it ended well."""

    stage: str
    """`land`, `admit`, `build`, `audit` or `publish`."""
    source: str
    """The source, for stages that take one at a time; else empty."""
    times: int
    """How often."""
    seconds: float
    """All of them together."""
    last_seconds: float
    """The last one."""


class FailedSteps(QueryAnswer):
    """Steps of Dagster's runs that failed for one cause."""

    cause: str
    """As `disk_full`: the table of causes says which there are."""
    times: int
    """How often."""


class FetchCounts(QueryAnswer):
    """How often a source was asked for a landing day."""

    source: str
    """The source."""
    fetches: int
    """How often."""
    refusals: int
    """Requests that were turned away, failed or broke off; most of them were tried again."""


class StepCounts(QueryAnswer):
    """Steps of Dagster's runs."""

    started: int
    """How many were begun."""
    tried_again: int
    """How many beginnings were another try of the same step."""


class EventToPublished(QueryAnswer):
    """How long the event dates of one table took to come to consumers."""

    dataset: str
    """The table."""
    dates: int
    """The event dates measured: the newest 30."""
    p95_seconds: float
    """From the end of an event date to the version that first showed it; the 95th percentile, by nearest rank."""


def stage_seconds(engine: Engine) -> list[StageSeconds]:
    """By stage and source."""
    table = stage_durations.c
    sums = select(table.stage, table.source, func.count(), func.sum(table.seconds), func.max(table.id)).group_by(
        table.stage, table.source
    )
    with engine.connect() as connection:
        rows = connection.execute(sums.order_by(table.stage, table.source)).all()
        ids = [row[4] for row in rows]
        last = {row.id: row.seconds for row in connection.execute(select(stage_durations).where(table.id.in_(ids)))}
    return [
        StageSeconds(stage=row[0], source=row[1] or "", times=row[2], seconds=row[3], last_seconds=last[row[4]])
        for row in rows
    ]


def build_outcomes(settings: Settings, engine: Engine) -> dict[str, int]:
    """Outcome → builds that ended so, ever; one without its process was killed. Running ones have none yet."""
    query = select(builds.c.outcome, func.count()).where(builds.c.outcome != RUNNING).group_by(builds.c.outcome)
    with engine.connect() as connection:
        found = {str(row[0]): int(row[1]) for row in connection.execute(query)}
    _, killed = BuildJournal(engine, settings.builds).newest(KILLED, None, 1)
    return {**dict.fromkeys(("succeeded", "failed", "blocked"), 0), **found, KILLED: killed}


def last_success(engine: Engine) -> datetime | None:
    """When the last build that ended well did; None before the first."""
    with engine.connect() as connection:
        return connection.execute(select(func.max(builds.c.ended_at)).where(builds.c.outcome == "succeeded")).scalar()


def rows_per_second(settings: Settings, engine: Engine) -> float | None:
    """Delivered rows of the landing days of the newest build by its seconds; None while it runs, or before its audit."""
    run = last_run(settings, engine)
    if run is None or run.outcome != "succeeded" or not run.seconds:
        return None
    days = row_counts.c.landing_date.between(run.first_day, run.last_day)
    with engine.connect() as connection:
        rows = connection.execute(select(func.sum(row_counts.c.rows)).where(days)).scalar()
    return None if rows is None else int(rows) / run.seconds


def failed_steps(engine: Engine) -> list[FailedSteps]:
    """By cause."""
    query = select(failed_runs.c.cause, func.count()).group_by(failed_runs.c.cause).order_by(failed_runs.c.cause)
    with engine.connect() as connection:
        return [FailedSteps(cause=row[0], times=row[1]) for row in connection.execute(query)]


def fetch_counts(engine: Engine) -> list[FetchCounts]:
    """By source that is asked."""
    query = select(fetches.c.source, func.count(), func.sum(fetches.c.refusals)).group_by(fetches.c.source)
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(fetches.c.source)).all()
    return [FetchCounts(source=row[0], fetches=row[1], refusals=int(row[2])) for row in rows]


def step_counts(settings: Settings) -> StepCounts | None:
    """From Dagster's own log; None where there is none yet."""
    counted = "(select count(*) from event_logs where dagster_event_type = '{}')"
    query = f"select {counted.format('STEP_START')}, {counted.format('STEP_RESTARTED')}"
    for started, again in dagster_rows(settings, Kept.EVENTS, query):
        return StepCounts(started=started + again, tried_again=again)
    return None


def event_to_published(engine: Engine) -> list[EventToPublished]:
    """By published table, by the clock of each day: a simulated one goes from its schedule on."""
    table, clock = first_published.c, simulated(engine)
    place = func.row_number().over(partition_by=table.mart, order_by=table.event_date.desc()).label("place")
    ranked = select(table.mart, table.event_date, table.published_at, place).subquery()
    found: dict[str, list[timedelta]] = {}
    with engine.connect() as connection:
        newest = select(ranked).where(ranked.c.place <= EVENT_DATES).order_by(ranked.c.mart)
        for row in connection.execute(newest):
            took = clock.moment(row.event_date, row.published_at) - day_end(row.event_date)
            found.setdefault(row.mart, []).append(max(took, timedelta(0)))
    return [
        EventToPublished(dataset=mart, dates=len(took), p95_seconds=p95.total_seconds())
        for mart, took in found.items()
        if (p95 := spread(took).p95) is not None
    ]


def newest_event_dates(engine: Engine) -> dict[str, date]:
    """Published table → the newest event date that consumers were ever shown."""
    table = first_published.c
    query = select(table.mart, func.max(table.event_date)).group_by(table.mart).order_by(table.mart)
    with engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}
