"""A window of landing days is asked at once, and answers as each of its days alone does, whatever a person has written."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from reliability_platform.checks.by_day import grouped_by_day
from reliability_platform.checks.soda_scan import END, START, scan_days

DAYS = [date(2026, 1, 5) + timedelta(days=number) for number in range(6)]
FILTER = f"landing_date >= date '{START}' and landing_date < date '{END}'"
CHECKS = """
filter stg [window]:
  where: landing_date >= date '${START}' and landing_date < date '${END}' and is_live

checks for stg:
  - schema:
      name: columns
      fail:
        when required column missing: [id, lost]

checks for stg [window]:
  - row_count between 1 and 4:
      name: rows
  - missing_percent(id) < 30:
      name: missing
  - duplicate_count(id) = 0:
      name: duplicates
  - invalid_count(kind) = 0:
      name: kinds
      valid values: [a, b]
  - avg(amount) > 1:
      name: mean
  - share < 0.5:
      name: share
      share expression: count(*) filter (where amount > 2) / greatest(count(*), 1)
  - freshness(happened, NOW) < 1d:
      name: fresh
  - failed rows:
      name: by_rows
      fail condition: amount > 3

checks for other:
  - row_count > 100:
      name: of_no_day
  - gone > 0:
      name: crashes
      gone expression: count(nowhere)

checks:
  - failed rows:
      name: by_query
      fail query: select * from stg where landing_date = date '${START}' and amount > 2
  - total between 3 and 9:
      name: by_own_query
      total query: select sum(amount) from stg where landing_date = date '${START}'
"""


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """Six days, of which the third has no rows, the fourth none that live."""
    with duckdb.connect() as connection:
        connection.execute(
            """
            create table stg as select day::date as landing_date, (n + 1) // 2 + null_if_last as id,
                ['a', 'b', 'c'][1 + (n + day_number) % 3] as kind, (n + day_number) / 2 as amount,
                day + interval (n) hour - interval (case when day_number = 5 then 30 else 0 end) hour as happened,
                day_number <> 3 as is_live
            from (
                select date '2026-01-05' + i::integer as day, i as day_number, n,
                    case when n = 3 and i = 1 then null else 0 end as null_if_last
                from range(6) as days(i), range(5) as rows(n) where i <> 2 and n <= i
            )
            """
        )
        connection.execute("create table other as select 1 as x from range(5)")
        yield connection


def _judged(connection: duckdb.DuckDBPyConnection, file: Path, days: list[date]) -> dict[tuple[date, str], object]:
    return {
        (day, one.name): (one.outcome and one.outcome.value, getattr(one, "check_value", None), bool(errors))
        for day, checks, errors in scan_days(connection, [file], days)
        for one in checks
    }


@pytest.mark.parametrize("computed", [False, True])
def test_a_window_answers_as_its_days_alone_do(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, computed: bool
) -> None:
    """Checks of Soda's own and of a person's: the same outcomes and values, day for day, and again in the same process."""
    file = tmp_path / "stg.yml"
    month = "\n      attributes:\n        month: '${START[:7]}'" if computed else ""
    file.write_text(CHECKS + month)
    alone = {key: found for day in DAYS for key, found in _judged(warehouse, file, [day]).items()}
    assert len(alone) == 13 * len(DAYS)
    assert {found[0] for found in alone.values()} == {"pass", "fail", None}  # type: ignore[index]
    assert _judged(warehouse, file, DAYS) == alone
    assert _judged(warehouse, file, DAYS[::-1]) == alone


def test_a_scan_that_is_kept_does_not_remember_another_warehouse(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Rows that have changed between two windows of one process change the answer."""
    file = tmp_path / "stg.yml"
    file.write_text(CHECKS)
    before = _judged(warehouse, file, DAYS)
    warehouse.execute("delete from stg where id = 1")
    after = _judged(warehouse, file, DAYS)
    assert before[DAYS[0], "columns"] == after[DAYS[0], "columns"]
    assert before[DAYS[4], "rows"] != after[DAYS[4], "rows"]


@pytest.mark.parametrize(
    "question",
    [
        "select count(*), max(x), 100.0 * count(x) / greatest(count(*), 1) from t where {filter} and x <> 3",
        "with f as (select count(*) as n from t where x > 0 and {filter} group by x) select count(*) from f where n > 1",
        "with f as (select x, count(*) as n from t where {filter} group by 1) select sum(x) from f",
    ],
)
def test_what_is_grouped_by_day_answers_the_same(question: str) -> None:
    """The answers of all days together are those of each."""
    sql = question.format(filter=FILTER)
    with duckdb.connect() as connection:
        connection.execute(
            "create table t as select date '2026-01-05' + (i % 5)::integer as landing_date, i % 7 as x from range(60) r(i)"
        )
        together = grouped_by_day(connection, sql, START, END)
        assert together is not None
        found = connection.execute(together.replace(START, "2026-01-05").replace(END, "2026-01-10")).fetchall()
        alone = [
            (
                *connection.execute(sql.replace(START, f"{day}").replace(END, f"{day + timedelta(days=1)}")).fetchone(),  # type: ignore[misc]
                day,
            )
            for day in DAYS[:5]
        ]
    assert sorted(found, key=lambda row: row[-1]) == alone


@pytest.mark.parametrize(
    "question",
    [
        f"select count(*) from t where {FILTER} or x = 1",
        f"select count(*) from t where not ({FILTER})",
        f"select count(*) from t where landing_date >= date '{START}' and other < date '{END}'",
        f"select count(*) filter (where landing_date < date '{END}') from t where {FILTER}",
        f"select sum(count(*)) over () from t where {FILTER}",
        f"select count(*) from t where {FILTER} limit 1",
        f"select count(*) from t where {FILTER} having count(*) > 1",
        f"select count(*) from (select * from t where {FILTER} limit 3)",
        f"select count(*) from t join t as u using (x) where t.{FILTER}",
        f"with f as (select * from t where {FILTER}) select count(*) from f",
        f"select count(*) from t where landing_date >= '{START}' and landing_date < '{END}'",
        "select count(*) from t",
        "no query at all",
    ],
)
def test_what_could_answer_another_thing_is_left_alone(question: str) -> None:
    """Each of these means something else once days are grouped, or cannot be seen not to."""
    with duckdb.connect() as connection:
        assert grouped_by_day(connection, question, START, END) is None
