"""What may be shown: values, names, words and errors. The errors are those of the real engine."""

import re
import time
import traceback
from datetime import date, datetime
from decimal import Decimal

import duckdb
import pytest

from reliability_platform.contracts import CONTRACTS
from reliability_platform.errors import UsageError
from reliability_platform.masking import (
    FREE_TEXT,
    LABELS,
    MASK,
    PERSONAL,
    error_text,
    masked,
    place_of,
    sample,
    scrub,
    shape,
    shown_name,
    shown_type,
    traceback_text,
)
from reliability_platform.settings import DBT_PROJECT


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("customer_id", 4711, MASK),
        ("customer_id", None, None),
        ("order_id", 73_900_000_000_017, 73_900_000_000_017),
        ("order_id", 4_111_111_111_111_111, MASK),
        ("amount", Decimal("12.50"), 12.5),
        ("event_time", datetime(2026, 1, 3, 4, 5), "2026-01-03 04:05:00"),
        ("event_date", date(2026, 1, 3), "2026-01-03"),
        ("channel", "web", "web"),
        ("channel", "Web", "Xxx"),
        ("channel", "Erika Mustermann", "Xxxxx Xxxxxxxxxx"),
        ("currency", "web", "xxx"),  # a label of another column
        ("batch_id", "orders-20260103-02", "orders-20260103-02"),
        ("surprise", "Erika\x00", "Xxxxx?"),
        ("payload", '{"a": "Erika"}', "text of 14 characters"),
    ],
)
def test_a_value_is_shown_by_what_its_contract_says(name: str, value: object, shown: object) -> None:
    """Only what is declared is shown as it is; a deny-list would miss the first name that nobody thought of."""
    assert masked(name, value) == shown


def test_a_sample_is_short() -> None:
    """Five rows at most."""
    assert sample([{"quantity": number} for number in range(9)]) == [{"quantity": number} for number in range(5)]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("card 4111 1111 1111 1111 of a.b@c.example on 2026-01-05", "card ••• of ••• on 2026-01-05"),
        ("call +49 171 2345678 or 0171 2345678", "call ••• or •••"),
        ("pay DE89 3704 0044 0532 0130 00", "pay •••"),
        ("orders-20260103-02, 36,643 rows at 2026-01-03 10:00:00+00:00", None),
        ("2026-01-03 to 2026-01-07, INC-0003, process 4711", None),
    ],
)
def test_words_keep_what_is_nobodys(said: str, shown: str | None) -> None:
    """Numbers of telephones, cards and accounts go, dates and batches stay."""
    assert scrub(said) == (shown or said)


