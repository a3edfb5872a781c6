"""What Dagster keeps of a step that fails over a value: not the value, neither in its event log nor in its console."""

import ast
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest

import reliability_platform.orchestration
from reliability_platform.errors import UsageError
from reliability_platform.orchestration.home import platform_instance
from reliability_platform.orchestration.packed_text import unpack
from reliability_platform.orchestration.run_storage import redact_errors
from reliability_platform.settings import load_settings

VALUE = "Zyxander O'Quillfeather"
STEPS = {"asset", "multi_asset", "multi_asset_check", "op", "sensor", "dbt_assets"}


def _convert() -> None:
    """DuckDB quotes what it cannot convert; the next error carries it as its cause."""
    try:
        duckdb.execute("select cast($1 as integer)", [VALUE]).fetchall()
    except duckdb.Error as error:
        raise RuntimeError(f"Could not convert string {error}") from error


@dg.op
@redact_errors
def convert() -> None:
    """Fails at once."""
    _convert()


@dg.op
@redact_errors
def convert_later(context: dg.OpExecutionContext) -> Iterator[dg.Output[int]]:
    """Fails between two results."""
    context.log.info("begun")
    _convert()
    yield dg.Output(1)


@dg.op
@redact_errors
def refuse() -> None:
    """An error of ours, whose words are meant to be read."""
    raise UsageError("There is no partition 4711: choose another.")


def test_an_error_is_kept_without_the_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The chain of causes too; where it happened stays."""
    for name in ("RELIABILITY_HOME", "DAGSTER_HOME"):
        monkeypatch.setenv(name, "")  # put back afterwards
    settings = load_settings(tmp_path)
    with platform_instance(settings) as instance:
        for step in (convert, convert_later, refuse):
            job = dg.GraphDefinition(name=f"job_{step.name}", node_defs=[step]).to_job()
            assert not job.execute_in_process(instance=instance, raise_on_error=False).success
    with sqlite3.connect(settings.dagster_home / "event_log.db") as connection:
        kept = " ".join(unpack(row[0]) for row in connection.execute("select event from event_logs"))
    printed = "".join(path.read_text() for path in settings.dagster_home.rglob("compute_logs/*"))
    printed += "".join(capfd.readouterr())
    for text in (kept, printed):
        assert "Zyxander" not in text
        assert "Quillfeather" not in text
        assert text.count("Could not convert string ") >= 2
        assert "in _convert" in text
        assert "There is no partition 4711: choose another." in text


def test_every_step_and_sensor_lets_errors_out_without_values() -> None:
    """One that forgets it would fill the run storage with what its engine quotes."""
    found = []
    for path in Path(reliability_platform.orchestration.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                names = [ast.unparse(one).split("(")[0].removeprefix("dg.") for one in node.decorator_list]
                if STEPS & set(names):
                    found.append(node.name)
                    assert names[-1] == "redact_errors", f"{path.name}: {node.name}"
    assert len(found) >= 12
