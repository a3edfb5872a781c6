"""Runs one world: lands it with its faults, lets the platform judge, publish, open incidents and heal, and writes down
what happened. Every part is the platform's own; only the orchestrator is left out, for its overhead.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from reliability_platform.checks.dbt_tests import results_of_dbt
from reliability_platform.checks.evaluate import evaluate
from reliability_platform.checks.release import release
from reliability_platform.checks.results import CheckResult
from reliability_platform.checks.run_monitor import monitor_runs
from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import FIRST_DAY, days, utc_now
from reliability_platform.errors import PlatformError
from reliability_platform.faults.plan import ActivePlan
from reliability_platform.faults.truth import Truth, load_truths
from reliability_platform.incidents.detection import Surroundings, observe
from reliability_platform.incidents.impact import consumers
from reliability_platform.incidents.model import ENDED, Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.landing.admission import admit, landed_partitions
from reliability_platform.landing.delivery import deliver
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.due import may_act
from reliability_platform.remediation.heal import act, reruns_of, verify
from reliability_platform.scorecard.campaign.grid import WorldPlan
from reliability_platform.scorecard.containment import differences
from reliability_platform.scorecard.quarantined import Quarantined, quarantined_rows
from reliability_platform.settings import Settings, load_settings
from reliability_platform.sources import SOURCES
from reliability_platform.sources.reference import write_reference
from reliability_platform.sources.simulation import Simulation
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.dbt_runner import build
from reliability_platform.warehouse.lease import warehouse_reader
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.oracle import build_oracle
from reliability_platform.warehouse.publication import CURRENT

EVENTS_PER_DAY = 8_400
"""The demo's size: some 1,000 orders a day, of which 60 in a rare currency."""
HEALING_ROUNDS = 5
RERUN_DAYS = 5
ACTOR = "campaign"
APPROVED = "campaign, which approves every action"


@dataclass
class Observation:
    """What happened in one world."""

    plan: WorldPlan
    truths: list[Truth]
    results: list[CheckResult]
    """Every check of every landing day, before anything was healed."""
    incidents: list[Incident]
    """As they stand in the end."""
    incidents_of_rerun: list[str]
    """Incidents that a re-run of clean days opened; there should be none."""
    quarantined: dict[tuple[str, str, date], Quarantined]
    """By fault, source and first day: the quarantine against the truth."""
    shown_wrong: dict[str, set[date]]
    """By source, the event dates of its own tables that some published version showed differently than the oracle."""
    wrong_in_the_end: dict[str, set[date]]
    """The same of the last version alone."""
    delivered_rows: dict[tuple[str, date], int]
    seconds: dict[str, float] = field(default_factory=dict)