@pytest.mark.parametrize("part", ["A", "a.b+c-", "1", "+", "a@", "a@b", "1 ", "AB12", "0049 "])
def test_a_text_without_end_is_read_once(part: str) -> None:
    """A reason of a million letters held a process for ever: each letter was the beginning of a mail address anew."""
    began = time.process_time()
    scrub(part * (1_000_000 // len(part)))
    assert time.process_time() - began < 10


def test_names_that_a_producer_chose_are_words_of_a_program_or_a_shape() -> None:
    """A file that lost its header calls its columns after its first customer."""
    assert [shown_name(name) for name in ("loyalty_tier", "customerId", "_rescued")] == [
        "loyalty_tier",
        "customerId",
        "_rescued",
    ]
    assert shown_name("Erika Mustermann") == "Xxxxx Xxxxxxxxxx"
    assert shown_name("erika@example.org") == "xxxxx@xxxxxxx.xxx"
    assert shown_name("id4111111111111111") == "xx9999999999999999"
    assert shown_type("struct<Erika: int64>") == "struct"
    assert shown_type("timestamp[us, tz=Erika/Mustermann]") == "timestamp"
    assert [shown_type(name) for name in ("decimal128(12, 2)", "timestamp[us]")] == [
        "decimal128(12, 2)",
        "timestamp[us]",
    ]


ERIKA, NUMBER = "Erika 'quoted\" Mustermann", 987_654_321_012_345


@pytest.mark.parametrize(
    "sql",
    [
        "select cast(name as integer) from people",
        "select cast(number as integer) from people",
        "select cast(name as timestamp) from people",
        "select cast(name as decimal(12, 2)) from people",
        "select cast(number as decimal(4, 2)) from people",
        "select number * number * number from people",
        "insert into people select * from people",
        "select error(name) from people",
        "select strptime(name, '%Y') from people",
        "select json(name) from people",
        "select name::json -> '$.a' from people",
        "select json_extract(name, name) from people",
        "select regexp_matches('a', name || '(') from people",
        "select make_date(2026, number, 1) from people",
        "select enum_code(name::enum ('a', 'b')) from people",
        "select name::uuid from people",
    ],
)
def test_no_error_of_the_engine_tells_a_value(sql: str) -> None:
    """Each of these errors is really raised, and most of them quote the value."""
    with duckdb.connect() as connection:
        connection.execute("create table people (name varchar unique, number bigint)")
        connection.execute("insert into people values (?, ?)", [ERIKA, NUMBER])
        with pytest.raises(duckdb.Error) as raised:
            connection.execute(sql).fetchall()
    for words in (error_text(raised.value), error_text(f"Runtime Error in model x\n  {raised.value}")):
        assert not re.search(f"Erika|Mustermann|quoted|{NUMBER}", words), words
        assert len(words) > 15, "an error without words helps nobody"


@pytest.mark.parametrize(
    ("sql", "kept"),
    [
        ("select nothing from duckdb_tables()", "nothing"),
        ("select * from stg_ordres", "stg_ordres"),
        ("from read_parquet('/nowhere/orders.parquet')", "/nowhere/orders.parquet"),
    ],
)
def test_an_error_about_a_name_keeps_the_name(sql: str, kept: str) -> None:
    """A masked table name would leave whoever mends the model with nothing."""
    with pytest.raises(duckdb.Error) as raised, duckdb.connect() as connection:
        connection.execute(sql)
    assert kept in error_text(raised.value)


def test_our_own_errors_stay_as_they_are_but_for_somebodys_address() -> None:
    """Process numbers and quoted options are what makes them useful."""
    words = "process 1234567 holds 'data'; ask a@b.example"
    assert error_text(UsageError(words)) == f"UsageError: process 1234567 holds 'data'; ask {MASK}"


def test_a_places_rule_is_the_first_that_fits() -> None:
    """Evidence beside the raw files of the quarantine is not raw."""
    raw = ["landing/orders/x", "quarantine/orders/landing_date=2026-01-01/a b\n.parquet", "warehouse.duckdb.wal"]
    assert all(place_of(path).raw for path in raw)
    masked_places = [
        "quarantine/quarantine_summary.csv",
        "published/v1/publication.json",
        "operations.sqlite",
        "x/landing/y",
    ]
    assert not any(place_of(path).raw for path in masked_places)


def test_a_printed_traceback_keeps_its_places() -> None:
    """What escapes to the command line is a bug of ours: where it happened is what mends it."""
    try:
        try:
            duckdb.execute("select cast($1 as integer)", [ERIKA]).fetchall()
        except duckdb.Error as error:
            raise KeyError(f"{ERIKA}\n  {ERIKA}") from error
    except KeyError as error:
        words = traceback_text("".join(traceback.format_exception(error)))
    assert "Erika" not in words
    assert words.count("test_masking.py") == 2
    assert 'duckdb.execute("select cast($1 as integer)", [ERIKA]).fetchall()' in words


def test_the_warehouse_masks_the_columns_that_the_contracts_name() -> None:
    """A column that a contract calls personal must not stay in the dead letters because a macro forgot it."""
    said = re.findall(r"'(\w+)': '(personal|free_text|label)'", (DBT_PROJECT / "macros" / "contracts.sql").read_text())
    shown = {kind: {column for column, one in said if one == kind} for kind in ("personal", "free_text", "label")}
    aliases = {alias for contract in CONTRACTS.values() for alias in contract.aliases}
    assert shown == {"personal": PERSONAL - aliases, "free_text": FREE_TEXT, "label": {column for column, _ in LABELS}}


def test_shape_is_as_long_as_the_text_but_no_longer_than_a_sample() -> None:
    """It tells how something looks, and nothing else."""
    assert shape("Ünïcode Ж 中 9½ <b>") == "Xxxxxxx X x 9? ?x?"
    assert len(shape("x" * 500)) == 40
