"""Dagster's home: what a person writes there stays, and its storage may be in a PostgreSQL server, apart for each home."""

import os
from pathlib import Path

import dagster as dg
import pytest
import yaml

from reliability_platform.clock import utc_now
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration import home
from reliability_platform.orchestration.home import IN_THIS_PROCESS, platform_instance, prepare_dagster_home
from reliability_platform.orchestration.run_endings import endings_of
from reliability_platform.orchestration.waking import newest
from reliability_platform.service.queries.dagster_storage import Kept, dagster_rows
from reliability_platform.service.queries.durations import step_counts
from reliability_platform.service.queries.heartbeats import heartbeats
from reliability_platform.settings import Settings, load_settings
from tests.postgresql_server import PASSWORD, PostgresqlServer


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `prepare_dagster_home` sets is undone."""
    for name in ("RELIABILITY_HOME", "DAGSTER_HOME"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a home without Dagster."""
    return load_settings(tmp_path / "home")


def written(settings: Settings) -> str:
    """What stands in the configuration."""
    return (settings.dagster_home / "dagster.yaml").read_text()


def test_a_file_of_the_platform_is_replaced_by_that_of_the_next_release(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings of a release that is gone would stay for good."""
    monkeypatch.setattr(home, "OTHERWISE", home.OTHERWISE.replace("num_workers: 2", "num_workers: 7"))
    prepare_dagster_home(settings)
    assert "num_workers: 7" in written(settings)
    monkeypatch.undo()
    prepare_dagster_home(settings)
    assert "num_workers: 7" not in written(settings)


def test_a_file_that_somebody_has_changed_stays(settings: Settings) -> None:
    """It was overwritten on each start, and with it the storage that a team had configured."""
    prepare_dagster_home(settings)
    mine = written(settings).replace("max_concurrent_runs: 4", "max_concurrent_runs: 2")
    (settings.dagster_home / "dagster.yaml").write_text(mine)
    prepare_dagster_home(settings)
    assert written(settings) == mine
    inside = yaml.safe_load((settings.dagster_home / IN_THIS_PROCESS).read_text())
    assert inside["concurrency"]["runs"]["max_concurrent_runs"] == 2
    assert inside["compute_logs"]["class"] == "NoOpComputeLogManager"
    with platform_instance(settings) as instance:
        assert instance.get_runs_count() == 0


def test_a_file_of_an_earlier_release_is_not_taken_for_somebodys(settings: Settings) -> None:
    """Those did not say whether they had been changed."""
    settings.dagster_home.mkdir(parents=True)
    former = home.IN_FILES.join(
        (
            "# Made by the platform. Nothing leaves this machine.\ntelemetry: {enabled: false}\nnux: {enabled: false}\n",
            "",
        )
    ) + home.OTHERWISE.removeprefix("telemetry: {enabled: false}\nnux: {enabled: false}\n")
    (settings.dagster_home / "dagster.yaml").write_text(former)
    prepare_dagster_home(settings)
    assert written(settings) == home.made_by_us(settings)


def test_a_file_that_is_no_yaml_is_one_line(settings: Settings) -> None:
    """Dagster's own words are a traceback."""
    settings.dagster_home.mkdir(parents=True)
    (settings.dagster_home / "dagster.yaml").write_text("a: [")
    with pytest.raises(EnvironmentUnusableError, match="is no YAML of settings: correct it, or remove it"):
        prepare_dagster_home(settings)


def _ran(settings: Settings) -> str:
    with platform_instance(settings) as instance:

        @dg.op
        def step() -> None:
            pass

        @dg.job
        def any_job() -> None:
            step()

        found = any_job.execute_in_process(instance=instance)
        assert found.success
        assert not list(endings_of(instance)._folder.iterdir())
        return found.run_id


def test_runs_events_and_ticks_of_each_home_are_in_a_schema_of_its_own(
    postgresql_of_the_session: PostgresqlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two homes with one server: each shows and counts its own runs."""
    monkeypatch.setenv("RELIABILITY_DAGSTER_URL", postgresql_of_the_session.url)
    one, other = load_settings(tmp_path / "one"), load_settings(tmp_path / "other")
    assert step_counts(one) is None
    runs = [_ran(settings) for settings in (one, other)]
    for settings, run in zip((one, other), runs, strict=True):
        os.environ["RELIABILITY_HOME"] = str(settings.home)
        with platform_instance(settings) as instance:
            assert [found.run_id for found in instance.get_runs()] == [run]
        assert dagster_rows(settings, Kept.RUNS, "select run_id, status from runs") == [(run, "SUCCESS")]
        counts = step_counts(settings)
        assert counts is not None
        assert counts.started == 1
        assert heartbeats(settings, utc_now()).daemons == []
        assert newest(settings, operations_engine(settings)) is not None
        files = [path.name for path in settings.dagster_home.rglob("*") if path.suffix in (".db", ".sqlite")]
        assert files == []
        assert not [
            path for path in settings.home.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()
        ]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:////tmp/dagster.db", "RELIABILITY_DAGSTER_URL names no PostgreSQL server"),
        ("mysql://me:secret@localhost/db", "RELIABILITY_DAGSTER_URL names a database 'mysql'"),
    ],
)
def test_a_url_that_names_no_server_is_refused(settings: Settings, url: str, says: str) -> None:
    """Before anything of it is made."""
    with pytest.raises(UsageError, match=says), platform_instance(settings.model_copy(update={"dagster_url": url})):
        pass
