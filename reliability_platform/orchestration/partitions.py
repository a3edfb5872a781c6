"""What the assets are cut by: landing days, and incidents."""

from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg

from reliability_platform.clock import FIRST_DAY, days

LANDING_DAYS = dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat())
ONE_RUN = dg.BackfillPolicy.single_run()
"""A backfill of many landing days is one run: one dbt start instead of thirty."""

INCIDENTS = dg.DynamicPartitionsDefinition(name="incident")
INCIDENT_TAG = "reliability/incident"
"""On a run, the incidents for which it was launched."""

PARTITION = "dagster/partition"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
FOR_DAYS = "reliability/for_landing_days"
"""On a run of assets without partitions, the landing days for whose sake it is: the first and the last."""


def range_tags(first: date, last: date) -> dict[str, str]:
    """The run tags by which Dagster knows a run over several partitions."""
    return {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}


def run_days(context: dg.AssetExecutionContext) -> list[date]:
    """The landing days of a run, oldest first, whether it has one partition or a range."""
    keys: Sequence[str] = context.partition_keys
    return sorted(date.fromisoformat(key) for key in keys)


def tagged_days(tags: Mapping[str, str]) -> list[date]:
    """The landing days that a run's tags name; none if it has no partition, as a run of checks alone."""
    one = tags.get(PARTITION)
    first, last = tags.get(RANGE_START, one), tags.get(RANGE_END, one)
    if FOR_DAYS in tags:
        first, last = tags[FOR_DAYS].split("/")
    return list(days(date.fromisoformat(first), date.fromisoformat(last))) if first and last else []
