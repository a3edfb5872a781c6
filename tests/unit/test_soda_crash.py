"""A Soda check that crashes says why, in the engine's own words and without a delivered value."""

from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import ERROR, CheckStatus
from reliability_platform.checks.soda import evaluate_soda
from reliability_platform.contracts import CONTRACTS

DAY = date(2026, 1, 5)
NAMES = {name for name, spec in CHECKS.items() if spec.engine == "soda" and spec.dataset == "stg_orders"}


def test_a_crash_names_its_kind_and_no_value(tmp_path: Path) -> None:
    """Of the log, which has the error in the midst of the statement, `••• WHEN •••` was all that masking left."""
    file = tmp_path / "stg_orders.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"copy (select 1 as order_id) to '{file}' (format parquet)")
        connection.execute(f"create view stg_orders as from read_parquet('{file}')")
        file.write_bytes(b"Erika")
        results = evaluate_soda(connection, [DAY], NAMES, "run", datetime.now(UTC))
    assert {one.check for one in results} == NAMES
    for one in (one for one in results if one.check != "stg_orders__schema"):  # a view knows its columns
        assert (one.status, one.reason) == (CheckStatus.NOT_EVALUATED, ERROR), one.check
        assert one.message.startswith("Soda could not evaluate it: InvalidInputException: "), one.message
        assert "Erika" not in one.message
        assert " WHEN " not in one.message


def test_a_failed_check_without_rows_to_show_is_a_finding_all_the_same() -> None:
    """A staging table that lacks columns ended the evaluation of every other table."""
    columns = ", ".join(f"cast(null as {column.type}) as {column.name}" for column in CONTRACTS["orders"].columns)
    with duckdb.connect() as connection:
        connection.execute(
            f"create table stg_orders as select {columns}, date '2026-01-05' as landing_date, 'b' as batch_id, "
            "cast(null as varchar) as reject_reasons, false as is_superseded, 'valid' as disposition from range(5)"
        )
        results = {one.check: one for one in evaluate_soda(connection, [DAY], NAMES, "run", datetime.now(UTC))}
    assert results["stg_orders__missing_order_id"].status is CheckStatus.FAILED
