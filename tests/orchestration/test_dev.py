"""The platform through its real webserver and daemon, as a person at the UI meets it."""

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
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.publication import publications
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


def _simulated(home: Path) -> Settings:
    """A home whose second landing day will lack a batch."""
    settings = load_settings(home)
    Simulation(seed=11, events_per_day=300).save(settings)
    ActivePlan(11, (Injection("missing_batch", "shipments", BROKEN, "medium"),)).save(settings)
    return settings


def _backfill(platform: Served) -> str:
    """Both landing days, launched as the UI does it."""
    nodes = platform.query(ASSETS)["assetNodes"]
    keys = [node["assetKey"] for node in nodes if node["isPartitioned"] and node["groupName"] != "incidents"]
    launched = platform.query(BACKFILL, params={"assetSelection": keys, "partitionNames": WINDOW})
    backfill = launched["launchPartitionBackfill"]
    assert backfill["__typename"] == "LaunchBackfillSuccess", backfill
    return str(backfill["backfillId"])


def _wait_for(platform: Served, backfill: str) -> None:
    def ended() -> bool:
        status = platform.query(BACKFILL_STATUS, id=backfill)["partitionBackfillOrError"]["status"]
        assert status not in ("FAILED", "CANCELED")
        return bool(status == "COMPLETED_SUCCESS")

    platform.wait("the backfill", ended, 400)


def _page(platform: Served, words: str) -> str:
    """The newest page of an incident in the UI, once it says so."""

    def documented() -> str:
        asset = platform.query(MATERIALIZED, key={"path": ["incident"]})["assetOrError"]
        newest = asset["assetMaterializations"][:1]
        pages = [entry["mdStr"] for one in newest for entry in one["metadataEntries"] if entry["label"] == "page"]
        text = "".join(pages)
        return str(text) if words in text else ""

    return str(platform.wait("the runbook", documented, 300))


def _executions(platform: Served) -> list[str]:
    """How the check that sees the missing batch ended on its day; newest first."""
    key, name = {"path": ["bronze", "shipments"]}, "bronze_shipments__batch_completeness"
    found = platform.query(CHECK, key=key, name=name)["assetCheckExecutions"]
    return [one["status"] for one in found if one["partition"] == BROKEN.isoformat()]


@pytest.mark.exhaustive  # 65 s, five processes; jobs and sensors are those of the demo, the guard of names that of test_webserver
def test_a_backfill_from_the_ui_runs_and_a_live_sensor_opens_its_incident(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Web server, daemon, code server and the processes of runs work together; nobody from another host gets in. With the
    automation off, what the sensors do ends with the page of the incident.
    """
    monkeypatch.setenv("RELIABILITY_AUTOMATION", "false")
    settings = _simulated(tmp_path / "home")
    with served(settings.home, tmp_path / "dev.log") as platform:
        assert [platform.status(), platform.status(Host="rebound.example.org")] == [200, 403]
        _wait_for(platform, _backfill(platform))
        assert _executions(platform) == ["FAILED"]
        page = _page(platform, "INC-")
        [incident] = IncidentStore(operations_engine(settings)).all()
        assert (incident.failure_class, incident.partitions) == ("missing_data", [BROKEN])
        assert incident.id in page
    assert f"shipments/{BROKEN}" in publications(settings)[-1].held


@pytest.mark.exhaustive  # 120 s: nine processes of runs; the demo heals by the same jobs and sensors, in one process
@pytest.mark.parametrize("beside", [(), (SINGLE,)])
def test_backfill_from_the_ui_detects_heals_and_ends_at_the_oracle(tmp_path: Path, beside: tuple[str, ...]) -> None:
    """A window launched from the UI, live sensors: the incident is opened, healed and documented. Single days beside it
    take the way of the healing's own run: the queue of the daemon.
    """
    settings = _simulated(tmp_path / "home")
    with served(settings.home, tmp_path / "dev.log") as platform:
        backfill = _backfill(platform)
        singles = [_launch(platform, one) for one in beside]
        _wait_for(platform, backfill)
        for run_id in singles:
            platform.wait("the single day", lambda one=run_id: _status(platform, one) == "SUCCESS", 300)
        store = IncidentStore(operations_engine(settings))
        platform.wait(
            "healing", lambda: [one for one in store.all() if one.state is State.RESOLVED] == store.all() != [], 400
        )
        [incident] = store.all()
        assert incident.failure_class == "missing_data"
        assert incident.partitions == [BROKEN]
        found = _executions(platform)
        assert set(found) == {"FAILED", "SUCCEEDED"}
        assert found[0] == "SUCCEEDED"  # healed
        assert incident.id in _page(platform, "is resolved")
    log = (tmp_path / "dev.log").read_text()
    assert "could not set lock" not in log.lower()
    comparisons = verify(settings, landed_partitions(settings))
    assert all(table.equal for table in comparisons), comparisons
    assert all(table.rows for table in comparisons)
