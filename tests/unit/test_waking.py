"""When a sensor looks before its interval is over: where there is something new, and not otherwise."""

import threading
import time
from pathlib import Path

import dagster as dg

from reliability_platform.checks.store import CheckStore
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.definitions import defs
from reliability_platform.orchestration.home import platform_instance
from reliability_platform.orchestration.waking import WOKEN, Newest, Waker, WokenWait, newest
from reliability_platform.settings import load_settings
from tests.unit.failing import passed


def test_what_is_new_ends_the_wait_and_wakes_each_sensor_once() -> None:
    """A sensor that was woken again by what it had seen would never let the daemon rest."""
    found: list[Newest] = [(1,)]
    waker = Waker(lambda: found[-1])
    waiting = WokenWait(threading.Event(), waker)
    assert not waiting.wait(0.05)
    assert not waker.wakes("incident_sensor", None)
    found.append((2,))
    began = time.monotonic()
    assert not waiting.wait(30.0)
    assert time.monotonic() - began < 5
    assert waker.wakes("incident_sensor", waker.woken_at - 1)
    assert not waker.wakes("incident_sensor", waker.woken_at + 0.001)
    assert not waker.wakes("upkeep_sensor", None)


def test_a_wait_ends_with_the_event_and_goes_on_where_nothing_can_be_read() -> None:
    """The daemon would not end when it is asked to, or stop at a store that is busy."""
    event = threading.Event()
    waiting = WokenWait(event, Waker(lambda: None))
    assert not waiting.wait(0.05)
    threading.Timer(0.1, event.set).start()
    assert waiting.wait(30.0)
    assert waiting.is_set()


def test_results_entries_and_ends_of_runs_are_new(tmp_path: Path) -> None:
    """Each is what a sensor waits for; a heartbeat, which is written into the file of the runs as well, is not."""
    settings = load_settings(tmp_path)
    engine = operations_engine(settings, begin=True)
    assert newest(settings, engine) is None
    with platform_instance(settings) as instance:
        seen = [newest(settings, engine)]
        assert newest(settings, engine) == seen[-1]
        CheckStore(engine).record([passed("bronze_orders__batch_completeness")])
        seen.append(newest(settings, engine))
        run = instance.create_run_for_job(dg.job(name="any")(lambda: None))
        assert newest(settings, engine) == seen[-1]
        instance.report_run_failed(run)
        seen.append(newest(settings, engine))
    assert None not in seen
    assert len(set(seen)) == len(seen)


def test_what_is_woken_are_sensors() -> None:
    """A sensor that was given another name would wait out its interval."""
    assert {sensor.name for sensor in defs.sensors or []} > WOKEN
