"""Snapshots and drills on schedule, and the checks of their age. Homes with nothing to lose yet are left alone."""

from datetime import timedelta
from typing import Any

import dagster as dg

from reliability_platform.clock import utc_now
from reliability_platform.errors import PlatformError
from reliability_platform.lab.drills.drills import run_drill
from reliability_platform.lab.drills.report import keep
from reliability_platform.orchestration.catalog import PLATFORM_OWNERS
from reliability_platform.orchestration.published_assets import published_as_audited
from reliability_platform.orchestration.resources import Home
from reliability_platform.orchestration.run_storage import redact_errors
from reliability_platform.recovery.drill_log import Drill, overdue
from reliability_platform.recovery.retention import forget_snapshots
from reliability_platform.recovery.upkeep import DRILL_ENDED, SNAPSHOT_TAKEN, attempting
from reliability_platform.settings import Settings
from reliability_platform.warehouse.publication import current_version
from reliability_platform.warehouse.snapshots.location import SnapshotLocation
from reliability_platform.warehouse.snapshots.manifest import read_snapshots
from reliability_platform.warehouse.snapshots.take import take_snapshot


class DrillFailedError(PlatformError):
    """A drill missed an objective, or what came back was not right."""


@dg.asset(
    key=["recovery", "snapshot"],
    owners=PLATFORM_OWNERS,
    group_name="recovery",
    kinds={"duckdb"},
    description="The newest snapshot of the home. Taken under a short lease, while others work.",
)
@redact_errors
def snapshot(context: dg.AssetExecutionContext, home: Home) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Take one, then forget those that the rule does not keep."""
    settings = home.settings
    with attempting(home.engine, SNAPSHOT_TAKEN, utc_now()):
        taken = take_snapshot(settings, utc_now)
    pruned = forget_snapshots(settings, "snapshot job", utc_now)
    for words in pruned.damaged:
        context.log.warning(words)
    return dg.MaterializeResult(
        metadata={**taken.summary(), "left_out": taken.left_out, "forgotten": len(pruned.snapshots)}
    )


@dg.asset_check(
    asset=snapshot,
    name="recovery_snapshot__fresh",
    description="The newest snapshot is young enough (RELIABILITY_SNAPSHOT_MAX_AGE_HOURS, 30).",
)
@redact_errors
def snapshot_fresh(home: Home) -> dg.AssetCheckResult:
    """The newest usable snapshot, whoever took it."""
    settings = home.settings
    found, damaged = read_snapshots(SnapshotLocation.of(settings))
    allowed = timedelta(hours=settings.snapshot_max_age_hours)
    age = utc_now() - found[-1].taken_at if found else None
    return dg.AssetCheckResult(
        passed=age is not None and age <= allowed and not damaged,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "age_hours": round(age.total_seconds() / 3600, 1) if age is not None else None,
            "damaged_manifests": damaged,
            "recovery": "`reliability snapshot create`",
        },
    )


@dg.asset_check(asset=snapshot, name="recovery_drills__in_time", description="No drill is overdue.")
@redact_errors
def drills_in_time(home: Home) -> dg.AssetCheckResult:
    """A recovery that nobody has rehearsed for long may not work any more."""
    settings = home.settings
    late = overdue(settings, home.engine, utc_now())
    return dg.AssetCheckResult(
        passed=not late,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"overdue": list(late.values()), "recovery": "`reliability drill table-loss`, `… warehouse-loss`"},
    )


snapshot_job = dg.define_asset_job(
    "snapshot_warehouse",
    selection=dg.AssetSelection.assets(snapshot) | dg.AssetSelection.checks(*published_as_audited.check_keys),
    description="A snapshot of the home, the checks of the age of snapshots and drills, and of what consumers read.",
)


def _drill(context: dg.OpExecutionContext, home: Home, drill: Drill) -> None:
    settings = home.settings
    with attempting(home.engine, DRILL_ENDED, utc_now()):
        report = run_drill(settings, drill, utc_now)
    path = keep(settings, home.engine, report)
    context.add_output_metadata({"report": dg.MetadataValue.md(path.read_text()), "met": report.met})
    if not report.met:
        raise DrillFailedError(f"The drill {drill} missed its objectives: see {path.name} in the folder of drills.")


@dg.op
@redact_errors
def lose_a_table(context: dg.OpExecutionContext, home: Home) -> None:
    """On a clone of the home."""
    _drill(context, home, Drill.TABLE_LOSS)


@dg.op
@redact_errors
def lose_the_warehouse(context: dg.OpExecutionContext, home: Home) -> None:
    """On a clone of the home."""
    _drill(context, home, Drill.WAREHOUSE_LOSS)


@dg.job(description="Loses a table of a clone of the home and puts it back; measures and proves it.")
def drill_table_loss() -> None:
    """One drill."""
    lose_a_table()


@dg.job(description="Loses the warehouse of a clone of the home and puts it back; measures and proves it.")
def drill_warehouse_loss() -> None:
    """One drill."""
    lose_the_warehouse()


def _nothing_to_take(settings: Settings) -> str | None:
    return None if settings.warehouse.exists() else "There is no warehouse yet."


def _nothing_to_lose(settings: Settings) -> str | None:
    if current_version(settings) is None:
        return "Nothing is published yet."
    return None if read_snapshots(SnapshotLocation.of(settings))[0] else "There is no snapshot yet."


@dg.schedule(
    job=snapshot_job,
    cron_schedule="0 4 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 04:00 UTC, after the pipeline.",
)
def daily_snapshot(home: Home) -> dg.RunRequest | dg.SkipReason:
    """A snapshot, where there is something to take."""
    why_not = _nothing_to_take(home.settings)
    return dg.SkipReason(why_not) if why_not else dg.RunRequest()


@dg.schedule(
    job=drill_table_loss,
    cron_schedule="0 5 1 * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="On the first of each month at 05:00 UTC.",
)
def monthly_table_drill(home: Home) -> dg.RunRequest | dg.SkipReason:
    """The loss of a table, where there is something to lose."""
    why_not = _nothing_to_lose(home.settings)
    return dg.SkipReason(why_not) if why_not else dg.RunRequest()


@dg.schedule(
    job=drill_warehouse_loss,
    cron_schedule="0 6 1 1,4,7,10 *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="On the first day of each quarter at 06:00 UTC.",
)
def quarterly_warehouse_drill(home: Home) -> dg.RunRequest | dg.SkipReason:
    """The loss of the warehouse, where there is something to lose."""
    why_not = _nothing_to_lose(home.settings)
    return dg.SkipReason(why_not) if why_not else dg.RunRequest()


recovery_jobs: list[Any] = [
    snapshot_job,
    drill_table_loss,
    drill_warehouse_loss,
]
recovery_checks = [snapshot_fresh, drills_in_time]
recovery_schedules = [daily_snapshot, monthly_table_drill, quarterly_warehouse_drill]
