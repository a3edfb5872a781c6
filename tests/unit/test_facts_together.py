"""What the pages of several incidents are made from is asked together: the answers are those that each would have been given."""

import itertools
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reliability_platform.contracts import CONTRACTS
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.incidents.impact import Numbers, numbers, numbers_of_each
from reliability_platform.lab.scorecard.unlike_rows import unlike_rows
from reliability_platform.landing.bronze_files import admissions_file
from reliability_platform.remediation import evidence
from reliability_platform.settings import load_settings
from tests.unit.failing import day


def tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Five days of two sources, with as many rows of each kind as the day has a number."""
    connection.execute(
        """
        create table rec_batches__conserved as
        select source, day as landing_date, 10 * number as delivered_rows, number as accepted_rows, 2 * number as duplicate_rows,
            3 * number as quarantined_rows, 4 * number as held_late_rows, if(number = 3, 'refused', 'admitted') as status
        from (select number, date '2026-01-01' + number::int - 1 as day from range(1, 6) as days (number)),
            (values ('orders'), ('shipments')) as sources (source);
        create table qtn_rows as
        select source, landing_date, 'key ' || (accepted_rows % 2) as record_key, accepted_rows::int as batch_sequence,
            if(accepted_rows = 5, 'superseded', 'quarantined') as state
        from rec_batches__conserved
        """
    )
    for source in ("orders", "shipments"):
        keys = ", ".join(f"accepted_rows % 2 as {name}" for name in CONTRACTS[source].key)
        connection.execute(
            f"create table stg_{source} as select {keys}, landing_date, "
            f"if(accepted_rows = 4, null, landing_date - 1) as event_date from rec_batches__conserved where source = '{source}'"
        )


def test_numbers_asked_together_are_those_that_each_is_given_alone() -> None:
    """Days that overlap between two that ask, a day of which nothing is stored, and the same question twice."""
    asked = [
        ("orders", [day(1), day(2), day(3)]),
        ("shipments", [day(3)]),
        ("orders", [day(3), day(4), day(5)]),
        ("orders", [day(9)]),
        ("shipments", [day(3)]),
    ]
    with duckdb.connect() as connection:
        tables(connection)
        together = numbers_of_each(connection, asked)
        assert together == [numbers(connection, source, days) for source, days in asked]
    assert together[0] == Numbers(60, 6, 12, 18, 24, 1, [date(2025, 12, 31), day(1), day(2)], 2, 2)
    assert together[2] == Numbers(120, 12, 24, 36, 48, 1, [day(2), day(4)], 2, 2)
    assert together[3] == Numbers(0, 0, 0, 0, 0, 0, [], 0, 0)
    assert together[1] == together[4] != together[3]


def test_a_kept_answer_of_the_warehouse_ends_with_the_next_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page would ask for batches again that have been replaced; to open the file for each question takes 40 ms."""
    settings, opened = load_settings(tmp_path), itertools.count()
    with duckdb.connect(str(settings.warehouse)) as connection:
        tables(connection)
    reader = evidence.warehouse_reader
    monkeypatch.setattr(evidence, "warehouse_reader", lambda one: (next(opened), reader(one))[1])
    for _ in range(3):
        assert evidence.rejected_slots(settings, "orders", [day(2), day(5)]) == {day(2): {2}, day(5): set()}
    assert next(opened) == 1
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("update qtn_rows set state = 'superseded'")
    assert evidence.rejected_slots(settings, "orders", [day(2), day(5)]) == {day(2): set(), day(5): set()}
    settings.warehouse.unlink()
    with pytest.raises(EnvironmentUnusableError):
        evidence.rejected_slots(settings, "orders", [day(2), day(5)])


def test_admission_records_are_read_again_once_they_are_others(tmp_path: Path) -> None:
    """And whoever changes what he was given changes nothing for the next."""
    settings = load_settings(tmp_path)
    file = admissions_file(settings, "orders", day(1))
    assert evidence.admissions(settings, "orders", day(1)) == []
    file.parent.mkdir(parents=True)
    pq.write_table(pa.table({"batch_id": ["one"]}), file)
    evidence.admissions(settings, "orders", day(1))[0]["batch_id"] = "changed"
    assert evidence.admissions(settings, "orders", day(1)) == [{"batch_id": "one"}]
    draft = file.with_name("draft")
    pq.write_table(pa.table({"batch_id": ["two"]}), draft)
    draft.replace(file)
    assert evidence.admissions(settings, "orders", day(1)) == [{"batch_id": "two"}]


@pytest.mark.parametrize(
    ("one", "other", "unlike"),
    [
        ("(1, 10), (1, 11), (2, 20)", "(1, 11), (1, 10), (2, 20)", []),
        ("(1, 10), (1, 10), (2, 20)", "(1, 10), (2, 20)", [(1, 10)]),
        ("(1, 10), (2, 20)", "(1, 10), (2, 21)", [(2, 20), (2, 21)]),
        ("(1, 10), (2, 20)", "(1, 10)", [(2, 20)]),
        ("(1, null), (2, null)", "(1, null), (2, 0)", [(2, 0), (2, None)]),
        ("(null, 5), (1, 10)", "(null, 6), (1, 10)", [(None, 5), (None, 6)]),
        ("(1, 10), (2, 20)", "(1, 20), (2, 10)", [(1, 10), (1, 20), (2, 10), (2, 20)]),
    ],
)
def test_rows_in_which_two_versions_differ(one: str, other: str, unlike: list[tuple[int | None, int | None]]) -> None:
    """The evidence of what a version changed, and whether bad rows were shown, rests on it: it must see each row, and how often."""
    sides = (f"select * from (values {rows}) as rows (day, value)" for rows in (one, other))
    with duckdb.connect() as connection:
        assert connection.execute(f"from ({unlike_rows(*sides, 'day')}) order by all").fetchall() == unlike
        exact = connection.execute(
            f"with a as (select * from (values {one})), b as (select * from (values {other})) "
            "from ((from a except all from b) union all (from b except all from a)) order by all"
        )
        assert exact.fetchall() == unlike
