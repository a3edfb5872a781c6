"""Actions on real tables: rows put back from a snapshot, an earlier publication, held days, reference data reloaded."""

import os
import shutil
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from reliability_platform.atomic import parquet_bytes
from reliability_platform.checks.dbt_tests import results_of_dbt
from reliability_platform.checks.evaluate import evaluate
from reliability_platform.checks.holds import Holds
from reliability_platform.checks.release import release
from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import utc_now
from reliability_platform.contracts import SOURCES
from reliability_platform.errors import UsageError
from reliability_platform.incidents.detection import Surroundings, observe
from reliability_platform.incidents.impact import consumers
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.faults.plan import ActivePlan, Injection
from reliability_platform.landing.admission import admit
from reliability_platform.landing.reference import load_reference
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.actions import restore
from reliability_platform.remediation.due import obstacle
from reliability_platform.remediation.heal import act, describe, undo, verify
from reliability_platform.settings import Settings
from reliability_platform.sources.source import reference_files
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.dbt_runner import build
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.publication import Publication, current_version, publications
from reliability_platform.warehouse.snapshots.take import take_snapshot
from tests.ground import Platform, day, days
from tests.unit.lived_in import copied_home, state

TABLES = ("agg_daily_revenue", "int_orders__deduplicated", "stg_orders", "fct_customer_days")
FALL_BACK = "fall_back_to_last_good_publication"