class World:
    """One world in a home of its own; `landing_days` are those of its plan, if nothing else is said."""

    def __init__(
        self, home: Path, plan: WorldPlan, landing_days: int | None = None, events_per_day: int = EVENTS_PER_DAY
    ) -> None:
        ensure_manifest()
        self.plan = plan
        self.settings: Settings = load_settings(home)
        self.simulation = Simulation(plan.seed, events_per_day)
        self.simulation.save(self.settings)
        self.faults = ActivePlan(plan.seed, tuple(scenario.strike() for scenario in plan.scenarios))
        self.engine = operations_engine(self.settings)
        self.checks = CheckStore(self.engine)
        self.incidents = IncidentStore(self.engine)
        self.window = list(days(FIRST_DAY, FIRST_DAY + timedelta(days=(landing_days or plan.days) - 1)))
        self._seen = 0

    def land(self) -> None:
        """Deliver and admit everything."""
        write_reference(self.settings, self.simulation)
        for source in SOURCES:
            for day in self.window:
                deliver(self.settings, self.simulation, self.faults, source, day)
        self.admit([(source, day) for day in self.window for source in SOURCES])

    def admit(self, partitions: Sequence[tuple[str, date]]) -> None:
        """Admit partitions; their verdicts of before are stale."""
        for source, day in partitions:
            admit(self.settings, source, day)
        for source in SOURCES:
            self.checks.invalidate([source], [day for one, day in partitions if one == source])

    def judge(self, partitions: Sequence[date]) -> list[CheckResult]:
        """Build, check, publish, and let incidents be opened."""
        self.settings = load_settings(self.settings.home)  # another version of the models may be deployed
        nodes = build(self.settings, min(partitions), max(partitions))
        return self.audit(partitions, results_of_dbt([vars(node) for node in nodes], partitions, ACTOR, utc_now()))

    def audit(self, partitions: Sequence[date], known: Sequence[CheckResult] = ()) -> list[CheckResult]:
        """Check, publish, and let incidents be opened; `known` are verdicts that came with the build."""
        results = [*evaluate(self.settings, partitions, utc_now(), ACTOR), *known]
        self.checks.record(results)
        release(self.settings, marts(ensure_manifest()), utc_now(), ACTOR)
        self.observe()
        return results

    def observe(self) -> None:
        """What the incident sensor does at a tick."""
        monitor_runs(self.settings, self.engine, utc_now())
        fresh = self.checks.after(self._seen, 10_000_000)
        observe(
            self.engine,
            fresh,
            utc_now(),
            Surroundings(self.settings, lambda: consumers(self.settings, ensure_manifest())),
        )
        self._seen = fresh[-1][0] if fresh else self._seen

    def heal(self) -> None:
        """What the remediation sensor does until nothing moves any more; every action is approved."""
        for _ in range(HEALING_ROUNDS):
            reruns: set[tuple[str, date]] = set()
            moved = False
            for incident in self.incidents.all():
                if incident.state in ENDED:
                    continue
                if may_act(self.settings, self.engine, incident, utc_now(), approved=True):
                    moved = True
                    self._act(incident)
                    incident = self.incidents.get(incident.id)
                reruns |= reruns_of(incident)
            if reruns:
                self.admit(sorted(reruns))
                self.judge(sorted({day for _, day in reruns}))
            self.observe()
            for incident in self.incidents.all():
                if incident.state is State.RECOVERING:
                    verify(self.settings, self.engine, incident.id, utc_now(), ACTOR)
            if not moved:
                return

    def _act(self, incident: Incident) -> None:
        try:
            act(self.settings, self.engine, incident.id, utc_now(), APPROVED)
        except PlatformError:
            return  # it stands on the timeline, and the incident stays open

    def rerun_clean_days(self) -> list[str]:
        """Run the first clean days once more; returns the incidents that this opened."""
        before = {incident.id for incident in self.incidents.all()}
        again = self.window[:RERUN_DAYS]
        self.admit([(source, day) for day in again for source in SOURCES])
        self.judge(again)
        return sorted({incident.id for incident in self.incidents.all()} - before)

    def delivered(self) -> dict[tuple[str, date], int]:
        """Rows delivered by source and landing day."""
        with warehouse_reader(self.settings) as connection:
            rows = connection.execute(
                "select source, landing_date, sum(delivered_rows) from rec_batches__conserved group by all"
            ).fetchall()
        return {(source, day): int(count) for source, day, count in rows}

    def wrong(self, versions: Sequence[Path]) -> dict[str, set[date]]:
        """By source, the event dates on which one of its own tables differs from the oracle's in some version."""
        oracle = self.settings.oracle / "published" / CURRENT
        found: dict[str, set[date]] = {source: set() for source in SOURCES}
        for mart in marts(ensure_manifest()):
            if len(mart.sources) == 1:  # a table of several sources cannot say whose fault a difference is
                found[mart.sources[0]] |= {one.event_date for one in differences(versions, oracle, [mart.name])}
        return found


def prove(world: World) -> None:
    """Build the oracle of a world."""
    build_oracle(world.settings, landed_partitions(world.settings))


def run_world(home: Path, plan: WorldPlan) -> Observation:
    """Everything that happens in one world, from landing to proof."""
    seconds: dict[str, float] = {}
    started = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal started
        now = time.perf_counter()
        seconds[name], started = round(now - started, 2), now

    world = World(home, plan)
    world.land()
    lap("land")
    results = world.judge(world.window)
    lap("detect")
    truths = load_truths(world.settings)
    quarantined = {
        (truth.fault, truth.source, truth.landing_date): quarantined_rows(world.settings, truth)
        for truth in truths
        if not truth.is_silent
    }
    delivered = world.delivered()
    lap("grade")
    world.heal()
    lap("heal")
    rerun = world.rerun_clean_days()
    lap("rerun")
    prove(world)
    current = world.settings.published / CURRENT
    versions = sorted(world.settings.published.glob("v[0-9]*"))
    observation = Observation(
        plan=plan,
        truths=truths,
        results=results,
        incidents=world.incidents.all(),
        incidents_of_rerun=rerun,
        quarantined=quarantined,
        shown_wrong=world.wrong(versions),
        wrong_in_the_end=world.wrong([current]),
        delivered_rows=delivered,
        seconds=seconds,
    )
    lap("oracle")
    return observation
