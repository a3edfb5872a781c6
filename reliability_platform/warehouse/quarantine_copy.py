"""How many rows the row quarantine holds, by batch, reason and state: copied into the operations store by each audit, so
that whoever asks neither opens the warehouse nor waits for a build.

Only a build changes the row quarantine, and each is followed by an audit of the same landing days. A day of which there
is no copy yet, as in the home of an older release, is copied with the next audit of any day.
"""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

import duckdb
from sqlalchemy import Engine, delete, insert, select

from reliability_platform.operations.tables import quarantine_copies, quarantine_counts
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_reader

_HELD = (
    "select landing_date, source, batch_id, reject_reasons as reason, state, count(*)::bigint as rows "
    "from qtn_rows group by all order by all"
)


def copy_quarantine(settings: Settings, engine: Engine, audited: Collection[date], now: datetime) -> None:
    """Bring the copy of these landing days, and of those that have none, in line with the warehouse."""
    with engine.connect() as connection:
        copied: set[date] = set(connection.execute(select(quarantine_copies.c.landing_date)).scalars())
    with warehouse_reader(settings) as warehouse:
        held = _held(warehouse)
    anew = set(audited) | ({row["landing_date"] for row in held} - copied)
    days = sorted(anew)
    with engine.begin() as connection:
        for table in (quarantine_counts, quarantine_copies):
            connection.execute(delete(table).where(table.c.landing_date.in_(days)))
        rows = [row for row in held if row["landing_date"] in anew]
        if rows:
            connection.execute(insert(quarantine_counts), rows)
        connection.execute(insert(quarantine_copies), [{"landing_date": day, "copied_at": now} for day in days])


def _held(warehouse: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """What the row quarantine holds; nothing before a build has made it."""
    try:
        cursor = warehouse.execute(_HELD)
    except duckdb.CatalogException:
        return []
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
