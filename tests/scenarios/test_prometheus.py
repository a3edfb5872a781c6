"""A real Prometheus scrapes a real server, and the rules that ship are read, tried and seen to fire into a real Alertmanager.

Debian has both: `apt-get install prometheus prometheus-alertmanager`. Without them these tests are left out.
"""

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from reliability_platform.clock import utc_now
from reliability_platform.service.access.roles import Role
from reliability_platform.service.access.tokens import ApiTokens
from reliability_platform.service.metrics.declared import METRICS
from reliability_platform.service.metrics.exposition import exposition
from reliability_platform.service.metrics.grafana import PANELS
from reliability_platform.service.metrics.rules import alert_rules, rule_file
from reliability_platform.settings import PROJECT_ROOT, Settings, load_settings
from tests.ground import Platform
from tests.scenarios.test_api_served import serving
from tests.unit.asked_of import lived_with_troubles

PROGRAMS = ("prometheus", "promtool", "prometheus-alertmanager")
pytestmark = pytest.mark.skipif(
    any(shutil.which(one) is None for one in PROGRAMS),
    reason="prometheus, promtool and prometheus-alertmanager are not installed: "
    "apt-get install prometheus prometheus-alertmanager",
)
WAIT_SECONDS = 240

Trial = tuple[dict[str, str], str, dict[str, str]]
"""Series → values in Prometheus' notation, one a minute; at which time to look; the labels of the one alert that fires."""
OLD = "0+0x3000"
TRIALS: dict[str, Trial] = {
    "ReliabilityErrorBudgetBurnFast": (
        {
            'reliability_error_budget_burn_rate{dataset="a",objective="freshness",window_days="3"}': "5x20",
            'reliability_error_budget_burn_rate{dataset="a",objective="freshness",window_days="1"}': "9x20",
            'reliability_error_budget_burn_rate{dataset="b",objective="freshness",window_days="3"}': "5x20",
            'reliability_error_budget_burn_rate{dataset="b",objective="freshness",window_days="1"}': "0x20",
        },
        "10m",
        {"dataset": "a", "objective": "freshness", "window_days": "3"},
    ),
    "ReliabilityErrorBudgetBurnSlow": (
        {
            'reliability_error_budget_burn_rate{dataset="a",objective="freshness",window_days="7"}': "2x20",
            'reliability_error_budget_burn_rate{dataset="a",objective="freshness",window_days="3"}': "2x20",
            'reliability_error_budget_burn_rate{dataset="b",objective="freshness",window_days="7"}': "1.9x20",
            'reliability_error_budget_burn_rate{dataset="b",objective="freshness",window_days="3"}': "9x20",
        },
        "10m",
        {"dataset": "a", "objective": "freshness", "window_days": "7"},
    ),
    "ReliabilityErrorBudgetExhausted": (
        {
            'reliability_error_budget_left_partitions{dataset="a",objective="freshness"}': "-0.5x20",
            'reliability_error_budget_left_partitions{dataset="b",objective="freshness"}': "0x20",
        },
        "10m",
        {"dataset": "a", "objective": "freshness"},
    ),
    "ReliabilityIncidentOpen": (
        {
            'reliability_open_incidents{class="missing_data",severity="P1"}': "1x20",
            'reliability_open_incidents{class="data_loss",severity="P0"}': "0x20",
            'reliability_open_incidents{class="null_spike",severity="P2"}': "7x20",
        },
        "10m",
        {"class": "missing_data"},
    ),
    "ReliabilityNotScraped": ({"up": "1x20"}, "10m", {}),
    "ReliabilityDaemonSilent": (
        {
            'reliability_daemon_heartbeat_timestamp_seconds{daemon="SENSOR"}': OLD,
            'reliability_daemon_heartbeat_timestamp_seconds{daemon="SCHEDULER"}': "0+60x20",
        },
        "10m",
        {"daemon": "SENSOR"},
    ),
    "ReliabilitySensorLate": (
        {'reliability_sensor_late{sensor="a"}': "1x20", 'reliability_sensor_late{sensor="b"}': "0x20"},
        "10m",
        {"sensor": "a"},
    ),
    "ReliabilityScheduleMissed": (
        {'reliability_schedule_missed{schedule="a"}': "1x20", 'reliability_schedule_missed{schedule="b"}': "0x20"},
        "10m",
        {"schedule": "a"},
    ),
    "ReliabilitySnapshotTooOld": (
        {
            'reliability_newest_snapshot_timestamp_seconds{job="on"}': OLD,
            'reliability_in_service{job="on"}': "1x3000",
            'reliability_newest_snapshot_timestamp_seconds{job="off"}': OLD,
            'reliability_in_service{job="off"}': "0x3000",
        },
        "31h",
        {"job": "on"},
    ),
    "ReliabilityNoSnapshot": (
        {
            'reliability_in_service{job="without"}': "1x3000",
            'reliability_in_service{job="with"}': "1x3000",
            'reliability_newest_snapshot_timestamp_seconds{job="with"}': "0+60x3000",
        },
        "31h",
        {"job": "without"},
    ),
    "ReliabilityDeadLettersOld": (
        {'reliability_oldest_dead_letter_timestamp_seconds{source="orders"}': "0+0x20000"},
        "169h",
        {"source": "orders"},
    ),
    "ReliabilityPausedForLong": (
        {
            'reliability_paused_since_timestamp_seconds{kind="source",name="orders",state="paused"}': "0+0x20000",
            'reliability_paused_since_timestamp_seconds{kind="table",name="a",state="withdrawn"}': "600000+0x20000",
        },
        "169h",
        {"kind": "source", "name": "orders", "state": "paused"},
    ),
    "ReliabilityMissedDaysNotRun": (
        {
            'reliability_partitions_missed_while_paused{source="orders"}': "2x3000",
            'reliability_partitions_missed_while_paused{source="payments"}': "2x3000",
            'reliability_paused_since_timestamp_seconds{kind="source",name="payments",state="paused"}': "0x3000",
        },
        "25h",
        {"source": "orders"},
    ),
    "ReliabilityRoomLow": (
        {'reliability_free_room_bytes{place="home"}': "1e8x20", 'reliability_free_room_bytes{place="snapshots"}': "1e10x20"},
        "10m",
        {"place": "home"},
    ),
    "ReliabilityBreakerOpen": (
        {
            'reliability_breaker_state{source="a",state="open"}': "1x30",
            'reliability_breaker_state{source="b",state="open"}': "0x30",
        },
        "20m",
        {"source": "a", "state": "open"},
    ),
    "ReliabilityAlertsUndelivered": ({'reliability_alerts_undelivered{channel="a"}': "2x20"}, "10m", {"channel": "a"}),
    "ReliabilityMetricUnanswered": ({'reliability_unanswered{metric="a"}': "1x30"}, "20m", {"metric": "a"}),
}  # fmt: skip


