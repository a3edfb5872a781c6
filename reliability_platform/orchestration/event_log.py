"""Dagster's event log in one SQLite file whose connections are kept open.

Dagster's own SQLite storages make an engine, a connection and a compiled statement anew for every event: 13 ms each.
A month's backfill writes some 2,500 events of assets; kept open it is 1.4 ms. It writes 10,000 results of checks as
well: those come together, and go together, 0.2 ms each.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy
from dagster import DagsterEventType, EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.consolidated_sqlite_event_log import ConsolidatedSqliteEventLogStorage
from sqlalchemy import Connection, Engine
from sqlalchemy.dialects.sqlite import insert

from reliability_platform.orchestration.kept_engines import kept_connection, kept_engine
from reliability_platform.orchestration.run_endings import RunEndings

RESULTS_AT_ONCE = 500
"""So many results are one transaction: readers and other writers never wait long."""


class PooledSqliteEventLogStorage(ConsolidatedSqliteEventLogStorage):
    """The consolidated SQLite event log on one pooled engine per process."""

    @cached_property
    def _endings(self) -> RunEndings:
        return RunEndings(Path(self._base_dir))

    @property
    def _engine(self) -> Engine:
        return kept_engine(self._conn_string)

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with kept_connection(self._conn_string) as connection:
            yield connection

    def store_event(self, event: EventLogEntry) -> None:
        """Store one event; that it could not be is told beside it."""
        with self._endings.told_if_it_fails(event.run_id):
            super().store_event(event)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events; results of checks on partitions, which are many, in few statements instead of four each."""
        if not all(_is_result(event) for event in events):
            super().store_event_batch(events)
            return
        with self._endings.told_if_it_fails(events[0].run_id if events else None):
            for start in range(0, len(events), RESULTS_AT_ONCE):
                self._store_results(events[start : start + RESULTS_AT_ONCE])

    def _store_results(self, events: Sequence[EventLogEntry]) -> None:
        rows = [self._event_to_row(event) for event in events]
        stored = insert(SqlEventLogStorageTable).returning(SqlEventLogStorageTable.c.id, sort_by_parameter_order=True)
        record = insert(AssetCheckExecutionsTable)
        # As Dagster has it: one record per run, check and partition, which a later result of the same run replaces.
        replaced = record.on_conflict_do_update(
            index_elements=["asset_key", "check_name", "run_id", "partition"],
            set_={
                name: record.excluded[name]
                for name in (
                    "execution_status",
                    "evaluation_event",
                    "evaluation_event_timestamp",
                    "evaluation_event_storage_id",
                )
            },
        )
        with self._connect() as connection:
            ids: Sequence[int] = connection.execute(stored, rows).scalars().all()
            records = [_record(event, row, at) for event, row, at in zip(events, rows, ids, strict=True)]
            connection.execute(replaced, records)

    @lru_cache(maxsize=64)  # noqa: B019  one storage lives as long as its process
    def has_table(self, table_name: str) -> bool:
        """Whether the schema has the table; asked by Dagster before every insert, and never changing within a run."""
        return sqlalchemy.inspect(self._engine).has_table(table_name)

    def dispose(self) -> None:
        """Close the kept connections together with the instance."""
        super().dispose()  # type: ignore[no-untyped-call]
        self._engine.dispose()


def _is_result(event: EventLogEntry) -> bool:
    found = event.dagster_event
    return (
        bool(event.run_id)
        and found is not None
        and found.event_type is DagsterEventType.ASSET_CHECK_EVALUATION
        and found.asset_check_evaluation_data.partition is not None
        and found.asset_check_evaluation_data.target_materialization_data is None
    )


def _record(event: EventLogEntry, row: dict[str, Any], storage_id: int) -> dict[str, Any]:
    assert event.dagster_event is not None
    evaluation = event.dagster_event.asset_check_evaluation_data
    status = AssetCheckExecutionRecordStatus.SUCCEEDED if evaluation.passed else AssetCheckExecutionRecordStatus.FAILED
    return {
        "asset_key": evaluation.asset_key.to_string(),
        "check_name": evaluation.check_name,
        "partition": evaluation.partition,
        "run_id": event.run_id,
        "execution_status": status.value,
        "evaluation_event": row["event"],
        "evaluation_event_timestamp": row["timestamp"],
        "evaluation_event_storage_id": storage_id,
    }
