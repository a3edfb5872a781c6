"""A small platform in a home of its own, without an orchestrator: the ground of most tests.

Apart from `conftest`, which the process that only hands tests out loads too: it needs none of this.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb

from reliability_platform.checks.dbt_tests import results_of_dbt
from reliability_platform.checks.evaluate import evaluate
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import utc_now
from reliability_platform.contracts import SOURCES
from reliability_platform.day_clock import simulate
from reliability_platform.lab.faults.plan import ActivePlan, Injection
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.landing.admission import admit
from reliability_platform.landing.reference import refresh_reference
from reliability_platform.operations import operations_engine
from reliability_platform.pipeline import steps
from reliability_platform.pipeline.run import run_days
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.dbt_runner import NodeResult, build
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.publication import Publication

FIRST = date(2026, 1, 1)
EVENTS = 300
"""A day's events of a home that has lived."""


class Platform:
    """A small platform in a temporary home. Every part is the real one; only Dagster is left out."""

    def __init__(
        self, home: Path, *, seed: int = 7, events_per_day: int = 600, injections: Sequence[Injection] = ()
    ) -> None:
        ensure_manifest()
        self.settings: Settings = load_settings(home)
        self.simulation = Simulation(seed, events_per_day)
        self.simulation.save(self.settings)
        self.plan = ActivePlan(seed, tuple(injections))
        self.plan.save(self.settings)
        self.engine = operations_engine(self.settings)
        self.checks = CheckStore(self.engine)
        refresh_reference(self.settings)

    def land(self, first: date, last: date) -> None:
        """Deliver and admit all sources."""
        for source in SOURCES:
            self.deliver(source, *days(first, last))
        self.admit(first, last)

    @property
    def context(self) -> steps.RunContext:
        """Of its runs."""
        return steps.RunContext(self.settings, self.engine, utc_now, "test")

    def deliver(self, source: str, *landing_days: date) -> None:
        """Let one source deliver some days."""
        steps.land(self.context, source, landing_days)

    def admit(self, first: date, last: date) -> None:
        """Admit what has landed; results of before are stale."""
        for day in days(first, last):
            for source in SOURCES:
                admit(self.settings, source, day)
        self.checks.invalidate(SOURCES, list(days(first, last)))

    def build(self, first: date, last: date, **arguments: str) -> list[NodeResult]:
        """Run dbt over landing days; every node must succeed."""
        nodes = build(self.settings, first, last, **arguments)  # type: ignore[arg-type]
        bad = [(node.name, node.message) for node in nodes if node.status in ("error", "fail")]
        assert not bad, bad
        return nodes

    def check(self, first: date, last: date, nodes: Sequence[NodeResult] = ()) -> list[CheckResult]:
        """Evaluate and record all checks."""
        window = list(days(first, last))
        results = evaluate(self.settings, window, utc_now(), "test")
        results += results_of_dbt([vars(node) for node in nodes], window, "test", utc_now())
        self.checks.record(results)
        return results

    def publish(self) -> Publication:
        """Publish what the gate releases."""
        return steps.publish(self.context)

    def run(self, first: date, last: date) -> Publication:
        """Land, admit, build, check, publish; a past that is played, so each day runs by its own clock."""
        simulate(self.engine, days(first, last), utc_now())
        done = run_days(self.context, days(first, last))
        assert done.publication is not None, [
            one.message for one in done.results if one.status is not CheckStatus.PASSED
        ]
        return done.publication

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Rows from the warehouse."""
        with duckdb.connect(str(self.settings.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def gold(self) -> dict[str, list[tuple[object, ...]]]:
        """All rows of every published mart as it stands in gold."""
        return {mart.name: self.query(f"from {mart.name} order by all") for mart in marts(ensure_manifest())}


def days(first: date, last: date) -> list[date]:
    """Both included."""
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]


def day(number: int) -> date:
    """The n-th landing day; 1 is the first."""
    return FIRST + timedelta(days=number - 1)
