"""The stages of a landing day as the orchestration calls them, on a small home in which three faults have hit.

Each is what a process does that can be killed, and what a plain re-run does again. `run` and `heal` are the whole
commands, with Dagster.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from reliability_platform.checks.dbt_tests import results_of_dbt
from reliability_platform.checks.evaluate import evaluate
from reliability_platform.checks.release import release
from reliability_platform.checks.run_monitor import monitor_runs
from reliability_platform.checks.store import CheckStore
from reliability_platform.cli.main import main
from reliability_platform.clock import days, utc_now
from reliability_platform.contracts import SOURCES
from reliability_platform.errors import ExitCode
from reliability_platform.incidents.deadlines import note_missed
from reliability_platform.incidents.detection import Surroundings, observe
from reliability_platform.incidents.impact import consumers
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.faults.landed_again import follow
from reliability_platform.lab.faults.plan import ActivePlan, Injection
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.landing.admission import admit
from reliability_platform.landing.discards import write_discards
from reliability_platform.landing.reference import refresh_reference
from reliability_platform.operations import operations_engine
from reliability_platform.pipeline import steps
from reliability_platform.remediation.dead_letters.discard import discard
from reliability_platform.remediation.dead_letters.letters import Selection, waiting_letters
from reliability_platform.remediation.due import may_act
from reliability_platform.remediation.heal import act
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.dbt_runner import build
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.snapshots.location import SnapshotLocation
from reliability_platform.warehouse.snapshots.manifest import read_snapshots
from reliability_platform.warehouse.snapshots.restore import damages
from reliability_platform.warehouse.snapshots.take import take_snapshot

SEED = 7
EVENTS_PER_DAY = 300
FIRST = date(2026, 1, 1)
LAST_CLEAN, INJECTED = date(2026, 1, 2), date(2026, 1, 3)
"""Two days have been published when the third one is killed: there is something to spoil."""
INJECTIONS = (
    Injection("missing_batch", "shipments", INJECTED, "medium"),
    Injection("schema_column_renamed", "orders", INJECTED, "medium"),
    Injection("null_spike", "payments", INJECTED, "medium"),
)
ACTOR = "torture"
RESULTS = 1_000_000


def land(settings: Settings, first: date = INJECTED) -> None:
    """Deliver all sources."""
    refresh_reference(settings)
    window = list(days(first, INJECTED if first == INJECTED else LAST_CLEAN))
    for source in SOURCES:
        steps.land(steps.RunContext.of(settings, ACTOR), source, window)


def _admit(settings: Settings, first: date = INJECTED, last: date = INJECTED) -> None:
    for source in SOURCES:
        CheckStore(operations_engine(settings)).invalidate([source], list(days(first, last)))
        for day in days(first, last):
            admit(settings, source, day)


def _build(settings: Settings, first: date = INJECTED, last: date = INJECTED) -> None:
    nodes = build(settings, first, last)
    results = results_of_dbt([vars(node) for node in nodes], list(days(first, last)), ACTOR, utc_now())
    CheckStore(operations_engine(settings)).record(results)


def _check(settings: Settings, first: date = INJECTED, last: date = INJECTED) -> None:
    results = evaluate(settings, list(days(first, last)), utc_now(), ACTOR)
    CheckStore(operations_engine(settings)).record(results)


def _publish(settings: Settings) -> None:
    release(settings, marts(ensure_manifest()), utc_now(), ACTOR)


def _sense(settings: Settings) -> None:
    engine = operations_engine(settings)
    monitor_runs(settings, engine, utc_now())
    around = Surroundings(settings, lambda: consumers(settings, ensure_manifest()))
    observe(engine, CheckStore(engine).after(0, RESULTS), utc_now(), around)
    note_missed(settings, engine, utc_now())


def _remedy(settings: Settings) -> None:
    engine, attended = operations_engine(settings), settings.model_copy(update={"attended": True})
    for incident in IncidentStore(engine).open():
        if may_act(attended, engine, incident, utc_now()):
            act(settings, engine, incident.id, utc_now(), ACTOR)


def _discard(settings: Settings) -> None:
    """Give up the rejected rows of the third day, and let the platform see it."""
    engine = operations_engine(settings)
    letters = waiting_letters(settings, Selection(INJECTED, INJECTED, source="payments"))
    discard(settings, engine, letters, "torture", ACTOR, utc_now())
    write_discards(settings, engine, "payments", [INJECTED])  # as the pipeline does before each admission
    _admit(settings)
    _build(settings)


def _command(*words: str, as_json: bool = True) -> Callable[[Settings], None]:
    def call(settings: Settings) -> None:
        status = main([*words, "--home", str(settings.home), *(["--json"] if as_json else [])])
        if status not in (ExitCode.OK, ExitCode.NOT_HEALED):  # what is held is held with and without the kill
            raise RuntimeError(f"{words[0]} ended with {status}")

    return call


def _follow(settings: Settings) -> None:
    injected = tuple(Injection("duplicate_retry_storm", one, LAST_CLEAN, "medium") for one in ("orders", "shipments"))
    follow(settings, ActivePlan(SEED, injected))


def _snapshot(settings: Settings) -> None:
    taken = take_snapshot(settings, utc_now)
    location = SnapshotLocation.of(settings)
    damaged = read_snapshots(location)[1], damages(location, [taken])[taken.id]
    if any(damaged):
        raise RuntimeError(f"a snapshot that cannot be restored: {damaged}")


def _lose(settings: Settings) -> None:
    """A DELETE without WHERE on gold and silver, and the audit that finds it."""
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("delete from agg_daily_revenue")
        connection.execute("delete from int_orders__deduplicated")
    _check(settings, FIRST, INJECTED)
    _sense(settings)


@dataclass(frozen=True)
class Stage:
    """Something that a process does. `after` names the stage on whose home it begins; None: on the clean days alone."""

    name: str
    work: Callable[[Settings], None]
    after: str | None
    share: float
    """Its share of all kills: the quick ones bear more."""


STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage("landing", land, None, 0.14),
        Stage("admission", _admit, "landing", 0.14),
        Stage("dbt", _build, "admission", 0.14),
        Stage("checks", _check, "dbt", 0.08),
        Stage("publication", _publish, "checks", 0.12),
        Stage("sensor", _sense, "publication", 0.12),
        Stage("remediation", _remedy, "sensor", 0.12),
        Stage("discard", _discard, "checks", 0.06),
        Stage(
            "inject",
            _command("inject", "late_events", "--source", "web_events", "--date", str(LAST_CLEAN), as_json=False),
            None,
            0.06,
        ),
        Stage("plan", _follow, "publication", 0.06),
        Stage("snapshot", _snapshot, "publication", 0.06),
        Stage("loss", _lose, "snapshot", 0.02),
        Stage("restoring", _remedy, "loss", 0.06),
        Stage("run", _command("run", "--from", str(INJECTED), "--to", str(INJECTED)), None, 0.04),
        Stage("heal", _command("heal"), "sensor", 0.04),
    )
}


def found(home: Path) -> Settings:
    """A home that follows a plan, with two clean days published."""
    settings = load_settings(home)
    Simulation(SEED, EVENTS_PER_DAY).save(settings)
    ActivePlan(SEED, INJECTIONS).save(settings)
    land(settings, FIRST)
    _admit(settings, FIRST, LAST_CLEAN)
    _build(settings, FIRST, LAST_CLEAN)
    _check(settings, FIRST, LAST_CLEAN)
    _publish(settings)
    _sense(settings)
    return settings


def rebuild(settings: Settings) -> None:
    """What the message about a damaged warehouse says: the days again, all of them."""
    _command("run", "--from", str(FIRST), "--to", str(LAST_CLEAN))(settings)
