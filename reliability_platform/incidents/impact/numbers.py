"""How many rows, keys and event dates the landing days of a source hold, and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from reliability_platform.contracts import CONTRACTS, check_source
from reliability_platform.parquet import day_list, literal

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Numbers:
    """How much is concerned on the landing days of an incident."""

    delivered_rows: int
    accepted_rows: int
    duplicate_rows: int
    quarantined_rows: int
    held_late_rows: int
    refused_files: int
    event_dates: list[date]
    quarantined_keys: int = 0
    """Different keys among the rejected rows that no later attempt has replaced."""
    keys: int = 0
    """Different keys among all staged rows."""


def numbers(connection: "duckdb.DuckDBPyConnection", source: str, days: Sequence[date]) -> Numbers:
    """Rows and event dates concerned, from the warehouse. Raises `UsageError` for a source that does not exist."""
    check_source(source)  # it becomes part of a table's name
    on_days = f"list_contains({day_list(days)}, landing_date)"
    where = f"source = {literal(source)} and {on_days}"
    sums = connection.execute(
        "select coalesce(sum(delivered_rows), 0), coalesce(sum(accepted_rows), 0), coalesce(sum(duplicate_rows), 0), "
        "coalesce(sum(quarantined_rows), 0), coalesce(sum(held_late_rows), 0), count(*) filter (where status = 'refused') "
        f"from rec_batches__conserved where {where}"
    ).fetchone()
    rejected = connection.execute(
        f"select count(distinct record_key) from qtn_rows where state = 'quarantined' and {where}"
    ).fetchone()
    staged = connection.execute(
        f"select count(distinct ({CONTRACTS[source].key_list})) from stg_{source} where {on_days}"
    ).fetchone()
    assert sums is not None and rejected is not None and staged is not None
    dates = connection.execute(
        f"select distinct event_date from stg_{source} where {on_days} and event_date is not null order by event_date"
    ).fetchall()
    delivered, accepted, duplicate, quarantined, held_late, refused = (int(value) for value in sums)
    event_dates = [row[0] for row in dates]
    return Numbers(
        delivered, accepted, duplicate, quarantined, held_late, refused, event_dates, int(rejected[0]), int(staged[0])
    )
