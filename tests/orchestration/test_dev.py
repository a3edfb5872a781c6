"""The platform through its real webserver and daemon, as a person at the UI meets it."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from reliability_platform.incidents.model import State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.faults.plan import ActivePlan, Injection
from reliability_platform.lab.oracle import verify
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings
from tests.orchestration.served import Served, served

FIRST = date(2026, 1, 1)
BROKEN = FIRST + timedelta(days=1)
WINDOW = [FIRST.isoformat(), BROKEN.isoformat()]
SINGLE = (FIRST + timedelta(days=2)).isoformat()

ASSETS = "{ assetNodes(loadMaterializations: false) { assetKey { path } isPartitioned groupName } }"
BACKFILL = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
BACKFILL_STATUS = (
    "query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"
)
LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } } }"""
RUN_STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
CHECK = """query($key: AssetKeyInput!, $name: String!) { assetCheckExecutions(assetKey: $key, checkName: $name, limit: 50) {
  status partition evaluation { success severity } } }"""
MATERIALIZED = """query($key: AssetKeyInput!) { assetOrError(assetKey: $key) { ... on Asset {
  assetMaterializations(limit: 20) { partition metadataEntries { label ... on MarkdownMetadataEntry { mdStr } } } } } }"""
SELECTOR = {"repositoryLocationName": "reliability_platform", "repositoryName": "__repository__"}


def _launch(platform: Served, landing_day: str) -> str:
    """The run of one landing day, as the launchpad starts it."""
    tags = [{"key": "dagster/partition", "value": landing_day}]
    selector = {**SELECTOR, "jobName": "pipeline"}
    launched = platform.query(LAUNCH, params={"selector": selector, "executionMetadata": {"tags": tags}})["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    return str(launched["run"]["runId"])


def _status(platform: Served, run_id: str) -> str:
    return str(platform.query(RUN_STATUS, id=run_id)["runOrError"]["status"])


@pytest.mark.parametrize("beside", [(), pytest.param((SINGLE,), marks=pytest.mark.exhaustive)])
def test_backfill_from_the_ui_detects_heals_and_ends_at_the_oracle(tmp_path: Path, beside: tuple[str, ...]) -> None:
    """A window launched from the UI, live sensors: the incident is opened, healed and documented. Single days beside it
    take the way of the healing's own run: the queue of the daemon.
    """
    settings = load_settings(tmp_path / "home")
    Simulation(seed=11, events_per_day=900).save(settings)
    ActivePlan(11, (Injection("missing_batch", "shipments", BROKEN, "medium"),)).save(settings)
    with served(settings.home, tmp_path / "dev.log") as platform:
        assert [platform.status(), platform.status(Host="rebound.example.org")] == [200, 403]
        nodes = platform.query(ASSETS)["assetNodes"]
        keys = [node["assetKey"] for node in nodes if node["isPartitioned"] and node["groupName"] != "incidents"]
        launched = platform.query(BACKFILL, params={"assetSelection": keys, "partitionNames": WINDOW})
        backfill = launched["launchPartitionBackfill"]
        assert backfill["__typename"] == "LaunchBackfillSuccess", backfill
        singles = [_launch(platform, one) for one in beside]

        def backfilled() -> bool:
            status = platform.query(BACKFILL_STATUS, id=backfill["backfillId"])["partitionBackfillOrError"]["status"]
            assert status not in ("FAILED", "CANCELED")
            return status == "COMPLETED_SUCCESS"

        platform.wait("the backfill", backfilled, 400)
        for run_id in singles:
            platform.wait("the single day", lambda one=run_id: _status(platform, one) == "SUCCESS", 300)
        store = IncidentStore(operations_engine(settings))
        platform.wait(
            "healing", lambda: [one for one in store.all() if one.state is State.RESOLVED] == store.all() != [], 400
        )
        [incident] = store.all()
        assert incident.failure_class == "missing_data"
        assert incident.partitions == [BROKEN]

        executions = platform.query(
            CHECK, key={"path": ["bronze", "shipments"]}, name="bronze_shipments__batch_completeness"
        )["assetCheckExecutions"]
        of_the_day = [one for one in executions if one["partition"] == BROKEN.isoformat()]
        assert {one["status"] for one in of_the_day} == {"FAILED", "SUCCEEDED"}
        assert of_the_day[0]["status"] == "SUCCEEDED"  # newest first: healed

        def documented() -> str:
            asset = platform.query(MATERIALIZED, key={"path": ["incident"]})["assetOrError"]
            newest = asset["assetMaterializations"][0]
            text = next(entry["mdStr"] for entry in newest["metadataEntries"] if entry["label"] == "page")
            return text if "is resolved" in text else ""

        runbook = platform.wait("the runbook", documented, 300)
        assert incident.id in runbook
        assert json.dumps(runbook)
    log = (tmp_path / "dev.log").read_text()
    assert "could not set lock" not in log.lower()
    comparisons = verify(settings, landed_partitions(settings))
    assert all(table.equal for table in comparisons), comparisons
    assert all(table.rows for table in comparisons)
