"""What Prometheus scrapes: the numbers are those of the home, the text is what its own parser reads, rules speak of nothing else."""

import json
import re
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as older_format
from sqlalchemy import Engine, func, insert, select
from starlette.testclient import TestClient

from reliability_platform.checks.store import CheckStore
from reliability_platform.cli.main import main
from reliability_platform.clock import utc_now
from reliability_platform.contracts import SOURCES
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.detection import observe
from reliability_platform.operations import operations_engine
from reliability_platform.operations.tables import (
    builds,
    drills,
    failed_runs,
    fetches,
    first_published,
    quarantine_counts,
    row_counts,
)
from reliability_platform.parquet import read_table
from reliability_platform.pauses import Pausable, Pauses, PauseState
from reliability_platform.pipeline.stage_log import RunStage, timed
from reliability_platform.service.access.roles import Role
from reliability_platform.service.access.tokens import ApiTokens
from reliability_platform.service.api.app import create_app
from reliability_platform.service.metrics.declared import METRICS, MetricType
from reliability_platform.service.metrics.exposition import OPENMETRICS, UNANSWERED, exposition
from reliability_platform.service.metrics.grafana import PANELS, dashboard
from reliability_platform.service.metrics.rules import alert_rules, rule_file
from reliability_platform.service.queries import backlogs
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.lease import warehouse_lease
from tests.ground import Platform, day
from tests.postgresql_server import PASSWORD, postgresql_server
from tests.unit.asked_of import REJECTED, lived_with_troubles
from tests.unit.failing import NOW, result

NOT_HERE = {
    "reliability_dataset_lacking_rows", "reliability_fetches", "reliability_fetch_refusals",
    "reliability_newest_snapshot_timestamp_seconds", "reliability_failed_steps",
    "reliability_last_drill_timestamp_seconds", "reliability_daemon_heartbeat_timestamp_seconds", "reliability_steps",
    "reliability_step_retries", "reliability_sensor_tick_timestamp_seconds", "reliability_sensor_late",
    "reliability_schedule_missed", "reliability_incident_mean_time_to_acknowledge_seconds",
    "reliability_incident_mean_time_to_recover_seconds", "reliability_incident_mean_time_to_resolve_seconds",
    "reliability_incident_mean_time_to_detect_seconds", "reliability_paused_since_timestamp_seconds",
    "reliability_stream_lag_records", "reliability_stream_lag_seconds",
}  # fmt: skip
"""What a home without channels, snapshots, drills, endpoints or a daemon cannot answer: it is left out, and not invented."""

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def home(lived: Callable[[Path], Platform], tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Two clean days and troubles; nothing here changes it."""
    return lived_with_troubles(lived, tmp_path_factory.mktemp("metrics") / "home")


def series_of(home: Platform, **settings: object) -> Series:
    """Every sample of the exposition, as Prometheus' own parser reads it."""
    text, media_type = exposition(home.settings.model_copy(update=settings), home.engine, utc_now(), OPENMETRICS)
    assert media_type.startswith("application/openmetrics-text; version=1.0.0")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in openmetrics(text.decode())
        for sample in family.samples
    }


def named(series: Series, name: str, **labels: str) -> list[float]:
    """The values of a metric that has these labels."""
    return [value for (one, has), value in series.items() if one == name and labels.items() <= dict(has).items()]


def test_the_numbers_are_those_of_the_home(home: Platform) -> None:
    found = series_of(home)
    assert sum(named(found, "reliability_open_incidents")) == 2
    assert named(found, "reliability_open_incidents", **{"class": "null_spike"}) == [1]
    assert len(named(found, "reliability_incidents_total")) == len(CLASSES)
    assert named(found, "reliability_dead_letter_rows", source="orders") == [4 * REJECTED]
    assert named(found, "reliability_oldest_dead_letter_timestamp_seconds") == [
        datetime(2026, 1, 2, tzinfo=UTC).timestamp()
    ]
    assert len(named(found, "reliability_held_partitions")) == len(SOURCES)
    assert named(found, "reliability_breaker_state", state="closed") == [1] * len(SOURCES)
    assert named(found, "reliability_builds_total", outcome="succeeded") == [
        home.engine.connect().execute(select(func.count()).where(builds.c.outcome == "succeeded")).scalar_one()
    ]
    for stage in RunStage:
        assert min(named(found, "reliability_stage_runs_total", stage=stage.value)) >= 1, stage
        assert min(named(found, "reliability_stage_last_duration_seconds", stage=stage.value)) >= 0
    assert named(found, UNANSWERED) == []
    assert min(named(found, "reliability_event_to_published_p95_seconds")) >= 0


def test_a_new_result_is_seen_by_the_next_scrape(lived: Callable[[Path], Platform], tmp_path: Path) -> None:
    """Objectives are kept between scrapes: never beyond what they rest on."""
    made, about = lived(tmp_path / "home"), {"dataset": "orders", "objective": "correctness"}
    before = named(series_of(made), "reliability_error_budget_left_partitions", **about)
    assert named(series_of(made), "reliability_error_budget_left_partitions", **about) == before
    made.checks.record([result("stg_orders__missing_customer_id", 2)])
    after = named(series_of(made), "reliability_error_budget_left_partitions", **about)
    assert after == pytest.approx([before[0] - 1])


