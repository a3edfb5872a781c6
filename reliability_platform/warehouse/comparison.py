"""Two published versions compared as multisets of rows. Equality is exact: no tolerance, no sampling."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from reliability_platform.in_memory import in_memory
from reliability_platform.masking import MASK, PERSONAL, masked
from reliability_platform.parquet import scan
from reliability_platform.warehouse.published import table_files

DIFFERENCES_SHOWN = 5


@dataclass(frozen=True)
class TableComparison:
    """Rows of one table here and in the oracle, and the first rows that differ."""

    name: str
    rows: int
    expected_rows: int
    equal: bool
    first_differences: list[dict[str, str]]
    """At most five rows, personal columns masked; `side` says `unexpected` (only here) or `missing` (only in the oracle)."""


Personal = Callable[[str], Collection[str]]
"""A table → its columns that hold personal data."""


def compare_tables(
    names: Sequence[str], actual: Path, expected: Path, personal: Personal | None = None
) -> list[TableComparison]:
    """Compare the tables in the folders of two versions. A table that one side lacks has no rows there.

    `personal` is asked where rows differ of tables whose columns no contract describes: their text is shown by its shape.
    """
    return [_compare(name, table_files(actual, name), table_files(expected, name), personal) for name in names]


def _compare(name: str, actual: Sequence[Path], expected: Sequence[Path], personal: Personal | None) -> TableComparison:
    try:
        return _compared(name, actual, expected, personal)
    except duckdb.Error as error:  # its words may quote values
        unreadable = {"side": "unreadable", "here": f"{name} cannot be read ({type(error).__name__})"}
        return TableComparison(name, 0, _rows(expected), False, [unreadable])


def _rows(files: Sequence[Path]) -> int:
    try:
        return sum(int(pq.read_metadata(path).num_rows) for path in files)
    except (OSError, pa.ArrowException):
        return 0


def _compared(
    name: str, actual: Sequence[Path], expected: Sequence[Path], personal: Personal | None
) -> TableComparison:
    with in_memory() as connection:
        for side, files in (("actual", actual), ("expected", expected)):
            if files:
                connection.execute(f"create temp view {side} as select * from {scan(*files)}")
        here, there = bool(actual), bool(expected)
        rows = _count(connection, "actual") if here else 0
        expected_rows = _count(connection, "expected") if there else 0
        if not (here and there):
            return TableComparison(name, rows, expected_rows, rows == expected_rows == 0, [])
        shape = "select column_name, column_type from (describe {})"
        columns = [connection.execute(shape.format(side)).fetchall() for side in ("actual", "expected")]
        if columns[0] != columns[1]:
            difference = {"side": "columns", "here": str(columns[0]), "oracle": str(columns[1])}
            return TableComparison(name, rows, expected_rows, False, [difference])
        found: list[dict[str, str]] = []
        for side, query in (
            ("unexpected", "from actual except all from expected"),
            ("missing", "from expected except all from actual"),
        ):
            cursor = connection.execute(f"from ({query}) order by all limit {DIFFERENCES_SHOWN}")
            labels = [column[0] for column in cursor.description or []]
            differing = (dict(zip(labels, row, strict=True)) for row in cursor.fetchall())
            shown = [_shown(row, personal(name) if personal is not None else None) for row in differing]
            found += [{"side": side, **row} for row in shown]
        return TableComparison(name, rows, expected_rows, not found, found[:DIFFERENCES_SHOWN])


def _shown(row: Mapping[str, object], personal: Collection[str] | None) -> dict[str, str]:
    if personal is None:
        return {name: MASK if name in PERSONAL else str(value) for name, value in row.items()}
    return {name: MASK if name in personal else str(masked(name, value)) for name, value in row.items()}


def _count(connection: duckdb.DuckDBPyConnection, view: str) -> int:
    row = connection.execute(f"select count(*) from {view}").fetchone()
    assert row is not None
    return int(row[0])
