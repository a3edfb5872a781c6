"""What became of delivered rows, and how many the row quarantine holds by batch, reason and state: copied into the
operations store by each audit, so that whoever asks neither opens the warehouse nor waits for a build.

Only a build changes the row quarantine, and each is followed by an audit of the same landing days. A day of which there
is no copy yet, as in the home of an older release, is copied with the next audit of any day.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

import duckdb
from sqlalchemy import Engine, delete, insert, select

from reliability_platform.operations.tables import quarantine_copies, quarantine_counts, row_counts
from reliability_platform.parquet import day_list, literal
from reliability_platform.settings import Settings
from reliability_platform.warehouse.built import BUILT
from reliability_platform.warehouse.lease import warehouse_reader

_HELD = (
    "select landing_date, source, batch_id, reject_reasons as reason, state, count(*)::bigint as rows "
    "from qtn_rows where {of_days} group by all order by all"
)

_BECAME = (
    "unpivot (select landing_date, source, sum(accepted_rows)::bigint as accepted, sum(duplicate_rows)::bigint as duplicate, "
    "sum(quarantined_rows - discarded_rows)::bigint as quarantined, sum(held_late_rows)::bigint as held_late, "
    "sum(discarded_rows)::bigint as discarded from rec_batches__conserved where {of_days} group by all) "
    "on accepted, duplicate, quarantined, held_late, discarded into name disposition value rows order by all"
)
"""A row per landing day, source and disposition; `quarantined_rows` counts the discarded ones, too."""

_BUILT = f"select distinct day from {BUILT}"


def copy_quarantine(settings: Settings, engine: Engine, audited: Collection[date], now: datetime) -> None:
    """Bring the copy of these landing days, and of those that are built and have none, in line with the warehouse."""
    with engine.connect() as connection:
        copied: set[date] = set(connection.execute(select(quarantine_copies.c.landing_date)).scalars())
        counted: set[date] = set(connection.execute(select(row_counts.c.landing_date).distinct()).scalars())
    with warehouse_reader(settings) as warehouse:
        built = {row["day"] for row in _rows(warehouse, _BUILT)}
        days = sorted(set(audited) | (built - (copied & counted)))
        held, became = (_rows(warehouse, query.format(of_days=_of(days))) for query in (_HELD, _BECAME))
    with engine.begin() as connection:
        for table in (quarantine_counts, quarantine_copies, row_counts):
            connection.execute(delete(table).where(table.c.landing_date.in_(days)))
        connection.execute(insert(quarantine_copies), [{"landing_date": day, "copied_at": now} for day in days])
        for table, rows in ((quarantine_counts, held), (row_counts, became)):
            if rows:
                connection.execute(insert(table), rows)


def _of(days: Sequence[date]) -> str:
    """SQL: whether a row landed on one of some days, which are not none. The bounds are compared with whole blocks of rows."""
    first, last = literal(str(days[0])), literal(str(days[-1]))
    return f"landing_date between {first} and {last} and list_contains({day_list(days)}, landing_date)"


def _rows(warehouse: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    """What a query gives; nothing before a build has made its table."""
    try:
        cursor = warehouse.execute(query)
    except duckdb.CatalogException:
        return []
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
