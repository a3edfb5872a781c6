"""Runs the SodaCL files of `soda_checks/` on a warehouse connection, one scan per landing day.

The same files run from the shell with `soda scan`. The first scan of a process costs 1.6 s, each later one 0.05 s for
all datasets.
"""

import contextlib
import copy
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import ERROR, NOTHING_TO_JUDGE, CheckResult, CheckStatus
from reliability_platform.checks.soda_files import check_files, names_in_files
from reliability_platform.contracts import CONTRACTS
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.masking import error_text, sample
from reliability_platform.settings import SODA_SETTINGS

os.environ.setdefault("OTEL_SDK_DISABLED", "true")  # Soda's telemetry; without it a scan waits 9 s for the network

DATA_SOURCE = "warehouse"
START, END = "0001-01-01", "0001-01-02"
"""Stand for the landing day while files are read; no query means the year 1."""


@lru_cache(maxsize=1)
def ensure_declared() -> None:
    """Refuse checks that the catalogue does not know, and declared ones that no file holds."""
    declared = {name for name, spec in CHECKS.items() if spec.engine == "soda"}
    found = names_in_files()
    if found != declared:
        raise EnvironmentUnusableError(
            f"soda_checks/ and what is declared disagree; undeclared: {sorted(found - declared)}, "
            f"without a file: {sorted(declared - found)}."
        )


class _Cursor:
    """Runs Soda's queries on the landing day of the scan."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, days: Mapping[str, str]) -> None:
        self._cursor, self._days = cursor, days

    def execute(self, sql: str, *parameters: Any) -> Any:
        for placeholder, day in self._days.items():
            sql = sql.replace(placeholder, day)
        return self._cursor.execute(sql, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


class _Connection:
    """DuckDB refuses a rollback outside a transaction; Soda asks for one after any SQL error and would give up."""

    def __init__(self, connection: duckdb.DuckDBPyConnection | None, days: Mapping[str, str]) -> None:
        self._connection, self._days = connection, days

    def cursor(self) -> _Cursor:
        assert self._connection is not None
        return _Cursor(self._connection.cursor(), self._days)

    def rollback(self) -> None:
        with contextlib.suppress(duckdb.TransactionException):
            if self._connection is not None:
                self._connection.rollback()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def _threshold(check: Any) -> str:
    """The condition as it stands in the file, for example `missing_percent(customer_id) < 1`."""
    definition = str(check.check_cfg.source_line)
    return definition.strip()


def _crash(queries: Iterable[Any]) -> str:
    """The error of the first query that failed. Soda's log buries it in the statement: masked, nothing of it was left."""
    return next((error_text(query.exception) for query in queries if query.exception), "")


def _result(check: Any, day: date, run_id: str, now: datetime, errors: str) -> CheckResult:
    spec = CHECKS[check.name]
    # Where a query failed, Soda counts its percentages as 0 % and lets them pass: the outcome alone cannot be trusted.
    crashed = _crash(query for metric in check.metrics.values() for query in getattr(metric, "queries", []))
    outcome = None if crashed or check.outcome is None else check.outcome.value
    status = {"pass": CheckStatus.PASSED, "warn": CheckStatus.FAILED, "fail": CheckStatus.FAILED}.get(
        outcome or "", CheckStatus.NOT_EVALUATED
    )
    raw = None if crashed else getattr(check, "check_value", None)  # a schema check has none
    value = float(raw) if isinstance(raw, int | float) else raw.total_seconds() if isinstance(raw, timedelta) else None
    threshold = _threshold(check)
    shown = f"{raw:.4g}" if isinstance(raw, float) and raw < 1000 else raw  # Soda gives 16 digits of a percentage
    message = f"{threshold}: {shown}" if value is not None else threshold
    if status is CheckStatus.NOT_EVALUATED:
        message = f"Soda could not evaluate it: {crashed or errors or 'no value came back'}"
    return CheckResult(
        check=spec.name,
        dataset=spec.dataset,
        source=spec.source,
        partition=day,
        status=status,
        value=value,
        threshold=threshold,
        message=message,
        run_id=run_id,
        evaluated_at=now,
        column=spec.column,
        reason=ERROR if status is CheckStatus.NOT_EVALUATED else None,
    )


@lru_cache(maxsize=1)
def _scan_class() -> Any:
    from soda.common.config_helper import ConfigHelper

    # Asked first, or Soda would write a ~/.soda/config.yml by which every later `soda scan` of this user reports.
    ConfigHelper.get_instance(str(SODA_SETTINGS))
    from soda.scan import Scan

    class _Scan(Scan):  # type: ignore[misc]
        """A scan without the report for Soda's cloud, which takes a quarter of its time and goes nowhere."""

        def build_scan_results(self) -> dict[str, Any]:
            return {}

    return _Scan


@lru_cache(maxsize=16)
def _parsed(files: tuple[tuple[str, int], ...]) -> tuple[Any, _Connection, list[Any]]:
    """A scan that has read the files, for no day yet, the connection that stands for the real one in it, its log.

    Reading them costs five times what running them does, so it is done once and copied for each landing day, but for what
    stands in the files: no scan changes it, and copying it took half of a scan.
    """
    connection = _Connection(None, {})
    scan = _scan_class()()
    scan._logs.logs.clear()
    scan.set_data_source_name(DATA_SOURCE)
    scan.add_duckdb_connection(connection, DATA_SOURCE)
    scan.add_variables({"START": START, "END": END, "NOW": f"{END}T00:00:00"})
    for path, _ in files:
        scan.add_sodacl_yaml_file(path)
    return scan, connection, list(scan._logs.logs)


