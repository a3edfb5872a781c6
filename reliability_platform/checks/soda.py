"""Runs the SodaCL files of `soda_checks/` on a warehouse connection: one result per check and landing day.

The same files run from the shell with `soda scan`. The first scan of a process costs 1.6 s; see `soda_scan` for the others.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

import duckdb

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import ERROR, NOTHING_TO_JUDGE, CheckResult, CheckStatus
from reliability_platform.checks.soda_files import check_files, names_in_files
from reliability_platform.checks.soda_scan import crash, scan_days
from reliability_platform.contracts import CONTRACTS
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.masking import sample


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


def _threshold(check: Any) -> str:
    """The condition as it stands in the file, for example `missing_percent(customer_id) < 1`."""
    definition = str(check.check_cfg.source_line)
    return definition.strip()


def _result(check: Any, day: date, run_id: str, now: datetime, errors: str) -> CheckResult:
    spec = CHECKS[check.name]
    # Where a query failed, Soda counts its percentages as 0 % and lets them pass: the outcome alone cannot be trusted.
    crashed = crash(query for metric in check.metrics.values() for query in getattr(metric, "queries", []))
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


def evaluate_soda(
    connection: duckdb.DuckDBPyConnection, partitions: Sequence[date], names: set[str], run_id: str, now: datetime
) -> list[CheckResult]:
    """One result per wanted Soda check and landing day. A check that Soda loses is `not_evaluated`."""
    ensure_declared()
    wanted = {name for name in names if CHECKS[name].engine == "soda"}
    datasets = {CHECKS[name].dataset for name in wanted}
    if not wanted:
        return []
    files = [path for path in check_files() if path.stem in datasets]
    results: list[CheckResult] = []
    for day, checks, errors in scan_days(connection, files, partitions):
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
