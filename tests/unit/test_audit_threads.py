"""DuckDB has one thread for an audit or a build of few rows, and as many as before for what comes after it."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from reliability_platform.contracts import SOURCES
from reliability_platform.landing.bronze import bronze_folder
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.built import BUILT
from reliability_platform.warehouse.threads import FEW_BYTES, FEW_ROWS, build_few_with_one_thread, one_thread_for_few

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


@pytest.mark.parametrize(("landed", "threads"), [([FEW_BYTES], 1), ([FEW_BYTES, 1], 3), ([], 1)])
def test_few_rows_are_built_with_one_thread(landed: list[int], threads: int, tmp_path: Path) -> None:
    """Those of all sources together, and of the days that are built alone."""
    settings = load_settings(tmp_path)
    sizes = [(SOURCES[place], DAY, size) for place, size in enumerate(landed)]
    for source, day, size in [*sizes, (SOURCES[0], date(2026, 1, 6), 1)]:
        folder = bronze_folder(settings, source, day)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "batch.parquet").open("wb") as file:
            file.truncate(size)
    with duckdb.connect(str(tmp_path / "one.duckdb"), config={"threads": 3}) as connection:
        build_few_with_one_thread(connection, settings, [DAY])
        assert _threads(connection.cursor()) == threads
    with duckdb.connect(str(tmp_path / "one.duckdb"), config={"threads": 3}) as connection:
        assert _threads(connection) == 3, "the next one to open the file"
