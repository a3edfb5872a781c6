"""The read layer: what it answers is what the home holds, by pages, without the lease and without what takes seconds to import."""

import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import select

from reliability_platform.checks.results import CheckStatus
from reliability_platform.clock import utc_now
from reliability_platform.contracts import SOURCES
from reliability_platform.errors import HomeBusyError, UsageError
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations.tables import quarantine_copies
from reliability_platform.service.queries import (
    checks,
    contracts,
    evidence,
    health,
    impact,
    incidents,
    lineage,
    profiles,
    publications,
    quarantine,
    runs,
    slo,
    sources,
    summary,
)
from reliability_platform.service.queries.answer import Window
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.lease import warehouse_lease
from reliability_platform.warehouse.quarantine_copy import copy_quarantine
from tests.ground import Platform, day
from tests.unit.asked_of import REJECTED, lived_with_troubles


@pytest.fixture(scope="module")
def home(lived: Callable[[Path], Platform], tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Two clean days and troubles; nothing here changes it."""
    return lived_with_troubles(lived, tmp_path_factory.mktemp("asked") / "home")


def test_incidents_come_by_pages_the_newest_first_and_none_twice(home: Platform) -> None:
    whole = incidents.incident_page(home.settings, home.engine, utc_now())
    parts = [
        incidents.incident_page(home.settings, home.engine, utc_now(), window=Window(1, offset))
        for offset in range(whole.total)
    ]
    assert [one.id for part in parts for one in part.items] == [one.id for one in whole.items]
    assert {one.id for one in whole.items} == {one.id for one in IncidentStore(home.engine).all()}
    assert len(whole.items) == 2
    assert [part.next_offset for part in parts] == [1, None]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (incidents.IncidentFilter(source="orders"), 1),
        (incidents.IncidentFilter(only_open=True), 2),
        (incidents.IncidentFilter(state="resolved"), 0),
        (incidents.IncidentFilter(day=day(3)), 1),
        (incidents.IncidentFilter(since=date(2200, 1, 1)), 0),
        (incidents.IncidentFilter(failure_class="null_spike", severity="P2"), 1),
    ],
)
def test_what_is_asked_for_narrows_the_page_and_its_total(
    home: Platform, asked: incidents.IncidentFilter, found: int
) -> None:
    answer = incidents.incident_page(home.settings, home.engine, utc_now(), asked, Window(5))
    assert (answer.total, len(answer.items)) == (found, found)


def test_an_incident_is_found_by_the_beginning_of_its_id_with_its_timeline(home: Platform) -> None:
    one = incidents.incident_detail(home.settings, home.engine, "INC-0001", utc_now())
    assert one.timeline[0].kind == "opened"
    with pytest.raises(UsageError, match="There is no incident 'INC-9'"):
        incidents.incident_detail(home.settings, home.engine, "INC-9", utc_now())


def test_checks_are_counted_in_all_and_told_where_they_object(home: Platform) -> None:
    counts, objecting = checks.check_counts(home.engine), checks.check_page(home.engine)
    latest = home.checks.latest()
    assert counts.failed == sum(one.status is CheckStatus.FAILED for one in latest) == 2
    assert counts.passed + counts.failed + counts.not_evaluated == len(latest)
    assert {one.check for one in objecting.items} == {
        "stg_orders__missing_customer_id",
        "bronze_shipments__batch_completeness",
    }
    everything = checks.CheckFilter(first=day(2), last=day(2), source="orders", only_objections=False)
    assert checks.check_page(home.engine, everything).total == sum(
        (one.source, one.partition) == ("orders", day(2)) for one in latest
    )


def test_rejected_rows_are_those_of_the_warehouse_after_each_audit(platform: Callable[..., Platform]) -> None:
    """A copy that is behind would show an operator what has been replayed, or hide what was rejected since."""
    made = platform()
    with duckdb.connect(str(made.settings.warehouse)) as warehouse:
        warehouse.execute(
            "create table qtn_rows as select 'orders' as source, date '2026-01-01' + (one % 3)::integer as landing_date, "
            "concat('b', one % 2) as batch_id, 'amount_missing' as reject_reasons, 'quarantined' as state "
            "from range(100) as t(one)"
        )
        warehouse.execute("create table built_rows as select distinct landing_date as day from qtn_rows")
    copy_quarantine(made.settings, made.engine, [day(1)], utc_now())
    found = quarantine.row_page(made.engine).items
    assert sum(one.rows for one in found) == 100, "days without a copy are copied with any other"
    with duckdb.connect(str(made.settings.warehouse)) as warehouse:
        warehouse.execute("update qtn_rows set state = 'discarded' where landing_date = date '2026-01-02'")
        warehouse.execute("delete from qtn_rows where landing_date = date '2026-01-01'")
    copy_quarantine(made.settings, made.engine, [day(1), day(2)], utc_now())
    assert quarantine.quarantine_totals(made.settings, made.engine).waiting_rows == 33
    asked = quarantine.QuarantineFilter(state="discarded")
    assert {one.landing_date for one in quarantine.row_page(made.engine, asked).items} == {day(2)}


def test_every_audit_leaves_a_copy_of_the_quarantine(home: Platform) -> None:
    with home.engine.connect() as connection:
        assert set(connection.execute(select(quarantine_copies.c.landing_date)).scalars()) == {day(1), day(2)}
    totals = quarantine.quarantine_totals(home.settings, home.engine)
    assert totals.by_source == {"orders": 4 * REJECTED}
    first = quarantine.row_page(home.engine, window=Window(2))
    assert (first.total, first.next_offset, first.items[0].landing_date) == (4, 2, day(2))


def test_publications_say_what_consumers_read(home: Platform) -> None:
    answer = publications.publication_page(home.settings, Window(10))
    current = publications.publication(home.settings, "current")
    assert [one.version for one in answer.items if one.is_current] == [current.version]
    assert current.rows == sum(table.rows for table in current.tables) > 0
    with pytest.raises(UsageError, match="v999999"):
        publications.publication(home.settings, "v999999")


def test_runs_say_how_they_ended_and_one_without_its_process_was_killed(home: Platform, tmp_path: Path) -> None:
    from reliability_platform.operations import operations_engine
    from reliability_platform.settings import load_settings
    from reliability_platform.warehouse.journal import BuildJournal

    assert runs.last_run(home.settings, home.engine) is not None
    settings = load_settings(tmp_path)
    engine = operations_engine(settings)
    journal = BuildJournal(engine, settings.builds)
    number = journal.begin(day(1), day(2), utc_now())
    assert [one.outcome for one in runs.run_page(settings, engine).items] == ["running"]
    (settings.builds / f"{number}.lock").unlink()  # as after a machine that went down: nobody holds it
    [killed] = runs.run_page(settings, engine, runs.RunFilter(outcome="killed", day=day(2))).items
    assert (killed.outcome, killed.seconds) == ("killed", None)
    assert runs.run_page(settings, engine, runs.RunFilter(outcome="running")).total == 0


def test_the_other_questions_are_answered_of_a_real_home(home: Platform) -> None:
    settings, engine, now, manifest = home.settings, home.engine, utc_now(), ensure_manifest()
    assert [one.source for one in sources.source_standings(settings, engine, now)] == list(SOURCES)
    report = slo.slo_report(settings, engine, now)
    assert report.as_of == day(3)
    assert any(bad.incidents for one in report.objectives for bad in one.bad_days)
    [orders] = [one for one in contracts.data_contracts(engine) if one.source == "orders"]
    assert (orders.judged_on, orders.checks.failed) == (day(2), 1)
    assert any(column.personal for one in contracts.data_contracts(engine) for column in one.columns)
    graph = lineage.lineage_graph(manifest, "bronze_orders")
    assert "published/agg_daily_revenue" in {one.id for one in graph.datasets}
    incident = IncidentStore(engine).get("INC-0001")
    reached = impact.recorded_impact(manifest, incident)
    assert (reached.contained, reached.recovered) == (True, False)
    assert "agg_daily_revenue" in reached.published
    whole = summary.pipeline_summary(settings, engine, now)
    assert sum(whole.open_incidents.values()) == 2
    assert whole.published is not None
    assert evidence.evidence_reports(settings) == []
    with pytest.raises(UsageError, match="reliability scorecard"):
        evidence.evidence_rows(settings, "../operations")
    with pytest.raises(UsageError, match="There is no source 'nothing'"):
        profiles.profile_page(settings, profiles.ProfileFilter("nothing"))
    assert profiles.profile_page(settings, profiles.ProfileFilter("orders"), Window(3)).limit == 3


def test_readiness_says_that_nobody_is_home(home: Platform) -> None:
    ready = health.readiness(home.settings, home.engine, utc_now())
    assert (ready.status, ready.store, ready.daemons) == ("degraded", "ok", [])
    assert "No daemon" in ready.reasons[0]


def test_no_question_waits_for_the_lease(home: Platform) -> None:
    """A build of an hour must not make a wall of screens stand still for an hour."""
    settings, engine, now, manifest = home.settings, home.engine, utc_now(), ensure_manifest()
    impatient = settings.model_copy(update={"lease_timeout_seconds": 0.01})
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from reliability_platform.settings import load_settings;"
            "from reliability_platform.warehouse.lease import warehouse_lease\n"
            "with warehouse_lease(load_settings(Path(sys.argv[1]))): print('held', flush=True); sys.stdin.read()",
            str(settings.home),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(HomeBusyError), warehouse_lease(impatient):
            pass
        incidents.incident_page(impatient, engine, now)
        checks.check_page(engine)
        quarantine.row_page(engine)
        quarantine.quarantine_totals(impatient, engine)
        publications.publication_page(impatient)
        slo.slo_report(impatient, engine, now)
        sources.source_standings(impatient, engine, now)
        runs.run_page(impatient, engine)
        summary.pipeline_summary(impatient, engine, now)
        impact.recorded_impact(manifest, IncidentStore(engine).get("INC-0001"))
        profiles.profile_page(impatient, profiles.ProfileFilter("orders"))
    finally:
        holder.communicate("")


def test_the_read_layer_imports_neither_orchestrator_nor_dbt() -> None:
    """Dagster takes 2 s and dbt 3: an everyday question would take as long as a build of a small day."""
    modules = "answer backlogs checks contracts durations evidence health heartbeats impact incidents lineage profiles publications quarantine runs slo sources summary"
    program = (
        "import importlib, sys\n"
        f"for name in {modules.split()!r}: importlib.import_module(f'reliability_platform.service.queries.{{name}}')\n"
        "print(*[one for one in ('dagster', 'dbt', 'pandas', 'soda', 'fastapi', 'networkx') if one in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


LOOKED = {
    "an incident": (
        "from reliability_platform.remediation import documents\n"
        "from reliability_platform.remediation.actions import action_named\n"
        "from reliability_platform.settings import load_settings\n"
        "from reliability_platform.sources.source import can_be_asked\n"
        "action_named('re_request_batches'), can_be_asked(load_settings(), 'orders')\n",
        "pandas pyarrow numpy duckdb networkx soda fsspec urllib3 pydantic_settings reliability_platform.lab.faults",
    ),
    "incidents": (
        "from reliability_platform.cli.incidents.look import list_incidents\n"
        "from reliability_platform.incidents import below_limit\n",
        "pandas pyarrow numpy duckdb networkx soda fsspec urllib3 pydantic_settings reliability_platform.checks.catalogue",
    ),
    "objectives": (
        "from reliability_platform.cli.slo import slo\nfrom reliability_platform.service.queries.slo import slo_status\n",
        "pandas pyarrow numpy duckdb networkx soda fsspec urllib3 pydantic_settings reliability_platform.lab",
    ),
}


@pytest.mark.parametrize("what", LOOKED)
def test_who_looks_imports_no_more_than_that(what: str) -> None:
    """All actions, Arrow, DuckDB, networkx and the lab took two thirds of the 2 s of CPU of `incidents show`, numpy a tenth
    of `slo`.
    """
    program, heavy = LOOKED[what]
    program += f"import sys\nprint(*[one for one in {heavy.split()} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
