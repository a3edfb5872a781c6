"""What the imported tests of a dataset add up to on a day. The last result of each test counts, in whatever order files come.

The same file twice changes nothing, and neither does an older one after a newer.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.imported.place import PlacedTest
from reliability_platform.checks.results import NOTHING_TO_JUDGE, CheckResult, CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.counted import counted

TESTS = "tests"
NAMED = 3
_RANK = {CheckStatus.PASSED.value: 0, CheckStatus.NOT_EVALUATED.value: 1, CheckStatus.FAILED.value: 2}

Tests = dict[str, dict[str, Any]]
"""By the key of a test: what it said last."""


def merged(store: CheckStore, placed: Sequence[PlacedTest], run_id: str, now: datetime) -> list[CheckResult]:
    """The results that change: one of each check and day of which some test says something new."""
    checks = sorted({one.check for one in placed})
    latest = {(one.check, one.partition): one for one in store.latest(checks=checks)}
    known: dict[tuple[str, date], Tests] = {key: dict(one.details.get(TESTS, {})) for key, one in latest.items()}
    changed: dict[tuple[str, date], Tests] = defaultdict(dict)
    for one in placed:
        for day in _days(one, known):
            tests = known.setdefault((one.check, day), {})
            entry, before = _entry(one), tests.get(one.test.key)
            if before is None or _order(entry) > _order(before):
                tests[one.test.key] = entry
                changed[one.check, day] = tests
    return [_result(check, day, tests, run_id, now) for (check, day), tests in sorted(changed.items())]


def _days(placed: PlacedTest, known: dict[tuple[str, date], Tests]) -> list[date]:
    """A test of a whole table speaks of every day under which it still stands as failed; else of the day it ran on."""
    if not placed.is_whole:
        return [placed.day]
    standing = [
        day
        for (check, day), tests in known.items()
        if check == placed.check
        and (entry := tests.get(placed.test.key)) is not None
        and entry["whole"]
        and entry["status"] == CheckStatus.FAILED.value
    ]
    return sorted(standing) or [placed.day]


def _entry(placed: PlacedTest) -> dict[str, Any]:
    test = placed.test
    return {
        "name": test.name,
        "tool": test.tool,
        "status": test.status.value,
        "failures": test.failures,
        "whole": placed.is_whole,
        "at": placed.at.isoformat(),
    }


def _order(entry: dict[str, Any]) -> tuple[datetime, int]:
    """Of two results of one moment the worse counts, whichever is read first."""
    return datetime.fromisoformat(entry["at"]), _RANK[entry["status"]]


def _result(check: str, day: date, tests: Tests, run_id: str, now: datetime) -> CheckResult:
    spec = CHECKS[check]
    failing = sorted(
        (one for one in tests.values() if one["status"] == CheckStatus.FAILED.value), key=lambda one: str(one["name"])
    )
    broken = [one for one in tests.values() if one["status"] == CheckStatus.NOT_EVALUATED.value]
    status = CheckStatus.FAILED if failing else CheckStatus.NOT_EVALUATED if broken else CheckStatus.PASSED
    words = [
        f"{one['name']}, {one['tool']}" + ("" if one["failures"] is None else f", {counted(one['failures'], 'row')}")
        for one in failing[:NAMED]
    ]
    more = [f"and {len(failing) - NAMED} more"] if len(failing) > NAMED else []
    message = f"{len(failing)} of {counted(len(tests), 'imported test')} {'fails' if len(failing) == 1 else 'fail'}"
    if failing:
        message += f": {'; '.join([*words, *more])}"
    if broken:
        message += f"; {counted(len(broken), 'test')} broke off"
    return CheckResult(
        check=check,
        dataset=spec.dataset,
        source=spec.source,
        partition=day,
        status=status,
        value=None if status is CheckStatus.NOT_EVALUATED else float(len(failing)),
        threshold="= 0",
        message=message,
        run_id=run_id,
        evaluated_at=now,
        details={TESTS: tests},
        reason=NOTHING_TO_JUDGE if status is CheckStatus.NOT_EVALUATED else None,
    )
