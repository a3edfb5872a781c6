"""DuckDB has one thread for an audit of few rows, and as many as before for what comes after it."""

from datetime import date

import duckdb
import pytest

from reliability_platform.warehouse.built import BUILT
from reliability_platform.warehouse.threads import FEW_ROWS, one_thread_for_few

DAY = date(2026, 1, 5)


def _threads(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("select current_setting('threads')").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize(("rows", "threads"), [(FEW_ROWS // 2, 1), (FEW_ROWS, 3), (None, 3)])
def test_few_rows_have_one_thread(rows: int | None, threads: int) -> None:
    """The rows of the days that are read count, those of other days do not; an unbuilt warehouse says nothing."""
    with duckdb.connect(config={"threads": 3}) as connection:
        if rows is not None:
            connection.execute(
                f"create table {BUILT} as select * from (values (date '2026-01-05', {rows}), (date '2026-01-06', {rows}), "
                f"(date '2026-02-01', {10 * FEW_ROWS})) as t(day, rows)"
            )
        with pytest.raises(ValueError, match="stop"), one_thread_for_few(connection, DAY, date(2026, 1, 6)):
            assert _threads(connection) == threads
            raise ValueError("stop")
        assert _threads(connection) == 3
