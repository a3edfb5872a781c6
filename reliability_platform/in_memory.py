"""DuckDB without a file, to ask files and tables in memory: one engine a process, a connection for each who asks.

To open an engine takes 17 ms of CPU, a connection to one that is open 0.1 ms; a landing day asks a dozen times. What a connection
makes must be temporary: of that nobody else sees anything, and it ends with the connection.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


@contextmanager
def in_memory() -> Iterator["duckdb.DuckDBPyConnection"]:
    """A connection for the length of the block."""
    import duckdb

    try:
        opened = _opened()
    except duckdb.Error:  # an error within DuckDB, as a damaged file may cause one, ends the engine that it befell
        _engine.cache_clear()
        opened = _opened()
    with opened as connection:
        yield connection


def _opened() -> "duckdb.DuckDBPyConnection":
    connection = _engine(os.getpid()).cursor()
    connection.execute("set enable_progress_bar = false")  # it would end up in the output of `--json`
    return connection


@lru_cache(maxsize=1)
def _engine(_process: int) -> "duckdb.DuckDBPyConnection":
    """Of this process: its threads do not outlive a fork. It keeps no content of a file, which may be another one by now."""
    import duckdb

    return duckdb.connect(config={"enable_external_file_cache": False})
