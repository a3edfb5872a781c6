"""Runs all trials of a grid, two at a time, and joins what became of them into one document."""

import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from datetime import date, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from reliability_platform.lab.campaign.grade import TrialOutcome, grade
from reliability_platform.lab.campaign.grid import FIRST_SEED, Scenario, TrialPlan, scenarios_of, trials_of
from reliability_platform.lab.campaign.live import run_live_trial
from reliability_platform.lab.campaign.mutation import mutation_score
from reliability_platform.lab.campaign.something_to_hit import hits
from reliability_platform.lab.campaign.summary import GRADED, summarise
from reliability_platform.lab.campaign.trial import run_trial
from reliability_platform.lab.processes import deaf_to_ctrl_c, expect_to_be_ended
from reliability_platform.lab.recordings.recording import Recording
from reliability_platform.settings import DBT_PROJECT
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.versions import models_of


def _one(folder: Path, plan: TrialPlan) -> TrialOutcome:
    home = folder / f"world-{plan.number:03d}"
    shutil.rmtree(home, ignore_errors=True)
    try:
        return run_live_trial(home, plan) if plan.is_live else grade(run_trial(home, plan))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def measured(now: datetime) -> dict[str, Any]:
    """When, with what and on what a campaign was run: no figure of its is worth anything without."""
    return {
        "at": now.isoformat(timespec="seconds"),
        "platform_version": version("reliability-platform"),
        "models_version": str(models_of(DBT_PROJECT)),
        "cores": os.cpu_count(),
    }


def _left_out(asked: Iterable[Scenario], plans: Iterable[TrialPlan]) -> list[str]:
    """The scenarios for which the recorded days have nothing to break, without their days."""
    placed = {replace(one, first_day=date.min) for plan in plans for one in plan.scenarios}
    return [one.id.rpartition("/")[0] for one in asked if one not in placed]


def run_campaign(
    folder: Path,
    grid: str,
    seeds: int,
    on_trial: Callable[[int, int, TrialOutcome], None] = lambda *_: None,
    first_seed: int = FIRST_SEED,
    recording: Recording | None = None,
) -> dict[str, Any]:
    """The campaign's document: `scenarios`, `controls`, `summary`, `mutation`, and what it cost.

    Trials are made in `folder` and removed again; on a recording, of its days. Raises `UsageError` for a grid that does not
    exist, or a recording that is too short.
    """
    started = time.perf_counter()
    asked = scenarios_of(grid, seeds, first_seed)
    plans = trials_of(asked, recording, cache(lambda one: recording is None or hits(one, recording)))
    expect_to_be_ended()
    ensure_manifest()
    folder.mkdir(parents=True, exist_ok=True)
    outcomes: dict[int, TrialOutcome] = {}
    # Fresh interpreters: dbt and DuckDB hold threads and handles that a fork would share.
    workers = min(len(plans), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        with deaf_to_ctrl_c():
            waiting = {pool.submit(_one, folder, plan): plan for plan in plans}
        try:
            for done in as_completed(waiting):
                outcomes[waiting[done].number] = done.result()
                on_trial(len(outcomes), len(plans), done.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():  # nobody waits for the trials that run
                process.terminate()
            raise
    trials = [outcomes[number] for number in sorted(outcomes)]
    scenarios = [one for trial in trials for one in trial.scenarios]
    graded = [one for one in scenarios if one.window in GRADED]
    kills = {key: value for trial in trials for key, value in trial.kills.items()}
    return {
        "grid": grid,
        "seeds": list(range(first_seed, first_seed + seeds)),
        "seconds": round(time.perf_counter() - started, 1),
        "left_out": _left_out(asked, plans),
        "worlds": [{"seconds": trial.seconds, "scenarios": len(trial.scenarios)} for trial in trials],
        "scenarios": [asdict(one) for one in scenarios],
        "controls": [asdict(one) for trial in trials for one in trial.controls],
        "summary": summarise(trials),
        "mutation": mutation_score(graded, kills),
    }
