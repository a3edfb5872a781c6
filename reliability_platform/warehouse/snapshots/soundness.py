"""Whether a warehouse file can be read to its last block: DuckDB compares the checksum of each block that it reads.

A checksum of the file says that a copy is like the original, not that the original was sound.
"""

from pathlib import Path

import duckdb

from reliability_platform.parquet import identifier
from reliability_platform.warehouse.snapshots.location import SnapshotDamagedError


def read_through(warehouse: Path) -> int:
    """Read every value of every table of a file that nobody writes; returns how many tables there are.

    Raises `SnapshotDamagedError` if a block cannot be read.
    """
    try:
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            connection.execute("set enable_progress_bar = false")
            found = connection.execute("select schema_name, table_name from duckdb_tables() where not temporary")
            tables = found.fetchall()  # those of an own dbt project lie in schemas of their own
            for place in tables:
                connection.execute(f"select max(hash(rows)) from {'.'.join(map(identifier, place))} as rows").fetchall()
            return len(tables)
    except duckdb.Error:  # its words may quote values
        raise SnapshotDamagedError(
            "The warehouse has blocks that cannot be read: put it back with `reliability restore`."
        ) from None
