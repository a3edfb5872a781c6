"""Faults of a run: killed in the middle, nothing left to write on, doubled. Each with real processes."""

import ctypes
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from multiprocessing.process import BaseProcess

import duckdb
import numpy as np

from reliability_platform.clock import days
from reliability_platform.errors import ExitCode
from reliability_platform.lab.faults.fault import Containment, Fault, LiveInjectionResult, Stage
from reliability_platform.lab.faults.targets import FIRST_OF_ALL
from reliability_platform.lab.faults.transform import VARIABLE, project_copy
from reliability_platform.lab.processes import begin, end_of
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings
from reliability_platform.warehouse.journal import BuildJournal

BUILD = "reliability_platform.warehouse.__main__"
BUILD_SECONDS = 120
PATIENCE_SECONDS = "1"
"""How long a build waits for a stranger who has the warehouse open; the default would make a drill tedious."""
LOCKED, READ_ONLY, FULL = 1, 2, 3
BACKFILL_DAYS = 10
LEAST_ROOM = 1_000_000
MEETINGS = 5
OVERLAP_OF_A_DAY, OVERLAP_OF_DAYS, OLDER_MODELS = 1, 2, 3
CAPABILITIES, CAP_DAC_OVERRIDE = 0x20080522, 1
"""The version of Linux's sets of capabilities, and the number of one of them."""


def _build(
    settings: Settings,
    first: date,
    last: date,
    before: Callable[[], None] | None = None,
    models: str | None = None,
) -> BaseProcess:
    """Start one build of the platform in a process of its own."""
    environment = {**os.environ, "RELIABILITY_STRANGER_TIMEOUT_SECONDS": PATIENCE_SECONDS}
    if models is not None:
        environment[VARIABLE] = models
    words = (str(settings.home), str(first), str(last))
    return begin(BUILD, *words, environment=environment, before=before)


def _writes(process: BaseProcess, settings: Settings) -> bool:
    """Wait until the build has written its first model; False if it ended before.

    What DuckDB commits stands in its write-ahead log until the file is closed.
    """
    deadline = time.monotonic() + BUILD_SECONDS
    log = settings.warehouse.with_name(f"{settings.warehouse.name}.wal")
    while process.exitcode is None and time.monotonic() < deadline:
        try:
            if log.stat().st_size:
                return True
        except FileNotFoundError:
            time.sleep(0.002)
    return False


def _is_at_work(process: BaseProcess, settings: Settings, day: date) -> bool:
    """Wait until the build has begun, by the journal of builds; False if it ended before."""
    journal, deadline = BuildJournal(operations_engine(settings), settings.builds), time.monotonic() + BUILD_SECONDS
    while process.exitcode is None and time.monotonic() < deadline:
        if journal.at_work(day, day) is not None:
            return True
        time.sleep(0.002)
    return False


def _crash_mid_write(
    settings: Settings, source: str, day: date, size: float, rng: np.random.Generator
) -> LiveInjectionResult:
    del source
    delay = float(size * rng.uniform(0.5, 1.0))
    while True:
        process = _build(settings, day, day)
        if _writes(process, settings):
            time.sleep(delay)
        if process.exitcode is None:
            process.kill()
            process.join()
        if process.exitcode == -signal.SIGKILL:
            return LiveInjectionResult([day], [day], [])
        delay /= 2  # it was faster than the shot


def _backfill_begins(settings: Settings, day: date) -> date:
    """The first of at most ten days up to one, none before the first that has landed."""
    landed = min((there for _, there in landed_partitions(settings)), default=day)
    return max(min(landed, day), day - timedelta(days=BACKFILL_DAYS - 1))


def _stranger(settings: Settings) -> duckdb.DuckDBPyConnection:
    """Somebody with a DuckDB shell who asks no lease."""
    return duckdb.connect(str(settings.warehouse))


