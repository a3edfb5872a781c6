"""An engine that is not there is said in one line, before anything is built."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from reliability_platform.cli.demo import possible, simulated_demo
from reliability_platform.cli.main import main
from reliability_platform.errors import ExitCode
from reliability_platform.operations import operations_engine
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


@pytest.mark.parametrize(
    "words",
    [
        ("inject", "accidental_delete", "--source", "orders", "--date", "2026-01-01"),
        ("demo", "--days", "3", "--plan", "PLAN"),
    ],
)
def test_a_fault_in_tables_of_duckdb_is_refused_where_they_are_of_spark(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A demo ran five minutes, and ended with an error of the binder."""
    (tmp_path / "plan.yml").write_text(
        "name: one\ninjections:\n  - {fault: accidental_delete, source: orders, day: 2}\n"
    )
    monkeypatch.setenv("RELIABILITY_ENGINE", "spark")
    operations_engine(load_settings(tmp_path / "home"))
    given = [str(tmp_path / "plan.yml") if word == "PLAN" else word for word in words]
    with pytest.raises(SystemExit) as ended:
        main([*given, "--home", str(tmp_path / "home")])
    assert ended.value.code == ExitCode.USAGE
    assert "accidental_delete cannot be injected: it changes tables of DuckDB" in " ".join(
        capsys.readouterr().err.split()
    )


def test_the_demo_of_the_shop_leaves_out_what_spark_has_no_place_for(tmp_path: Path) -> None:
    """And nothing of it where DuckDB builds."""
    settings = load_settings(tmp_path)
    whole = simulated_demo(None, None, 7, None)
    on_spark = possible(settings.model_copy(update={"engine": "spark"}), whole, is_asked=False)
    assert set(on_spark.left_out) == {"accidental_delete", "downstream_metric_mismatch"}
    assert len(on_spark.active.injections) + 2 == len(whole.active.injections)
    assert possible(settings, whole, is_asked=False) == whole