def promtool(*words: str, **how: Any) -> None:
    """Run it; what it objects to is the failure's message."""
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, **how)
    assert done.returncode == 0, done.stdout + done.stderr


def written(folder: Path, name: str, document: Any) -> Path:
    """A YAML file."""
    path = folder / name
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False))
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path / "home")


def test_promtool_has_nothing_to_say_about_rules_and_dashboard(settings: Settings, tmp_path: Path) -> None:
    promtool("check", "rules", "--lint-fatal", str(written(tmp_path, "rules.yml", rule_file(settings))))
    records = [{"record": f"panel:{place}", "expr": one.expr} for place, one in enumerate(PANELS)]
    panels = {"groups": [{"name": "panels", "rules": records}]}
    promtool("check", "rules", "--lint-fatal", str(written(tmp_path, "panels.yml", panels)))


def test_promtool_has_nothing_to_say_about_the_configuration_of_the_container(tmp_path: Path) -> None:
    content = yaml.safe_load((PROJECT_ROOT / "compose.yaml").read_text())["configs"]["prometheus"]["content"]
    promtool("check", "config", "--syntax-only", str(written(tmp_path, "prometheus.yml", content)))


@pytest.mark.exhaustive  # 18 s
def test_each_rule_fires_for_what_it_is_there_for_and_for_nothing_else(settings: Settings, tmp_path: Path) -> None:
    document = yaml.safe_load(rule_file(settings))
    severities = {rule["alert"]: rule["labels"]["severity"] for rule in document["groups"][0]["rules"]}
    assert severities.keys() == TRIALS.keys(), "each rule is tried"
    for rule in document["groups"][0]["rules"]:
        del rule["annotations"]
    written(tmp_path, "rules.yml", document)
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "alert_rule_test": [
                {
                    "eval_time": at,
                    "alertname": alert,
                    "exp_alerts": [{"exp_labels": {**labels, "severity": severities[alert]}}],
                }
            ],
        }
        for alert, (series, at, labels) in TRIALS.items()
    ]
    trial = written(tmp_path, "trial.yml", {"rule_files": ["rules.yml"], "tests": tests})
    promtool("test", "rules", trial.name, cwd=tmp_path)


