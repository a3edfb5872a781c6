"""DuckDB without a file, to ask files and tables in memory: one engine a process, a connection for each who asks.

To open an engine takes 17 ms of CPU, a connection to one that is open 0.1 ms; a landing day asks a dozen times. What a connection
makes must be temporary: of that nobody else sees anything, and it ends with the connection.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


_ENGINES: dict[int, "duckdb.DuckDBPyConnection"] = {}
"""By process. That of a parent stays as it is: its threads have not outlived the fork, and whoever closes it waits for them."""


@contextmanager
def in_memory() -> Iterator["duckdb.DuckDBPyConnection"]:
    """A connection for the length of the block."""
    import duckdb

    try:
        opened = _opened()
    except duckdb.Error:  # an error within DuckDB, as a damaged file may cause one, ends the engine that it befell
        _ENGINES.pop(os.getpid(), None)
        opened = _opened()
    with opened as connection:
        yield connection


def _opened() -> "duckdb.DuckDBPyConnection":
    import duckdb

    engine = _ENGINES.get(os.getpid())
    if engine is None:
        # It keeps no content of a file, which may be another one by now.
        engine = _ENGINES.setdefault(os.getpid(), duckdb.connect(config={"enable_external_file_cache": False}))
    connection = engine.cursor()
    connection.execute("set enable_progress_bar = false")  # it would end up in the output of `--json`
    return connection
