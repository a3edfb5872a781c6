"""Dagster's event log in one SQLite file whose connections are kept open.

Dagster's own SQLite storages make an engine, a connection and a compiled statement anew for every event: 13 ms each.
A month's backfill writes some 2,500 events (assets x partitions, checks x partitions); kept open it is 1.4 ms.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any

import sqlalchemy
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sqlite.consolidated_sqlite_event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster_shared.error import SerializableErrorInfo
from sqlalchemy import Connection, Engine

from reliability_platform.masking import error_words


def _masked_error(error: SerializableErrorInfo | None) -> SerializableErrorInfo | None:
    if error is None:
        return None
    return SerializableErrorInfo(
        message=error_words(error.message),
        stack=error.stack,  # places in the code, and no values
        cls_name=error.cls_name,
        cause=_masked_error(error.cause),
        context=_masked_error(error.context),
    )


def masked_event(event: EventLogEntry) -> EventLogEntry:
    """The same event, its errors masked; events without an error are as they were."""
    happened = event.dagster_event
    data = happened.event_specific_data if happened is not None else None
    error = getattr(data, "error", None)
    if happened is not None and isinstance(error, SerializableErrorInfo):
        masked = _masked_error(error)
        # Dagster puts the words of the error into those of the event as well.
        message = error_words(happened.message) if happened.message else happened.message
        happened = happened._replace(event_specific_data=_with_error(data, masked), message=message)
        event = event._replace(dagster_event=happened, user_message=error_words(event.user_message))
    return event if event.error_info is None else event._replace(error_info=_masked_error(event.error_info))


def _with_error(data: Any, error: SerializableErrorInfo | None) -> Any:
    return data._replace(error=error) if hasattr(data, "_replace") else replace(data, error=error)


class PooledSqliteEventLogStorage(ConsolidatedSqliteEventLogStorage):
    """The consolidated SQLite event log on one pooled engine per process."""

    @cached_property
    def _engine(self) -> Engine:
        engine = sqlalchemy.create_engine(
            self._conn_string, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
        )

        @sqlalchemy.event.listens_for(engine, "connect")
        def _prepare(connection: Any, _record: object) -> None:
            # Safe in WAL mode: a power cut may lose the last events, never corrupt the file.
            connection.execute("PRAGMA synchronous = NORMAL")

        return engine

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with self._engine.connect() as connection, connection.begin():
            yield connection

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event; an error in it without the values that its message quotes."""
        super().store_event(masked_event(event))  # type: ignore[no-untyped-call]

    @lru_cache(maxsize=64)  # noqa: B019  one storage lives as long as its process
    def has_table(self, table_name: str) -> bool:
        """Whether the schema has the table; asked by Dagster before every insert, and never changing within a run."""
        return sqlalchemy.inspect(self._engine).has_table(table_name)

    def dispose(self) -> None:
        """Close the kept connections together with the instance."""
        super().dispose()  # type: ignore[no-untyped-call]
        self._engine.dispose()
