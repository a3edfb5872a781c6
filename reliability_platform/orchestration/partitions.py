"""What the assets are cut by: landing days, and incidents."""

from collections.abc import Sequence
from datetime import date

import dagster as dg

from reliability_platform.clock import FIRST_DAY

LANDING_DAYS = dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat())
ONE_RUN = dg.BackfillPolicy.single_run()
"""A backfill of many landing days is one run: one dbt start instead of thirty."""

INCIDENTS = dg.DynamicPartitionsDefinition(name="incident")

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def range_tags(first: date, last: date) -> dict[str, str]:
    """The run tags by which Dagster knows a run over several partitions."""
    return {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}


def run_days(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> list[date]:
    """The landing days of a run, oldest first, whether it has one partition or a range."""
    keys: Sequence[str] = context.partition_keys
    return sorted(date.fromisoformat(key) for key in keys)
