"""Lines of JSON for whoever collects logs: by the setting alone, with what belongs together as fields."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.log_manager import DagsterLogManager

from reliability_platform import log_lines
from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import utc_now
from reliability_platform.incidents.detection import observe
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.console import console
from reliability_platform.orchestration.partitions import INCIDENT_TAG
from reliability_platform.settings import load_settings
from tests.ground import Platform, day
from tests.unit.failing import result


@pytest.fixture
def as_json(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process told so, and untold again."""
    monkeypatch.setenv("RELIABILITY_LOG_FORMAT", "json")
    log_lines.configure(load_settings())
    log_lines.configure(load_settings())  # whoever asks again gets no second line
    yield
    log_lines._log.handlers.clear()
    log_lines._log.setLevel(0)
    log_lines._log.propagate = True


def _opened(home: Path) -> None:
    engine = operations_engine(load_settings(home))
    checks = CheckStore(engine)
    checks.record([result("stg_orders__missing_customer_id", 2)])
    observe(engine, checks.after(0, 100_000), utc_now())


def lines(text: str) -> list[dict[str, object]]:
    """Each line is one document."""
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.usefixtures("as_json")
def test_an_incident_is_told_with_its_class_runbook_dataset_and_days(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log_lines._log.handlers[:] = [log_lines.json_handler()]  # on the stderr that is read here
    _opened(tmp_path)
    failed, opened, *_ = lines(capsys.readouterr().err)
    assert (failed["event"], failed["check"], failed["class"]) == (
        "check failed", "stg_orders__missing_customer_id", "null_spike",
    )  # fmt: skip
    assert failed["day"] == day(2).isoformat()
    assert opened["event"] == "incident opened"
    assert str(opened["incident"]).startswith("INC-0001-null_spike-orders")
    assert opened["runbook"] == f"reliability incidents runbook {opened['incident']}"
    assert (opened["class"], opened["source"], opened["dataset"]) == ("null_spike", "orders", failed["dataset"])
    assert opened["first_day"] == opened["last_day"] == day(2).isoformat()
    assert opened["severity"] == "P2"
    assert {"at", "level", "logger", "actor", "why"} <= opened.keys()


def test_nothing_is_written_by_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log_lines.configure(load_settings())
    _opened(tmp_path)
    assert capsys.readouterr() == ("", "")


def test_a_command_writes_whole_lines_whatever_texts_hold(lived: Callable[[Path], Platform], tmp_path: Path) -> None:
    """A line break in a reason must not begin a line of somebody else's making."""
    made = lived(tmp_path / "home")
    _opened(made.settings.home)
    done = subprocess.run(
        [sys.executable, "-m", "reliability_platform.cli", "incidents", "note", "INC-0001", "--why", 'a\n{"event": "forged"}',
         "--home", str(made.settings.home)],
        capture_output=True, text=True, check=True, env={**os.environ, "RELIABILITY_LOG_FORMAT": "json"},
    )  # fmt: skip
    [line] = [json.loads(one) for one in done.stderr.splitlines() if one.startswith("{")]
    assert (line["event"], line["why"]) == ("incident note", 'a\n{"event": "forged"}')


def test_what_a_run_says_has_its_run_job_step_incident_and_day(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RELIABILITY_LOG_FORMAT", "json")
    made = dg.build_init_logger_context(logger_config={"log_level": "INFO", "name": "dagster"})
    tags = {INCIDENT_TAG: "INC-0001", "dagster/partition": "2026-01-02"}
    run = dg.DagsterRun(job_name="pipeline", tags=tags)
    log = DagsterLogManager.create(loggers=[console.logger_fn(made)], dagster_run=run).with_tags(step_key="audit")
    log.info("three rows")
    log.debug("every event")
    [line] = lines(capsys.readouterr().err)
    assert [line[name] for name in ("event", "run", "job", "step", "incident", "day")] == [
        "three rows", run.run_id, "pipeline", "audit", "INC-0001", "2026-01-02",
    ]  # fmt: skip
