"""dbt's own results on a run. The tests of the platform's models guard its transformations, so a failure concerns every day
of the run, as a broken model does. Each test of an own dbt project is a check: it judges a table as a whole.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from reliability_platform.checks.catalogue import CHECKS, MODEL_TESTS, CheckSpec
from reliability_platform.checks.results import ERROR, CheckResult, CheckStatus
from reliability_platform.counted import counted
from reliability_platform.warehouse.marts import ModelTest


def ends_the_run(node: Mapping[str, Any]) -> bool:
    """Whether a node keeps a run from its audit: a model that broke, or a test of the platform's own that failed."""
    return node["status"] in ("error", "fail") and node["unique_id"] not in MODEL_TESTS


def results_of_dbt(
    nodes: Sequence[Mapping[str, Any]],
    partitions: Sequence[date],
    run_id: str,
    evaluated_at: datetime,
    others: Mapping[str, Collection[date]] | None = None,
) -> list[CheckResult]:
    """One result per source and landing day. A failed test is a failure; a broken model means nobody could judge.

    `others` are days besides those of the run that wait for a check to pass: a table that passes as a whole is good for
    them, too.
    """
    ours = [node for node in nodes if node["unique_id"] not in MODEL_TESTS]
    failed = [node for node in ours if node["status"] == "fail"]
    broken = [node for node in ours if node["status"] == "error"]
    status = CheckStatus.NOT_EVALUATED if broken else CheckStatus.FAILED if failed else CheckStatus.PASSED
    message = f"{counted(len(ours), 'dbt node')} ran"
    if broken or failed:
        first = (broken or failed)[0]
        message = (
            f"{counted(len(broken), 'model')} broke and {counted(len(failed), 'test')} failed, first {first['name']}"
        )
    builds = [
        CheckResult(
            check=spec.name,
            dataset=spec.dataset,
            source=spec.source,
            partition=day,
            status=status,
            value=float(len(failed) + len(broken)),
            threshold="= 0",
            message=message,
            run_id=run_id,
            evaluated_at=evaluated_at,
            details={"nodes": [node["unique_id"] for node in (*broken, *failed)][:20]},
            reason=ERROR if broken else None,
        )
        for spec in CHECKS.values()
        if spec.engine == "dbt" and spec.dataset == "dbt_build"
        for day in partitions
    ]
    tests = [(MODEL_TESTS[node["unique_id"]], node) for node in nodes if node["unique_id"] in MODEL_TESTS]
    return builds + [
        _result(CHECKS[test.check], test, node, day, run_id, evaluated_at)
        for test, node in tests
        for day in _days(test.check, node, partitions, others or {})
    ]


def _days(
    check: str, node: Mapping[str, Any], partitions: Sequence[date], others: Mapping[str, Collection[date]]
) -> list[date]:
    passed = node["status"] in ("pass", "warn")
    return sorted({*partitions, *(others.get(check, ()) if passed else ())})


def _result(
    spec: CheckSpec, test: ModelTest, node: Mapping[str, Any], day: date, run_id: str, evaluated_at: datetime
) -> CheckResult:
    status, failures = _status(spec, str(node["status"])), node["failures"]
    if status is CheckStatus.NOT_EVALUATED:
        message = f"could not be evaluated: {node['message'] or 'something before it failed, and dbt skipped it'}"
    else:
        message = counted(failures or 0, "failing row") + (f", kept in {test.kept_in}" if test.kept_in else "")
    return CheckResult(
        check=spec.name,
        dataset=spec.dataset,
        source=spec.source,
        partition=day,
        status=status,
        value=None if status is CheckStatus.NOT_EVALUATED else float(failures or 0),
        threshold="= 0",
        message=message,
        run_id=run_id,
        evaluated_at=evaluated_at,
        column=spec.column,
        details={"nodes": [node["unique_id"]]},
        reason=ERROR if status is CheckStatus.NOT_EVALUATED else None,
    )


def _status(spec: CheckSpec, said: str) -> CheckStatus:
    """dbt's word as ours. A test of severity `error` that only warns has fewer failing rows than it takes for a failure."""
    if said == "fail" or (said == "warn" and not spec.blocking):
        return CheckStatus.FAILED
    return CheckStatus.PASSED if said in ("pass", "warn") else CheckStatus.NOT_EVALUATED