def _limit_files(size: int) -> None:
    """Let no file of this process grow beyond a size, in bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writes then fail with an error, as on a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _room_left(settings: Settings) -> int:
    """Half of what the warehouse needs; but the journal, on another disk in life, must not run out of room as well."""
    journal = settings.home / "operations.sqlite"
    return max(settings.warehouse.stat().st_size // 2, journal.stat().st_size * 2 if journal.exists() else 0)


def _obey_permissions() -> None:
    """Root may write what is read-only; a process can give that right up for itself, and for the threads that it starts."""
    if sys.platform == "linux" and os.geteuid() == 0:
        libc, header, sets = (
            ctypes.CDLL(None, use_errno=True),
            (ctypes.c_uint32 * 2)(CAPABILITIES, 0),
            (ctypes.c_uint32 * 6)(),
        )
        libc.capget(header, sets)
        sets[0] &= ~(1 << CAP_DAC_OVERRIDE)  # of those that are in force
        if libc.capset(header, sets) != 0:
            raise OSError(ctypes.get_errno(), "the right to write what is read-only cannot be given up")


def _warehouse_write_failure(
    settings: Settings, source: str, day: date, size: float, rng: np.random.Generator
) -> LiveInjectionResult:
    del source, rng
    first = _backfill_begins(settings, day)
    touched = list(days(first, day))
    if int(size) == LOCKED:
        with _stranger(settings):
            end_of(_build(settings, first, day), BUILD_SECONDS)
    elif int(size) == READ_ONLY:
        before = settings.warehouse.stat().st_mode
        settings.warehouse.chmod(0o444)
        end_of(_build(settings, first, day, _obey_permissions), BUILD_SECONDS)
        return LiveInjectionResult(touched, touched, [], lambda: settings.warehouse.chmod(before))
    else:
        room = _room_left(settings)
        # A build may find the room that it needs in holes of the file; then there was still too much of it.
        while (
            end_of(_build(settings, first, day, partial(_limit_files, room)), BUILD_SECONDS) == 0 and room > LEAST_ROOM
        ):
            room //= 2
    return LiveInjectionResult(touched, touched, [])


def _older_models(settings: Settings) -> str:
    """Where a machine that nobody has updated for a while would find its models."""
    copy = project_copy(settings, "outdated")
    project = copy / "dbt_project.yml"
    project.write_text(re.sub(r"(?m)^version: .*$", 'version: "0.0.1"', project.read_text()))
    return str(copy)


def _unsafe_backfill_overlap(
    settings: Settings, source: str, day: date, size: float, rng: np.random.Generator
) -> LiveInjectionResult:
    del source, rng
    first = day if int(size) == OVERLAP_OF_A_DAY else _backfill_begins(settings, day)
    touched = list(days(first, day))
    if int(size) == OLDER_MODELS:
        status = end_of(_build(settings, first, day, models=_older_models(settings)), BUILD_SECONDS)
        if status != ExitCode.USAGE:
            raise RuntimeError(f"a build with older models ended with {status} instead of being refused")
        return LiveInjectionResult(touched, touched, [])
    for _ in range(MEETINGS):
        both = [_build(settings, first, day)]
        _is_at_work(both[0], settings, day)  # begun at once, now the one would be refused and now the other
        both.append(_build(settings, day, day))
        if ExitCode.BUSY in [end_of(one, BUILD_SECONDS) for one in both]:
            return LiveInjectionResult(touched, touched, [])
    raise RuntimeError(f"two builds of the same days did not meet in {MEETINGS} attempts")


RUN_FAULTS = (
    Fault(
        name="crash_mid_write",
        family="pipeline",
        description="The process of a build is killed while it writes.",
        target=FIRST_OF_ALL,
        magnitudes={"small": 0.1, "medium": 0.6, "large": 1.5},
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
        description="The warehouse cannot be written: locked by a stranger, read-only, or the disk is full.",
        target=FIRST_OF_ALL,
        magnitudes={"small": LOCKED, "medium": READ_ONLY, "large": FULL},
        magnitude_meaning="1: locked by another program; 2: read-only; 3: no room on the disk (a quota of the process)",
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
        description="A backfill is started over days that another one is building, or with models of an older version.",
        target=FIRST_OF_ALL,
        magnitudes={"small": OVERLAP_OF_A_DAY, "medium": OVERLAP_OF_DAYS, "large": OLDER_MODELS},
        magnitude_meaning="1: two want the same day; 2: one wants the last of another's ten days; 3: older models",
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