def test_the_objective_over_runs_stands_beside_the_others(home: Platform) -> None:
    """A rule on burn rates that knows no runs would sleep through a pipeline that dies every day."""
    found, about = series_of(home), {"dataset": "pipeline", "objective": "runs"}
    assert named(found, "reliability_objective_target_ratio", **about) == [0.995]
    assert named(found, "reliability_objective_attained_ratio", **about) == [1.0]
    [allowed] = named(found, "reliability_error_budget_runs", **about)
    assert allowed > 0 and named(found, "reliability_error_budget_left_runs", **about) == [allowed]
    assert set(named(found, "reliability_error_budget_burn_rate", **about)) == {0.0}
    assert named(found, "reliability_error_budget_partitions", **about) == []


def test_each_delivered_row_is_counted_once_by_what_became_of_it(home: Platform) -> None:
    files = list(home.settings.admissions.glob("*/landing_date=2026-*/admissions.parquet"))
    delivered = sum(sum(read_table(path)["delivered_rows"].to_pylist()) for path in files)
    assert sum(named(series_of(home), "reliability_rows")) == delivered > 0


def test_the_table_is_what_is_written_and_what_cannot_be_answered_is_left_out(home: Platform) -> None:
    names = {name for name, _ in series_of(home)}
    assert {metric.series for metric in METRICS.values() if metric.name not in NOT_HERE} == names
    text, media_type = exposition(home.settings, home.engine, utc_now(), "*/*")
    assert media_type.startswith("text/plain")
    families = {family.name: family for family in older_format(text.decode())}
    for metric in METRICS.values():
        family = families[metric.name]
        assert (family.documentation, family.type) == (metric.help, metric.type.value)
        assert metric.name.endswith("_seconds") == (metric.unit == "seconds")
        assert not metric.name.endswith("_total")


def test_labels_that_come_from_data_cannot_forge_a_series(lived: Callable[[Path], Platform], tmp_path: Path) -> None:
    made, hostile = lived(tmp_path / "home"), 'disk"} 1\nreliability_forged{a="\\'
    row = {"job": "j", "stage": "s", "first_day": day(1), "last_day": day(1), "error": "e", "failed_at": utc_now()}
    with made.engine.begin() as connection:
        connection.execute(insert(failed_runs).values(run_id="one", cause=hostile[:40], **row))
    found = series_of(made)
    assert named(found, "reliability_failed_steps_total", cause=hostile[:40]) == [1]
    assert named(found, "reliability_forged") == []
    assert named(found, "reliability_paused_since_timestamp_seconds") == []
    Pauses(made.engine).say(Pausable.TABLE, "agg_daily_revenue", PauseState.WITHDRAWN, "ada", "wrong", NOW)
    paused = named(series_of(made), "reliability_paused_since_timestamp_seconds", kind="table", state="withdrawn")
    assert paused == [NOW.timestamp()]


def test_what_cannot_be_read_costs_only_itself_and_is_said(home: Platform, tmp_path: Path) -> None:
    (tmp_path / "none.yml").write_text("budget_window: no number\n")
    found = series_of(home, slo_file=tmp_path / "none.yml")
    assert named(found, UNANSWERED, metric="reliability_objective_target_ratio") == [1]
    assert named(found, "reliability_objective_target_ratio") == []
    assert sum(named(found, "reliability_open_incidents")) == 2


