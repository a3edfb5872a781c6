"""Results that are stored together are those that Dagster would have stored one by one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import text

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.clock import utc_now
from reliability_platform.orchestration.audit_assets import AUDITED, asset_key_of, report_evaluations
from reliability_platform.orchestration.home import platform_instance
from reliability_platform.orchestration.packed_text import pack, unpack
from reliability_platform.settings import load_settings
from tests.ground import day

NAMES = sorted(AUDITED)[:3]


def result(check: str, number: int, status: CheckStatus) -> CheckResult:
    """A result of a real check on one landing day."""
    spec = CHECKS[check]
    return CheckResult(
        check=check,
        dataset=spec.dataset,
        source="orders",
        partition=day(number),
        status=status,
        value=1.5,
        threshold="= 0",
        message=f"{check} on day {number}",
        run_id="run",
        evaluated_at=utc_now(),
    )


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """The platform's own instance on an empty home."""
    with platform_instance(load_settings(tmp_path)) as made:
        yield made


def shown(instance: dg.DagsterInstance, check: str, number: int) -> list[tuple[str, bool]]:
    """What the page of a check shows of a partition: the status and whether it passed, the newest first."""
    key = dg.AssetCheckKey(asset_key_of(CHECKS[check].dataset), check)
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=1000)
    found = []
    for record in records:
        evaluation = record.event.dagster_event.asset_check_evaluation_data
        if evaluation.partition == day(number).isoformat():
            found.append((record.status.value, evaluation.passed))
    return found


def test_every_result_is_on_the_page_of_its_check_and_partition(instance: dg.DagsterInstance) -> None:
    """More than one statement takes, each with its own event."""
    results = [result(name, 1 + number, CheckStatus.PASSED) for name in NAMES for number in range(200)]
    results[7] = result(NAMES[0], 8, CheckStatus.FAILED)
    report_evaluations(instance, "run", results)
    assert shown(instance, NAMES[0], 8) == [("FAILED", False)]
    assert shown(instance, NAMES[0], 1) == shown(instance, NAMES[2], 2) == [("SUCCEEDED", True)]
    events = instance.all_logs("run", of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    assert [one.dagster_event.message for one in events] == [one.message for one in results]


def test_a_later_result_of_the_same_run_replaces_the_first(instance: dg.DagsterInstance) -> None:
    """As Dagster has it; that of another run stands beside it."""
    report_evaluations(instance, "run", [result(NAMES[0], 1, CheckStatus.PASSED)])
    report_evaluations(instance, "run", [result(NAMES[0], 1, CheckStatus.FAILED)])
    assert shown(instance, NAMES[0], 1) == [("FAILED", False)]
    report_evaluations(instance, "another", [result(NAMES[0], 1, CheckStatus.PASSED)])
    assert sorted(shown(instance, NAMES[0], 1)) == [("FAILED", False), ("SUCCEEDED", True)]


def test_dagsters_own_way_leaves_the_same_record(instance: dg.DagsterInstance) -> None:
    """Column by column, but for what differs from event to event."""
    report_evaluations(instance, "together", [result(NAMES[0], 1, CheckStatus.FAILED)])
    (event,) = instance.all_logs("together")
    instance.handle_new_event(event._replace(run_id="alone"))
    key = dg.AssetCheckKey(asset_key_of(CHECKS[NAMES[0]].dataset), NAMES[0])
    alone, together = instance.event_log_storage.get_asset_check_execution_history(key, limit=2)
    assert (alone.run_id, together.run_id) == ("alone", "together")
    assert alone.status == together.status
    assert alone.partition == together.partition == day(1).isoformat()
    assert alone.event.dagster_event == together.event.dagster_event
    assert abs(alone.create_timestamp - together.create_timestamp) < 60


@dg.asset(
    partitions_def=dg.StaticPartitionsDefinition([f"2026-01-{number:02}" for number in range(1, 31)]),
    backfill_policy=dg.BackfillPolicy.single_run(),
    tags={"team": "orders"},
)
def month(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Thirty partitions in one run."""
    return dg.MaterializeResult(metadata={"rows": len(context.partition_keys)}, data_version=dg.DataVersion("1"))


def kept_of_a_month(instance: dg.DagsterInstance) -> dict[str, Any]:
    """What the storage has of one run of `month`, but for ids and times."""
    run = dg.materialize(
        [month],
        instance=instance,
        tags={"dagster/asset_partition_range_start": "2026-01-01", "dagster/asset_partition_range_end": "2026-01-30"},
    )
    storage: Any = instance.event_log_storage
    events = [record.dagster_event for record in instance.all_logs(run.run_id) if record.dagster_event.asset_key]
    with storage.index_connection() as connection:
        tags = connection.execute(
            text(
                "select t.asset_key, t.key, t.value from asset_event_tags t join event_logs e on t.event_id = e.id "
                "where e.run_id = :run and t.key not like '%storage_id%' order by t.event_id, t.key"
            ),
            {"run": run.run_id},
        )
        tags_of_events = [tuple(row) for row in tags]
    (asset,) = instance.get_asset_records([month.key])
    assert asset.asset_entry.last_run_id == run.run_id
    last: Any = asset.asset_entry.last_materialization
    assert last is not None
    return {
        "events": sorted((one.event_type_value, one.partition or "", one.message or "") for one in events),
        "tags": [one for one in tags_of_events if "code_version" not in one[1]],
        "last": (last.dagster_event.partition, last.asset_materialization.metadata),
        "materialized": sorted(instance.get_materialized_partitions(month.key)),
    }


def test_the_partitions_of_an_asset_are_stored_together_as_dagster_stores_them_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is planned and what is made, with the tags of each and what is kept of the last."""
    kept = []
    for together in ("0", "500"):
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", together)
        with platform_instance(load_settings(tmp_path / together)) as made:
            kept.append(kept_of_a_month(made))
    alone, at_once = kept
    assert len(alone["materialized"]) == 30
    assert alone["tags"]
    assert alone == at_once


def test_events_are_packed_and_those_of_earlier_releases_are_read(instance: dg.DagsterInstance) -> None:
    """Their texts were two thirds of what a landing day adds to a home. What lies there as text stays readable."""
    report_evaluations(instance, "run", [result(name, 1, CheckStatus.PASSED) for name in NAMES])
    (before, *_) = events = list(instance.all_logs("run"))
    with instance.event_log_storage.index_connection() as connection:
        stored = connection.execute(
            text("select event from event_logs union all select evaluation_event from asset_check_executions")
        )
        sizes = [len(value) for (value,) in stored if isinstance(value, bytes)]
        assert len(sizes) == 2 * len(NAMES)
        assert max(sizes) < len(dg.serialize_value(before)) / 4
    with instance.event_log_storage.index_transaction() as connection:
        plain = {"event": dg.serialize_value(before)}
        connection.execute(
            text("update event_logs set event = :event where id = (select min(id) from event_logs)"), plain
        )
        connection.execute(text("update asset_check_executions set evaluation_event = :event where id = 1"), plain)
    assert list(instance.all_logs("run")) == events
    assert shown(instance, NAMES[0], 1) == [("SUCCEEDED", True)]


@pytest.mark.parametrize("content", ["", "é \0 \n", '{"__class__": "EventLogEntry"}' * 1000])
def test_a_packed_text_is_the_text(content: str) -> None:
    assert unpack(pack(content)) == content
