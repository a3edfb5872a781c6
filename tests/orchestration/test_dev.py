"""The platform through its real webserver and daemon, as a person at the UI meets it."""

import json
from datetime import date, timedelta
from pathlib import Path

from reliability_platform.incidents.model import State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.faults.plan import ActivePlan, Injection
from reliability_platform.lab.oracle import verify
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings
from tests.orchestration.served import served

FIRST = date(2026, 1, 1)
DAYS = 3
BROKEN = FIRST + timedelta(days=1)

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


def test_backfill_from_the_ui_detects_heals_and_ends_at_the_oracle(tmp_path: Path) -> None:
    """A window launched from the UI, one single day, live sensors: the incident is opened, healed and documented."""
    settings = load_settings(tmp_path / "home")
    Simulation(seed=11, events_per_day=900).save(settings)
    ActivePlan(11, (Injection("missing_batch", "shipments", BROKEN, "medium"),)).save(settings)
    with served(settings.home, tmp_path / "dev.log") as platform:
        assert [platform.status(), platform.status(Host="rebound.example.org")] == [200, 403]
        nodes = platform.query(ASSETS)["assetNodes"]
        keys = [node["assetKey"] for node in nodes if node["isPartitioned"] and node["groupName"] != "incidents"]
        days = [(FIRST + timedelta(days=offset)).isoformat() for offset in range(DAYS)]
        launched = platform.query(BACKFILL, params={"assetSelection": keys, "partitionNames": days[:-1]})
        backfill = launched["launchPartitionBackfill"]
        assert backfill["__typename"] == "LaunchBackfillSuccess", backfill
        single = platform.query(
            LAUNCH,
            params={
                "selector": {**SELECTOR, "jobName": "pipeline"},
                "executionMetadata": {"tags": [{"key": "dagster/partition", "value": days[-1]}]},
            },
        )["launchRun"]
        assert single["__typename"] == "LaunchRunSuccess", single

        def backfilled() -> bool:
            status = platform.query(BACKFILL_STATUS, id=backfill["backfillId"])["partitionBackfillOrError"]["status"]
            assert status not in ("FAILED", "CANCELED")
            return status == "COMPLETED_SUCCESS"

        platform.wait("the backfill", backfilled, 400)
        run_id = single["run"]["runId"]
        platform.wait(
            "the single day", lambda: platform.query(RUN_STATUS, id=run_id)["runOrError"]["status"] == "SUCCESS", 300
        )
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
