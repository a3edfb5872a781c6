"""The language of corrections: what may be said, what is refused in one line, and what it does to values, exactly."""

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from reliability_platform.contracts.contract import Cadence, Column, Contract
from reliability_platform.contracts.file_format import FileFormat
from reliability_platform.errors import UsageError
from reliability_platform.landing.correction import Correction, CorrectionRequest, expressions, parsed

CONTRACT = Contract(
    source="sales",
    key=("sale_id",),
    event_time="sold_at",
    columns=(
        Column("sale_id", "BIGINT", required=True),
        Column("amount", "DECIMAL(12,2)", required=True, minimum=0),
        Column("pieces", "INTEGER", required=False),
        Column("weight", "DOUBLE", required=False),
        Column("shop", "VARCHAR", required=False),
        Column("mail", "VARCHAR", required=False, pii=True),
        Column("payload", "VARCHAR", required=False, json=True),
        Column("sold_on", "DATE", required=False),
        Column("sold_at", "TIMESTAMP", required=True),
    ),
    cadence=Cadence(),
    deadline_minutes=60,
    owner="ops@example.com",
    critical=False,
    file_format=FileFormat("csv"),
)
ROWS = """
    values
        (1, 1234.00, 7, 1.5, 'it''s', null, null, date '2026-01-31', timestamp '2026-01-31 23:30', null, 'b1', 1, 1),
        (2, 12.34, 8, null, 'north', null, null, null, timestamp '294247-01-10 04:00', null, 'b1', 1, 2),
        (3, null, null, null, null, null, null, null, null, '{"amount": "12,5", "other": 1}', 'b2', 2, 1)
"""
LINEAGE = ("_rescued", "_batch_id", "_batch_sequence", "_row_number")


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as one:
        names = ", ".join((*(column.name for column in CONTRACT.columns), *LINEAGE))
        one.execute(f"create table rows as select * from ({ROWS}) as found({names})")
        for column in CONTRACT.columns:
            one.execute(f"alter table rows alter {column.name} type {column.type}")
        yield one


def said(
    column: str,
    *,
    where: tuple[str, ...] = (),
    between: tuple[str, ...] = (),
    missing: tuple[str, ...] = (),
    slots: tuple[int, ...] = (),
    rounded: bool = False,
    **operations: list[str],
) -> Correction:
    return parsed(CONTRACT, CorrectionRequest("sales", column, operations, where, between, missing, slots, rounded))


def done(connection: duckdb.DuckDBPyConnection, correction: Correction) -> dict[int, tuple[Any, Any]]:
    """Key → text before and after, of the rows that are changed."""
    one = expressions(CONTRACT, correction)
    found = connection.execute(f"select sale_id, {one.before}, {one.after} from rows where {one.changed}").fetchall()
    return {key: (before, after) for key, before, after in found}


def unfit(connection: duckdb.DuckDBPyConnection, correction: Correction) -> list[int]:
    one = expressions(CONTRACT, correction)
    found = connection.execute(
        f"select sale_id from rows where ({one.selected}) and not {one.fits} order by 1"
    ).fetchall()
    return [key for (key,) in found]


@pytest.mark.parametrize(
    ("correction", "changed"),
    [
        (said("amount", divide=["100"], where=("sale_id=1",)), {1: ("1234.00", "12.34")}),
        (said("amount", multiply=["-0.5"]), {1: ("1234.00", "-617.00"), 2: ("12.34", "-6.17")}),
        (said("amount", divide=["100"], rounded=True), {1: ("1234.00", "12.34"), 2: ("12.34", "0.12")}),
        (said("weight", multiply=["2.5"]), {1: ("1.5", "3.75")}),
        (said("pieces", set=["8"]), {1: ("7", "8"), 3: (None, "8")}),
        (said("pieces", set_null=[], between=("pieces=8..",)), {2: ("8", None)}),
        (said("amount", set=["12.50"], missing=("amount",)), {3: ("12,5", "12.50")}),
        (said("shop", replace=["it's=north", "north=south"]), {1: ("it's", "north"), 2: ("north", "south")}),
        (said("sold_at", shift=["-2h"], where=("sale_id=1",)), {1: ("2026-01-31 23:30:00", "2026-01-31 21:30:00")}),
        (said("sold_on", shift=["1d"]), {1: ("2026-01-31", "2026-02-01")}),
        (said("pieces", multiply=["2"], where=("shop=it's", "shop=x'; drop table rows; --")), {1: ("7", "14")}),
        (said("pieces", multiply=["2"], slots=(2,)), {}),
        (said("pieces", multiply=["2"], between=("amount=..100",), slots=(1,)), {2: ("8", "16")}),
    ],
    ids=lambda one: one.words if isinstance(one, Correction) else "",
)
def test_a_correction_changes_just_the_values_that_are_meant(
    connection: duckdb.DuckDBPyConnection, correction: Correction, changed: dict[int, tuple[Any, Any]]
) -> None:
    """A text that could not be read is what came; a value that is right already is not corrected; no text is SQL."""
    assert done(connection, correction) == changed
    assert Correction.of(correction.document()) == correction