@pytest.fixture(scope="module")
def origin(lived: Callable[[Path], Platform], tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Two days, a snapshot, and a third day on which payments came after their deadline: published, for that holds nothing."""
    made = lived(tmp_path_factory.mktemp("origin") / "home")
    made.plan = ActivePlan(7, (Injection("sla_breach", "payments", day(3), "medium"),))
    made.plan.save(made.settings)
    take_snapshot(made.settings, utc_now)
    made.run(day(3), day(3))
    assert current_version(made.settings) == "v000002"
    return made


@pytest.fixture
def home(origin: Platform, tmp_path: Path) -> Settings:
    return copied_home(origin.settings.home, tmp_path / "home")


def rows(settings: Settings) -> list[object]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return [connection.execute(f"from {table} order by all").fetchall() for table in TABLES]


def judge(settings: Settings, window: Sequence[date]) -> dict[str, Incident]:
    """Evaluate all checks on some days; the incidents that follow, by class."""
    engine = operations_engine(settings)
    checks = CheckStore(engine)
    checks.record(evaluate(settings, window, utc_now(), "test"))
    around = Surroundings(settings, lambda: consumers(settings, ensure_manifest()))
    observe(engine, checks.after(0, 100_000), utc_now(), around)
    return {one.failure_class: one for one in IncidentStore(engine).open()}


def run_again(settings: Settings, window: Sequence[date]) -> Publication:
    """What the reprocess job does."""
    checks = CheckStore(operations_engine(settings))
    for one in window:
        for source in SOURCES:
            admit(settings, source, one)
    checks.invalidate(SOURCES, list(window))
    nodes = build(settings, min(window), max(window))
    judge(settings, window)
    checks.record(results_of_dbt([vars(node) for node in nodes], window, "test", utc_now()))
    return release(settings, marts(ensure_manifest()), utc_now(), "test")


def lose(settings: Settings) -> Incident:
    """A DELETE without WHERE on gold and silver, and the audit that finds it."""
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("delete from agg_daily_revenue")
        connection.execute("delete from int_orders__deduplicated")
    return judge(settings, days(day(1), day(3)))["data_loss"]


@pytest.mark.exhaustive  # 20 s; in `make test` the demo and the runbooks restore what a DELETE took
def test_lost_rows_are_put_back_and_what_came_since_is_built_again(home: Settings) -> None:
    """Only the day that the snapshot lacks is run again; the timeline says from where, how many rows, and how long."""
    before, engine = rows(home), operations_engine(home)
    incident = lose(home)
    untouched = state(home.home)
    plan = describe(home, incident)
    assert state(home.home) == untouched
    assert "agg_daily_revenue (" in plan
    assert "int_orders__deduplicated (" in plan
    assert "stg_orders" not in plan
    assert "Run 2026-01-02, 2026-01-03 again" in plan or "Run 2026-01-03 again" in plan
    done = act(home, engine, incident.id, utc_now(), "test")
    assert done.facts["rows_put_back"].keys() == {"agg_daily_revenue", "int_orders__deduplicated"}
    assert day(1) not in done.reruns
    assert day(3) in done.reruns
    assert act(home, engine, incident.id, utc_now(), "test").reruns == done.reruns
    run_again(home, done.reruns)
    observe(engine, CheckStore(engine).after(0, 100_000), utc_now())
    assert verify(home, engine, incident.id, utc_now() + timedelta(seconds=30), "test")
    assert rows(home) == before
    ended = IncidentStore(engine).get(incident.id)
    verified = next(entry for entry in ended.timeline if entry.data.get("to") == "verified")
    assert verified.data["rpo_rows"] == 0
    assert timedelta(seconds=verified.data["rto_seconds"]) == ended.times.time_to_recover
    assert ended.recovered_at == ended.times.recovered
    assert "RPO 0 rows" in verified.why


@pytest.mark.exhaustive
def test_a_restore_that_was_killed_is_taken_up_again_and_leaves_no_day_unjudged(home: Settings) -> None:
    """The rows are back already then; the days that the snapshot lacked must be run all the same."""
    engine = operations_engine(home)
    incident = lose(home)
    engine.dispose()
    child = os.fork()
    if child == 0:
        restore._still_lost = lambda *_: os._exit(9)
        try:
            act(home, operations_engine(home), incident.id, utc_now(), "test")
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    done = act(home, engine, incident.id, utc_now(), "test")
    assert IncidentStore(engine).get(incident.id).attempts == 1
    assert day(3) in done.reruns


@pytest.mark.parametrize(
    "harm", [pytest.param(one, marks=pytest.mark.exhaustive) for one in ("damaged", "none", "of other models")]
)
def test_without_a_usable_snapshot_the_days_are_built_again(home: Settings, harm: str) -> None:
    """A copy that cannot be trusted is none."""
    incident = lose(home)
    match harm:
        case "none":
            shutil.rmtree(home.home / "snapshots")
        case "damaged":
            for path in (home.home / "snapshots" / "objects").rglob("*"):
                if path.is_file():
                    path.write_bytes(b"rust")
        case _:
            project = home.home / "models"
            shutil.copytree(home.dbt_project, project, ignore=shutil.ignore_patterns("target", "logs"))
            declared = project / "dbt_project.yml"
            declared.write_text(declared.read_text().replace('version: "', 'version: "9.'))
            home = home.model_copy(update={"dbt_project": project})
    assert "No usable snapshot" in describe(home, incident)
    done = act(home, operations_engine(home), incident.id, utc_now(), "test")
    assert done.reruns == incident.partitions
    assert done.facts == {"snapshot": None}


def test_consumers_fall_back_to_the_version_that_no_open_incident_condemns(home: Settings) -> None:
    """By a person's choice; it heals nothing, is no attempt, and can be taken back, once."""
    engine, store = operations_engine(home), IncidentStore(operations_engine(home))
    incident = judge(home, [day(3)])["freshness_breach"]
    assert "v000001" in describe(home, incident, FALL_BACK)
    assert current_version(home) == "v000002"
    act(home, engine, incident.id, utc_now(), "Ada", FALL_BACK)
    assert current_version(home) == "v000001"
    assert "nothing would change" in describe(home, incident, FALL_BACK)
    kept = store.get(incident.id)
    assert (kept.attempts, kept.is_open) == (0, True)
    assert [entry.data["phase"] for entry in kept.timeline[-2:]] == ["keeping_safe", "kept_safe"]
    assert undo(home, engine, incident.id, utc_now(), "Ada") == "Consumers read v000002 again."
    assert current_version(home) == "v000002"
    with pytest.raises(UsageError, match="Nothing was done"):
        undo(home, engine, incident.id, utc_now(), "Ada")
    assert store.broken_links() == []


def test_where_every_version_is_condemned_there_is_nothing_to_fall_back_to(home: Settings) -> None:
    """It says what to do instead."""
    incident = judge(home, [day(3)])["freshness_breach"]
    shutil.rmtree(home.published / "v000001")
    with pytest.raises(UsageError, match="hold the days instead"):
        describe(home, incident, FALL_BACK)


def test_an_incident_holds_its_days_and_lets_them_go(home: Settings) -> None:
    """Held whatever the checks say; taken back, only what it had held itself."""
    engine = operations_engine(home)
    incident, holds = judge(home, [day(3)])["freshness_breach"], Holds(engine)
    assert "payments 2026-01-03" in describe(home, incident, "hold")
    act(home, engine, incident.id, utc_now(), "Ada", "hold")
    act(home, engine, incident.id, utc_now(), "Ada", "hold")
    assert holds.standing().keys() == {("payments", day(3))}
    assert "payments/2026-01-03" in release(home, marts(ensure_manifest()), utc_now(), "test").held
    act(home, engine, incident.id, utc_now(), "Ada", "release")
    assert holds.standing() == {}
    undo(home, engine, incident.id, utc_now(), "Ada")
    assert holds.standing().keys() == {("payments", day(3))}
    assert len(publications(home)) == 3


@pytest.mark.exhaustive
def test_reference_data_that_are_outdated_are_reloaded_without_a_person(home: Settings) -> None:
    """Half of the customers are not known yet: their orders are rejected, and right as soon as they are known."""
    before, engine = rows(home), operations_engine(home)
    whole = pq.read_table(home.reference / "customers.parquet")
    half = parquet_bytes(whole.slice(0, whole.num_rows // 2))
    load_reference(home, {**reference_files(home), "customers": half})
    run_again(home, [day(3)])
    [incident] = [
        one
        for one in IncidentStore(engine).open()
        if one.failure_class == "broken_references" and one.source == "orders"
    ]
    assert "Reload customers from the source" in describe(home, incident)
    assert obstacle(home, engine, incident, utc_now()) is None
    done = act(home, engine, incident.id, utc_now(), "test")
    assert (done.reruns, done.facts["reloaded"]) == ([day(3)], ["customers"])
    assert "waits for a person's approval" in (obstacle(home, engine, _as_new(incident), utc_now()) or "")
    run_again(home, done.reruns)
    assert verify(home, engine, incident.id, utc_now(), "test")
    assert rows(home) == before


def _as_new(incident: Incident) -> Incident:
    incident.state = State.CONTAINED
    return incident
