"""dbt's own result on a run: its tests guard the transformations, so a failure concerns every day of the run."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import ERROR, CheckResult, CheckStatus
from reliability_platform.counted import counted


def results_of_dbt(
    nodes: Sequence[Mapping[str, Any]], partitions: Sequence[date], run_id: str, evaluated_at: datetime
) -> list[CheckResult]:
    """One result per source and landing day. A failed test is a failure; a broken model means nobody could judge."""
    failed = [node for node in nodes if node["status"] == "fail"]
    broken = [node for node in nodes if node["status"] == "error"]
    status = CheckStatus.NOT_EVALUATED if broken else CheckStatus.FAILED if failed else CheckStatus.PASSED
    message = f"{counted(len(nodes), 'dbt node')} ran"
    if broken or failed:
        first = (broken or failed)[0]
        message = (
            f"{counted(len(broken), 'model')} broke and {counted(len(failed), 'test')} failed, first {first['name']}"
        )
    return [
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
        if spec.engine == "dbt"
        for day in partitions
    ]
