"""What the published rows of a table lack: rows that were delivered for its event dates and count nowhere.

Few rejected rows hold no day, and a published total is short by them. So each version says how many, and why.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

from reliability_platform.warehouse.marts import Mart

if TYPE_CHECKING:
    import duckdb

UNKNOWN_DATE = "unknown"
"""Stands for the event date of rows that have none."""
WHOLE = "whole"
"""Stands for the event date of rows of a table that is published whole."""
STATES = {"rejected": "quarantined", "held_late": "held as too late", "discarded": "discarded"}
"""What staging says became of a row → what a version calls it."""

Lacking = dict[str, dict[str, int]]
"""Event date → what became of rows → how many."""


def lacking(connection: "duckdb.DuckDBPyConnection", mart: Mart, dates: Collection[str] | None) -> Lacking:
    """The rows of a table's sources that its event dates lack, and those that belong to no date; of a table that is published
    whole (`dates` is None) all of them, under `WHOLE`.
    """
    parts = " union all ".join(
        f"select event_date, disposition from stg_{source} where disposition in {tuple(STATES)} and not is_superseded"
        for source in mart.sources
    )
    if not parts:
        return {}
    rows = connection.execute(
        f"select coalesce(event_date::varchar, '{UNKNOWN_DATE}'), disposition, count(*) from ({parts}) group by all order by all"
    ).fetchall()
    found: Lacking = {}
    if dates is None:
        for _, disposition, count in rows:
            states = found.setdefault(WHOLE, {})
            states[STATES[disposition]] = states.get(STATES[disposition], 0) + count
        return found
    for day, disposition, count in rows:
        if day == UNKNOWN_DATE or day in dates:
            found.setdefault(day, {})[STATES[disposition]] = count
    return found


def total(found: Lacking) -> dict[str, int]:
    """Over all event dates, how many rows of each kind."""
    sums: dict[str, int] = {}
    for states in found.values():
        for state, count in states.items():
            sums[state] = sums.get(state, 0) + count
    return sums
