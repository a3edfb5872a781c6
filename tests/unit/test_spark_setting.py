"""An engine that is not there is said in one line, before anything is built."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from reliability_platform.cli.main import main
from reliability_platform.settings import load_settings


@pytest.mark.skipif(find_spec("pyspark") is not None, reason="Spark is installed")
def test_spark_that_is_not_installed_is_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RELIABILITY_ENGINE", "spark")
    with pytest.raises(SystemExit) as ended:
        main(["run", "--from", "2026-01-01", "--to", "2026-01-01", "--home", str(tmp_path / "home")])
    assert ended.value.code
    assert 'pip install "reliability-platform[spark]"' in capsys.readouterr().err


@pytest.mark.parametrize(("name", "value"), [("ENGINE", "flink"), ("SPARK_SCHEMA", "a; drop schema b")])
def test_a_name_that_is_none_is_refused(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"RELIABILITY_{name}", value)
    with pytest.raises(SystemExit):
        main(["doctor", "--home", str(tmp_path / "home")])
    assert f"RELIABILITY_{name}" in capsys.readouterr().err


def test_what_is_made_to_be_thrown_away_is_built_by_duckdb(tmp_path: Path) -> None:
    settings = load_settings(tmp_path).model_copy(update={"engine": "spark"})
    assert settings.apart(tmp_path / "oracle").engine == "duckdb"
