"""Steps that can be done twice are tried again for what passes by itself, and for nothing else."""

import threading
import time
from collections.abc import Iterable
from pathlib import Path

import dagster as dg
import pytest

from reliability_platform.checks.store import CheckStore
from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration import retries
from reliability_platform.orchestration.audit_assets import audit
from reliability_platform.orchestration.definitions import defs
from reliability_platform.orchestration.incident_assets import incident_asset
from reliability_platform.orchestration.local import QUIET
from reliability_platform.orchestration.published_assets import published
from reliability_platform.orchestration.run_storage import redact_errors
from reliability_platform.orchestration.slo_asset import slo
from reliability_platform.settings import load_settings
from tests.unit.failing import passed


def _run(error: Exception, times: int) -> tuple[bool, int]:
    """A step that fails so often before it ends well; whether it did, and how often it was begun."""
    begun = 0

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=2))
    @retries.only_transient
    @redact_errors
    def step() -> None:
        nonlocal begun
        begun += 1
        if begun <= times:
            raise error

    with dg.instance_for_test() as instance:
        return dg.materialize([step], instance=instance, run_config=QUIET, raise_on_error=False).success, begun


@pytest.mark.parametrize(
    ("error", "ended_well", "begun"),
    [
        (HomeBusyError("another process has it"), True, 2),
        (OSError("IO Error: Could not set lock on file 'x'"), True, 2),
        (ConnectionResetError("gone"), True, 2),
        (EnvironmentUnusableError("no room"), False, 1),
        (OSError("No space left on device"), False, 1),
        (PermissionError(13, "Permission denied"), False, 1),
        (ValueError("who knows"), False, 1),
    ],
)
def test_a_step_is_tried_again_for_a_transient_cause_alone(error: Exception, ended_well: bool, begun: int) -> None:
    """A lock that is let go of needs nobody; a full disk is as full two seconds later."""
    assert _run(error, times=1) == (ended_well, begun)


def test_what_does_not_pass_fails_after_the_last_retry() -> None:
    """A lock that is held for good is a failure, not an endless run."""
    assert _run(HomeBusyError("held"), times=99) == (False, 3)


def test_audit_publication_and_documents_have_the_policy() -> None:
    """The policy sits on the steps themselves: runs from the UI, of schedules and of sensors all have it."""
    for asset in (audit, published, incident_asset, slo):
        assert asset.node_def.retry_policy == retries.RETRIES, asset.keys


def _retried(log: Iterable[dg.EventLogEntry]) -> bool:
    return any("RETR" in one.dagster_event_type.value for one in log if one.dagster_event_type is not None)


def test_the_real_report_survives_a_lock_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operations store is locked by another program until the first attempt has given up: the run ends well."""

    def release(instance: dg.DagsterInstance) -> None:
        ended = time.monotonic() + 120
        while time.monotonic() < ended and not any(
            _retried(instance.all_logs(one.run_id)) for one in instance.get_runs()
        ):
            time.sleep(0.05)
        blocker.close()

    monkeypatch.setenv("RELIABILITY_HOME", str(tmp_path))
    monkeypatch.setattr("reliability_platform.operations.engine.BUSY_TIMEOUT_MILLISECONDS", 50)
    settings = load_settings()
    CheckStore(operations_engine(settings)).record([passed("bronze_orders__batch_completeness", 1)])
    blocker = operations_engine(settings).connect()
    blocker.exec_driver_sql("PRAGMA locking_mode = EXCLUSIVE")
    blocker.exec_driver_sql("BEGIN EXCLUSIVE")
    with dg.instance_for_test() as instance:
        released = threading.Thread(target=release, args=(instance,))
        released.start()
        done = defs.resolve_job_def("slo_report").execute_in_process(
            instance=instance, run_config=QUIET, raise_on_error=False
        )
        released.join()
        assert done.success
        assert _retried(instance.all_logs(done.run_id))
