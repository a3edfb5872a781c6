"""Lets dbt read tables where its statements read files: that is how it finds the broken rows of files.

The files stay where they are, whatever their formats, patterns and options. Each statement of a model, of its hooks, of
`run_query` and of a Python model goes through one class of dbt-duckdb, which this stands behind meanwhile.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from reliability_platform.mutation.sql_text import Query

RUN_SQL = frozenset({"execute", "query", "sql"})


class _Cursor:
    """A cursor of DuckDB that reads other tables in the place of some calls."""

    def __init__(self, cursor: Any, instead: Mapping[str, str]) -> None:
        self._cursor, self._instead = cursor, instead

    def __getattr__(self, name: str) -> Any:
        own = getattr(self._cursor, name)
        if name not in RUN_SQL:
            return own

        def run(sql: Any, *more: Any, **named: Any) -> Any:
            text = Query.of(sql, self._instead).reading(self._instead) if isinstance(sql, str) else sql
            return own(text, *more, **named)

        return run


@contextmanager
def reading_tables(instead: Mapping[str, str]) -> Iterator[None]:
    """Let dbt read these tables in the place of calls as `read_csv('…')`, as they are written. For one command at a time."""
    if not instead:
        yield
        return
    from dbt.adapters.duckdb.environments.local import DuckDBCursorWrapper

    before = DuckDBCursorWrapper.__init__

    def begun(wrapper: Any, cursor: Any) -> None:
        before(wrapper, _Cursor(cursor, instead))  # type: ignore[no-untyped-call]

    DuckDBCursorWrapper.__init__ = begun  # type: ignore[method-assign]
    try:
        yield
    finally:
        DuckDBCursorWrapper.__init__ = before  # type: ignore[method-assign]
