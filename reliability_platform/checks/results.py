"""The result of a check and what it rests on."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from reliability_platform.checks.facts import Facts


class CheckStatus(StrEnum):
    """A crashing check is neither bad data nor fine: it has not been evaluated."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_EVALUATED = "not_evaluated"


ERROR = "error"
INSUFFICIENT_HISTORY = "insufficient_history"
NOTHING_TO_JUDGE = "nothing_to_judge"
"""There were no rows: neither good nor bad. Whether there should have been some is the business of checks of their own."""
UNTOLD = frozenset({INSUFFICIENT_HISTORY, NOTHING_TO_JUDGE})
"""Why a check that works says nothing; any other reason is a check that crashed."""


@dataclass(frozen=True)
class CheckResult:
    """One check on one landing day."""

    check: str
    dataset: str
    source: str
    partition: date
    status: CheckStatus
    value: float | None
    threshold: str
    message: str
    run_id: str
    evaluated_at: datetime
    sample: list[dict[str, Any]] = field(default_factory=list)
    """At most five offending rows, masked."""
    column: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    reason: str | None = None
    """Why it was not evaluated: `error`, `insufficient_history` or `nothing_to_judge`."""

    @property
    def facts(self) -> Facts:
        """What was found, as fields."""
        return Facts.read(self.details.get("facts", {}))
