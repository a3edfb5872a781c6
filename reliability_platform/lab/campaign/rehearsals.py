"""The drills on a clean trial of the campaign's own: what each loses (RPO) and how long it takes (RTO)."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reliability_platform.clock import Clock
from reliability_platform.lab.campaign.grid import TrialPlan
from reliability_platform.lab.campaign.trial import EVENTS_PER_DAY, Trial
from reliability_platform.lab.drills.drills import DrillReport, run_drill
from reliability_platform.lab.recordings.recording import Recording
from reliability_platform.recovery.drill_log import Drill
from reliability_platform.warehouse.snapshots.take import take_snapshot

DAYS = 3
"""A snapshot is taken before the last of them: something has to be built again."""
SHOWN = (
    "rows_lost", "objective_rows", "recovery_seconds", "objective_seconds", "equal_to_before", "oracle_equal", "met",
    "remarks",
)  # fmt: skip


def run_drills(
    folder: Path,
    seed: int,
    clock: Clock,
    on_drill: Callable[[DrillReport], None] = lambda _: None,
    recording: Recording | None = None,
) -> dict[str, Any]:
    """`drills` of the campaign's document. The home is made in `folder`, its snapshots beside it; both are removed."""
    plan = TrialPlan(0, seed, (), recording)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        for landing_days in (DAYS - 1, DAYS):
            trial = Trial(folder / "home", plan, landing_days)
            # On another disk, as it were: or a lost home would take its snapshots along.
            settings = trial.settings.model_copy(update={"snapshot_url": str(folder / "snapshots")})
            trial.land()
            trial.judge(trial.window)
            if landing_days < DAYS:
                take_snapshot(settings, clock)
        done = []
        for drill in Drill:
            report = run_drill(settings, drill, clock)
            done.append({"drill": drill.value, **{name: report.document()[name] for name in SHOWN}})
            on_drill(report)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    of = f"{EVENTS_PER_DAY} events" if recording is None else "the recording"
    return {
        "seed": seed,
        "home": f"{DAYS} landing days of {of}, the snapshot from before the last one",
        "met": sum(bool(one["met"]) for one in done),
        "drills": done,
    }
