"""Kills: a process at its real work is killed at seeded moments; then the same work once more, and everything is right.

Three faults hit what lands after two clean days; the work lands, builds, judges, publishes and heals them. What is published
right after the kill must be whole, and after the re-run equal, row for row, to a run without faults. `make torture`
hits each stage by itself, at counted points; here it is the whole, as a machine that loses power does it.
"""

import multiprocessing
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from random import Random
from typing import Any

from reliability_platform.counted import counted
from reliability_platform.damage import what_is_wrong
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.formats import seconds
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.campaign.grid import Scenario, TrialPlan, first_day_of, first_place
from reliability_platform.lab.campaign.trial import Trial, prove, settings_of
from reliability_platform.lab.faults.catalogue import fault_named
from reliability_platform.lab.processes import deaf_to_ctrl_c
from reliability_platform.lab.recordings.recording import Recording
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings
from reliability_platform.warehouse.comparison import compare_tables
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.publication import CURRENT, current_version, read_publication

CLEAN_DAYS = 2
"""Published before the first kill: there is something to spoil."""
EVENTS_PER_DAY = 600
TRIES = 8
"""A process that ended before its moment was not killed: it is tried again, with another moment."""
LIMIT_SECONDS = 600
INJECTIONS = 3
CANDIDATES = ("missing_batch", "schema_column_renamed", "null_spike", "schema_type_changed", "truncated_file")
"""Ways to break a delivery, the most different first: the first ones that find something to hit are injected."""


@dataclass
class Kill:
    """One kill, and what was wrong after it; nothing, if it was survived."""

    at_seconds: float
    """After the work began."""
    work_seconds: float
    """What the work takes if nobody kills it."""
    rerun_seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


def _plan(seed: int, recording: Recording | None) -> TrialPlan:
    """Faults after the clean days, each on another source as far as there are, or on days after each other.

    Raises `UsageError` for a recording that is too short.
    """
    applying = [fault for fault in CANDIDATES if fault_named(fault).applies_to][:INJECTIONS]
    placed: list[Scenario] = []
    ends: dict[str, int] = {}
    for number, fault in enumerate(applying):
        sources = fault_named(fault).applies_to
        scenario = Scenario(fault, sources[number % len(sources)], "medium", "day", seed)
        place = first_place(scenario, ends.get(scenario.source, CLEAN_DAYS), recording)
        if place is None:
            raise UsageError(
                f"{fault} finds no day of {scenario.source} after the {CLEAN_DAYS} that are published before the first kill: "
                "record more."
            )
        placed.append(replace(scenario, first_day=first_day_of(recording) + timedelta(days=place)))
        ends[scenario.source] = place + scenario.span
    return TrialPlan(0, seed, tuple(placed), recording)


def _work(home: Path, plan: TrialPlan, landing_days: int | None, ready: Connection) -> None:
    """The life of a process that may be killed."""
    ensure_manifest()
    trial = Trial(home, plan, landing_days, EVENTS_PER_DAY)
    ready.send(None)
    trial.land()
    trial.judge(trial.window)
    trial.heal()


def _begun(home: Path, plan: TrialPlan, landing_days: int | None = None) -> SpawnProcess:
    """A fresh process that has imported everything and begins now."""
    context = multiprocessing.get_context("spawn")
    listening, ready = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(home, plan, landing_days, ready))
    with deaf_to_ctrl_c():
        process.start()
    ready.close()
    with listening:
        try:
            listening.recv()
        except EOFError:
            raise EnvironmentUnusableError(
                "The work that is to be killed cannot even begin: see the lines above."
            ) from None
    return process


def _done(home: Path, plan: TrialPlan, landing_days: int | None = None) -> tuple[float, str]:
    """The whole work: its seconds, and in words how it failed, if it did."""
    process, began = _begun(home, plan, landing_days), time.perf_counter()
    process.join(LIMIT_SECONDS)
    if process.exitcode is None:
        process.kill()
        process.join()
        return time.perf_counter() - began, f"the work did not end within {LIMIT_SECONDS} s"
    words = f"the work ended with {process.exitcode}" if process.exitcode else ""
    return time.perf_counter() - began, words


