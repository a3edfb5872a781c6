"""Faults of a run: killed in the middle, nothing left to write on, doubled. Each with real processes."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta

import duckdb
import numpy as np
from filelock import FileLock

from reliability_platform.clock import FIRST_DAY, days
from reliability_platform.errors import ExitCode
from reliability_platform.faults.fault import Containment, Fault, LiveStruck, Stage
from reliability_platform.settings import Settings

FILED_UNDER = ("orders",)
"""A build concerns all sources; its incidents are filed under the first."""
BUILD_SECONDS = 120
PATIENCE_SECONDS = "1"
"""How long a build waits for a stranger who has the warehouse open; the default would make a drill tedious."""
LOCKED, FILLING, FULL = 1, 2, 3
BACKFILL_DAYS = 10
LEAST_ROOM = 1_000_000
MEETINGS = 5


def _build(
    settings: Settings, first: date, last: date, before: Callable[[], None] | None = None
) -> subprocess.Popen[bytes]:
    """Start one build of the platform in a process of its own."""
    words = [sys.executable, "-m", "reliability_platform.warehouse", str(settings.home), str(first), str(last)]
    environment = {**os.environ, "RELIABILITY_STRANGER_TIMEOUT_SECONDS": PATIENCE_SECONDS}
    return subprocess.Popen(
        words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=before
    )


def _begun(process: subprocess.Popen[bytes], settings: Settings) -> bool:
    """Wait until the build has the warehouse; False if it ended before."""
    deadline = time.monotonic() + BUILD_SECONDS
    lease = FileLock(settings.lease, timeout=0)
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with lease:
                time.sleep(0.002)
        except TimeoutError:
            return True
        time.sleep(0.01)
    return False


def _crash_mid_write(settings: Settings, source: str, day: date, size: float, rng: np.random.Generator) -> LiveStruck:
    del source
    delay = float(size * rng.uniform(0.5, 1.0))
    while True:
        process = _build(settings, day, day)
        if _begun(process, settings):
            time.sleep(delay)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return LiveStruck([day], [day], [])
        delay /= 2  # it was faster than the shot


def _stranger(settings: Settings) -> duckdb.DuckDBPyConnection:
    """Somebody with a DuckDB shell who asks no lease."""
    return duckdb.connect(str(settings.warehouse))


def _quota(size: int) -> Callable[[], None]:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writes then fail with an error, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def _warehouse_write_failure(
    settings: Settings, source: str, day: date, size: float, rng: np.random.Generator
) -> LiveStruck:
    del source, rng
    first = max(FIRST_DAY, day - timedelta(days=BACKFILL_DAYS - 1))
    if int(size) == LOCKED:
        with _stranger(settings):
            _build(settings, first, day).wait(BUILD_SECONDS)
    else:
        room = int(settings.warehouse.stat().st_size * (0.75 if int(size) == FILLING else 0.5))
        # A build may find the room that it needs in holes of the file; then there was still too much of it.
        while _build(settings, first, day, _quota(room)).wait(BUILD_SECONDS) == 0 and room > LEAST_ROOM:
            room //= 2
    touched = list(days(first, day))
    return LiveStruck(touched, touched, [])


def _unsafe_backfill_overlap(
    settings: Settings, source: str, day: date, size: float, rng: np.random.Generator
) -> LiveStruck:
    del source, rng
    first = max(FIRST_DAY, day - timedelta(days=int(size) - 1))
    touched = list(days(first, day))
    for _ in range(MEETINGS):
        both = [_build(settings, first, day), _build(settings, day, day)]
        if ExitCode.BUSY in [one.wait(BUILD_SECONDS) for one in both]:
            return LiveStruck(touched, touched, [])
    raise RuntimeError(f"two builds of the same days did not meet in {MEETINGS} attempts")


RUN_FAULTS = (
    Fault(
        name="crash_mid_write",
        family="pipeline",
        description="The process of a build is killed while it writes.",
        applies_to=FILED_UNDER,
        magnitudes={"small": 0.2, "medium": 0.6, "large": 1.2},
        magnitude_meaning="seconds at most between its first write and its death",
        expected_class="run_killed",
        expected_severity="P1",
        root="dbt_build",
        signature=("dbt_build__ended",),
        containment=Containment.HELD,
        end_state="re-run, oracle-equal",
        stage=Stage.RUN,
        live=_crash_mid_write,
    ),
    Fault(
        name="warehouse_write_failure",
        family="pipeline",
        description="The warehouse cannot be written: locked by a stranger, or the disk is full.",
        applies_to=FILED_UNDER,
        magnitudes={"small": LOCKED, "medium": FILLING, "large": FULL},
        magnitude_meaning="1: locked by another program; 2: room for three quarters of the file; 3: for half of it",
        expected_class="write_failure",
        expected_severity="P1",
        root="dbt_build",
        signature=("dbt_build__written",),
        containment=Containment.HELD,
        end_state="retried, oracle-equal",
        stage=Stage.RUN,
        live=_warehouse_write_failure,
    ),
    Fault(
        name="unsafe_backfill_overlap",
        family="pipeline",
        description="A second backfill is started over days that one is already building.",
        applies_to=FILED_UNDER,
        magnitudes={"small": 1, "medium": 5, "large": 10},
        magnitude_meaning="days of one backfill; another one, begun at the same moment, wants the last of them",
        expected_class="unsafe_backfill",
        expected_severity="P1",
        root="dbt_build",
        signature=("dbt_build__alone",),
        containment=Containment.HELD,
        end_state="blocked; the first one finishes, oracle-equal",
        stage=Stage.RUN,
        live=_unsafe_backfill_overlap,
    ),
)
