"""A scan of Soda that is built once and run for each landing day, with a connection that asks once for many days.

Reading the files and building the checks costs ten times what the queries of a day cost, and each query is planned longer than
it runs. So the scan stands for no day, `START` and `END`, until a query is sent; and what Soda has changed in it is put back.
"""

import contextlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any

import duckdb

from reliability_platform.checks.by_day import grouped_by_day
from reliability_platform.masking import error_text
from reliability_platform.parquet import literal
from reliability_platform.settings import SODA_SETTINGS

os.environ.setdefault("OTEL_SDK_DISABLED", "true")  # Soda's telemetry; without it a scan waits 9 s for the network

DATA_SOURCE = "warehouse"
START, END = "0001-01-01", "0001-01-02"
"""Stand for the landing day until a query is sent; no query means the year 1."""
SPARSE = 8
"""Of days that are one in more of their stretch each is asked for itself: to read the others costs as much as to plan again."""
KEPT_ROWS = 1_000
"""An answer of more rows is not kept for the other days."""
Row = tuple[Any, ...]


class _Answer:
    """Rows that are known already, as a cursor has them."""

    def __init__(self, description: Any, rows: Sequence[Row]) -> None:
        self.description, self._rows = description, iter(rows)

    def fetchone(self) -> Row | None:
        return next(self._rows, None)

    def fetchmany(self, size: int = 1) -> list[Row]:
        return [row for row, _ in zip(self._rows, range(size), strict=False)]

    def fetchall(self) -> list[Row]:
        return list(self._rows)


class _ByDay:
    """What a query answers for each day of a window; a day that is not there has the answer of a day without rows."""

    def __init__(self, description: Any, by_day: dict[date, Row], otherwise: Row) -> None:
        self._description, self._by_day, self._otherwise = description, by_day, otherwise

    def on(self, day: date) -> _Answer:
        return _Answer(self._description, [self._by_day.get(day, self._otherwise)])


class _Same:
    """What a query that speaks of no day answers."""

    def __init__(self, description: Any, rows: Sequence[Row]) -> None:
        self._description, self._rows = description, rows

    def on(self, _: date) -> _Answer:
        return _Answer(self._description, self._rows)


def _after(day: date) -> str:
    return (day + timedelta(days=1)).isoformat()


def _of_days(sql: str, first: date, last: date) -> str:
    """The query for the days from `first` to `last`."""
    return sql.replace(START, first.isoformat()).replace(END, _after(last))


class _Connection:
    """What Soda takes for its connection, and for a cursor of it: runs its queries on the landing day of the scan."""

    def __init__(self) -> None:
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._days: Sequence[date] = ()
        self._day = date.min
        self._known: dict[str, _ByDay | _Same | None] = {}
        self._knows_columns = False
        self._current: Any = None
        self.asked = 0
        """How many queries were sent."""

    @contextlib.contextmanager
    def over(self, connection: duckdb.DuckDBPyConnection, days: Sequence[date]) -> Iterator[None]:
        """Scan a window of landing days on a real connection."""
        self._connection, self._days, self._known = connection, days, {}
        self._knows_columns, self.asked = False, 0
        try:
            yield
        finally:
            self._connection, self._current, self._known = None, None, {}

    def turn_to(self, day: date) -> None:
        """Scan this day."""
        self._day = day

    def know_columns(self, queries: Callable[[], dict[str, str]]) -> None:
        """Ask for the columns of all tables at once, by table what Soda asks: each time DuckDB binds all views."""
        if self._knows_columns or self._connection is None:
            return
        self._knows_columns = True
        wanted = {name: sql for name, sql in queries().items() if " ".join(sql.split()) == _columns_query(name)}
        names = ", ".join(map(literal, wanted))
        with contextlib.suppress(duckdb.Error):  # then it is asked for each, and fails there
            rows = self._connection.execute(
                f"select table_name, column_name, lower(data_type), is_nullable from information_schema.columns "
                f"where table_name in ({names}) order by ordinal_position"
            ).fetchall()
            for name, sql in wanted.items():
                self._known[sql] = _Same(None, [row[1:] for row in rows if row[0] == name])

    def execute(self, sql: str) -> "_Connection":
        """Answer a query, whatever day it is asked for."""
        assert self._connection is not None
        self.asked += 1
        if sql not in self._known:
            self._known[sql] = self._of_window(self._connection, sql)
        known = self._known[sql]
        if known is not None:
            self._current = known.on(self._day)
        else:
            self._current = self._connection.execute(_of_days(sql, self._day, self._day))
        return self

    def _of_window(self, connection: duckdb.DuckDBPyConnection, sql: str) -> _ByDay | _Same | None:
        """The answer for all days of the window; None where each must be asked for itself, and an error be its own."""
        first, last = min(self._days), max(self._days)
        if len(self._days) == 1 or (last - first).days >= SPARSE * len(self._days):
            return None
        try:
            if START not in sql and END not in sql:
                found = connection.execute(sql)
                rows = found.fetchmany(KEPT_ROWS + 1)
                return _Same(found.description, rows) if len(rows) <= KEPT_ROWS else None
            together = grouped_by_day(connection, sql, START, END)
            if together is None:
                return None
            # Of no rows an aggregation has one row, and any other query has none.
            of_nothing = connection.execute(sql.replace(END, START)).fetchmany(2)
            if len(of_nothing) != 1:
                return None
            found = connection.execute(_of_days(together, first, last))
            by_day = {day: tuple(row) for *row, day in found.fetchall()}
            return _ByDay((found.description or [])[:-1], by_day, of_nothing[0])
        except duckdb.Error:
            return None

    def cursor(self) -> "_Connection":
        return self

    def rollback(self) -> None:
        """DuckDB refuses a rollback outside a transaction; Soda asks for one after any SQL error and would give up."""
        with contextlib.suppress(duckdb.TransactionException):
            if self._connection is not None:
                self._connection.rollback()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._current, name)


