"""Check results, kept per check and landing day. A result is stale once the data of its day change."""

import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Engine,
    Select,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Row

from reliability_platform.checks.results import UNTOLD, CheckResult, CheckStatus
from reliability_platform.log_lines import log_event
from reliability_platform.operations.cursors import numbered_in_order
from reliability_platform.operations.tables import check_results


def _as_row(result: CheckResult) -> dict[str, Any]:
    return {
        "check_name": result.check,
        "dataset": result.dataset,
        "source": result.source,
        "partition_date": result.partition,
        "status": result.status.value,
        "value": result.value,
        "threshold": result.threshold,
        "message": result.message,
        "sample": json.dumps(result.sample, default=str),
        "column_name": result.column,
        "details": json.dumps(result.details, default=str),
        "reason": result.reason,
        "run_id": result.run_id,
        "evaluated_at": result.evaluated_at,
        "stale": False,
    }


def result_of_row(row: Row[Any]) -> CheckResult:
    """The result that a row of the store is of."""
    return CheckResult(
        check=row.check_name,
        dataset=row.dataset,
        source=row.source,
        partition=row.partition_date,
        status=CheckStatus(row.status),
        value=row.value,
        threshold=row.threshold,
        message=row.message,
        sample=json.loads(row.sample),
        column=row.column_name,
        details=json.loads(row.details),
        reason=row.reason,
        run_id=row.run_id,
        evaluated_at=row.evaluated_at,
    )


def newest_results(*conditions: ColumnElement[bool]) -> Select[Any]:
    """The last result that is not stale of each check and day, among those that meet the conditions."""
    ids = (
        select(func.max(check_results.c.id))
        .where(check_results.c.stale.is_(False), *conditions)
        .group_by(check_results.c.check_name, check_results.c.partition_date)
    )
    return select(check_results).where(check_results.c.id.in_(ids))


def _newest_of(partitions: Sequence[date], checks: Iterable[str]) -> Select[Any]:
    table = check_results.c
    return newest_results(table.partition_date.in_(partitions), table.check_name.in_(sorted(checks)))


def _tell(result: CheckResult) -> None:
    """Tell of a check that objects, or could not judge."""
    from reliability_platform.checks.catalogue import CHECKS  # 60 ms of CPU, and who lists incidents needs none of it

    spec = CHECKS.get(result.check)
    log_event(
        f"check {result.status.value}",
        check=result.check,
        **{"class": None if spec is None else spec.failure_class},
        dataset=result.dataset,
        source=result.source,
        day=result.partition,
        run=result.run_id,
        message=result.message,
    )


Judgement = tuple[CheckStatus, str | None]
"""The status of a result, and its reason."""