def _scan(connection: duckdb.DuckDBPyConnection, files: Sequence[Path], day: date) -> tuple[list[Any], str]:
    logging.getLogger("soda").setLevel(logging.CRITICAL)
    parsed, placeholder, log = _parsed(tuple((str(path), path.stat().st_mtime_ns) for path in files))
    first, end = day.isoformat(), (day + timedelta(days=1)).isoformat()
    here = _Connection(connection, {START: first, END: end})
    # Soda has one log for the whole process: it would grow for ever, and tell the errors of earlier days as today's.
    parsed._logs.logs[:] = log
    parsed._logs.logs_buffer.clear()
    shared = {id(one): one for one in (parsed.environment, parsed._logs, parsed._sodacl_cfg)}
    scan = copy.deepcopy(parsed, {id(placeholder): here, **shared})
    scan.add_variables({"START": first, "END": end, "NOW": f"{end}T00:00:00"})
    scan.execute()
    return list(scan._checks), _crash(scan._queries) or error_text(scan.get_error_logs_text() or "")


def evaluate_soda(
    connection: duckdb.DuckDBPyConnection, partitions: Sequence[date], names: set[str], run_id: str, now: datetime
) -> list[CheckResult]:
    """One result per wanted Soda check and landing day. A check that Soda loses is `not_evaluated`."""
    ensure_declared()
    wanted = {name for name in names if CHECKS[name].engine == "soda"}
    datasets = {CHECKS[name].dataset for name in wanted}
    files = [path for path in check_files() if path.stem in datasets]
    results: list[CheckResult] = []
    for day in partitions:
        try:
            checks, errors = _scan(connection, files, day) if files else ([], "")
        except Exception as error:  # a crashing scan says nothing about the data
            checks, errors = [], error_text(error)
        found = {check.name: _result(check, day, run_id, now, errors) for check in checks if check.name in wanted}
        for name in sorted(wanted):
            results.append(found.get(name) or _lost(name, day, run_id, now, errors))
    filled = {dataset: _days_with_rows(connection, dataset, partitions) for dataset in sorted(datasets)}
    results = [_unless_empty(result, filled[result.dataset]) for result in results]
    return [_with_sample(connection, result) for result in results]


_COUNTS_ROWS = ("__schema", "__row_count")
"""Checks that judge an empty table too."""


def _days_with_rows(
    connection: duckdb.DuckDBPyConnection, dataset: str, partitions: Sequence[date]
) -> frozenset[date] | None:
    """The days of which a table has rows to judge; None for a table that cannot be asked: its checks have crashed."""
    mart = dataset.startswith(("agg_", "fct_"))
    day, live = ("event_date", "") if mart else ("landing_date", "")
    if dataset.startswith("stg_"):
        live = "and not is_superseded and disposition <> 'discarded'"
    try:
        rows = connection.execute(
            f"select distinct {day} from {dataset} where {day} between ? and ? {live}",
            [min(partitions), max(partitions)],
        ).fetchall()
    except duckdb.Error:
        return None
    return frozenset(row[0] for row in rows)


def _unless_empty(result: CheckResult, filled: frozenset[date] | None) -> CheckResult:
    """Of no rows, Soda says that none of them is bad: that is no pass. On a day on which none are due, as on Tuesdays of a source
    that comes on Mondays, that there are none is no failure either.
    """
    if filled is None or result.partition in filled or result.status is CheckStatus.NOT_EVALUATED:
        return result
    of_rows = result.dataset == f"stg_{result.source}" and not result.check.endswith("__schema")
    is_idle = of_rows and not CONTRACTS[result.source].cadence.due_on(result.partition)
    if (result.check.endswith(_COUNTS_ROWS) or result.status is CheckStatus.FAILED) and not is_idle:
        return result
    said = "no batch is due on that day" if is_idle else "there were no rows to judge"
    return replace(result, status=CheckStatus.NOT_EVALUATED, value=None, message=said, reason=NOTHING_TO_JUDGE)


def _lost(name: str, day: date, run_id: str, now: datetime, error: str) -> CheckResult:
    spec = CHECKS[name]
    return CheckResult(
        check=name,
        dataset=spec.dataset,
        source=spec.source,
        partition=day,
        status=CheckStatus.NOT_EVALUATED,
        value=None,
        threshold="",
        message=f"Soda could not evaluate it: {error or 'the scan stopped before it'}",
        run_id=run_id,
        evaluated_at=now,
        column=spec.column,
        reason=ERROR,
    )


def _with_sample(connection: duckdb.DuckDBPyConnection, result: CheckResult) -> CheckResult:
    """A failed staging check shows a few of the rows that were rejected on its day, masked."""
    if result.status is not CheckStatus.FAILED or not result.dataset.startswith("stg_"):
        return result
    try:
        cursor = connection.execute(
            f"select * exclude (rescued, disposition, is_superseded, event_date) from {result.dataset} "
            "where landing_date = cast(? as date) and not is_superseded and disposition = 'rejected' "
            "and (? is null or contains(reject_reasons, ?)) order by batch_id, row_number limit 5",
            [result.partition.isoformat(), result.column, result.column],
        )
    except duckdb.Error:  # a table that lacks a column has failed for that; the finding stands without rows
        return result
    names = [column[0] for column in cursor.description or []]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return CheckResult(**{**vars(result), "sample": sample(rows)})
