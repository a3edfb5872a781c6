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
    """Its name, `<dataset>__<property>`."""
    dataset: str
    """What is judged."""
    source: str
    """The source whose landing day it is."""
    partition: date
    """The landing day."""
    status: CheckStatus
    """Passed, failed or not evaluated."""
    value: float | None
    """What was measured."""
    threshold: str
    """What it was compared with."""
    message: str
    """The result in words."""
    run_id: str
    """The run that judged."""
    evaluated_at: datetime
    """When."""
    sample: list[dict[str, Any]] = field(default_factory=list)
    """At most five offending rows, masked."""
    column: str | None = None
    """The column that it is about, where it is one."""
    details: dict[str, Any] = field(default_factory=dict)
    """What was found, as fields."""
    reason: str | None = None
    """Why it was not evaluated: `error`, `insufficient_history` or `nothing_to_judge`."""

    @property
    def facts(self) -> Facts:
        """What was found, as fields."""
        return Facts.read(self.details.get("facts", {}))
