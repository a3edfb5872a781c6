"""Runs an experiment on a clone of the home: steady state, injections, what the platform makes of them, the steady state again.

The home is read for the clone and is not written. What would leave the clone is cut off: nobody is told, no source outside is
asked (real ones are replayed from a recording of their landed days), no other store is written.
"""

import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from reliability_platform.clock import Clock
from reliability_platform.contracts import SOURCES
from reliability_platform.day_clock import simulate
from reliability_platform.errors import UsageError
from reliability_platform.formats import joined
from reliability_platform.incidents.model import Incident, State
from reliability_platform.lab.campaign.recovery import actions_begun, opened_at, seconds_to_recover
from reliability_platform.lab.clean import breakable, clean_sources
from reliability_platform.lab.drills.baseline import missing_rows
from reliability_platform.lab.drills.drills import DrillReport, can_be_lost, drill_on
from reliability_platform.lab.driver import Driver
from reliability_platform.lab.experiments.experiment import NO_CLASS, Experiment, document_of
from reliability_platform.lab.experiments.judge import (
    Claim,
    ExperimentStatus,
    Observed,
    SeenIncident,
    judge,
    status_of,
)
from reliability_platform.lab.experiments.placement import placed
from reliability_platform.lab.experiments.steady_state import steady_state
from reliability_platform.lab.faults.catalogue import fault_named
from reliability_platform.lab.faults.fault import Stage
from reliability_platform.lab.faults.injection import rehearse
from reliability_platform.lab.faults.landed_again import redeliver
from reliability_platform.lab.faults.plan import ActivePlan, Injection
from reliability_platform.lab.faults.truth import Truth, load_truths
from reliability_platform.lab.recordings.record import record
from reliability_platform.lab.scorecard.containment import differences
from reliability_platform.lab.scorecard.live_fault import live_fault
from reliability_platform.lab.scorecard.quarantined import Quarantined, quarantined_rows
from reliability_platform.lab.scorecard.score import HEALED, seconds_between
from reliability_platform.operations import operations_engine
from reliability_platform.recovery.clone import Clone, clone_of
from reliability_platform.remediation.due import obstacle
from reliability_platform.settings import Settings, variable
from reliability_platform.sources.source import Source
from reliability_platform.warehouse.comparison import compare_tables
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.own_lacks import comparable_marts
from reliability_platform.warehouse.publication import CURRENT, current_version, publications

WORKSPACE = ".experiment"
ACTOR = "experiment"
SEED = 7
"""Of the choice of rows: an experiment that is repeated breaks the same."""


@dataclass
class ExperimentReport:
    """What was done, and what became of the hypothesis."""

    name: str
    experiment: Experiment
    began_at: datetime
    claims: Sequence[Claim] = ()
    """Those of the steady state alone, if the clone was not in it; else those of the expected end."""
    was_steady: bool = False
    injections: Sequence[Injection] = ()
    incidents: Sequence[SeenIncident] = ()
    drills: list[DrillReport] = field(default_factory=list)
    rows_lost: int = 0
    """Rows of published tables that were there before and are not in the end."""
    steps: dict[str, float] = field(default_factory=dict)
    """Seconds by step."""
    remarks: list[str] = field(default_factory=list)

    @property
    def status(self) -> ExperimentStatus:
        """What became of the hypothesis. Of a home that was not in the steady state nothing follows."""
        return status_of(self.claims) if self.was_steady else ExperimentStatus.NOT_EVALUATED

    @property
    def recovery_seconds(self) -> float:
        """The longest recovery."""
        healed = [one.recovered_seconds or 0.0 for one in self.incidents]
        return max([0.0, *healed, *(one.recovery_seconds for one in self.drills)])

    def document(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "name": self.name,
            "status": self.status,
            "began_at": self.began_at,
            "experiment": document_of(self.experiment),
            "was_steady": self.was_steady,
            "claims": [asdict(one) for one in self.claims],
            "injections": [asdict(one) for one in self.injections],
            "incidents": [asdict(one) for one in self.incidents],
            "drills": [one.document() for one in self.drills],
            "rows_lost": self.rows_lost,
            "recovery_seconds": self.recovery_seconds,
            "steps": self.steps,
            "remarks": self.remarks,
        }

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Time one step."""
        start = time.perf_counter()
        yield
        self.steps[step] = round(time.perf_counter() - start, 3)


def run_experiment(
    settings: Settings, name: str, experiment: Experiment, clock: Clock, on_step: Callable[[str], None] = lambda _: None
) -> ExperimentReport:
    """Run one experiment. The home stays as it is; the caller keeps the report. Raises `UsageError` if it cannot be done."""
    if current_version(settings) is None or not settings.warehouse.exists():
        raise UsageError(f"Nothing is published in {settings.home} yet: `reliability run` publishes something.")
    injections = placed(settings, experiment)
    for step in experiment.drills:
        assert step.drill is not None
        can_be_lost(settings, step.drill, clock)
    report = ExperimentReport(name, experiment, clock())
    on_step("clone of the home")
    with clone_of(settings, WORKSPACE) as clone, _store_of(clone.settings):
        _Run(clone, report, clock, on_step).go(injections)
    return report


@contextmanager
def _store_of(clone: Settings) -> Iterator[None]:
    """Processes that are started in the block read their settings from the environment: the store that it may name is the home's."""
    name = variable("operations_url")
    before = os.environ.get(name)
    if before is not None:
        os.environ[name] = f"sqlite:///{clone.home / 'operations.sqlite'}"
    try:
        yield
    finally:
        if before is not None:
            os.environ[name] = before


