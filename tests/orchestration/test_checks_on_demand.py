"""A check executed alone, as from the page of its asset."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from reliability_platform.orchestration.audit_assets import asset_key_of
from reliability_platform.orchestration.definitions import defs
from reliability_platform.orchestration.local import QUIET
from reliability_platform.orchestration.partitions import PARTITION
from tests.ground import Platform, day

CHECK = "stg_orders__missing_customer_id"


def test_one_check_on_one_landing_day(
    lived: Callable[[Path], Platform], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It really judges, tells Dagster on its partition and the store; without a landing day it says what to do."""
    made = lived(tmp_path / "home")
    monkeypatch.setenv("RELIABILITY_HOME", str(made.settings.home))
    alone = dg.define_asset_job(
        "one_check", dg.AssetSelection.checks(dg.AssetCheckKey(asset_key_of("stg_orders"), CHECK))
    )
    job = dg.Definitions.merge(defs, dg.Definitions(jobs=[alone])).resolve_job_def("one_check")
    with dg.instance_for_test() as instance:
        before = len(made.checks.history(CHECK, day(1)))
        done = job.execute_in_process(instance=instance, tags={PARTITION: str(day(1))}, run_config=QUIET)
        [evaluation] = done.get_asset_check_evaluations()
        assert (evaluation.check_name, evaluation.passed, evaluation.partition) == (CHECK, True, str(day(1)))
        assert len(made.checks.history(CHECK, day(1))) == before + 1
        lost = job.execute_in_process(instance=instance, run_config=QUIET, raise_on_error=False)
        assert not lost.success
        assert any("choose one or more partitions" in str(event.event_specific_data) for event in lost.all_events)
