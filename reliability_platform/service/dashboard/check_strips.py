"""Results of all checks of some properties, whatever the dataset: as `duplicate_keys` of each silver table."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.service.dashboard.charts import strip
from reliability_platform.service.dashboard.page import PageRequest
from reliability_platform.service.queries.checks import CheckFilter, check_page, newest_judged_day

SHOWN_DAYS = 30
"""Landing days of a strip: what fits on a telephone."""
_CLASSES = {
    CheckStatus.PASSED: ("green", "passed"),
    CheckStatus.FAILED: ("red", "failed"),
    CheckStatus.NOT_EVALUATED: ("amber", "not evaluated"),
}
KEYS = (("green", "passed"), ("red", "failed"), ("amber", "not evaluated"))


@dataclass(frozen=True)
class CheckRow:
    """One check over the last landing days."""

    check: str
    description: str
    cells: Markup
    width: int
    failed: list[date]
    """The days on which its latest result is a failure."""
    newest: CheckResult


def checks_of_classes(asked: PageRequest, classes: Collection[str]) -> list[CheckRow]:
    """The checks of some failure classes that were judged lately; those that failed first."""
    last = newest_judged_day(asked.engine)
    if last is None:
        return []
    days = [last - timedelta(days=offset) for offset in range(SHOWN_DAYS)][::-1]
    names = sorted(spec.name for spec in CHECKS.values() if spec.failure_class in classes)
    found: list[CheckRow] = []
    for name in names:
        results = check_page(asked.engine, CheckFilter(days[0], last, check=name, only_objections=False)).items
        if not results:
            continue
        cells = {one.partition: (_CLASSES[one.status][0], one.message or _CLASSES[one.status][1]) for one in results}
        failed = sorted(one.partition for one in results if one.status is CheckStatus.FAILED)
        newest = max(results, key=lambda one: one.partition)
        found.append(CheckRow(name, CHECKS[name].description, strip(days, cells), len(days), failed, newest))
    return sorted(found, key=lambda one: (not one.failed, one.check))
