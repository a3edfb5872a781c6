"""When a failure began: by the data's own clock, and by the journal of builds."""

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Engine, func, select

from reliability_platform.checks.results import CheckStatus
from reliability_platform.contracts import CONTRACTS
from reliability_platform.landing.bronze import admissions_file
from reliability_platform.operations.tables import builds, check_results
from reliability_platform.parquet import read_table
from reliability_platform.settings import Settings

Failed = Collection[tuple[str, date]]
"""Checks that failed, with their landing days."""


def onset(settings: Settings, source: str, days: Collection[date]) -> datetime | None:
    """When the first batch of the days landed, as the manifests say; of a day without any, its deadline. UTC."""
    found: list[datetime] = []
    for day in days:
        path = admissions_file(settings, source, day)
        landed = read_table(path, columns=["landed_at"])["landed_at"].drop_null() if path.exists() else ()
        deadline = datetime(day.year, day.month, day.day) + timedelta(days=1)
        deadline += timedelta(minutes=CONTRACTS[source].deadline_minutes)
        found.append(min((moment.as_py() for moment in landed), default=deadline))
    return min(found).replace(tzinfo=UTC) if found else None


def first_bad_write(engine: Engine, failed: Failed, now: datetime) -> datetime | None:
    """When the first build of one of the days began after its check had last passed; None if no build did.

    Then it was no build that did the harm: somebody changed the tables between two evaluations.
    """
    days = {day for _, day in failed}
    passes = (
        select(check_results.c.partition_date, func.max(check_results.c.evaluated_at))
        .where(check_results.c.check_name.in_(sorted({check for check, _ in failed})))
        .where(check_results.c.partition_date.in_(sorted(days)), check_results.c.status == CheckStatus.PASSED.value)
        .group_by(check_results.c.partition_date)
    )
    began = select(builds.c.first_day, builds.c.last_day, builds.c.began_at).where(
        builds.c.first_day <= max(days), builds.c.last_day >= min(days), builds.c.began_at <= now
    )
    with engine.connect() as connection:
        good = {row[0]: row[1] for row in connection.execute(passes)}
        written: list[datetime] = [
            build.began_at
            for build in connection.execute(began)
            for day in days
            if build.first_day <= day <= build.last_day and (day not in good or build.began_at > good[day])
        ]
    return min(written) if written else None
