"""How many threads DuckDB has for an audit: of few rows one is as fast as two, and takes a fifth less CPU.

DuckDB hands out 122,880 rows at a time; where a question has no more than a few such portions, threads wait for each other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

from reliability_platform.warehouse.built import built_rows_between

if TYPE_CHECKING:
    import duckdb

FEW_ROWS = 2_000_000
"""Rows of staging and silver of all sources: what is asked reads few columns of one of them."""


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