def _columns_query(table: str) -> str:
    """What Soda asks for the columns of a table."""
    return (
        "SELECT column_name, lower(data_type) as data_type, is_nullable FROM information_schema.columns "
        f"WHERE (table_name) = '{table}' ORDER BY ORDINAL_POSITION"
    )


class _State:
    """What can change of objects of Soda, as it was."""

    def __init__(self) -> None:
        self._kept: list[tuple[Any, Any]] = []

    @property
    def is_kept(self) -> bool:
        return bool(self._kept)

    def keep(self, root: object, shared: Iterable[object]) -> None:
        """Keep how all is that is reached from `root`; `shared` objects are left as they are."""
        seen, to_see = {id(one) for one in (self, *shared)}, [root]
        while to_see:
            one = to_see.pop()
            if id(one) in seen:
                continue
            seen.add(id(one))
            if isinstance(one, dict):
                self._kept.append((one, dict(one)))
                to_see += one.values()
            elif isinstance(one, list | set):
                self._kept.append((one, list(one)))
                to_see += one
            elif isinstance(one, tuple):
                to_see += one
            elif type(one).__module__.startswith(("soda.", __name__)) and hasattr(one, "__dict__"):
                to_see.append(vars(one))

    def restore(self) -> None:
        """Put it all back."""
        for one, content in self._kept:
            if isinstance(one, list):
                one[:] = content
            else:
                one.clear()
                one.update(content)


@lru_cache(maxsize=1)
def scan_class() -> Any:
    """Soda's scan, without what would leave this machine."""
    from soda.common.config_helper import ConfigHelper

    # Asked first, or Soda would write a ~/.soda/config.yml by which every later `soda scan` of this user reports.
    ConfigHelper.get_instance(str(SODA_SETTINGS))
    from soda.execution.query.schema_query import TableColumnsQuery
    from soda.scan import Scan

    class _Scan(Scan):  # type: ignore[misc]
        """A scan that remembers how it was before its first query."""

        connection: _Connection
        built: _State
        end = END

        def build_scan_results(self) -> dict[str, Any]:
            """The report for Soda's cloud takes a quarter of a scan's time and goes nowhere."""
            return {}

        def get_variable(self, variable_name: str, default_value: str | None = None) -> str | None:
            """By what a freshness is judged is said at last."""
            found = super().get_variable(variable_name, default_value)
            return found.replace(END, self.end) if isinstance(found, str) else found

        def jinja_resolve(self, definition: Any, variables: Any = None, location: Any = None) -> Any:
            """Its variables never change, and each time Jinja makes a module of Python of the text."""
            if variables or not isinstance(definition, str):
                return super().jinja_resolve(definition, variables, location)
            if definition not in self.resolved:
                self.resolved[definition] = super().jinja_resolve(definition, None, location)
            return self.resolved[definition]

        def run_data_source_scan(self) -> None:
            """Soda calls this between the building of the checks and their queries."""
            if not self.built.is_kept:
                self.log, self.asked_while_built = list(self._logs.logs), self.connection.asked
                self._sodacl_cfg = SimpleNamespace(
                    data_source_scan_cfgs={}, for_each_dataset_cfgs=[], for_each_column_cfgs=[]
                )
                self.built.keep(self, (self.environment, self._logs, self._sodacl_cfg, self.connection, self.log))
            self.connection.know_columns(self._asks_for_columns)
            super().run_data_source_scan()

        def _asks_for_columns(self) -> dict[str, str]:
            queries = [one for metric in self._metrics for one in metric.queries if isinstance(one, TableColumnsQuery)]
            tables = {one.table.table_name: one.data_source_scan.data_source for one in queries}
            return {name: source.sql_get_table_columns(name) for name, source in tables.items()}

    return _Scan