class _Run:
    """One experiment on its clone."""

    def __init__(self, clone: Clone, report: ExperimentReport, clock: Clock, on_step: Callable[[str], None]) -> None:
        # Somebody watches it, as a drill: no healing waits. A simulated source answers by itself, whatever server stands for it.
        apart: dict[str, Any] = {"attended": True, "source_url": None, "source_urls": {}}
        self.driver = Driver(clone.settings.model_copy(update=apart), ACTOR)
        self.clone, self.report, self.clock, self.on_step = clone, report, clock, on_step
        self.known = {one.id: len(one.timeline) for one in self.driver.incidents.all()}
        self.versions = {one.version for one in publications(self.settings)}

    @property
    def settings(self) -> Settings:
        """Of the clone, with the models that are deployed."""
        return self.driver.settings

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self.on_step(name)
        with self.report.timed(name):
            yield

    def go(self, injections: Sequence[Injection]) -> None:
        """The whole experiment; what became of it stands in the report."""
        experiment, report = self.report.experiment, self.report
        with self._step("steady state"):
            report.claims = self._steady()
            report.was_steady = all(one.held for one in report.claims)
        if not report.was_steady:
            return
        report.injections = injections
        with self._step("injections"):
            clean = self._sources(injections)
            shutil.rmtree(self.settings.faults, ignore_errors=True)  # an earlier plan of the home is none of this
            quarantined = self._break_deliveries(clean, [one for one in injections if not _is_live(one)])
            for one in filter(_is_live, injections):
                with live_fault(self.settings, SEED, one):
                    self.driver.respond(one)
            self.driver.observe()
        with self._step("recovery"):
            self.driver.settle()
            if experiment.approve:
                self.driver.heal()
        report.incidents = self._incidents()
        for number, step in enumerate(experiment.drills):
            assert step.drill is not None
            with self._step(f"drill {step.drill}"):
                there = replace(self.clone, settings=self.settings, evidence=self.clone.evidence / str(number))
                report.drills.append(drill_on(there, step.drill, self.clock, step.table))
        with self._step("comparison"):
            observed = self._observed(quarantined)
            report.rows_lost = sum(observed.unequal.values())
            report.claims = judge(experiment.expect, _classes(experiment), observed)

    def _steady(self) -> list[Claim]:
        engine = operations_engine(self.settings)  # anew: a drill may have lost the store
        return steady_state(self.settings, engine, self.report.experiment.steady_state, self.clock())

    def _sources(self, injections: Sequence[Injection]) -> Mapping[str, Source]:
        """Clean sources for the clone. Those that are real are replayed from a recording of what has landed of them."""
        clean = clean_sources(self.settings)
        real = sorted(set(SOURCES) - set(clean))
        if not real or not injections:
            return clean
        touched = [day for one in injections for day in one.landing_dates()]
        read = timedelta(days=max(fault_named(one.fault).days_read for one in injections))
        target = self.settings.apart(self.clone.evidence.with_name("lab"))
        record(self.settings, self.driver.engine, min(touched) - read, max(touched), target)
        target.recording.rename(self.settings.recording)
        self.report.remarks.append(
            f"{joined(real)} {'is' if len(real) == 1 else 'are'} replayed from a recording of the landed days: asked again, "
            "what had landed in the end is sent."
        )
        return breakable(self.settings, SOURCES)

    def _break_deliveries(self, clean: Mapping[str, Source], injections: Sequence[Injection]) -> list[Quarantined]:
        """Let the touched days land again, broken, and be run; what of the bad rows is in quarantine before anything heals."""
        if not injections:
            return []
        plan = ActivePlan(SEED, tuple(injections))
        rehearse(clean, plan)
        touched = sorted({(one.source, day) for one in injections for day in one.landing_dates()})
        landing_days = sorted({day for _, day in touched})
        simulate(self.driver.engine, landing_days, self.clock())  # they are on time once more
        for source, day in touched:
            redeliver(self.settings, plan, clean[source], day)
        plan.save(self.settings)
        self.driver.admit(landing_days)
        self.driver.judge(landing_days)
        truths = load_truths(self.settings)
        return [quarantined_rows(self.settings, truth) for truth in truths if not truth.is_silent]

    def _incidents(self) -> list[SeenIncident]:
        """Those that were opened since, or came back."""
        truths = load_truths(self.settings)
        real = [one for one in self.driver.incidents.all() if one.state is not State.FALSE_ALARM]
        found = [(one, opened_at(one, self.known.get(one.id, 0))) for one in real]
        return [self._seen(one, at, truths) for one, at in found if at is not None]

    def _seen(self, one: Incident, opened: datetime, truths: Sequence[Truth]) -> SeenIncident:
        known, recovered = self.known.get(one.id, 0), one.state in HEALED
        own = [truth for truth in truths if set(truth.landing_dates) & set(one.partitions)] or truths
        injected_at = min((truth.injected_at for truth in own if truth.injected_at is not None), default=None)
        why = None if recovered else obstacle(self.settings, self.driver.engine, one, self.clock())
        return SeenIncident(
            id=one.id,
            failure_class=one.failure_class,
            severity=one.severity,
            detected_seconds=seconds_between(injected_at, opened),
            attempts=actions_begun(one, known),
            recovered=recovered,
            recovered_seconds=seconds_to_recover(one, known),
            state=one.state.value if why is None else f"{one.state.value}: {why}",
        )

    def _observed(self, quarantined: Sequence[Quarantined]) -> Observed:
        marts = comparable_marts(ensure_manifest())
        names, current = [one.name for one in marts], self.settings.published / CURRENT
        unequal = [one.name for one in compare_tables(names, current, self.clone.published) if not one.equal]
        fresh = [
            self.settings.published / one.version
            for one in publications(self.settings)
            if one.version not in self.versions
        ]
        wrong = [] if self._is_aside(quarantined) else differences(fresh, self.clone.published, marts)
        return Observed(
            incidents=self.report.incidents,
            shown_wrong=[str(one) for one in wrong],
            unequal={name: missing_rows(self.clone.published, current, name) for name in unequal},
            compared=len(names),
            steady=self._steady(),
            drills={one.drill.value: one.missed for one in self.report.drills},
        )

    def _is_aside(self, quarantined: Sequence[Quarantined]) -> bool:
        """Whether all that may differ is that bad rows are in quarantine: numbers were incomplete, and none was wrong. What a
        control changes is right.
        """
        injections = self.report.injections
        aside = all(one.true_rows and one.hit_rows == one.true_rows for one in quarantined)
        return aside and bool(injections) and not any(map(_is_live, injections))


def _is_live(injection: Injection) -> bool:
    return fault_named(injection.fault).stage is not Stage.LANDING


def _classes(experiment: Experiment) -> Collection[str]:
    """The failure classes by which the incident may be known: as the file says, else as the catalogue says of the faults."""
    said = experiment.expect.failure_class
    if said is not None:
        return () if said == NO_CLASS else (said,)
    faults = [fault_named(step.fault or "") for step in experiment.faults]
    return {
        name for one in faults if one.expected_class is not None for name in (one.expected_class, *one.also_known_as)
    }
