"""Which landing days are concerned where a table of an own dbt project as a whole, or a row of no day, is wrong."""

from dataclasses import replace
from datetime import UTC, date, datetime

import duckdb
import pytest

from reliability_platform.checks import evaluate, native
from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.monitor_result import monitor_result
from reliability_platform.checks.results import CheckStatus
from reliability_platform.warehouse.marts import Mart

DAYS = [date(2026, 1, 1), date(2026, 1, 2)]


def test_a_failed_test_of_a_whole_table_leaves_its_days_in_the_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails on all days of its run: with none of them in the past, no volume was judged until somebody had healed it."""
    test, delivery = "customers__unique_id", "stg_orders__row_count"
    monkeypatch.setitem(CHECKS, test, replace(CHECKS[delivery], name=test, dataset="customers", engine="dbt"))
    monkeypatch.setattr(evaluate, "_OF_WHOLE_TABLES", frozenset({test}))
    now = datetime(2026, 1, 3, tzinfo=UTC)
    failed = [
        monitor_result(check, day, CheckStatus.FAILED, "", "run", now) for check in (test, delivery) for day in DAYS
    ]
    assert evaluate._held_days([], [one for one in failed if one.check == test]) == {}
    assert evaluate._held_days(failed[:2], failed[2:]) == {"orders": set(DAYS)}


def test_rows_of_no_day_are_told_on_the_day_that_lacks_them_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Items whose order had not come had no date, and every day of the year did not add up: a table without days is compared as a
    whole on all of them, one with days is not."""
    marts = [Mart("daily", ("orders",), event_date="ordered_on"), Mart("whole", ("orders",), event_date=None)]
    monkeypatch.setattr(native, "MARTS", marts)
    query = native._reconciliation("orders")["rec_silver__vs__gold__orders"].sql
    with duckdb.connect() as connection:
        connection.execute(
            f"create table int_orders__deduplicated as select date '{DAYS[0]}' + i::int as landing_date, landing_date as event_date from range(2) as r(i)"
        )
        connection.execute(
            f"create table rec_silver__vs__gold as select * from (values ('orders', 'daily', 'total', date '{DAYS[1]}', -5), "
            "('orders', 'daily', 'total', null, 5), ('orders', 'whole', 'total', null, 0)) "
            "as r(source, table_name, measure, event_date, difference)"
        )

        def found() -> dict[date, int]:
            shared = {native.COMPARED: native._compared()}
            window = native._Window.over(connection, {"first": DAYS[0], "last": DAYS[1]}, shared, query)
            return {day: off for day, off, _ in window.rows(query)}

        assert found() == {DAYS[0]: 0, DAYS[1]: 5}
        connection.execute("update rec_silver__vs__gold set difference = 7 where table_name = 'whole'")
        assert found() == {DAYS[0]: 7, DAYS[1]: 12}
