"""Dagster's home folder inside the platform's: made once, the same for the command line and for `make dev`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reliability_platform.atomic import write_atomically
from reliability_platform.operations import unusable_folder
from reliability_platform.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

DAGSTER_YAML = """\
# Made by the platform. Nothing leaves this machine.
telemetry: {enabled: false}
nux: {enabled: false}
run_storage:
  module: reliability_platform.orchestration.run_endings
  class: WordLeavingSqliteRunStorage
  config: {base_dir: {env: DAGSTER_HOME}}
event_log_storage:
  module: reliability_platform.orchestration.event_log
  class: PooledSqliteEventLogStorage
  config: {base_dir: {env: DAGSTER_HOME}}
schedule_storage:
  module: reliability_platform.orchestration.tick_storage
  class: PooledSqliteScheduleStorage
  config: {base_dir: {env: DAGSTER_HOME}}
# Every event of every step is a DEBUG line; the pages of a run show them.
python_logs: {python_log_level: INFO}
# Nothing here has a condition or a freshness policy that these two would look at twice a minute.
auto_materialize: {enabled: false, use_sensors: false}
freshness: {enabled: false}
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config: {dequeue_interval_seconds: 2}
concurrency:
  runs: {max_concurrent_runs: 4}
  # One writer: runs that open the warehouse wait in the queue instead of waiting for the lease with a process each.
  pools: {granularity: run, default_limit: 1}
run_monitoring:
  enabled: true
  start_timeout_seconds: 180
  max_runtime_seconds: 7200
  free_slots_after_run_end_seconds: 60
retention:
  sensor: {purge_after_days: {skipped: 1, success: 30, failure: 30}}
  schedule: {purge_after_days: 90}
sensors: {use_threads: true, num_workers: 2}
backfills: {use_threads: true, num_workers: 1}
"""

IN_THIS_PROCESS = "in_this_process.yaml"
"""The same instance for runs in the process of a command. What steps print goes where the command's own words go, and no
copy is kept: Dagster's copying starts a `tail` and a Python of its own for each step, 0.1 s each, and these two print
tracebacks on the terminal of whoever presses Ctrl-C.
"""
NOT_COPIED = "compute_logs: {module: dagster._core.storage.noop_compute_log_manager, class: NoOpComputeLogManager}\n"


def prepare_dagster_home(settings: Settings) -> None:
    """Make the folder and its dagster.yaml, and let this process and its children use it."""
    try:
        settings.dagster_home.mkdir(parents=True, exist_ok=True)
        for name, text in (("dagster.yaml", DAGSTER_YAML), (IN_THIS_PROCESS, DAGSTER_YAML + NOT_COPIED)):
            target = settings.dagster_home / name
            if not target.exists() or target.read_text() != text:
                write_atomically(target, text.encode())
    except OSError as error:
        raise unusable_folder(settings.home, error) from None
    os.environ["RELIABILITY_HOME"] = str(settings.home)
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("OTEL_SDK_DISABLED", "true")
    os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")


@contextmanager
def platform_instance(settings: Settings) -> "Iterator[dg.DagsterInstance]":
    """The Dagster instance of this home, for runs in this process."""
    import dagster as dg  # 2 s, which whoever only prepares the folder does not need

    prepare_dagster_home(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home), IN_THIS_PROCESS) as instance:
        yield instance
