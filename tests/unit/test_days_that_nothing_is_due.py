"""A source that comes once a week is silent on the other days, and nothing is wrong with that."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from reliability_platform.checks.monitor_result import monitor_result
from reliability_platform.checks.results import NOTHING_TO_JUDGE, CheckStatus
from reliability_platform.checks.soda import _unless_empty
from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Cadence

MONDAY, TUESDAY = date(2026, 1, 5), date(2026, 1, 6)


@pytest.mark.parametrize("name", ["row_count", "freshness", "missing_customer_id"])
def test_no_rows_are_a_failure_on_due_days_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A run over a week had six days of a weekly source held as missing, with a P1 incident, and its marts with them."""
    monkeypatch.setitem(CONTRACTS, "orders", replace(CONTRACTS["orders"], cadence=Cadence(1, weekday=0)))
    now = datetime(2026, 1, 8, tzinfo=UTC)

    def judged(day: date, *days_with_rows: date) -> tuple[CheckStatus, str | None]:
        failed = monitor_result(f"stg_orders__{name}", day, CheckStatus.FAILED, "0", "run", now)
        result = _unless_empty(failed, frozenset(days_with_rows))
        return result.status, result.reason

    assert judged(MONDAY) == (CheckStatus.FAILED, None)
    assert judged(TUESDAY) == (CheckStatus.NOT_EVALUATED, NOTHING_TO_JUDGE)
    assert judged(TUESDAY, TUESDAY) == (CheckStatus.FAILED, None), "what came is judged, due or not"