def test_promtool_has_nothing_to_say_about_the_metrics(lived: Callable[[Path], Platform], tmp_path: Path) -> None:
    made = lived_with_troubles(lived, tmp_path / "home")
    promtool("check", "metrics", input=exposition(made.settings, made.engine, utc_now(), "*/*")[0].decode())


def free_port() -> int:
    """One that is free now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running(*words: str, log: Path) -> Iterator[None]:
    """A program, until the block ends."""
    with log.open("w") as file:
        process = subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def asked(url: str) -> Any:
    """The answer of Prometheus or Alertmanager; None while it does not answer yet."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.loads(answer.read())
    except OSError:
        return None


def until(what: Callable[[], Any], log: Path) -> Any:
    """What it gives once it gives something."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(1)
    raise AssertionError(log.read_text()[-3000:])


@pytest.mark.exhaustive
def test_a_real_prometheus_scrapes_the_server_and_alerts_a_real_alertmanager(
    lived: Callable[[Path], Platform], tmp_path: Path
) -> None:
    """The rules as they ship: an open incident of P1 comes to Alertmanager, and what fires is what the home says."""
    made = lived_with_troubles(lived, tmp_path / "home")
    token = ApiTokens(made.engine).make("prometheus", Role.VIEWER, "test", utc_now())
    (tmp_path / "token").write_text(token)
    written(tmp_path, "rules.yml", rule_file(made.settings))
    alertmanager, prometheus = (f"127.0.0.1:{free_port()}" for _ in range(2))
    log = tmp_path / "prometheus.log"
    with serving(made.settings.home) as server:
        scraped = {
            "job_name": "reliability",
            "authorization": {"credentials_file": str(tmp_path / "token")},
            "static_configs": [{"targets": [server.url.removeprefix("http://")]}],
        }
        config = {
            "global": {"scrape_interval": "3s", "evaluation_interval": "3s"},
            "rule_files": ["rules.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
            "scrape_configs": [scraped],
        }
        written(tmp_path, "prometheus.yml", config)
        promtool("check", "config", str(tmp_path / "prometheus.yml"))
        written(tmp_path, "alertmanager.yml", {"route": {"receiver": "none"}, "receivers": [{"name": "none"}]})
        with (
            running(
                "prometheus-alertmanager", f"--config.file={tmp_path}/alertmanager.yml",
                f"--storage.path={tmp_path}/alertmanager", f"--web.listen-address={alertmanager}",
                "--cluster.listen-address=", log=tmp_path / "alertmanager.log",
            ),
            running(
                "prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/tsdb",
                f"--web.listen-address={prometheus}", log=log,
            ),
        ):  # fmt: skip

            def query(expression: str) -> list[Any]:
                answer = asked(f"http://{prometheus}/api/v1/query?{urlencode({'query': expression})}")
                return answer["data"]["result"] if answer else []

            assert until(lambda: query('up{job="reliability"} == 1'), log)
            assert [one["value"][1] for one in query("sum(reliability_open_incidents)")] == ["2"]
            metadata = asked(f"http://{prometheus}/api/v1/metadata")["data"]
            for metric in METRICS.values():
                assert metadata[metric.name][0]["type"] == metric.type.value
                assert metadata[metric.name][0]["help"] == metric.help
            for panel in PANELS:
                answer = asked(f"http://{prometheus}/api/v1/query?{urlencode({'query': panel.expr})}")
                assert answer["status"] == "success", panel

            def fired() -> dict[str, Any]:
                alerts = asked(f"http://{alertmanager}/api/v2/alerts") or []
                return {one["labels"]["alertname"]: one for one in alerts}

            incident = until(lambda: fired().get("ReliabilityIncidentOpen"), log)
            assert incident["labels"]["class"] == "missing_data"
            assert incident["annotations"]["summary"] == "1 of missing_data open at P1."
            assert fired().keys() <= {rule.alert for rule in alert_rules(made.settings)}
            assert "ReliabilityNotScraped" not in fired()
            assert "ReliabilityRoomLow" not in fired()
