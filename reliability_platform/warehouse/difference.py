"""What changes from one published version to another: rows by event date, and the sum of each measure.

Numbers and dates only: no value of a row leaves this module.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

from reliability_platform.in_memory import in_memory
from reliability_platform.parquet import scan
from reliability_platform.warehouse.marts import Mart, keys_of
from reliability_platform.warehouse.published import table_files

NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "U")


@dataclass(frozen=True)
class DateChange:
    """How many rows of one event date would come, go, or be other ones."""

    event_date: date
    added: int
    removed: int
    changed: int


@dataclass(frozen=True)
class MeasureDifference:
    """The sum of one numeric column over the whole table, before and after."""

    name: str
    before: Decimal
    after: Decimal

    @property
    def change(self) -> Decimal:
        """By how much the sum grows; negative if it shrinks."""
        return self.after - self.before


@dataclass(frozen=True)
class TableDifference:
    """What changes in one table."""

    name: str
    dates: list[DateChange]
    """Event dates with a change, oldest first."""
    measures: list[MeasureDifference]
    """Measures with a change, in the order of the columns."""
    columns_added: list[str]
    columns_removed: list[str]

    @property
    def is_empty(self) -> bool:
        """Whether both versions are the same."""
        return not (self.dates or self.measures or self.columns_added or self.columns_removed)


def difference(marts: Sequence[Mart], manifest: Path, before: Path, after: Path) -> list[TableDifference]:
    """Compare the tables in the folders of two versions, by the keys of the marts. A table that one side lacks has no rows there.

    Equality is exact. Columns that only one side has are named and not compared.
    """
    found = []
    with in_memory() as connection:
        for mart in marts:
            files = [table_files(folder, mart.name) for folder in (before, after)]
            # A table that is published whole has no event dates, so none that somebody has closed.
            if mart.event_date is not None and any(files):
                found.append(_compared(connection, mart, keys_of(mart.name, manifest), files))
    return found


def _compared(
    connection: duckdb.DuckDBPyConnection, mart: Mart, keys: Sequence[str], files: Sequence[Sequence[Path]]
) -> TableDifference:
    there = next(filter(None, files))
    for side, own in zip(("before", "after"), files, strict=True):
        # A table that is not there has the columns of the other, and no rows.
        query = f"from {scan(*own)}" if own else f"from {scan(*there)} limit 0"
        connection.execute(f"create or replace temp view {side} as {query}")
    columns = {
        side: dict(connection.execute(f"select column_name, column_type from (describe {side})").fetchall())
        for side in ("before", "after")
    }
    common = [column for column in columns["before"] if column in columns["after"]]
    values = [column for column in common if column not in keys]
    numeric = [column for column in values if columns["after"][column].startswith(NUMBERS)]
    return TableDifference(
        name=mart.name,
        dates=_dates(connection, mart.day, keys or common, values),
        measures=_measures(connection, numeric),
        columns_added=[column for column in columns["after"] if column not in columns["before"]],
        columns_removed=[column for column in columns["before"] if column not in columns["after"]],
    )


def _dates(
    connection: duckdb.DuckDBPyConnection, day: str, keys: Sequence[str], values: Sequence[str]
) -> list[DateChange]:
    same_key = " and ".join(f'b."{key}" is not distinct from a."{key}"' for key in keys)
    other = " or ".join(f'b."{value}" is distinct from a."{value}"' for value in values) or "false"
    rows = connection.execute(
        f"""
        with b as (select *, {day} as day_of, true as here from before),
            a as (select *, {day} as day_of, true as here from after)
        select coalesce(a.day_of, b.day_of) as event_date,
            count(*) filter (where b.here is null) as added,
            count(*) filter (where a.here is null) as removed,
            count(*) filter (where a.here and b.here and ({other})) as changed
        from b full join a on {same_key}
        group by all having added + removed + changed > 0 order by event_date
        """
    ).fetchall()
    return [DateChange(*row) for row in rows]


def _measures(connection: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> list[MeasureDifference]:
    if not columns:
        return []
    sums = ", ".join(f'coalesce(sum("{column}"), 0)' for column in columns)
    before, after = (connection.execute(f"select {sums} from {side}").fetchone() or () for side in ("before", "after"))
    found = [
        MeasureDifference(column, Decimal(str(one)), Decimal(str(other)))
        for column, one, other in zip(columns, before, after, strict=True)
    ]
    return [measure for measure in found if measure.change]
