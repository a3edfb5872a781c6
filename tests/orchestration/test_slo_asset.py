"""The objectives on the page of their asset."""

import json
from pathlib import Path

import dagster as dg
import pytest

from reliability_platform.checks.store import CheckStore
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.definitions import defs
from reliability_platform.orchestration.local import QUIET
from reliability_platform.orchestration.schedules import daily_slo_report
from reliability_platform.settings import load_settings
from tests.unit.failing import passed, result

CHECK = "bronze_orders__batch_completeness"


def test_the_asset_shows_and_writes_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its job runs on a home without a warehouse, for it reads results alone; an exhausted budget fails nothing."""
    monkeypatch.setenv("RELIABILITY_HOME", str(tmp_path))
    settings = load_settings()
    CheckStore(operations_engine(settings)).record([passed(CHECK, 1), result(CHECK, 2), result(CHECK, 3)])
    with dg.instance_for_test() as instance:
        done = defs.resolve_job_def(daily_slo_report.job_name).execute_in_process(instance=instance, run_config=QUIET)
        assert done.success
        [event] = done.asset_materializations_for_node("slo")
    metadata = {name: value.value for name, value in event.metadata.items()}
    assert metadata["as_of"] == "2026-01-03"
    # Completeness of orders and of the two tables made from them: two bad days, where one or two are allowed.
    exhausted = [one for one in metadata["document"]["objectives"] if one["exhausted"]]
    assert {one["dataset"] for one in exhausted} == {"orders", "agg_daily_revenue"}
    assert metadata["exhausted"] == metadata["missed"] == len(exhausted)
    assert "orders completeness: Exhausted" in metadata["objectives"]
    assert "How long incidents take" in metadata["objectives"]
    assert json.loads((settings.slo / "slo.json").read_text()) == metadata["document"]
