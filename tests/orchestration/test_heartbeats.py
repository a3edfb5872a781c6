"""Who is at home, as Dagster itself writes it down: daemons, sensors and schedules that are there, late, failing, or switched off."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.types import DaemonHeartbeat as DagsterHeartbeat
from dagster._utils.error import SerializableErrorInfo
from dagster._utils.schedules import reverse_cron_string_iterator

from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.definitions import defs
from reliability_platform.orchestration.home import platform_instance
from reliability_platform.service.queries.cron import last_turn
from reliability_platform.service.queries.health import readiness
from reliability_platform.service.queries.heartbeats import Heartbeats, heartbeats
from reliability_platform.settings import Settings, load_settings

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
_PLACE = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="m")), "__repository__")


class Storage:
    """A home's own Dagster storage, written by Dagster's code."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.settings, self._instance = settings, instance

    def wipe(self) -> None:
        """Forget all that was written."""
        self._instance.wipe_daemon_heartbeats()
        assert self._instance.schedule_storage is not None
        self._instance.schedule_storage.wipe()

    def beat(self, daemon: str, ago: timedelta) -> None:
        """A daemon says that it runs."""
        self._instance.add_daemon_heartbeat(DagsterHeartbeat((NOW - ago).timestamp(), daemon, "one"))

    def sensor(self, name: str, status: TickStatus, ago: timedelta, on: bool = True) -> None:
        """A sensor that began a day ago has a tick."""
        self._add(name, InstigatorType.SENSOR, SensorInstigatorData(min_interval=15), on)
        self._tick(name, InstigatorType.SENSOR, status, NOW - ago)

    def schedule(self, name: str, cron: str, began: timedelta, fired: datetime | None, on: bool = True) -> None:
        """A schedule that began so long ago has fired once, or never."""
        self._add(name, InstigatorType.SCHEDULE, ScheduleInstigatorData(cron, (NOW - began).timestamp()), on)
        if fired is not None:
            self._tick(name, InstigatorType.SCHEDULE, TickStatus.SUCCESS, fired)

    def _add(self, name: str, kind: InstigatorType, data: object, on: bool) -> None:
        status = InstigatorStatus.DECLARED_IN_CODE if on else InstigatorStatus.STOPPED
        self._instance.add_instigator_state(InstigatorState(RemoteInstigatorOrigin(_PLACE, name), kind, status, data))  # type: ignore[arg-type]

    def _tick(self, name: str, kind: InstigatorType, status: TickStatus, at: datetime) -> None:
        [state] = [one for one in self._instance.all_instigator_state() if one.instigator_name == name]
        error = SerializableErrorInfo("no", [], None) if status is TickStatus.FAILURE else None
        more = {"run_ids": [], "run_keys": [], "error": error, "selector_id": state.selector_id}
        self._instance.create_tick(TickData(state.instigator_origin_id, name, kind, status, at.timestamp(), **more))

    def found(self) -> Heartbeats:
        """What the read layer makes of it."""
        return heartbeats(self.settings, NOW)


@pytest.fixture(scope="module")
def _kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    settings = load_settings(tmp_path_factory.mktemp("heartbeats") / "home")
    with platform_instance(settings) as instance:
        yield Storage(settings, instance)


@pytest.fixture
def storage(_kept: Storage) -> Storage:
    """Empty."""
    _kept.wipe()
    return _kept


MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def test_a_home_whose_daemons_beat_is_ready(storage: Storage) -> None:
    """It was looked for in the wrong file, so that no home was ever ready."""
    assert readiness(storage.settings, operations_engine(storage.settings), NOW).status == "degraded"
    storage.beat("SENSOR", MINUTE)
    storage.beat("SCHEDULER", 2 * MINUTE)
    storage.sensor("incident_sensor", TickStatus.SKIPPED, MINUTE)
    storage.schedule("daily_pipeline", "0 2 * * *", 9 * DAY, NOW.replace(hour=2))
    ready = readiness(storage.settings, operations_engine(storage.settings), NOW)
    assert (ready.status, ready.reasons) == ("ready", [])
    assert [one.last_heartbeat for one in ready.daemons] == [NOW - 2 * MINUTE, NOW - MINUTE]
    assert [one.last_tick for one in ready.sensors] == [NOW - MINUTE]


def test_a_daemon_that_has_stopped_is_told_and_no_sensor_beside_it(storage: Storage) -> None:
    storage.beat("SENSOR", 6 * MINUTE)
    storage.beat("SCHEDULER", MINUTE)
    storage.sensor("incident_sensor", TickStatus.SKIPPED, 6 * MINUTE)
    assert storage.found().away == ["The daemon SENSOR has not been heard of since 2026-03-03 11:54 UTC."]
    storage.beat("SCHEDULER", 6 * MINUTE)
    assert storage.found().away == [
        "No daemon has been heard of since 2026-03-03 11:54 UTC: schedules and sensors do nothing."
    ]


def test_a_sensor_that_hangs_or_fails_each_time_has_not_ticked(storage: Storage) -> None:
    storage.beat("SENSOR", MINUTE)
    storage.sensor("hangs", TickStatus.SKIPPED, 6 * MINUTE)
    storage.sensor("fails", TickStatus.FAILURE, MINUTE)
    storage.sensor("looks", TickStatus.SUCCESS, 4 * MINUTE)
    storage.sensor("is_off", TickStatus.SKIPPED, DAY, on=False)
    assert {one.sensor: one.ticks for one in storage.found().sensors} == {"fails": False, "hangs": False, "looks": True}
    assert storage.found().away == [
        "The sensor fails has not ticked yet.",
        "The sensor hangs last ticked at 2026-03-03 11:54 UTC.",
    ]


def test_a_schedule_that_did_not_fire_at_its_turn_is_told(storage: Storage) -> None:
    storage.beat("SCHEDULER", MINUTE)
    turn = NOW.replace(hour=2)
    storage.schedule("fired", "0 2 * * *", 9 * DAY, turn)
    storage.schedule("missed", "0 2 * * *", 9 * DAY, turn - DAY)
    storage.schedule("never", "0 2 * * *", 9 * DAY, None)
    storage.schedule("is_new", "0 2 * * *", timedelta(hours=1), None)
    storage.schedule("just_now", "55 11 * * *", timedelta(hours=1), None)
    storage.schedule("is_off", "0 2 * * *", 9 * DAY, None, on=False)
    storage.schedule("forgotten", "0 6 1 12 *", 400 * DAY, None)
    fired = {one.schedule: one.fired for one in storage.found().schedules}
    assert [name for name, did in fired.items() if not did] == ["missed", "never"]
    assert len(fired) == 6
    assert storage.found().away == [
        f"The schedule {name} did not fire at 2026-03-03 02:00 UTC." for name in ("missed", "never")
    ]


SHIPPED = {str(one.cron_schedule) for one in defs.get_repository_def().schedule_defs}
OTHERS = {"*/7 1-3,22 * * *", "30 4 10 * 1", "0 0 31 * *", "15 6 * 2 0,6"}


@pytest.mark.parametrize("cron", sorted(SHIPPED | OTHERS))
def test_turns_are_those_that_dagster_reckons(cron: str) -> None:
    """Our own reckoning stands for an import of 2 s; it must not miss a turn, nor make one up."""
    for hours in range(0, 24 * 400, 331):
        now = NOW + timedelta(hours=hours, minutes=hours % 60)
        expected = next(reverse_cron_string_iterator(now.timestamp(), cron, "UTC"))
        assert last_turn(cron, now, now - 500 * DAY) == expected.astimezone(UTC), now
