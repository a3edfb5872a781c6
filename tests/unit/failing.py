"""Check results made by hand, for tests of what follows from them."""

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.facts import Facts, File
from reliability_platform.checks.results import ERROR, CheckResult, CheckStatus

FIRST = date(2026, 1, 1)
NOW = datetime(2026, 2, 1, 3, 0, tzinfo=UTC)


NOTHING = Facts()


def missing(*slots: int) -> Facts:
    """Slots of which no batch came."""
    return Facts(missing_slots=slots)


def refused(batch: str, reason: str, slot: int | None = None, **what: Any) -> Facts:
    """A file that was refused."""
    return Facts(refused=(File(batch, slot, reason, **what),))


def day(number: int) -> date:
    """The n-th landing day; 1 is the first."""
    return FIRST + timedelta(days=number - 1)


def later(minutes: int) -> datetime:
    """So many minutes after the tests begin."""
    return NOW + timedelta(minutes=minutes)


def result(
    check: str,
    number: int = 5,
    *,
    status: CheckStatus = CheckStatus.FAILED,
    value: float | None = 1.0,
    detail: str = "",
    facts: Facts = NOTHING,
    sample: list[dict[str, Any]] | None = None,
    at: datetime = NOW,
    run_id: str = "run-1",
) -> CheckResult:
    """One result of a declared check on the n-th landing day."""
    spec = CHECKS[check]
    text = facts.text or detail
    return CheckResult(
        check=check,
        dataset=spec.dataset,
        source=spec.source,
        partition=day(number),
        status=status,
        value=value,
        threshold="<= 0",
        message=f"{value} ({text})" if text else f"{value}",
        run_id=run_id,
        evaluated_at=at,
        sample=sample or [],
        column=spec.column,
        details={"detail": text, "facts": facts.kept()} if text else {},
        reason=ERROR if status is CheckStatus.NOT_EVALUATED else None,
    )


def passed(check: str, number: int = 5, *, at: datetime = NOW) -> CheckResult:
    """The same check, passed."""
    return result(check, number, status=CheckStatus.PASSED, value=0.0, at=at)


def crashed(check: str, number: int = 5) -> CheckResult:
    """The same check, broken off."""
    return result(check, number, status=CheckStatus.NOT_EVALUATED, value=None)


class Numbers:
    """Gives each result an id, as the store does."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def __call__(self, *results: CheckResult) -> list[tuple[int, CheckResult]]:
        return [(next(self._count), one) for one in results]
