"""Files of one table of Iceberg are read by their field ids: names change, columns come."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from reliability_platform.parquet import scan_by_field_ids


def _written(path: Path, columns: dict[tuple[int, str], list[object]]) -> str:
    fields = [
        pa.field(name, pa.array(values).type, metadata={"PARQUET:field_id": str(number)})
        for (number, name), values in columns.items()
    ]
    pq.write_table(pa.table([pa.array(values) for values in columns.values()], schema=pa.schema(fields)), path)
    return str(path)


def test_a_column_keeps_its_values_under_another_name_and_a_new_one_is_null_before(tmp_path: Path) -> None:
    folder = tmp_path / "it's [1] *"
    folder.mkdir()
    old = _written(folder / "old.parquet", {(1, "key"): [1], (2, "amount"): ["3"]})
    new = _written(folder / "new.parquet", {(2, "cost"): ["4"], (1, "key"): [2], (3, "amount"): ["other"]})
    rows = scan_by_field_ids([old, new], [(1, "key", "BIGINT"), (2, "cost", "VARCHAR"), (3, "amount", "VARCHAR")])
    with duckdb.connect() as connection:
        found = connection.execute(f"select key, cost, amount from {rows} order by key").fetchall()
    assert found == [(1, "3", None), (2, "4", "other")]
