"""The daemon says from when to when the schedules of a home are on, and records what nobody has done."""

import socket
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import utc_now
from reliability_platform.day_clock import Service, next_day
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.definitions import defs
from reliability_platform.orchestration.resources import RESOURCES
from reliability_platform.orchestration.schedules import daily_pipeline
from reliability_platform.orchestration.upkeep_sensor import upkeep_sensor
from reliability_platform.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("RELIABILITY_HOME", str(tmp_path))
    monkeypatch.setenv("RELIABILITY_MIN_FREE_ROOM_MEGABYTES", "1000000000")
    return load_settings()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


def tick(instance: dg.DagsterInstance) -> str:
    with dg.build_sensor_context(instance=instance, definitions=defs, resources=RESOURCES) as context:
        said = upkeep_sensor(context)
    assert isinstance(said, dg.SkipReason)
    return str(said.skip_message)


def switched(instance: dg.DagsterInstance, status: InstigatorStatus) -> None:
    """As the UI does when somebody moves the switch of the daily schedule."""
    repository = RemoteRepositoryOrigin(
        InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="reliability_platform.orchestration.definitions")),
        "__repository__",
    )
    origin = RemoteInstigatorOrigin(repository, daily_pipeline.name)
    data = ScheduleInstigatorData(cron_schedule="0 2 * * *")
    state = InstigatorState(origin, InstigatorType.SCHEDULE, status, data)
    (instance.update_instigator_state if instance.all_instigator_state() else instance.add_instigator_state)(state)


def test_a_home_is_in_service_while_the_daemon_runs_its_schedule(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    """From the first tick on; whoever switches the schedule off takes the home out of service."""
    service = Service(operations_engine(settings))
    assert service.since() is None
    assert "MB of room are left" in tick(instance)
    assert service.since() == next_day(utc_now())
    [found] = CheckStore(operations_engine(settings)).latest(checks=["home__room"])
    assert found.status == "failed"
    assert tick(instance) == "Nothing new."
    with socket.socket() as nobody, pytest.MonkeyPatch.context() as set_:
        nobody.bind(("127.0.0.1", 0))
        set_.setenv("RELIABILITY_DEAD_MAN_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}/x")
        assert tick(instance) == "Nothing new.; The dead man's switch did not answer: URLError."
    switched(instance, InstigatorStatus.STOPPED)
    tick(instance)
    assert service.since() is None
    switched(instance, InstigatorStatus.RUNNING)
    tick(instance)
    assert service.since() == next_day(utc_now())