class CheckStore:
    """Results in the operations store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def engine(self) -> Engine:
        """The operations store that the results are in."""
        return self._engine

    def record(self, results: Sequence[CheckResult]) -> None:
        """Append results; later ones of the same check and day count instead of earlier ones."""
        if results:
            with self._engine.begin() as connection:
                numbered_in_order(connection)
                connection.execute(insert(check_results), [_as_row(result) for result in results])
            for result in results:
                if result.status is not CheckStatus.PASSED and result.reason not in UNTOLD:
                    _tell(result)

    def invalidate(self, sources: Iterable[str], partitions: Sequence[date]) -> None:
        """Mark results stale: the data that they judged are about to change.

        Not those on runs: they are about a run that is over, and nobody would say a second time that it was mended.
        """
        from reliability_platform.checks.catalogue import CHECKS

        wanted = set(sources)
        names = [spec.name for spec in CHECKS.values() if wanted & set(spec.sources) and spec.engine != "run"]
        with self._engine.begin() as connection:
            connection.execute(
                update(check_results)
                .where(check_results.c.check_name.in_(names))
                .where(check_results.c.partition_date.in_(partitions))
                .where(check_results.c.stale.is_(False))
                .values(stale=True)
            )

    def last_id(self) -> int:
        """The number of the last result; 0 if there is none. It grows whatever the clock does."""
        with self._engine.connect() as connection:
            return connection.execute(select(func.max(check_results.c.id))).scalar() or 0

    def newest_day(self, sources: Iterable[str]) -> date | None:
        """The newest landing day of some sources that was judged; None if none was."""
        query = select(func.max(check_results.c.partition_date)).where(check_results.c.source.in_(sorted(sources)))
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    def gone(self) -> int:
        """How many results were deleted, for the platform deletes none: their numbers are missing before the last one.

        0 on a server: it gives no number twice, so a transaction that was rolled back leaves gaps, too.
        """
        if self._engine.dialect.name != "sqlite":
            return 0
        with self._engine.connect() as connection:
            missing = func.coalesce(func.max(check_results.c.id), 0) - func.count()
            return int(connection.execute(select(missing).select_from(check_results)).scalar_one())

    def numbers(self) -> dict[tuple[str, date], tuple[int, int]]:
        """The numbers of the first and the last result of each check on each day, those included that are stale."""
        ids = check_results.c.id
        by = (check_results.c.check_name, check_results.c.partition_date)
        with self._engine.connect() as connection:
            rows = connection.execute(select(*by, func.min(ids), func.max(ids)).group_by(*by)).all()
        return {(row[0], row[1]): (row[2], row[3]) for row in rows}

    def latest(
        self, partitions: Sequence[date] | None = None, checks: Iterable[str] | None = None, after: int = 0
    ) -> list[CheckResult]:
        """The last result of each check (or of some `checks`) on each day that is not stale, if it came `after` another."""
        conditions = [check_results.c.id > after] if after else []
        if checks is not None:
            conditions.append(check_results.c.check_name.in_(sorted(checks)))
        if partitions is not None:
            conditions.append(check_results.c.partition_date.in_(partitions))
        return self._read(newest_results(*conditions).order_by(check_results.c.id))

    def statuses(self, partitions: Sequence[date]) -> dict[tuple[str, date], Judgement]:
        """What `latest` finds, by check and day, without what else a result tells: reading the messages took half of a
        publication of 9 days.
        """
        return self._judgements(newest_results(check_results.c.partition_date.in_(partitions)))

    def unpassed(self, partitions: Sequence[date], checks: Iterable[str]) -> dict[tuple[str, date], Judgement]:
        """The same of some checks, where they have not passed."""
        newest = _newest_of(partitions, checks)
        return self._judgements(newest.where(check_results.c.status != CheckStatus.PASSED.value))

    def _judgements(self, newest: Select[Any]) -> dict[tuple[str, date], Judgement]:
        table = check_results.c
        query = newest.with_only_columns(table.check_name, table.partition_date, table.status, table.reason)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(table.id)).all()  # what is published says them in this order
        return {(row.check_name, row.partition_date): (CheckStatus(row.status), row.reason) for row in rows}

    def passed(self, partitions: Sequence[date], checks: Iterable[str]) -> dict[date, int]:
        """How many of some checks each landing day has passed, by what `latest` finds; a day that has passed none is not there."""
        table = check_results.c
        query = (
            _newest_of(partitions, checks)
            .where(table.status == CheckStatus.PASSED.value)
            .with_only_columns(table.partition_date, func.count())
            .group_by(table.partition_date)
        )
        with self._engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def failing(self, first: date, last: date) -> list[CheckResult]:
        """The latest results that failed, of the days `first` to `last`."""
        newest = newest_results(check_results.c.partition_date.between(first, last))
        return self._read(newest.where(check_results.c.status == CheckStatus.FAILED.value).order_by(check_results.c.id))

    def _read(self, query: Select[Any]) -> list[CheckResult]:
        with self._engine.connect() as connection:
            return [result_of_row(row) for row in connection.execute(query)]

    def _numbered(self, query: Select[Any]) -> list[tuple[int, CheckResult]]:
        with self._engine.connect() as connection:
            return [(row.id, result_of_row(row)) for row in connection.execute(query)]

    def after(self, result_id: int, limit: int) -> list[tuple[int, CheckResult]]:
        """Results with a higher id, oldest first: what a sensor reads next."""
        query = select(check_results).where(check_results.c.id > result_id).order_by(check_results.c.id).limit(limit)
        return self._numbered(query)

    def of_run(self, run_id: str) -> list[tuple[int, CheckResult]]:
        """The results of one run with their numbers, oldest first."""
        query = select(check_results).where(check_results.c.run_id == run_id).order_by(check_results.c.id)
        return self._numbered(query)

    def run_ids(self, prefix: str) -> set[str]:
        """The runs with this beginning of their id of which there are results."""
        query = select(check_results.c.run_id).where(check_results.c.run_id.startswith(prefix)).distinct()
        with self._engine.connect() as connection:
            return set(connection.execute(query).scalars())

    def first_results(self, checks: Sequence[str], partitions: Sequence[date]) -> dict[tuple[str, date], int]:
        """The number of the oldest result of each check on each of these days that has one."""
        table = check_results.c
        query = (
            select(table.check_name, table.partition_date, func.min(table.id).label("oldest"))
            .where(table.check_name.in_(checks), table.partition_date.in_(partitions))
            .group_by(table.check_name, table.partition_date)
        )
        with self._engine.connect() as connection:
            return {(row.check_name, row.partition_date): row.oldest for row in connection.execute(query)}

    def history(self, check: str, partition: date) -> list[CheckResult]:
        """Every result of one check on one day, oldest first."""
        query = (
            select(check_results)
            .where(check_results.c.check_name == check, check_results.c.partition_date == partition)
            .order_by(check_results.c.id)
        )
        return self._read(query)
