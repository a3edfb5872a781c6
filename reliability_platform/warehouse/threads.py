"""How many threads DuckDB has for an audit or a build: of few rows one is as fast as two, and takes up to a fifth less CPU.

DuckDB hands out 122,880 rows at a time; where a question has no more than a few such portions, threads wait for each other.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

from reliability_platform.contracts import SOURCES
from reliability_platform.landing.bronze import bronze_folder
from reliability_platform.settings import OWN_DBT_PROJECT, Settings
from reliability_platform.warehouse.built import built_rows_between

if TYPE_CHECKING:
    import duckdb

FEW_ROWS = 2_000_000
"""Rows of staging and silver of all sources: what is asked reads few columns of one of them."""

FEW_BYTES = 3_000_000
"""Of bronze that a build reads, some 100,000 rows: of more, each statement is worth two threads."""


def build_few_with_one_thread(
    connection: "duckdb.DuckDBPyConnection", settings: Settings, landing_days: Collection[date]
) -> None:
    """Let all connections to the file of this one have one thread a statement where few rows landed on these days, until the
    last is closed; dbt runs two statements at a time. An own project builds its tables whole: nobody knows of how many rows.
    """
    folders = [bronze_folder(settings, source, day) for source in SOURCES for day in landing_days]
    size = sum(path.stat().st_size for folder in folders for path in folder.glob("*.parquet"))
    if OWN_DBT_PROJECT is None and size <= FEW_BYTES:
        connection.execute("set threads = 1")


@contextmanager
def one_thread_for_few(connection: "duckdb.DuckDBPyConnection", first: date, last: date) -> Iterator[bool]:
    """Work on the landing days from `first` to `last` with one thread a question where they have few rows; yields whether."""
    rows = built_rows_between(connection, first, last)
    row = connection.execute("select current_setting('threads')").fetchone()
    if row is None or rows is None or rows > FEW_ROWS:
        yield False
        return
    connection.execute("set threads = 1")
    try:
        yield True
    finally:
        connection.execute(f"set threads = {int(row[0])}")
