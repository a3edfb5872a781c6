"""A share is judged only where the count behind it can carry it; small reads and names that end well."""

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reliability_platform.checks.native import evaluate_native
from reliability_platform.checks.results import CheckStatus
from reliability_platform.cli.quarantine.show import _as_delivered
from reliability_platform.landing.bronze import bronze_folder
from reliability_platform.settings import load_settings
from tests.unit.failing import NOW, day

CHECK = "stg_orders__late_share"


def judged(home: Path, counts: list[tuple[int, int]]) -> list[CheckStatus]:
    """The results of days with so many late keys of so many."""
    with duckdb.connect() as connection:
        connection.execute(
            "create table stg_orders (order_id bigint, landing_date date, event_date date, is_superseded boolean, "
            "disposition varchar, reject_reasons varchar)"
        )
        for number, (late, total) in enumerate(counts, start=1):
            connection.execute(
                "insert into stg_orders select i, $day, case when i < $late then $day - 1 else $day end, false, 'valid', "
                "null from range($total) t(i)",
                {"day": day(number), "late": late, "total": total},
            )
        days = [day(number) for number in range(1, len(counts) + 1)]
        return [one.status for one in evaluate_native(load_settings(home), connection, days, {CHECK}, "test", NOW)]


def test_a_few_late_rows_of_a_small_day_are_no_alarm_and_many_are(tmp_path: Path) -> None:
    """Two late rows of 60 are 3 %: demos with 30 to 90 rows a day opened three incidents that had no fault behind them."""
    quiet = [(1, 30), (2, 60), (3, 90), (4, 30), (20, 1_000), (100, 5_000)]
    assert judged(tmp_path, quiet) == [CheckStatus.PASSED] * len(quiet)
    loud = [(5, 30), (8, 90), (27, 1_000), (60, 1_000), (101, 5_000)]
    assert judged(tmp_path, loud) == [CheckStatus.FAILED] * len(loud)


def test_years_of_clean_small_days_raise_no_alarm_by_chance(tmp_path: Path) -> None:
    """A clean source is late by nature with half a percent of its rows."""
    random = np.random.default_rng(5)
    sizes = random.integers(30, 90, 1_000)
    counts = list(zip(random.binomial(sizes, 0.005).tolist(), sizes.tolist(), strict=True))
    assert sum(late > 0.02 * total for late, total in counts) > 20  # by the share alone
    assert set(judged(tmp_path, counts)) == {CheckStatus.PASSED}


@pytest.mark.parametrize("unit", ["us", "ns", "ms"])
def test_delivered_moments_that_no_date_holds_are_shown_as_they_came(tmp_path: Path, unit: str) -> None:
    """A NaT written raw broke the one command that shows what was delivered."""
    settings = load_settings(tmp_path)
    folder = bronze_folder(settings, "orders", day(1))
    folder.mkdir(parents=True)
    raw = pa.array(np.array([0, -(2**63), 2**63 - 1, 0], dtype="int64"))
    table = pa.table(
        {"_row_number": [1, 2, 3, 4], "event_time": raw.cast(pa.timestamp(unit)), "order_id": [5, 6, 7, 8]}
    )
    pq.write_table(table, folder / "orders-20260101-01.parquet")
    rows = _as_delivered(settings, "orders-20260101-01", {("orders", day(1), number) for number in (1, 2, 3)})
    assert [row["order_id"] for row in rows.values()] == [5, 6, 7]
    assert str(rows[1]["event_time"]).startswith("1970-01-01")
    assert str(rows[2]["event_time"]) == "NaT"
