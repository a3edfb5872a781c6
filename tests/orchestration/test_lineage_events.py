"""What the assets tell OpenLineage of their work, in real runs of Dagster, dbt and the checks."""

import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from reliability_platform.contracts import SOURCES
from reliability_platform.incidents.detection import observe
from reliability_platform.openlineage_events.emitter import event_file, finish
from reliability_platform.openlineage_events.specification import Specification
from reliability_platform.orchestration.bronze_assets import bronze_assets
from reliability_platform.orchestration.definitions import defs
from reliability_platform.orchestration.landing_assets import landing_assets
from reliability_platform.orchestration.lineage_events import BACKFILL
from reliability_platform.orchestration.local import QUIET
from reliability_platform.orchestration.partitions import range_tags
from reliability_platform.orchestration.resources import RESOURCES
from reliability_platform.parquet import read_table
from reliability_platform.settings import DBT_PROJECT, Settings, load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import read_manifest
from reliability_platform.warehouse.publication import CURRENT
from tests.ground import Platform, day
from tests.unit.failing import NOW, Numbers, result
from tests.unit.lineage_made import endpoint

MODELS = {
    node["name"] for node in read_manifest(ensure_manifest())["nodes"].values() if node["resource_type"] == "model"
}
JOBS = {f"{layer}.{source}" for layer in ("landing", "bronze") for source in SOURCES}
JOBS |= {f"dbt.{model}" for model in MODELS} | {"checks.audit", "publish.tables"}


def events_of(settings: Settings) -> list[dict[str, Any]]:
    """All events of a home, each of them valid."""
    found = [event for _, event in event_file(settings).lines() if event is not None]
    problems = [problem for event in found for problem in Specification.of_the_client().problems(event)]
    assert problems == []
    return found


