"""What a monitor says of a landing day: it looks at runs, stores and files, not at rows, so its value is yes or no."""

from datetime import date, datetime

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import CheckResult, CheckStatus


def change(last: CheckResult | None, check: str, words: str | None, now: datetime) -> CheckResult | None:
    """The result to record if it is another than the last: failed for what `words` say, passed if they are None."""
    failing = last is not None and last.status is CheckStatus.FAILED
    if failing is (words is not None):
        return None
    day = last.partition if failing and last is not None else now.date()
    status = CheckStatus.PASSED if words is None else CheckStatus.FAILED
    return monitor_result(check, day, status, words or "it is mended", f"{check}-{now:%Y%m%dT%H%M%S}", now)


def monitor_result(check: str, day: date, status: CheckStatus, message: str, run_id: str, now: datetime) -> CheckResult:
    """One result of a check that a monitor evaluates; the value is 1 for a failure."""
    spec = CHECKS[check]
    failed = status is CheckStatus.FAILED
    return CheckResult(
        check=spec.name,
        dataset=spec.dataset,
        source=spec.source,
        partition=day,
        status=status,
        value=1.0 if failed else 0.0,
        threshold="= 0",
        message=message,
        run_id=run_id,
        evaluated_at=now,
        details={"detail": message} if failed else {},
    )
