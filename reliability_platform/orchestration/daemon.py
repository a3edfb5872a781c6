"""Dagster's daemon: the program that `reliability dev` starts. Its sensors are woken by what is new (`waking.py`)."""

import threading
from typing import Any, cast

import dagster._daemon.controller
import dagster._daemon.sensor
from dagster._core.remote_representation.external import RemoteSensor
from dagster._core.scheduler.instigation import InstigatorState, SensorInstigatorData
from dagster._daemon.cli import run_command
from dagster._daemon.daemon import DaemonIterator, SensorDaemon
from dagster._daemon.sensor import is_under_min_interval

from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.code_socket import wait_for_the_code
from reliability_platform.orchestration.waking import Waker, WokenWait, newest
from reliability_platform.settings import load_settings

READ_AGAIN_SECONDS = 86_400
"""Dagster's daemon reads all that the code server says of the code again each minute, 1.2 s of CPU; here it never changes."""

ROUND_SECONDS = 10
"""Dagster's daemon asks every 5 s which sensors are due, 15 ms of CPU each time. None here is due sooner than after 30 s, and
what is new ends the wait."""


def waker() -> Waker:
    """Of the home that the environment names."""
    settings = load_settings()
    engine = operations_engine(settings)
    return Waker(lambda: newest(settings, engine))


def woken(waker: Waker) -> type[SensorDaemon]:
    """Dagster's daemon of sensors, whose wait between two rounds ends when there is something new."""

    class WokenSensorDaemon(SensorDaemon):
        def core_loop(self, workspace_process_context: Any, shutdown_event: threading.Event) -> DaemonIterator:
            waiting = cast(threading.Event, WokenWait(shutdown_event, waker))
            yield from super().core_loop(workspace_process_context, waiting)

    return WokenSensorDaemon


def is_too_early(waker: Waker, state: InstigatorState, sensor: RemoteSensor, *limits: int | None) -> bool:
    """Whether a sensor need not look yet: its interval is not over, and nothing is new."""
    data = state.instigator_data
    began = data.last_tick_start_timestamp if isinstance(data, SensorInstigatorData) else None
    return not waker.wakes(sensor.name, began) and is_under_min_interval(state, sensor, *limits)


if __name__ == "__main__":
    wait_for_the_code()
    woken_by = waker()
    dagster._daemon.controller.RELOAD_WORKSPACE_INTERVAL = READ_AGAIN_SECONDS
    dagster._daemon.sensor.MIN_INTERVAL_LOOP_TIME = ROUND_SECONDS
    dagster._daemon.controller.SensorDaemon = woken(woken_by)  # type: ignore[attr-defined, misc]
    dagster._daemon.sensor.is_under_min_interval = lambda *asked: is_too_early(woken_by, *asked)
    run_command()