def states_of(events: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Job → its states, in order."""
    states: dict[str, list[str]] = {}
    for event in events:
        states.setdefault(event["job"]["name"], []).append(event["eventType"])
    return states


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Platform, str, list[dict[str, Any]]]]:
    """A home after one run of the pipeline over two landing days, the run's id, its events."""
    with pytest.MonkeyPatch.context() as patch, dg.instance_for_test() as instance:
        made = Platform(tmp_path_factory.mktemp("lineage") / "home", events_per_day=400)
        patch.setenv("RELIABILITY_HOME", str(made.settings.home))
        done = defs.resolve_job_def("pipeline").execute_in_process(
            instance=instance, tags=range_tags(day(1), day(2)), run_config=QUIET
        )
        yield made, done.run_id, events_of(made.settings)


Ran = tuple[Platform, str, list[dict[str, Any]]]


def _completed(events: list[dict[str, Any]], job: str) -> dict[str, Any]:
    [found] = [one for one in events if one["job"]["name"] == job and one["eventType"] == "COMPLETE"]
    return found


@pytest.mark.exhaustive  # of one run with dbt, 25 s; events as such are held by test_openlineage_events
def test_every_job_of_a_run_begins_and_completes(ran: Ran) -> None:
    """A START without an end, or a job that nobody hears of, is a gap in the lineage."""
    _, run_id, events = ran
    assert states_of(events) == {job: ["START", "COMPLETE"] for job in JOBS}
    for job in JOBS:
        assert len({one["run"]["runId"] for one in events if one["job"]["name"] == job}) == 1
    for event in events:
        facets = event["run"]["facets"]
        assert (facets["parent"]["run"]["runId"], facets["parent"]["job"]["name"]) == (run_id, "pipeline")
        assert facets["nominalTime"]["nominalStartTime"] == f"{day(1)}T00:00:00Z"
        assert facets["nominalTime"]["nominalEndTime"] == f"{day(3)}T00:00:00Z"


@pytest.mark.exhaustive
def test_rows_and_columns_are_those_of_the_data(ran: Ran) -> None:
    """What was landed, admitted and built, counted there and here."""
    made, _, events = ran
    [(rows,)] = made.query("select count(*) from stg_web_events")
    [(nulls,)] = made.query("select count(*) - count(customer_id) from stg_web_events")
    for job in ("landing.web_events", "bronze.web_events", "dbt.stg_web_events"):
        [output] = _completed(events, job)["outputs"]
        assert output["outputFacets"]["outputStatistics"]["rowCount"] == rows, job
    published = {one["name"]: one["outputFacets"] for one in _completed(events, "publish.tables")["outputs"]}
    shown = read_table(made.settings.published / CURRENT / "agg_daily_revenue" / "2026-01.parquet").num_rows
    assert published["published/agg_daily_revenue"]["outputStatistics"]["rowCount"] == shown > 0
    [read] = _completed(events, "bronze.web_events")["inputs"]
    assert read["inputFacets"]["dataQualityMetrics"]["rowCount"] == rows
    [output] = _completed(events, "dbt.stg_web_events")["outputs"]
    columns = {one["name"]: one for one in output["facets"]["schema"]["fields"]}
    assert columns["event_time"]["type"] == "TIMESTAMP"
    assert "Codes of all reasons" in columns["reject_reasons"]["description"]
    judged = {one["name"]: one["inputFacets"] for one in _completed(events, "checks.audit")["inputs"]}
    metrics = judged["bronze/web_events"]["dataQualityMetrics"]
    assert (metrics["rowCount"], metrics["columnMetrics"]["customer_id"]["nullCount"]) == (rows, nulls)
    assert nulls  # visitors who are not signed in


@pytest.mark.exhaustive
def test_datasets_are_connected_from_landing_to_what_is_published(ran: Ran) -> None:
    """A receiver draws the graph from inputs and outputs alone."""
    _, _, events = ran
    writes = {output["name"]: event for event in events for output in event["outputs"]}
    seen: set[str] = set()
    queue = ["published/agg_daily_revenue"]
    while queue:
        name = queue.pop()
        seen.add(name)
        queue += [one["name"] for one in writes[name]["inputs"] if one["name"] in writes] if name in writes else []
    assert seen >= {"landing/orders", "bronze/orders", "stg_orders", "int_orders__deduplicated", "dim_merchants"}
    assert {"agg_daily_revenue", "audit/results"} <= seen


@pytest.mark.exhaustive
def test_columns_come_from_columns(ran: Ran) -> None:
    """An amount of staging is that of bronze, and every model says where its columns come from."""
    _, _, events = ran
    completed = _completed(events, "dbt.stg_orders")
    [output] = completed["outputs"]
    columns = output["facets"]["columnLineage"]["fields"]
    assert set(columns) <= {one["name"] for one in output["facets"]["schema"]["fields"]}
    sources = {(one["name"], one["field"]): one["transformations"] for one in columns["amount"]["inputFields"]}
    assert [one["type"] for one in sources["bronze/orders", "amount"]] == ["DIRECT"]
    assert {name for name, _ in sources} <= {one["name"] for one in completed["inputs"]}
    traced = {
        event["job"]["name"] for event in events for output in event["outputs"] if "columnLineage" in output["facets"]
    }
    assert traced == {f"dbt.{model}" for model in MODELS}


@pytest.mark.exhaustive
def test_assertions_are_the_results_of_the_store(ran: Ran) -> None:
    """Each evaluated check, under its own name, on its own dataset."""
    made, _, events = ran
    said = {
        one["name"]: one["success"]
        for dataset in _completed(events, "checks.audit")["inputs"]
        for one in dataset["inputFacets"].get("dataQualityAssertions", {}).get("assertions", [])
    }
    results: dict[str, set[str]] = {}
    for one in made.checks.latest():
        if not one.check.startswith("dbt_build__"):
            results.setdefault(one.check, set()).add(one.status.value)
    judged = {check: found - {"not_evaluated"} for check, found in results.items() if found != {"not_evaluated"}}
    assert said == {check: found == {"passed"} for check, found in judged.items()}
    assert len(said) > 100
    assert len(said) < len(results)  # checks against history have none yet


@pytest.mark.exhaustive  # a second run with dbt, 15 s; in `make test` it is landing that breaks
def test_a_broken_model_fails_and_what_needs_it_is_aborted(
    ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dbt goes on with the others; no START is left without an end."""
    made, _, _ = ran
    home = tmp_path / "home"
    shutil.copytree(made.settings.home, home)
    shutil.rmtree(home / "lineage")
    project = tmp_path / "dbt_project"
    shutil.copytree(DBT_PROJECT, project, ignore=shutil.ignore_patterns("logs"))
    (project / "models/marts/agg_daily_funnel.sql").write_text(
        "{{ config(materialized='table', contract={'enforced': false}) }} "
        "select error('no visits of ann@example.com in /var/lib/x.parquet') as event_date\n"
    )
    monkeypatch.setenv("RELIABILITY_HOME", str(home))
    monkeypatch.setenv("RELIABILITY_DBT_PROJECT", str(project))
    with dg.instance_for_test() as instance:
        done = defs.resolve_job_def("pipeline").execute_in_process(
            instance=instance, tags=range_tags(day(1), day(2)), run_config=QUIET, raise_on_error=False
        )
    assert not done.success
    events = events_of(made.settings.model_copy(update={"home": home}))
    expected = {job: ["START", "COMPLETE"] for job in JOBS - {"checks.audit", "publish.tables"}}
    expected |= {"dbt.agg_daily_funnel": ["START", "FAIL"], "dbt.rec_silver__vs__gold": ["START", "ABORT"]}
    assert states_of(events) == expected
    [failed] = [one for one in events if one["eventType"] == "FAIL"]
    message = failed["run"]["facets"]["errorMessage"]["message"]
    assert "Invalid Input Error" in message
    assert "visits" not in message  # an engine's error may quote any value
    assert not re.search(r"ann@|/var/|" + re.escape(str(tmp_path)), message)


def _materialize(assets: list[dg.AssetsDefinition]) -> dg.ExecuteInProcessResult:
    with dg.instance_for_test() as instance:
        return dg.materialize(
            assets,
            instance=instance,
            partition_key=str(day(1)),
            resources=RESOURCES,
            run_config=QUIET,
            raise_on_error=False,
        )


def test_landing_that_breaks_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk or a folder in the way: FAIL with the reason, and without our paths."""
    made = Platform(tmp_path / "home", events_per_day=100)
    monkeypatch.setenv("RELIABILITY_HOME", str(made.settings.home))
    made.settings.landing.mkdir()
    (made.settings.landing / "orders").write_text("in the way")
    assert not _materialize(landing_assets[:1]).success
    started, failed = events_of(made.settings)
    assert (started["eventType"], failed["eventType"], failed["job"]["name"]) == ("START", "FAIL", "landing.orders")
    assert str(tmp_path) not in str(failed)
    assert "Not a directory" in failed["run"]["facets"]["errorMessage"]["message"]


def test_lineage_that_cannot_be_kept_never_stops_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning, and the data are there."""
    made = Platform(tmp_path / "home", events_per_day=100)
    monkeypatch.setenv("RELIABILITY_HOME", str(made.settings.home))
    (made.settings.home / "lineage").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        assert _materialize([*landing_assets, *bronze_assets]).success
    assert sum("OpenLineage event" in record.message for record in caplog.records) == 1


def test_a_run_sends_what_it_tells_to_an_endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a setting, all of it, in the order of the work."""
    made = Platform(tmp_path / "home", events_per_day=100)
    monkeypatch.setenv("RELIABILITY_HOME", str(made.settings.home))
    with endpoint() as server:
        monkeypatch.setenv("RELIABILITY_OPENLINEAGE_URL", server.url)
        monkeypatch.setenv("RELIABILITY_OPENLINEAGE_TIMEOUT_SECONDS", "10")
        assert _materialize([*landing_assets, *bronze_assets]).success
        finish(load_settings())
        assert len(server.received) == 4 * len(SOURCES)
        assert server.jobs()[:2] == [server.jobs()[0]] * 2
    assert not made.settings.lineage_events.exists()


def test_remediation_and_a_backfill_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done about an incident, and that it was part of something larger."""
    made = Platform(tmp_path / "home", events_per_day=100)
    monkeypatch.setenv("RELIABILITY_HOME", str(made.settings.home))
    made.land(day(1), day(1))
    [incident] = observe(made.engine, Numbers()(result("bronze_orders__batch_completeness")), NOW)
    config = {"ops": {"take_action": {"config": {"incident_id": incident}}}}
    with dg.instance_for_test() as instance:
        done = defs.resolve_job_def("remediation").execute_in_process(
            instance=instance, run_config={**QUIET, **config}, tags={BACKFILL: "abcdef"}
        )
    assert done.success
    started, completed = events_of(made.settings)
    assert [one["eventType"] for one in (started, completed)] == ["START", "COMPLETE"]
    assert completed["job"]["name"] == "remediation.missing_data"
    assert [one["name"] for one in completed["inputs"]] == ["bronze/orders"]
    parent = completed["run"]["facets"]["parent"]
    assert parent["run"]["runId"] == done.run_id
    assert parent["root"]["job"]["name"] == "backfill"
