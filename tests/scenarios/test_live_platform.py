"""The running platform beyond what a campaign hits: other kinds of each fault, and what happens between an injection and
the next audit. Healed by the policy alone, without anybody's approval; equal to the oracle in the end, row for row."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date

import duckdb
import pytest

from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.checks.run_monitor import monitor_runs
from reliability_platform.clock import utc_now
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.model import ENDED, Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.faults.catalogue import CATALOGUE
from reliability_platform.lab.faults.fault import Stage
from reliability_platform.lab.faults.plan import Injection
from reliability_platform.lab.faults.targets import checks_named
from reliability_platform.lab.faults.truth import Truth, load_truths
from reliability_platform.lab.oracle import build_oracle
from reliability_platform.lab.scorecard.live_fault import live_fault
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.remediation.due import may_act
from reliability_platform.remediation.heal import act, reruns_of, verify
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.comparison import compare_tables
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.publication import CURRENT
from tests.ground import Platform, day

KINDS = (
    ("downstream_metric_mismatch", "small"),
    ("accidental_delete", "large"),
    ("silent_transform_bug", "small"),
    ("warehouse_write_failure", "small"),
    ("warehouse_write_failure", "large"),
    ("unsafe_backfill_overlap", "large"),
    ("upstream_rate_limited", "large"),
)
"""Those that differ in kind from the medium size, or are hardest to see."""
ONCE_MORE = (
    ("silent_transform_bug", "small"),
    ("accidental_delete", "large"),
    ("warehouse_write_failure", "small"),
    ("warehouse_write_failure", "large"),
    ("unsafe_backfill_overlap", "large"),
    ("upstream_rate_limited", "large"),
)
"""In `make test` the demo injects the second in another size. That a layer that was changed is noticed, a run that dies is
told, builds which overlap are refused, and what a source that limits its clients is asked, is seen in `test_as_built.py`,
`test_failed_runs.py`, `test_backfill_guard.py` and `test_source_over_http.py`.
"""
LAST = 5
INJECTED = day(4)
HEALING_ROUNDS = 3


class Live(Platform):
    """A platform with what the sensors do."""

    seen = 0

    def fresh_results(self) -> list[CheckResult]:
        """What was recorded since the last call, and what the incident sensor makes of it."""
        monitor_runs(self.settings, self.engine, utc_now())
        fresh = self.checks.after(self.seen, 1_000_000)
        observe(self.engine, fresh, utc_now())
        self.seen = fresh[-1][0] if fresh else self.seen
        return [result for _, result in fresh]

    def respond(self, stage: Stage, injected: date) -> None:
        """What the platform does by itself after an injection."""
        self.settings = load_settings(self.settings.home)  # another version of the models may be deployed
        if stage in (Stage.TRANSFORM, Stage.SOURCE):
            self.admit(injected, injected)
            self.check(injected, injected, self.build(injected, injected))
        if stage is not Stage.RUN:
            self.publish()

    def heal(self) -> None:
        """What the remediation sensor does, without anybody's approval."""
        self.settings = load_settings(self.settings.home).model_copy(update={"attended": True})
        store = IncidentStore(self.engine)
        for _ in range(HEALING_ROUNDS):
            reruns: set[date] = set()
            for incident in self.open():
                if may_act(self.settings, self.engine, incident, utc_now()):
                    act(self.settings, self.engine, incident.id, utc_now(), "test")
                reruns |= {one for _, one in reruns_of(store.get(incident.id))}
            if reruns:
                first, last = min(reruns), max(reruns)
                self.admit(first, last)
                self.check(first, last, self.build(first, last))
                self.publish()
            self.fresh_results()
            for incident in store.all():
                if incident.state is State.RECOVERING:
                    verify(self.settings, self.engine, incident.id, utc_now(), "test")

    def open(self) -> list[Incident]:
        """Incidents that have not ended."""
        return [one for one in IncidentStore(self.engine).all() if one.state not in ENDED]

    def consumers_see(self) -> dict[str, list[tuple[object, ...]]]:
        """Every published row."""
        current = self.settings.published / CURRENT
        return {
            mart.name: duckdb.sql(f"from read_parquet('{current / mart.name}/*.parquet') order by all").fetchall()
            for mart in marts(ensure_manifest())
        }

    def differences(self) -> list[str]:
        """Published tables that differ from those of an oracle, which is built once all days have landed."""
        if not self.settings.oracle.exists():
            build_oracle(self.settings, landed_partitions(self.settings))
        names = [mart.name for mart in marts(ensure_manifest())]
        there = self.settings.oracle / "published" / CURRENT
        return [one.name for one in compare_tables(names, self.settings.published / CURRENT, there) if not one.equal]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A clean platform that is hit again and again; each test leaves it healed. What it publishes before the first injection
    is what a run without the failure gives; with the last day that lands it is compared with an oracle as well.
    """
    made = Live(tmp_path_factory.mktemp("live") / "home")
    assert made.run(day(1), day(LAST)).held == {}
    assert not [one for one in made.fresh_results() if one.status is CheckStatus.FAILED]
    yield made


@contextmanager
def injection(made: Live, name: str, magnitude: str) -> Iterator[Truth]:
    """Inject a fault, and read the truth as the scorecard would."""
    fault = CATALOGUE[name]
    source = fault.applies_to[0]
    with live_fault(made.settings, 7, Injection(name, source, INJECTED, magnitude)):
        [truth] = [one for one in load_truths(made.settings) if (one.fault, one.source) == (name, source)]
        yield truth


def failed(results: Sequence[CheckResult]) -> dict[str, set[date]]:
    """Failed checks and their days."""
    found: dict[str, set[date]] = {}
    for result in results:
        if result.status is CheckStatus.FAILED:
            found.setdefault(result.check, set()).add(result.partition)
    return found


@pytest.mark.parametrize(
    ("name", "size"),
    [pytest.param(*kind, marks=[pytest.mark.exhaustive] if kind in ONCE_MORE else []) for kind in KINDS],
)
def test_injected_noticed_contained_healed(live: Live, name: str, size: str) -> None:
    """From the injection to the proof."""
    fault = CATALOGUE[name]
    before = live.consumers_see()
    known = {one.id: len(one.timeline) for one in IncidentStore(live.engine).all()}
    with injection(live, name, size) as truth:
        live.respond(fault.stage, INJECTED)
        found = failed(live.fresh_results())
        signature = checks_named(fault.signature, truth.source, None)
        symptoms = checks_named(fault.symptoms, truth.source, None)
        assert signature <= set(found) <= signature | symptoms
        assert set().union(*found.values()) <= set(truth.landing_dates)
        for check in signature:
            assert INJECTED in found[check]
        fresh = [one for one in IncidentStore(live.engine).all() if len(one.timeline) > known.get(one.id, 0)]
        [incident] = [one for one in fresh if one.state is not State.FALSE_ALARM]
        assert (incident.failure_class, incident.source) == (fault.expected_class, truth.source)
        assert incident.root_dataset == truth.expected_root
        assert incident.severity.value == fault.expected_severity
        assert live.consumers_see() == before
    live.heal()
    assert live.open() == []
    assert live.consumers_see() == before


@pytest.mark.exhaustive  # 20 s; test_as_built holds it for each layer
def test_the_run_of_another_day_publishes_nothing_that_was_altered_since_its_audit(live: Live) -> None:
    """Day 4 had passed every check; then its gold is altered, and day 6 comes as every day does."""
    before = live.consumers_see()["agg_daily_revenue"]
    with injection(live, "downstream_metric_mismatch", "large"):
        pass
    publication = live.run(day(LAST + 1), day(LAST + 1))
    assert [key for key in publication.held if key.startswith("orders/")] == [f"orders/{INJECTED}"]
    now = live.consumers_see()["agg_daily_revenue"]
    assert now[: len(before)] == before
    assert {row[0] for row in now[len(before) :]} == {day(LAST + 1)}
    live.fresh_results()
    live.heal()
    assert live.open() == []
    assert live.differences() == []


def test_every_measure_of_every_mart_is_reconciled(live: Live) -> None:
    """A number that nothing adds up to can be altered unnoticed."""
    reconciled = set(live.query("select distinct table_name, measure from rec_silver__vs__gold"))
    for mart in marts(ensure_manifest()):
        described = live.query(f"select column_name, column_type from (describe {mart.name})")
        numbers = {str(name) for name, kind in described if "INT" in str(kind) or "DECIMAL" in str(kind)}
        keys = {"customer_id"}
        assert {(mart.name, name) for name in numbers - keys} <= reconciled


@pytest.mark.exhaustive  # 16 s; that a version appears whole or not at all is held by test_publication
def test_a_build_that_dies_while_it_writes_shows_consumers_nothing(live: Live) -> None:
    """Killed after its first commit and before its last one; another run publishes before anybody has noticed."""
    before = live.consumers_see()
    with injection(live, "crash_mid_write", "small"):
        pass
    log = live.settings.warehouse.with_name(f"{live.settings.warehouse.name}.wal")
    assert log.stat().st_size > 0
    live.publish()
    assert live.consumers_see() == before
    assert "dbt_build__ended" in failed(live.fresh_results())
    live.heal()
    assert live.open() == []
    assert live.query("from touched_event_dates") == []
    assert live.differences() == []


def test_a_mart_of_several_sources_cannot_be_emptied_unnoticed(live: Live) -> None:
    """No source owns it alone; its days are held as lost all the same. It is the last test here: nobody heals it."""
    before = live.consumers_see()
    with duckdb.connect(str(live.settings.warehouse)) as connection:
        connection.execute("delete from fct_customer_days")
    live.publish()
    found = failed(live.fresh_results())
    assert any(check.endswith("__no_rows_lost") and len(on) >= LAST for check, on in found.items())
    assert live.consumers_see() == before
