"""Checks: the latest result of each on each landing day."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, Engine, func, or_, select

from reliability_platform.checks.results import UNTOLD, CheckResult, CheckStatus
from reliability_platform.checks.store import CheckStore, newest_results, result_of_row
from reliability_platform.operations.tables import check_results
from reliability_platform.service.queries.answer import EVERYTHING, Page, QueryAnswer, Window, count_of, page


class CheckCounts(QueryAnswer):
    """How many latest results there are of each status."""

    passed: int
    """They judged, and found nothing."""
    failed: int
    """They judged, and object."""
    not_evaluated: int
    """They could not judge: neither good nor bad."""


@dataclass(frozen=True)
class CheckFilter:
    """Which results are asked for."""

    first: date | None = None
    last: date | None = None
    source: str | None = None
    dataset: str | None = None
    check: str | None = None
    only_objections: bool = True
    """Without those that passed, and those that had nothing to judge."""

    @property
    def days_and_names(self) -> list[ColumnElement[bool]]:
        """The conditions on what is judged."""
        table, found = check_results.c, []
        if self.first is not None:
            found.append(table.partition_date >= self.first)
        if self.last is not None:
            found.append(table.partition_date <= self.last)
        names = {"source": self.source, "dataset": self.dataset, "check_name": self.check}
        return found + [table[name] == value for name, value in names.items() if value is not None]


OBJECTS = (check_results.c.status != CheckStatus.PASSED.value) & or_(
    check_results.c.reason.is_(None), check_results.c.reason.not_in(sorted(UNTOLD))
)


def values_by_day(engine: Engine, check: str, first: date, last: date) -> dict[date, float]:
    """Landing day → the number that a check measures, by its newest result; days without a number are not there."""
    day = check_results.c.partition_date
    conditions = (check_results.c.check_name == check, day.between(first, last), check_results.c.value.is_not(None))
    with engine.connect() as connection:
        found = connection.execute(newest_results(*conditions).order_by(check_results.c.id)).all()
    return {row.partition_date: row.value for row in found}


def newest_judged_day(engine: Engine) -> date | None:
    """The newest landing day of which there is a result; None before the first one."""
    with engine.connect() as connection:
        return connection.execute(select(func.max(check_results.c.partition_date))).scalar()


def check_counts(engine: Engine, asked: CheckFilter = CheckFilter()) -> CheckCounts:
    """Of all that is asked for, those included that passed."""
    newest = newest_results(*asked.days_and_names).subquery()
    query = select(newest.c.status, func.count()).group_by(newest.c.status)
    with engine.connect() as connection:
        found = {row[0]: row[1] for row in connection.execute(query)}
    return CheckCounts(**{status.value: found.get(status.value, 0) for status in CheckStatus})


def check_page(engine: Engine, asked: CheckFilter = CheckFilter(), window: Window = EVERYTHING) -> Page[CheckResult]:
    """Results by landing day and name, the oldest day first for all of them, the newest first for a page."""
    query = newest_results(*asked.days_and_names)
    if asked.only_objections:
        query = query.where(OBJECTS)
    total = count_of(engine, query)
    day = check_results.c.partition_date
    query = query.order_by(day if window == EVERYTHING else day.desc(), check_results.c.check_name)
    with engine.connect() as connection:
        items = [result_of_row(row) for row in connection.execute(window.of(query))]
    return page(items, total, window)


def check_history(engine: Engine, check: str, day: date) -> list[CheckResult]:
    """Every result of one check on one landing day, oldest first."""
    return CheckStore(engine).history(check, day)