@pytest.mark.parametrize(
    ("correction", "rows"),
    [
        (said("amount", divide=["100"]), [2]),  # 0.1234 has no room in two places
        (said("pieces", divide=["2"]), [1]),
        (said("pieces", multiply=["999999999999"]), [1, 2]),
        (said("sold_at", shift=["999999d"]), [2]),  # beyond the last moment that there is: it must not end the build
        (said("amount", multiply=["999999999.999999"]), [1, 2]),
    ],
    ids=lambda one: one.words if isinstance(one, Correction) else "",
)
def test_what_its_type_does_not_hold_exactly_stays_as_it_came(
    connection: duckdb.DuckDBPyConnection, correction: Correction, rows: list[int]
) -> None:
    """A rounded amount would be a third number, which neither the source nor the person has said."""
    assert unfit(connection, correction) == rows
    assert not set(done(connection, correction)) & set(rows)


@pytest.mark.parametrize(
    ("column", "given", "words"),
    [
        ("sale_id", {"multiply": ["2"]}, "sale_id is of the key of sales"),
        ("payload", {"set": ["{}"]}, "payload holds JSON"),
        ("price", {"set": ["1"]}, "sales has no column 'price'"),
        ("shop", {"divide": ["100"]}, "divide does not fit shop, which is VARCHAR"),
        ("amount", {"shift": ["1h"]}, "shift does not fit amount, which is DECIMAL(12,2)"),
        ("amount", {"divide": ["0"]}, "'0' is not taken to multiply or divide by"),
        ("amount", {"divide": ["(select 1)"]}, "'(select 1)' is not taken to multiply or divide by"),
        ("pieces", {"set": ["twelve"]}, "set of pieces: 'twelve' is no INTEGER"),
        ("amount", {"set": ["99999999999"]}, "'99999999999' is no DECIMAL(12,2)"),
        ("sold_at", {"shift": ["2 hours"]}, "'2 hours' is no length of time"),
        ("sold_on", {"shift": ["2h"]}, "'2h' is no number of whole days"),
        ("shop", {"replace": ["north"]}, "'north' does not say what is replaced by what"),
        ("shop", {"replace": ["a=b", "a=c"]}, "'a' is replaced twice"),
        ("amount", {"set_null": []}, "amount is required"),
        ("mail", {"set": ["erika@example.org"]}, "mail is personal"),
        ("amount", {}, "given was none"),
        ("amount", {"set": ["1"], "multiply": ["2"]}, "given was set and multiply"),
        ("pieces", {"set": ["1"], "where": ("amount=much",)}, "amount: 'much' is no DECIMAL(12,2)"),
        ("pieces", {"set": ["1"], "where": ("amount > 3",)}, "'amount > 3' is no condition"),
        ("pieces", {"set": ["1"], "where": ("1=1",)}, "sales has no column '1'"),
        ("pieces", {"set": ["1"], "where": ("mail=a",)}, "mail is personal"),
        ("pieces", {"set": ["1"], "between": ("amount=3",)}, "'amount=3' is no range"),
        ("weight", {"multiply": ["2"], "rounded": True}, "--round is for exact numbers"),
    ],
)
def test_what_may_not_be_said_is_refused_in_one_line(column: str, given: dict[str, Any], words: str) -> None:
    """The operator's own words come back, and nothing of it reaches a query."""
    with pytest.raises(UsageError) as refused:
        said(column, **given)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_is_set_by_hand_is_not_unreadable_any_more(connection: duckdb.DuckDBPyConnection) -> None:
    """Else the row would stay rejected for the text that came, whatever a person knows; other rescued names stay."""
    one = expressions(CONTRACT, said("amount", set=["12.50"], missing=("amount",)))
    assert one.forgets == '{"amount": null}'
    left = connection.execute(
        f"select json_merge_patch(_rescued, '{one.forgets}')::varchar from rows where {one.changed}"
    )
    assert left.fetchall() == [('{"other":1}',)]
