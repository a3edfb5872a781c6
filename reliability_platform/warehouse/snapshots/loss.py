"""What the warehouse has lost since a snapshot: tables with fewer rows of a day than they had, though nothing changed it.

Landing days that have changed since (`gap`) do not count: they are built again anyway.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
from sqlalchemy import Engine

from reliability_platform.parquet import identifier
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import open_when_free, warehouse_lease
from reliability_platform.warehouse.snapshots.location import SnapshotDamagedError, SnapshotLocation
from reliability_platform.warehouse.snapshots.lock import snapshot_lock
from reliability_platform.warehouse.snapshots.manifest import WAREHOUSE, Snapshot, read_snapshots
from reliability_platform.warehouse.snapshots.restore import attach, gap, tables_of
from reliability_platform.warehouse.versions import models_of

DAYS = ("landing_date", "event_date")
"""By which a table's rows are counted: the first of these columns that it has."""


@dataclass(frozen=True)
class Loss:
    """What can be put back, and from where."""

    snapshot: Snapshot
    rows: dict[str, int]
    """By table, the rows that the snapshot has and the warehouse has not."""
    landing_days: list[date]
    """What the snapshot lacks: to be built again once the tables are back."""


def find_loss(settings: Settings, engine: Engine) -> Loss | None:
    """The newest usable snapshot that has rows which are missing now; None if none has.

    Snapshots that are damaged or of other models are passed over. Raises `EnvironmentUnusableError` if the warehouse
    cannot be read.
    """
    location = SnapshotLocation.of(settings)
    deployed = str(models_of(settings.dbt_project))
    for snapshot in reversed(read_snapshots(location)[0]):
        if snapshot.models_version != deployed and not settings.allow_older_models:
            continue
        stored = snapshot.file(WAREHOUSE)
        if stored is None:
            continue
        with snapshot_lock(settings) as staging:
            try:
                location.fetch(stored.sha256, staging / WAREHOUSE)
            except SnapshotDamagedError:
                continue
            days = gap(settings, engine, snapshot)
            lost = _lost(settings, staging / WAREHOUSE, days)
        if lost:
            return Loss(snapshot, lost, days)
    return None


def _lost(settings: Settings, file: Path, changed: Sequence[date]) -> dict[str, int]:
    with warehouse_lease(settings), closing(open_when_free(settings, read_only=True)) as connection:
        attach(connection, file)
        row = connection.execute("select current_database()").fetchone()
        assert row is not None
        now, then = tables_of(connection, row[0]), tables_of(connection, "snapshot")
        counted = {
            table: _missing(connection, table, day, changed)
            for table, columns in then.items()
            if now.get(table) == columns
            and (day := next((one for one in DAYS if one in {name for name, _ in columns}), None)) is not None
        }
    return {table: rows for table, rows in counted.items() if rows}


def _missing(connection: duckdb.DuckDBPyConnection, table: str, day: str, changed: Sequence[date]) -> int:
    """How many rows of unchanged days the table has fewer than in the snapshot."""
    name = identifier(table)
    row = connection.execute(
        f"""
        with was as (select {day} as day, count(*) as n from snapshot.main.{name} group by all),
        is_now as (select {day} as day, count(*) as n from {name} group by all)
        select coalesce(sum(greatest(was.n - coalesce(is_now.n, 0), 0)), 0)
        from was left join is_now using (day)
        where not list_contains(?, was.day)
        """,
        [list(changed)],
    ).fetchone()
    assert row is not None
    return int(row[0])
