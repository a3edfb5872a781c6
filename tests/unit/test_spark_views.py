"""What Spark has built is taken over when DuckDB builds again: a clone, a drill, a change of mind."""

from pathlib import Path

import duckdb
import pytest

from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.warehouse.spark.tables import SHOWN, keep_as_tables


@pytest.fixture
def warehouse(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(tmp_path / "warehouse.duckdb"))
    connection.execute(f"copy (select 1 as key, 'a' as word) to '{tmp_path / 'data.parquet'}'")
    connection.execute(f"create view stg_orders as from read_parquet('{tmp_path / 'data.parquet'}')")
    connection.execute(f"comment on view stg_orders is '{SHOWN}'")
    connection.execute("create view hld_too_late as from stg_orders")
    return connection


def test_views_on_tables_of_spark_become_tables_and_others_stay(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    assert keep_as_tables(warehouse) == ["stg_orders"]
    (tmp_path / "data.parquet").unlink()
    assert warehouse.execute("from hld_too_late").fetchall() == [(1, "a")]
    warehouse.execute("delete from stg_orders")
    assert keep_as_tables(warehouse) == []


def test_files_that_are_gone_are_said_and_nothing_is_lost(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (tmp_path / "data.parquet").rename(tmp_path / "elsewhere")
    with pytest.raises(EnvironmentUnusableError, match=r"move warehouse\.duckdb away"):
        keep_as_tables(warehouse)
    (tmp_path / "elsewhere").rename(tmp_path / "data.parquet")
    assert warehouse.execute("from stg_orders").fetchall() == [(1, "a")]
