"""How many rows the landing days of an incident have and how many of them are kept back, as of their last audit.

From the copy in the operations store: whoever looks neither opens the warehouse nor waits for a build.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Engine, func, select

from reliability_platform.landing.file_quarantine import quarantined_files
from reliability_platform.operations.tables import row_counts
from reliability_platform.settings import Settings

TAKEN = ("accepted", "duplicate")
"""The dispositions of rows that tables have. All others are kept back: rejected, held as too late, given up."""


@dataclass(frozen=True)
class RowsOfDays:
    """What the landing days of one source brought."""

    delivered: int
    """Rows of all files that were admitted."""
    kept_back: int
    refused_files: int


def rows_of_days(settings: Settings, engine: Engine, source: str, days: Collection[date]) -> RowsOfDays | None:
    """Of all these days together; None if none of them was ever audited."""
    table = row_counts.c
    query = select(table.disposition, func.sum(table.rows)).where(table.source == source, table.landing_date.in_(days))
    with engine.connect() as connection:
        found = {row[0]: int(row[1]) for row in connection.execute(query.group_by(table.disposition))}
    if not found:
        return None
    refused = [
        one
        for one in quarantined_files(settings)
        if one["source"] == source and date.fromisoformat(one["landing_date"]) in days
    ]
    return RowsOfDays(sum(found.values()), sum(rows for name, rows in found.items() if name not in TAKEN), len(refused))
