"""Drives a home of the lab as the sensors do, without the orchestrator: delivers, judges, opens incidents, heals.

Every part is the platform's own. Nothing is sent to anybody: only the daemon and `reliability alerts send` send.
"""

from collections.abc import Sequence
from datetime import date
from functools import partial
from uuid import uuid4

from reliability_platform.backfills.decisions import admit_run
from reliability_platform.backfills.guard import Purpose, Request
from reliability_platform.checks.results import CheckResult
from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import days, utc_now
from reliability_platform.contracts import SOURCES
from reliability_platform.errors import PlatformError
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.faults.catalogue import fault_named
from reliability_platform.lab.faults.fault import Stage
from reliability_platform.lab.faults.plan import Injection
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.operations import operations_engine
from reliability_platform.pipeline.run import Step, run_days
from reliability_platform.pipeline.steps import RunContext, admit, land
from reliability_platform.pipeline.ticks import notice, spans_to_run, take_steps, waiting_for_a_person
from reliability_platform.recovery.rehearsal import changes
from reliability_platform.remediation.heal import act
from reliability_platform.settings import Settings, load_settings

MAX_TICKS = 20
"""A home that still moves after so many ticks stays as it is: its incidents are not over."""


class Driver:
    """One home, and what is done in it under the name of `actor`."""

    def __init__(self, settings: Settings, actor: str) -> None:
        self.settings, self.actor = settings, actor
        self.engine = operations_engine(settings)
        self.checks = CheckStore(self.engine)
        self.incidents = IncidentStore(self.engine)

    @property
    def context(self) -> RunContext:
        """Of the runs of this home."""
        return RunContext(self.settings, self.engine, utc_now, self.actor)

    def deliver(self, landing_days: Sequence[date]) -> None:
        """Let all sources deliver some days."""
        for source in SOURCES:
            land(self.context, source, landing_days)

    def admit(self, landing_days: Sequence[date]) -> None:
        """Admit all sources of some days."""
        for source in SOURCES:
            admit(self.context, source, landing_days)

    def judge(self, landing_days: Sequence[date]) -> list[CheckResult]:
        """Build, check and publish days, and let incidents be opened."""
        deployed = load_settings(self.settings.home)  # another version of the models may be
        models = {"dbt_project": deployed.dbt_project, "own_dbt_project": deployed.own_dbt_project}
        self.settings = self.settings.model_copy(update=models)
        return self._run(landing_days, Step.BUILD)

    def audit(self, landing_days: Sequence[date]) -> list[CheckResult]:
        """Check, publish, and let incidents be opened."""
        return self._run(landing_days, Step.AUDIT)

    def _run(self, landing_days: Sequence[date], since: Step) -> list[CheckResult]:
        run = run_days(self.context, landing_days, since=since)
        self.observe()
        return run.results

    def respond(self, injection: Injection) -> list[CheckResult]:
        """What the platform would do by itself after a fault of the running platform: run the day, or audit what it has."""
        match fault_named(injection.fault).stage:
            case Stage.TRANSFORM | Stage.SOURCE:
                self.admit([injection.landing_date])
                return self.judge([injection.landing_date])
            case Stage.RUN:
                self.observe()
                return []
            case _:
                landed = [day for _, day in landed_partitions(self.settings)]
                return self.audit(list(days(min(landed), max(landed))))

    def observe(self) -> None:
        """What the incident sensor does until it has nothing left to read."""
        before, seen = -1, 0
        while before < seen:
            before, (_, seen) = seen, notice(self.settings, self.engine, utc_now)

    def heal(self) -> None:
        """What the demo does: the platform heals what its policy allows, then what waits for a person is approved."""
        self.settle()
        for incident in waiting_for_a_person(self.settings, self.engine, utc_now()):
            self._act(incident, f"{self.actor}, which approves what waits for a person")
        self.settle()

    def settle(self) -> None:
        """What the sensors do until nothing moves any more."""
        for _ in range(MAX_TICKS):
            self.observe()
            steps = take_steps(self.settings, self.engine, utc_now, self.actor)
            for incident in steps.act:
                self._act(incident, self.actor)
            for run in steps.runs:
                again = list(days(*run.days))
                self.ask(again, Purpose.REMEDIATION, asks_source=run.from_the_source)
                if run.from_the_source:
                    self.deliver(again)
                self.admit(again)
                self.judge(again)
            for _, there in steps.arrivals:
                for span in spans_to_run(there):
                    again = list(days(*span))
                    self.admit(again)
                    self.judge(again)
            if not steps.act and not steps.verified and not steps.runs and not steps.arrivals:
                return

    def ask(self, landing_days: Sequence[date], purpose: Purpose, *, asks_source: bool = False) -> None:
        """Ask the guard, as the first step of every run does."""
        first, last = landing_days[0], landing_days[-1]
        request = Request(first, last, purpose, asks_source, utc_now())
        run_id = f"{self.actor}-{uuid4()}"
        admit_run(self.settings, self.engine, request, run_id, partial(changes, self.settings, first, last))

    def _act(self, incident: Incident, actor: str) -> None:
        try:
            act(self.settings, self.engine, incident.id, utc_now(), actor)
        except PlatformError:
            return  # it stands on the timeline, and the incident stays open
