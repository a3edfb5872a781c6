"""Days that an earlier release judged, and the blocking checks that it did not have: judged now, from what is built.

The gate holds a day that lacks a result, and every check that a release adds is lacking on all earlier days: the first
home of 0.3.0 that was upgraded had its 12 published partitions held. Whether a check is newer than a day's audit is told
by the numbers of the results, not by their times, for a played past has its own clock.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.evaluate import evaluate
from reliability_platform.checks.gate import unjudged_checks
from reliability_platform.checks.results import CheckResult
from reliability_platform.checks.store import CheckStore
from reliability_platform.settings import Settings
from reliability_platform.warehouse.published import Partition

AUDITED_BY = ("native", "soda")
"""The engines of an audit; their results on a day are recorded together."""


def judge_added(
    settings: Settings, store: CheckStore, partitions: Sequence[Partition], now: datetime, run_id: str
) -> list[CheckResult]:
    """Evaluate and record the checks that were added since days were judged; dbt's own tests are only judged by a build."""
    lacking = unjudged_checks(store, partitions)
    wanted = added_since(lacking, store.numbers()) if lacking else set()
    if not wanted:
        return []
    days = sorted({day for _, day in wanted})
    results = [
        result
        for result in evaluate(settings, days, now, run_id, only={check for check, _ in wanted})
        if (result.check, result.partition) in wanted
    ]
    store.record(results)
    return results


def added_since(
    lacking: Mapping[Partition, set[str]], numbers: Mapping[tuple[str, date], tuple[int, int]]
) -> set[tuple[str, date]]:
    """Checks and days of which the audit was over before the check was first recorded anywhere.

    A day that lacks one check for another reason (its data change, its run was cut off, its result was deleted) keeps
    lacking all: it is to be run again. Where every earlier result of a check was deleted, none of it is left to be told
    from a new one; it is evaluated, which lets nothing through that fails.
    """
    began: dict[str, int] = {}
    for (check, _), (first, _) in numbers.items():
        began[check] = min(first, began.get(check, first))
    found = set()
    for (source, day), checks in lacking.items():
        judged = {
            name: numbers[name, day][1]
            for name, spec in CHECKS.items()
            if spec.blocking and source in spec.sources and (name, day) in numbers
        }
        # An audit is recorded as a whole, dbt's tests before it: without any of its results, it never took place.
        audited = any(CHECKS[name].engine in AUDITED_BY for name in judged)
        if audited and all(
            CHECKS[check].engine in AUDITED_BY
            and check not in judged
            and (check not in began or began[check] > max(judged.values()))
            for check in checks
        ):
            found |= {(check, day) for check in checks}
    return found
