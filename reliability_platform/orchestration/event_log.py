"""Dagster's event log in one SQLite file whose connections are kept open.

Dagster's own SQLite storages make an engine, a connection and a compiled statement anew for every event: 13 ms each.
A month's backfill writes some 2,500 events of assets; kept open it is 1.4 ms. It writes 10,000 results of checks as
well. What comes together goes together, 0.2 ms each.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy
from dagster import DagsterEventType, EventLogEntry
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, AssetKeyTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.consolidated_sqlite_event_log import ConsolidatedSqliteEventLogStorage
from sqlalchemy import Connection, Engine
from sqlalchemy.dialects import sqlite

from reliability_platform.orchestration.kept_engines import kept_connection, kept_engine
from reliability_platform.orchestration.packed_text import PackedText
from reliability_platform.orchestration.run_endings import RunEndings

SqlEventLogStorageTable.c.event.type = AssetCheckExecutionsTable.c.evaluation_event.type = PackedText()

EVENTS_AT_ONCE = 500
"""So many events are one transaction: readers and other writers never wait long."""

Insert = Callable[[sqlalchemy.Table], Any]
"""The `insert` of a dialect: both have the same `on_conflict_do_update`."""


@cache
def _result_recorded(insert: Insert) -> Any:
    """As Dagster has it: one record per run, check and partition, which a later result of the same run replaces."""
    record = insert(AssetCheckExecutionsTable)
    values = ("execution_status", "evaluation_event", "evaluation_event_timestamp", "evaluation_event_storage_id")
    return record.on_conflict_do_update(
        index_elements=["asset_key", "check_name", "run_id", "partition"],
        set_={name: record.excluded[name] for name in values},
    )


class StoredTogether(SqlEventLogStorage):
    """What an event log in SQLite and one in a server have in common here: what comes together is stored together, and what
    could not be stored is told beside it. Stands before the storage among the bases.
    """

    insert: Insert
    endings: RunEndings

    def store_event(self, event: EventLogEntry) -> None:
        """Store one event; that it could not be is told beside it."""
        with self.endings.told_if_it_fails(event.run_id):
            super().store_event(event)  # type: ignore[safe-super]

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events that came together: a statement for all of a table instead of some for each event."""
        with self.endings.told_if_it_fails(events[0].run_id if events else None):
            for start in range(0, len(events), EVENTS_AT_ONCE):
                self._store_together(events[start : start + EVENTS_AT_ONCE])

    def _store_together(self, events: Sequence[EventLogEntry]) -> None:
        rows = [self._event_to_row(event) for event in events]
        stored = (
            type(self)
            .insert(SqlEventLogStorageTable)
            .returning(SqlEventLogStorageTable.c.id, sort_by_parameter_order=True)
        )
        with self.index_transaction() as connection:
            ids: Sequence[int] = connection.execute(stored, rows).scalars().all()
            of_assets = [(event, at) for event, at in zip(events, ids, strict=True) if _is_of_an_asset(event)]
            self._store_of_assets(connection, of_assets)
            records = [
                _record_of(event, row, at)
                for event, row, at in zip(events, rows, ids, strict=True)
                if _is_result(event)
            ]
            if records:
                connection.execute(_result_recorded(type(self).insert), records)
        # What Dagster stores of the other events of checks it stores in a transaction of its own.
        for event, at in zip(events, ids, strict=True):
            if event.is_dagster_event and event.dagster_event_type in ASSET_CHECK_EVENTS and not _is_result(event):
                self.store_asset_check_event(event, at)

    def _store_of_assets(self, connection: Connection, events: Sequence[tuple[EventLogEntry, int]]) -> None:
        """What Dagster keeps of events beside the log: their tags, and by asset what the last of them says."""
        self._store_asset_event_tags(connection, [event for event, _ in events], [at for _, at in events])
        last: dict[str, dict[str, Any]] = {}
        for event, at in events:
            key = event.get_dagster_event().asset_key
            assert key is not None
            last.setdefault(key.to_string(), {}).update(self._get_asset_entry_values(event, at, True))
        for name, values in last.items():
            made = type(self).insert(AssetKeyTable).values(asset_key=name, **values)
            connection.execute(made.on_conflict_do_update(index_elements=["asset_key"], set_=values))


class PooledSqliteEventLogStorage(StoredTogether, ConsolidatedSqliteEventLogStorage):
    """The consolidated SQLite event log on one pooled engine per process."""

    insert = staticmethod(sqlite.insert)

    @cached_property
    def endings(self) -> RunEndings:  # type: ignore[override]
        """What could not be stored is told beside the file."""
        return RunEndings(Path(self._base_dir))

    @property
    def _engine(self) -> Engine:
        return kept_engine(self._conn_string)

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with kept_connection(self._conn_string) as connection:
            yield connection

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:  # noqa: ARG002
        """Asked by Dagster for each event of an asset; the schema is brought to its version when the storage is opened."""
        return True

    @lru_cache(maxsize=64)  # noqa: B019  one storage lives as long as its process
    def has_table(self, table_name: str) -> bool:
        """Whether the schema has the table; asked by Dagster before every insert, and never changing within a run."""
        return sqlalchemy.inspect(self._engine).has_table(table_name)

    def dispose(self) -> None:
        """Close the kept connections together with the instance."""
        super().dispose()  # type: ignore[no-untyped-call]
        self._engine.dispose()


def _is_of_an_asset(event: EventLogEntry) -> bool:
    found = event.dagster_event
    return found is not None and found.event_type in ASSET_EVENTS and found.asset_key is not None


def _is_result(event: EventLogEntry) -> bool:
    found = event.dagster_event
    return (
        bool(event.run_id)
        and found is not None
        and found.event_type is DagsterEventType.ASSET_CHECK_EVALUATION
        and found.asset_check_evaluation_data.partition is not None
        and found.asset_check_evaluation_data.target_materialization_data is None
    )


def _record_of(event: EventLogEntry, row: dict[str, Any], storage_id: int) -> dict[str, Any]:
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