def test_a_place_of_snapshots_that_is_silent_costs_one_scrape_three_seconds(
    home: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each scrape would wait for a dead object store, and be given up by Prometheus with all that it had."""
    monkeypatch.setattr(backlogs, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:  # it never answers
        elsewhere = f"http://127.0.0.1:{listener.getsockname()[1]}/snapshots"
        assert named(series_of(home, snapshot_url=elsewhere), UNANSWERED) == [1]
        monkeypatch.setattr(backlogs, "ANSWER_SECONDS", 60)
        began = time.monotonic()
        found = series_of(home, snapshot_url=elsewhere)
        assert time.monotonic() - began < 30
    assert named(found, UNANSWERED, metric="reliability_newest_snapshot_timestamp_seconds") == [1]
    assert named(found, "reliability_free_room_bytes", place="home") != []


def test_rules_and_dashboard_speak_of_declared_metrics_and_labels_alone(home: Platform) -> None:
    """A rule about a name that nobody writes never fires."""
    known = {metric.series: set(metric.labels) for metric in METRICS.values()} | {UNANSWERED: {"metric"}}
    rules = yaml.safe_load(rule_file(home.settings))["groups"][0]["rules"]
    panels = json.loads(dashboard())["panels"]
    said = [rule["expr"] for rule in rules] + [panel["targets"][0]["expr"] for panel in panels]
    assert len(said) == len(list(alert_rules(home.settings))) + len(PANELS)
    for expression in said:
        names = re.findall(r"(reliability_\w+)(?:\{([^}]*)\})?", expression)
        assert names, expression
        for name, matchers in names:
            assert name in known, expression
            assert set(re.findall(r"(\w+)\s*[=!]", matchers)) <= known[name], expression
    for rule in rules:
        [name, *_] = re.findall(r"reliability_\w+", rule["expr"])
        assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= known[name], rule
    for name, legend in ((panel["targets"][0]["expr"], panel["targets"][0]["legendFormat"]) for panel in panels):
        labels = {label for one in re.findall(r"reliability_\w+", name) for label in known[one]} | {"what"}
        assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= labels


def test_limits_of_the_rules_are_those_of_the_settings(home: Platform) -> None:
    own = home.settings.model_copy(update={"snapshot_max_age_hours": 5.0, "min_free_room_megabytes": 0})
    rules = {rule.alert: rule for rule in alert_rules(own)}
    assert "> 18000 " in rules["ReliabilitySnapshotTooOld"].expr
    assert "ReliabilityRoomLow" not in rules
    assert 'window_days="3"} >= 4.7 and' in rules["ReliabilityErrorBudgetBurnFast"].expr


def test_a_scrape_shows_the_token_of_a_viewer_once_there_is_any(
    lived: Callable[[Path], Platform], tmp_path: Path
) -> None:
    made = lived(tmp_path / "home")
    app = create_app(made.settings, tokens_needed=False, at_the_machine="ada", faults=())
    client = TestClient(app, base_url="http://127.0.0.1:8000")
    assert client.get("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")
    asked = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}
    assert client.get("/v1/metrics", headers=asked).text.endswith("# EOF\n")
    token = ApiTokens(made.engine).make("prometheus", Role.VIEWER, "test", utc_now(), utc_now() + timedelta(days=1))
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_the_command_prints_them_while_a_build_holds_the_warehouse(
    home: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    with warehouse_lease(home.settings):
        main(["metrics", "--home", str(home.settings.home)])
    assert capsys.readouterr().out.endswith("# EOF\n")
    main(["metrics", "--rules", "--home", str(home.settings.home)])
    assert yaml.safe_load(capsys.readouterr().out)["groups"][0]["name"] == "reliability"
    main(["metrics", "--dashboard", "--home", str(home.settings.home)])
    assert len({panel["id"] for panel in json.loads(capsys.readouterr().out)["panels"]}) == len(PANELS)
    with pytest.raises(SystemExit):
        main(["metrics", "--rules", "--dashboard", "--home", str(home.settings.home)])


def test_counters_are_those_whose_names_prometheus_expects() -> None:
    assert all(metric.series.endswith("_total") == (metric.type is MetricType.COUNTER) for metric in METRICS.values())


@pytest.mark.exhaustive  # 15 s: it starts a server
def test_a_store_in_postgresql_answers_the_same(tmp_path: Path) -> None:
    """Sums are decimals there, and moments have other types."""
    found = []
    with postgresql_server() as server:
        url = f"postgresql+psycopg://owner:{PASSWORD}@127.0.0.1:{server.port}/postgres"
        for place, store in (("embedded", None), ("server", url)):
            settings = load_settings(tmp_path / place).model_copy(update={"operations_url": store})
            engine = operations_engine(settings)
            _fill(engine)
            text, _ = exposition(settings, engine, NOW, OPENMETRICS)
            lines = [line for line in text.decode().splitlines() if "memory" not in line and "room" not in line]
            found.append([line for line in lines if "stage" not in line or "_runs_" in line])
        engine.dispose()
    assert found[0] == found[1]
    assert 'reliability_rows{disposition="accepted",source="orders"} 5.0' in found[1]
    assert not [line for line in found[1] if line.startswith(f"{UNANSWERED}{{")]


def _fill(engine: Engine) -> None:
    """Something for each question that sums or ranks."""
    moments, days = {"began_at": NOW, "ended_at": NOW}, {"first_day": day(1), "last_day": day(1)}
    where = {"landing_date": day(1), "source": "orders"}
    with engine.begin() as connection:
        for table, row in (
            (builds, {**days, **moments, "process": 1, "outcome": "succeeded"}),
            (row_counts, {**where, "disposition": "accepted", "rows": 5}),
            (quarantine_counts, {**where, "batch_id": "b", "reason": "r", "state": "quarantined", "rows": 3}),
            (fetches, {**where, "refusals": 2, "missing": 0, "breaker": "closed", "fetched_at": NOW}),
            (first_published, {"mart": "agg", "event_date": day(1), "version": "v000001", "published_at": NOW}),
            (failed_runs, {**days, "run_id": "r", "job": "j", "stage": "s", "cause": "c", "error": "e", "failed_at": NOW}),
            (drills, {"drill": "table-loss", "began_at": NOW, "rows_lost": 0, "recovery_seconds": 1.0, "met": True, "remark": ""}),
        ):  # fmt: skip
            connection.execute(insert(table).values(**row))
    with timed(engine, lambda: NOW, RunStage.BUILD):
        pass
    checks = CheckStore(engine)
    checks.record([result("stg_orders__missing_customer_id", 1)])
    observe(engine, checks.after(0, 10), NOW)