def _copy(home: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(home, target, symlinks=True))


def _killed(template: Path, target: Path, plan: TrialPlan, work_seconds: float, rng: Random) -> float:
    """Kill a work on a copy of a home; after how many seconds."""
    for _ in range(TRIES):
        moment = rng.uniform(0, work_seconds)
        process = _begun(_copy(template, target), plan)
        process.join(moment)
        if process.exitcode is None:
            process.kill()
            process.join()
            return round(moment, 3)
    raise EnvironmentUnusableError(
        f"The work always ended before it was killed; it took {seconds(work_seconds)} before."
    )


def broken(settings: Settings) -> list[str]:
    """What may be broken at no moment, not even right after a kill: the timeline's chain and what consumers read."""
    found = [f"timeline: {one}" for one in IncidentStore(operations_engine(settings)).broken_links()]
    version = current_version(settings)
    if version is None:
        return [*found, "published: nothing any more"]
    for table in read_publication(settings, version).tables:
        files = {settings.published / CURRENT / name: expected for name, expected in table.files.items()}
        if any(what_is_wrong(path, expected) for path, expected in files.items()):
            found.append(f"published: {table.name} is not what its record says")
    return found


def not_right(settings: Settings, oracle: Path) -> list[str]:
    """What is not as if nothing had happened: tables that differ from the oracle's, incidents that are not over."""
    names = [mart.name for mart in marts(ensure_manifest())]
    tables = compare_tables(names, settings.published / CURRENT, oracle)
    incidents = IncidentStore(operations_engine(settings)).open()
    return [
        *broken(settings),
        *(f"published: {one.name} differs from a run without faults" for one in tables if not one.equal),
        *(f"incident {one.id} is {one.state.value}" for one in incidents),
    ]


def run_kills(
    folder: Path,
    number: int,
    seed: int,
    on_kill: Callable[[Kill], None] = lambda _: None,
    recording: Recording | None = None,
) -> dict[str, Any]:
    """`kills` of the campaign's document. Homes are made in `folder` and removed again.

    Raises `EnvironmentUnusableError` if the work does not even succeed where nobody kills it, `UsageError` for a recording
    that is too short.
    """
    plan = _plan(seed, recording)
    template, clone, home = folder / "template", folder / "twin", folder / "home"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        ensure_manifest()
        _, failed = _done(template, plan, CLEAN_DAYS)
        work_seconds, failed_too = _done(_copy(template, clone), plan)
        prove(Trial(clone, plan, events_per_day=EVENTS_PER_DAY))
        oracle = settings_of(clone).oracle / "published" / CURRENT
        wrong = list(filter(None, [failed, failed_too])) or not_right(settings_of(clone), oracle)
        if wrong:
            raise EnvironmentUnusableError(f"Without any kill the work is not right already: {'; '.join(wrong[:3])}.")
        kills = []
        for one in range(1, number + 1):
            moment = _killed(template, home, plan, work_seconds, Random(f"{seed}/{one}"))
            kill = Kill(moment, round(work_seconds, 3))
            settings = settings_of(home)
            kill.wrong += [f"before the re-run: {words}" for words in broken(settings)]
            seconds, failed = _done(home, plan)
            kill.rerun_seconds = round(seconds, 3)
            kill.wrong += [f"the re-run: {failed}"] if failed else not_right(settings, oracle)
            kills.append(kill)
            on_kill(kill)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    of = f"of {EVENTS_PER_DAY} events" if recording is None else "of the recording"
    return {
        "seed": seed,
        "n": len(kills),
        "survived": sum(not one.wrong for one in kills),
        "work": f"{counted(plan.days, 'landing day')} {of}, {counted(len(plan.scenarios), 'fault')}: from landing to healing",
        "kills": [asdict(one) for one in kills],
    }
