"""What was there before a loss, kept as Parquet, and how many rows of it are missing afterwards."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from reliability_platform.in_memory import in_memory
from reliability_platform.parquet import identifier, literal, scan
from reliability_platform.settings import Settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.lease import warehouse_reader
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.published import table_files


def published_tables(settings: Settings) -> list[str]:
    """The names of the marts."""
    return [mart.name for mart in marts(ensure_manifest(settings.dbt_project))]


def write_tables(settings: Settings, names: Sequence[str], folder: Path) -> None:
    """Tables of the warehouse as Parquet: what a recovery is compared with."""
    folder.mkdir(parents=True)
    relations = {mart.name: mart.relation for mart in marts(ensure_manifest(settings.dbt_project))}
    with warehouse_reader(settings) as connection:
        for name in names:
            target = literal(folder / f"{name}.parquet")
            connection.execute(f"copy {relations.get(name, identifier(name))} to {target} (format parquet)")


def missing_rows(before: Path, after: Path, table: str) -> int:
    """How many rows of a table in one folder another one lacks, each as often as it is there."""
    here, there = table_files(before, table), table_files(after, table)
    if not here or not there:
        return sum(pq.read_metadata(path).num_rows for path in here)
    with in_memory() as connection:
        row = connection.execute(f"select count(*) from (from {scan(*here)} except all from {scan(*there)})").fetchone()
    assert row is not None
    return int(row[0])
