"""Dagster's home folder inside the platform's: made once, the same for the command line and for `make dev`."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import yaml

from reliability_platform.atomic import write_atomically
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.operations import dagster_engine, unusable_folder
from reliability_platform.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

IN_FILES = """\
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
"""
IN_A_SERVER = """\
# Where it is, RELIABILITY_DAGSTER_URL says.
storage:
  custom: {module: reliability_platform.orchestration.server_storage, class: ServerStorage}
"""
OTHERWISE = """\
telemetry: {enabled: false}
nux: {enabled: false}
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
MARK = "# Made by the platform, which replaces it while nobody has changed it; a changed one is yours and stays. "
"""Before the digest of what follows in the file."""
OF_EARLIER_RELEASES = frozenset(
    {
        "0d69668c177b8b2531b8fb14ac5b063c4ec7754ca6e3a2eec109c099d2b17202",
        "4bd968d9c51d2ee4038c5d0af609b64cc296cc28609f6b3177730858c2a9792b",
        "e6bda410a9b517947c0fac8088d3145c28c529a834ab8b0d95d0918ae435a1b8",
    }
)
"""Digests of files that were made before they said so themselves."""

IN_THIS_PROCESS = "in_this_process.yaml"
"""The same instance for runs in the process of a command. What steps print goes where the command's own words go, and no
copy is kept: Dagster's copying starts a `tail` and a Python of its own for each step, 0.1 s each, and these two print
tracebacks on the terminal of whoever presses Ctrl-C.
"""
NOT_COPIED = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def made_by_us(settings: Settings) -> str:
    """The `dagster.yaml` of this release."""
    body = (IN_FILES if settings.dagster_url is None else IN_A_SERVER) + OTHERWISE
    return f"{MARK}{_digest(body)}\n{body}"


def is_anothers(text: str) -> bool:
    """Whether somebody has written or changed a `dagster.yaml`."""
    first, _, body = text.partition("\n")
    return first != f"{MARK}{_digest(body)}" and _digest(text) not in OF_EARLIER_RELEASES


def _without_copies(text: str) -> str:
    return yaml.safe_dump({**(yaml.safe_load(text) or {}), "compute_logs": NOT_COPIED})


def prepare_dagster_home(settings: Settings) -> None:
    """Make the folder and its dagster.yaml, and let this process and its children use it. One that somebody has written or
    changed stays as it is. Raises `EnvironmentUnusableError`, also for one that is no YAML.
    """
    dagster_engine(settings)  # refuses a URL that names no server
    target = settings.dagster_home / "dagster.yaml"
    try:
        settings.dagster_home.mkdir(parents=True, exist_ok=True)
        found = target.read_text() if target.exists() else ""
        text = found if found and is_anothers(found) else made_by_us(settings)
        for path, content in ((target, text), (target.with_name(IN_THIS_PROCESS), _without_copies(text))):
            if not path.exists() or path.read_text() != content:
                write_atomically(path, content.encode())
    except OSError as error:
        raise unusable_folder(settings.home, error) from None
    except (yaml.YAMLError, UnicodeDecodeError, TypeError):
        raise EnvironmentUnusableError(
            f"{target} is no YAML of settings: correct it, or remove it for the platform's own."
        ) from None
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
