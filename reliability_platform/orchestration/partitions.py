"""What the assets are cut by: landing days, and incidents."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from reliability_platform.clock import FIRST_DAY, days, utc_now
from reliability_platform.day_clock import Service, next_day, simulated
from reliability_platform.landing.watch import landed_days
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings, load_settings


def days_of_the_world(settings: Settings, now: datetime) -> tuple[date, list[date]]:
    """The first landing day that there is in a home, and the days after it that there are not.

    In a home whose past was played by the lab, those are the days that it has played, what has landed besides, and what
    is due since the schedules are on. Between them nothing was ever due, and nothing is missing. In any other home every
    day since the platform's first can be run.
    """
    engine = operations_engine(settings)
    played = set(simulated(engine).began_at)
    if not played:
        return FIRST_DAY, []
    trial = played | landed_days(settings)
    first, live = min(trial), Service(engine).since() or next_day(now)
    return first, [day for day in days(first, live - timedelta(days=1)) if day not in trial]


def _landing_days() -> dg.DailyPartitionsDefinition:
    """What Dagster shows where `reliability dev` serves a home; a command runs any day."""
    settings = load_settings()
    first, absent = days_of_the_world(settings, utc_now()) if settings.served else (FIRST_DAY, [])
    return dg.DailyPartitionsDefinition(
        start_date=first.isoformat(),
        exclusions=[datetime(day.year, day.month, day.day, tzinfo=UTC) for day in absent] or None,
    )


LANDING_DAYS = _landing_days()
ONE_RUN = dg.BackfillPolicy.single_run()
"""A backfill of many landing days is one run: one dbt start instead of thirty."""

INCIDENTS = dg.DynamicPartitionsDefinition(name="incident")
INCIDENT_TAG = "reliability/incident"
"""On a run, the incidents for which it was launched."""

PARTITION = "dagster/partition"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def range_tags(first: date, last: date) -> dict[str, str]:
    """The run tags by which Dagster knows a run over several partitions."""
    return {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}


def run_days(context: dg.AssetExecutionContext) -> list[date]:
    """The landing days of a run, oldest first, whether it has one partition or a range."""
    keys: Sequence[str] = context.partition_keys
    return sorted(date.fromisoformat(key) for key in keys)


def tagged_days(tags: Mapping[str, str]) -> list[date]:
    """The landing days that a run's tags name; none if it has no partition, as a run of checks alone, or other ones.

    A run of an incident's documents has the incident's id there.
    """
    one = tags.get(PARTITION)
    first, last = tags.get(RANGE_START, one), tags.get(RANGE_END, one)
    try:
        return list(days(date.fromisoformat(first), date.fromisoformat(last))) if first and last else []
    except ValueError:
        return []
