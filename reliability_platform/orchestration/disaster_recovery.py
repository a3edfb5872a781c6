"""Snapshots, drills and experiments on schedule, and the checks of their age. Homes with nothing to lose yet are left alone."""

from datetime import timedelta
from typing import Any

import dagster as dg
from sqlalchemy import Engine

from reliability_platform.clock import utc_now
from reliability_platform.errors import PlatformError
from reliability_platform.formats import joined
from reliability_platform.incidents.documents.render import markdown
from reliability_platform.lab.calendar import calendar
from reliability_platform.lab.drills.drills import run_drill
from reliability_platform.lab.drills.report import keep
from reliability_platform.lab.experiments.experiment import file_of, read_experiment
from reliability_platform.lab.experiments.judge import ExperimentStatus
from reliability_platform.lab.experiments.report import blocks
from reliability_platform.lab.experiments.report import keep as keep_experiment
from reliability_platform.lab.experiments.run import run_experiment
from reliability_platform.masking import error_text
from reliability_platform.orchestration.catalog import PLATFORM_OWNERS
from reliability_platform.orchestration.published_assets import published_as_audited
from reliability_platform.orchestration.resources import Home
from reliability_platform.orchestration.run_storage import redact_errors
from reliability_platform.recovery.drill_log import Drill, due, overdue
from reliability_platform.recovery.replication import replicate
from reliability_platform.recovery.retention import forget_snapshots
from reliability_platform.recovery.upkeep import DRILL_ENDED, SNAPSHOT_TAKEN, attempting
from reliability_platform.settings import Settings
from reliability_platform.warehouse.publication import current_version
from reliability_platform.warehouse.snapshots.location import SnapshotLocation
from reliability_platform.warehouse.snapshots.manifest import read_snapshots
from reliability_platform.warehouse.snapshots.take import take_snapshot


class RehearsalFailedError(PlatformError):
    """A drill missed an objective, a hypothesis was refuted, or one of them could not be done."""


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
    replicate(settings, "snapshot job", utc_now)
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


@dg.asset_check(asset=snapshot, name="recovery_drills__in_time", description="No drill and no experiment is overdue.")
@redact_errors
def drills_in_time(home: Home) -> dg.AssetCheckResult:
    """A recovery that nobody has rehearsed for long may not work any more."""
    settings = home.settings
    late = overdue(calendar(settings), settings, home.engine, utc_now())
    return dg.AssetCheckResult(
        passed=not late,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"overdue": list(late.values()), "recovery": "`reliability doctor` says what to do"},
    )


snapshot_job = dg.define_asset_job(
    "snapshot_warehouse",
    selection=dg.AssetSelection.assets(snapshot) | dg.AssetSelection.checks(*published_as_audited.check_keys),
    description="A snapshot of the home, the checks of the age of snapshots and drills, and of what consumers read.",
)


class WhatToRehearse(dg.Config):
    """Drills and experiments by name."""

    names: list[str] = []  # noqa: RUF012 (Dagster's form of a default)
    """Without any, those that are due."""


@dg.op
@redact_errors
def rehearse(context: dg.OpExecutionContext, config: WhatToRehearse, home: Home) -> None:
    """One after the other, each on a clone of the home; one that fails stops no other."""
    settings, engine = home.settings, home.engine
    names = config.names or due(calendar(settings), engine, utc_now())
    pages: dict[str, dg.MetadataValue] = {}  # type: ignore[type-arg]
    missed, broken = list[str](), list[str]()
    with attempting(engine, DRILL_ENDED, utc_now()):
        for name in names:
            try:
                page, is_right = _rehearsed(settings, engine, name)
            except Exception as error:  # whatever it was, the others are due as well
                broken.append(f"{name}: {error_text(error)}")
                continue
            pages[name] = dg.MetadataValue.md(page)
            missed += [] if is_right else [name]
        context.add_output_metadata(pages)
        if broken:
            raise RehearsalFailedError("; ".join(broken))
    if missed:
        raise RehearsalFailedError(f"{joined(missed)} failed: the reports are in the folder of drills.")


def _rehearsed(settings: Settings, engine: Engine, name: str) -> tuple[str, bool]:
    """The report of a drill or an experiment, and whether nothing in it is other than promised. A hypothesis that was not evaluated
    breaks no promise: it is due again tomorrow, until it is overdue.
    """
    if name in set(Drill):
        drill = run_drill(settings, Drill(name), utc_now)
        return keep(settings, engine, drill).read_text(), drill.met
    report = run_experiment(settings, name, read_experiment(file_of(name)), utc_now)
    keep_experiment(settings, engine, report)
    return markdown(blocks(report)), report.status is not ExperimentStatus.REFUTED


@dg.job(description="Does the drills and experiments that are due, on clones of the home; measures and proves them.")
def rehearsals() -> None:
    """What is due."""
    rehearse()


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
    job=rehearsals,
    cron_schedule="0 5 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 05:00 UTC, after the snapshot: the drills and experiments that are due.",
)
def daily_rehearsals(home: Home) -> dg.RunRequest | dg.SkipReason:
    """One run for all that is due, where there is something to lose."""
    why_not = _nothing_to_lose(home.settings)
    if why_not:
        return dg.SkipReason(why_not)
    names = due(calendar(home.settings), home.engine, utc_now())
    return dg.RunRequest(tags={"rehearsals": ", ".join(names)}) if names else dg.SkipReason("Nothing is due.")


recovery_jobs: list[Any] = [snapshot_job, rehearsals]
recovery_checks = [snapshot_fresh, drills_in_time]
recovery_schedules = [daily_snapshot, daily_rehearsals]
