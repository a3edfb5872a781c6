"""What became of delivered rows, and how many the row quarantine holds by batch, reason and state: copied into the
operations store by each audit, so that whoever asks neither opens the warehouse nor waits for a build.

Only a build changes the row quarantine, and each is followed by an audit of the same landing days. A day of which there
is no copy yet, as in the home of an older release, is copied with the next audit of any day.
"""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

import duckdb
from sqlalchemy import Connection, Engine, delete, insert, select

from reliability_platform.operations.tables import quarantine_copies, quarantine_counts, row_counts
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_reader

_HELD = (
    "select landing_date, source, batch_id, reject_reasons as reason, state, count(*)::bigint as rows "
    "from qtn_rows group by all order by all"
)

_BECAME = (
    "unpivot (select landing_date, source, sum(accepted_rows)::bigint as accepted, sum(duplicate_rows)::bigint as duplicate, "
    "sum(quarantined_rows - discarded_rows)::bigint as quarantined, sum(held_late_rows)::bigint as held_late, "
    "sum(discarded_rows)::bigint as discarded from rec_batches__conserved group by all) "
    "on accepted, duplicate, quarantined, held_late, discarded into name disposition value rows order by all"
)
"""A row per landing day, source and disposition; `quarantined_rows` counts the discarded ones, too."""


def copy_quarantine(settings: Settings, engine: Engine, audited: Collection[date], now: datetime) -> None:
    """Bring the copy of these landing days, and of those that have none, in line with the warehouse."""
    with engine.connect() as connection:
        copied: set[date] = set(connection.execute(select(quarantine_copies.c.landing_date)).scalars())
    with warehouse_reader(settings) as warehouse:
        held, became = _rows(warehouse, _HELD), _rows(warehouse, _BECAME)
    anew = set(audited) | ({row["landing_date"] for row in held} - copied)
    days = sorted(anew)
    with engine.begin() as connection:
        for table in (quarantine_counts, quarantine_copies):
            connection.execute(delete(table).where(table.c.landing_date.in_(days)))
        rows = [row for row in held if row["landing_date"] in anew]
        if rows:
            connection.execute(insert(quarantine_counts), rows)
        connection.execute(insert(quarantine_copies), [{"landing_date": day, "copied_at": now} for day in days])
        _replace_counts(connection, became, days)


def _replace_counts(connection: Connection, became: list[dict[str, Any]], audited: Collection[date]) -> None:
    """Of the audited days, and of those of which nothing is written down yet."""
    known: set[date] = set(connection.execute(select(row_counts.c.landing_date).distinct()).scalars())
    anew = set(audited) | ({row["landing_date"] for row in became} - known)
    connection.execute(delete(row_counts).where(row_counts.c.landing_date.in_(sorted(anew))))
    rows = [row for row in became if row["landing_date"] in anew]
    if rows:
        connection.execute(insert(row_counts), rows)


def _rows(warehouse: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    """What a query gives; nothing before a build has made its table."""
    try:
        cursor = warehouse.execute(query)
    except duckdb.CatalogException:
        return []
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
