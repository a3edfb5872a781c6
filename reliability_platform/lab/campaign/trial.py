"""Runs one trial: lands it with its faults, lets the platform judge, publish, open incidents and heal, and writes down
what happened. Every part is the platform's own; only the orchestrator is left out, for its overhead.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from reliability_platform.backfills.guard import Purpose
from reliability_platform.checks.results import CheckResult
from reliability_platform.clock import days, utc_now
from reliability_platform.contracts import SOURCES
from reliability_platform.day_clock import simulate
from reliability_platform.incidents.model import Incident
from reliability_platform.lab.campaign.grid import TrialPlan
from reliability_platform.lab.driver import Driver
from reliability_platform.lab.faults.plan import ActivePlan
from reliability_platform.lab.faults.truth import Truth, load_truths
from reliability_platform.lab.oracle import build_oracle
from reliability_platform.lab.scorecard.containment import differences
from reliability_platform.lab.scorecard.quarantined import Quarantined, quarantined_rows
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.landing.reference import refresh_reference
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.lease import warehouse_reader
from reliability_platform.warehouse.own_lacks import comparable_marts
from reliability_platform.warehouse.publication import CURRENT

EVENTS_PER_DAY = 8_400
"""The demo's size: some 1,000 orders a day, of which 60 in a rare currency."""
RERUN_DAYS = 5


@dataclass
class Observation:
    """What happened in one trial."""

    plan: TrialPlan
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
    shown_together: set[str]
    """Sources without a published table of their own, of which some version showed a table of several differently."""
    together_in_the_end: set[str]
    """The same of the last version alone."""
    delivered_rows: dict[tuple[str, date], int]
    seconds: dict[str, float] = field(default_factory=dict)


def settings_of(home: Path) -> Settings:
    """The settings of a trial: somebody watches it, as in the demo, so that no healing waits."""
    settings = load_settings(home)
    return settings.apart(settings.home).model_copy(update={"attended": True})


class Trial(Driver):
    """One trial in a home of its own; `landing_days` are those of its plan, if nothing else is said."""

    def __init__(
        self, home: Path, plan: TrialPlan, landing_days: int | None = None, events_per_day: int = EVENTS_PER_DAY
    ) -> None:
        ensure_manifest()
        self.plan = plan
        super().__init__(settings_of(home), "campaign")
        if plan.recording is None:
            Simulation(plan.seed, events_per_day).save(self.settings)
        elif not self.settings.recording.exists():
            home.mkdir(parents=True, exist_ok=True)
            self.settings.recording.symlink_to(plan.recording.folder.absolute())
        self.faults = ActivePlan(plan.seed, tuple(scenario.injection() for scenario in plan.scenarios))
        self.faults.save(self.settings)
        first = plan.first_day
        self.window = list(days(first, first + timedelta(days=(landing_days or plan.days) - 1)))

    def land(self) -> None:
        """Deliver and admit everything."""
        simulate(self.engine, self.window, utc_now())
        refresh_reference(self.settings)
        self.ask(self.window, Purpose.ROUTINE, asks_source=True)
        self.deliver(self.window)
        self.admit(self.window)

    def rerun_clean_days(self) -> list[str]:
        """Run the first clean days once more; returns the incidents that this opened."""
        before = {incident.id for incident in self.incidents.all()}
        again = self.window[:RERUN_DAYS]
        self.ask(again, Purpose.ROUTINE)
        self.admit(again)
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
        for mart in comparable_marts(ensure_manifest()):
            if len(mart.sources) == 1:  # a table of several sources cannot say whose fault a difference is
                for one in differences(versions, oracle, [mart]):
                    found[mart.sources[0]] |= {one.event_date} if one.event_date is not None else set(self.window)
        return found

    def wrong_together(self, versions: Sequence[Path]) -> set[str]:
        """The sources without a published table of their own, of which a table of several differs from the oracle's in some
        version.
        """
        oracle, compared = self.settings.oracle / "published" / CURRENT, comparable_marts(ensure_manifest())
        alone = {mart.sources[0] for mart in compared if len(mart.sources) == 1}
        shared = [mart for mart in compared if not alone.issuperset(mart.sources)]
        return {
            source
            for mart in shared
            if differences(versions, oracle, [mart])
            for source in mart.sources
            if source not in alone
        }


def prove(trial: Trial) -> None:
    """Build the oracle of a trial."""
    build_oracle(trial.settings, landed_partitions(trial.settings))


def run_trial(home: Path, plan: TrialPlan, *, heals: bool = True) -> Observation:
    """Everything that happens in one trial, from landing to proof; without healing if only what is noticed is asked for."""
    seconds: dict[str, float] = {}
    started = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal started
        now = time.perf_counter()
        seconds[name], started = round(now - started, 2), now

    trial = Trial(home, plan)
    trial.land()
    lap("land")
    results = trial.judge(trial.window)
    lap("detect")
    truths = load_truths(trial.settings)
    quarantined = {
        (truth.fault, truth.source, truth.landing_date): quarantined_rows(trial.settings, truth)
        for truth in truths
        if not truth.is_silent
    }
    delivered = trial.delivered()
    lap("grade")
    if heals:
        trial.heal()
    lap("heal")
    rerun = trial.rerun_clean_days()
    lap("rerun")
    prove(trial)
    current = trial.settings.published / CURRENT
    versions = sorted(trial.settings.published.glob("v[0-9]*"))
    observation = Observation(
        plan=plan,
        truths=truths,
        results=results,
        incidents=trial.incidents.all(),
        incidents_of_rerun=rerun,
        quarantined=quarantined,
        shown_wrong=trial.wrong(versions),
        wrong_in_the_end=trial.wrong([current]),
        shown_together=trial.wrong_together(versions),
        together_in_the_end=trial.wrong_together([current]),
        delivered_rows=delivered,
        seconds=seconds,
    )
    lap("oracle")
    return observation