_VARIABLES = re.compile(r"\$\{\s*(START|END|NOW)\s*\}")
_COMPUTED = re.compile(r"\{%|\$\{[^}]*\b(START|END|NOW)\b")


def _speaks_of_any_day(files: Sequence[Path]) -> bool:
    """Whether the files have the landing day as it is, and compute nothing from it, such as its month: `${START[:7]}`."""
    return not any(_COMPUTED.search(_VARIABLES.sub("", path.read_text("utf-8"))) for path in files)


def read_files(files: Sequence[Path], connection: Any, variables: dict[str, str]) -> Any:
    """A scan that has read the files, over what Soda takes for its connection; `judge` runs it as often as it is wanted."""
    logging.getLogger("soda").setLevel(logging.CRITICAL)
    scan = scan_class()()
    # Soda has one log for the whole process: it would grow for ever, and tell the errors of earlier days as today's.
    scan._logs.logs.clear()
    scan.connection, scan.built, scan.resolved = connection, _State(), {}
    scan.set_data_source_name(DATA_SOURCE)
    scan.add_duckdb_connection(connection, DATA_SOURCE)
    scan.add_variables(variables)
    for path in files:
        scan.add_sodacl_yaml_file(str(path))
    scan.log = list(scan._logs.logs)
    return scan


def _read(files: Sequence[Path], connection: _Connection, start: str = START, end: str = END) -> Any:
    """A scan that has read the files, by default for no day."""
    return read_files(files, connection, {"START": start, "END": end, "NOW": f"{end}T00:00:00"})


_built: dict[tuple[tuple[str, int], ...], Any] = {}
"""The scans of this process that are built, by files and when these were written."""
one_at_a_time = Lock()
"""Held while a scan runs: Soda keeps its log in the process."""


def scan_days(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Path], days: Sequence[date]
) -> Iterator[tuple[date, list[Any], str]]:
    """By landing day, the checks of the files as Soda has judged them, and the error for which it gave up some. They are good until
    the next day is asked for.
    """
    with one_at_a_time:
        key = tuple((str(path), path.stat().st_mtime_ns) for path in files)
        scan = _built.pop(key, None)
        here = _Connection() if scan is None else scan.connection
        is_of_any_day = scan is not None or _speaks_of_any_day(files)
        with here.over(connection, days):
            for day in days:
                if not is_of_any_day:
                    scan = _read(files, here, day.isoformat(), _after(day))
                elif scan is None or not scan.built.is_kept:  # Soda stopped before it was built
                    scan = _read(files, here)
                try:
                    checks, errors = _judged(scan, day)
                except Exception as error:  # a crashing scan says nothing about the data
                    checks, errors = [], error_text(error)
                yield day, checks, errors
        if scan is not None and is_of_any_day and scan.built.is_kept and not scan.asked_while_built:
            _built[key] = scan


def _judged(scan: Any, day: date) -> tuple[list[Any], str]:
    scan.connection.turn_to(day)
    scan.end = _after(day)
    return judge(scan)


def judge(scan: Any) -> tuple[list[Any], str]:
    """The checks of a scan as Soda has judged them, and the error for which it gave up some; good until it is run again."""
    scan.built.restore()
    scan._logs.logs[:] = scan.log
    scan._logs.logs_buffer.clear()
    scan.execute()
    return list(scan._checks), crash(scan._queries) or error_text(scan.get_error_logs_text() or "")


def crash(queries: Iterable[Any]) -> str:
    """The error of the first query that failed. Soda's log buries it in the statement: masked, nothing of it was left."""
    return next((error_text(query.exception) for query in queries if query.exception), "")
