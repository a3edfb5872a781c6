"""CSV and JSON lines: the same rows as in Parquet, whatever the dialect, the encoding and the packing; a value that is not
of its type costs its own row, and a line that cannot be taken apart is named.
"""

import codecs
import gzip
import json
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from reliability_platform.contracts.contract import Cadence, Column, Contract
from reliability_platform.contracts.file_format import FileFormat, file_format
from reliability_platform.landing.canonical import canonical
from reliability_platform.landing.parquet_file import NotReadableError
from reliability_platform.landing.text_file import read_texts
from reliability_platform.landing.texts import typed_texts, unread

CSV = FileFormat("csv")
JSON = FileFormat("json")


def contract(said: FileFormat, **types: str) -> Contract:
    """A source whose columns have these types."""
    columns = tuple(
        Column(name, "VARCHAR" if kind == "JSON" else kind, required=False, json=kind == "JSON")
        for name, kind in types.items()
    )
    return Contract(
        source="flights",
        key=(columns[0].name,),
        event_time=columns[-1].name,
        columns=columns,
        cadence=Cadence(),
        deadline_minutes=60,
        owner="ops@example.com",
        critical=False,
        kind="drop",
        file_format=said,
    )


FLIGHTS = {"flight": "VARCHAR", "fare": "DECIMAL(12,2)", "delay": "INTEGER", "late": "BOOLEAN", "at": "TIMESTAMP"}
LINES = 'flight,fare,delay,late,at\nUA1,12.50,-3,false,2013-01-01T10:00:00Z\n"Zürich, 2",7,,TRUE,2013-01-01 11:30:00.25+01:00\n'
ROWS = [
    {"flight": "UA1", "fare": Decimal("12.50"), "delay": -3, "late": False, "at": datetime(2013, 1, 1, 10)},
    {
        "flight": "Zürich, 2",
        "fare": Decimal("7.00"),
        "delay": None,
        "late": True,
        "at": datetime(2013, 1, 1, 10, 30, 0, 250_000),
    },
]


def rows_of(content: bytes, said: FileFormat) -> list[dict[str, Any]]:
    """The rows as the contract promises them."""
    promised = contract(said, **FLIGHTS)
    table = canonical(read_texts(content, promised), promised)
    assert table.schema.field("at").type == pa.timestamp("us")
    return table.to_pylist()


OBJECTS = (
    '{"flight": "UA1", "fare": 12.50, "delay": -3, "late": false, "at": "2013-01-01T10:00:00Z"}\n'
    '{"at": "2013-01-01 11:30:00.25+01:00", "flight": "Zürich, 2", "fare": "7", "late": true}\n'
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (LINES.encode(), CSV),
        (codecs.BOM_UTF8 + LINES.encode(), CSV),
        (LINES.replace("\n", "\r\n").encode(), CSV),
        (gzip.compress(LINES.encode()), CSV),
        (gzip.compress(LINES[:60].encode()) + gzip.compress(LINES[60:].encode()), CSV),
        (pa.compress(LINES.encode(), codec="zstd", asbytes=True), CSV),
        (LINES.encode("latin-1"), replace(CSV, encoding="latin-1")),
        (LINES.encode("utf-16"), replace(CSV, encoding="utf-16")),
        (LINES.encode("utf-16"), CSV),
        (("a report of today\n" + LINES).encode(), replace(CSV, skip=1)),
        (LINES.partition("\n")[2].encode(), replace(CSV, header=False)),
        (LINES.replace(",", ";").replace('"Zürich; 2"', '"Zürich, 2"').encode(), replace(CSV, delimiter=";")),
        (LINES.replace('"', "'").encode(), replace(CSV, quote="'")),
        (LINES.replace('"Zürich, 2"', "Zürich\\, 2").encode(), replace(CSV, quote="", escape="\\")),
        (OBJECTS.encode(), JSON),
        (codecs.BOM_UTF8 + OBJECTS.encode(), JSON),
        (gzip.compress(OBJECTS.encode()), JSON),
        (OBJECTS.replace("\n", "\n\n").encode(), JSON),
    ],
)
def test_the_same_rows_in_any_spelling_are_the_same(content: bytes, said: FileFormat) -> None:
    """A producer's export changed its encoding over night: 1,400 names were wrong, and nothing had said so."""
    assert rows_of(content, said) == ROWS


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("BIGINT", "375", 375),
        ("BIGINT", " 375 ", 375),
        ("BIGINT", "375.0", 375),
        ("BIGINT", "007", 7),
        ("BIGINT", "375.5", None),
        ("BIGINT", "1e3", None),
        ("BIGINT", "1,000", None),
        ("BIGINT", "9223372036854775808", None),
        ("INTEGER", "2147483648", None),
        ("DECIMAL(12,2)", "12.3", Decimal("12.30")),
        ("DECIMAL(12,2)", "12.300", Decimal("12.30")),
        ("DECIMAL(12,2)", "12.345", None),
        ("DECIMAL(12,2)", "12,34", None),
        ("DECIMAL(4,2)", "1000.00", None),
        ("DOUBLE", "1.5e3", 1500.0),
        ("DOUBLE", "nan", None),
        ("DOUBLE", "inf", None),
        ("DOUBLE", "1_000", None),
        ("BOOLEAN", "TRUE", True),
        ("BOOLEAN", "f", False),
        ("BOOLEAN", "maybe", None),
        ("DATE", "2013-02-28", date(2013, 2, 28)),
        ("DATE", "2013-02-29", None),
        ("DATE", "2013-02-28 00:00:00", date(2013, 2, 28)),
        ("DATE", "2013-02-28 01:00:00", None),
        ("DATE", "28.02.2013", None),
        ("TIMESTAMP", "2013-01-01T10:00:00Z", datetime(2013, 1, 1, 10)),
        ("TIMESTAMP", "2013-01-01 10:00+0530", datetime(2013, 1, 1, 4, 30)),
        ("TIMESTAMP", "2013-01-01 10:00:00.123456", datetime(2013, 1, 1, 10, 0, 0, 123_456)),
        ("TIMESTAMP", "2013-01-01 10:00:00.1234567", None),
        ("TIMESTAMP", "2013-01-01", None),
        ("TIMESTAMP", "2013-13-01 10:00", None),
        ("UUID", "9b2c0e9c-5b0a-4f7e-8a3b-000000000001", "9b2c0e9c-5b0a-4f7e-8a3b-000000000001"),
        ("UUID", "no", None),
    ],
)
def test_a_text_is_taken_for_what_it_says_exactly_or_not_at_all(kind: str, text: str, value: object) -> None:
    """`12.345` was rounded to an amount of two places, and a month of revenue was off by 0.4 %."""
    promised = contract(CSV, key="VARCHAR", value=kind)
    good = {"BIGINT": "1", "INTEGER": "1", "BOOLEAN": "true", "DATE": "2013-01-01", "TIMESTAMP": "2013-01-01 00:00:00"}
    other = good.get(kind, "9b2c0e9c-5b0a-4f7e-8a3b-000000000000" if kind == "UUID" else "1")
    table = pa.table({"key": ["a", "b", "c"], "value": [text, other, other]})
    read = canonical(table, promised)
    found = read["value"].to_pylist()[0]
    assert (str(found) if kind == "UUID" and found is not None else found) == value
    kept = unread(table, promised.meant_by(table.column_names), read, promised)
    assert [(name, texts.to_pylist()) for name, texts in kept] == (
        [("value", [text, None, None])] if value is None else []
    )


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("DECIMAL(12,2)", "12,50", Decimal("12.50")),
        ("DECIMAL(12,2)", "1.234,50", Decimal("1234.50")),
        ("DECIMAL(12,2)", "12.50", None),
        ("DECIMAL(12,2)", "1.23,4", None),
        ("DOUBLE", "-0,5", -0.5),
        ("BIGINT", "1.234", 1234),
        ("BIGINT", "12", 12),
    ],
)
def test_numbers_with_a_comma_are_read_where_the_contract_says_so(kind: str, text: str, value: object) -> None:
    """Half of Europe writes 12,50; read as 1250 or not at all, it was a file of nothing."""
    promised = contract(replace(CSV, delimiter=";", decimal=","), key="VARCHAR", value=kind)
    table = pa.table({"key": ["a", "b", "c"], "value": [text, "1", "1"]})
    assert canonical(table, promised)["value"].to_pylist()[0] == value


def test_a_column_of_which_most_texts_are_something_else_stays_as_it_came() -> None:
    """A file with decimal commas is another file, and no thousand bad rows: it is refused whole, and can be read after all."""
    promised = contract(CSV, key="VARCHAR", value="DECIMAL(12,2)")
    table = pa.table({"key": ["a", "b", "c"], "value": ["12,5", "13,0", "14"]})
    assert typed_texts(table, promised, ["key", "value"]).keys() == {"key"}
    assert canonical(table, promised).schema.field("value").type == pa.string()


def test_words_that_stand_for_no_value_are_none() -> None:
    """`NA` for a missing delay made a column of numbers one of texts."""
    promised = contract(replace(CSV, nulls=("NA",)), key="VARCHAR", value="BIGINT")
    table = pa.table({"key": ["a", "NA", "c"], "value": ["1", "NA", "NA"]})
    read = canonical(table, promised)
    assert (read["value"].to_pylist(), read["key"].to_pylist()) == ([1, None, None], ["a", None, "c"])
    assert unread(table, promised.meant_by(table.column_names), read, promised) == []


def test_local_moments_are_read_in_the_zone_of_the_contract_and_an_hour_that_came_twice_is_none() -> None:
    """Half past one in the night in which clocks go back: nobody knows which of the two it was."""
    columns = (
        Column("key", "VARCHAR", required=True),
        Column("at", "TIMESTAMP", required=True, zone="America/New_York"),
    )
    promised = replace(contract(CSV, key="VARCHAR", at="TIMESTAMP"), columns=columns)
    texts = [
        "2013-11-02 01:30:00",
        "2013-11-03 01:30:00",
        "2013-03-10 02:30:00",
        "2013-11-03 01:30:00-04:00",
        "2013-11-04 01:30",
    ]
    table = pa.table({"key": list("abcde"), "at": texts})
    read = canonical(table, promised)
    assert read["at"].to_pylist() == [
        datetime(2013, 11, 2, 5, 30),
        None,
        None,
        datetime(2013, 11, 3, 5, 30),
        datetime(2013, 11, 4, 6, 30),
    ]
    [(name, kept)] = unread(table, promised.meant_by(table.column_names), read, promised)
    assert (name, [one for one in kept.to_pylist() if one]) == ("at", texts[1:3])


@pytest.mark.parametrize(
    ("content", "said", "why"),
    [
        (b"", CSV, "empty"),
        (b" \n", CSV, "empty"),
        (b"flight,fare,delay,late,at\nUA1,1,2\n", CSV, "row 2 has 3 columns, the header 5"),
        (b"flight,fare\nUA1,1,secret\n", CSV, "row 2 has 3 columns, the header 2"),
        (b"\x1f\x8b\x08\x00broken", CSV, "no whole gzip file"),
        (gzip.compress(LINES.encode())[:-12], CSV, "no whole gzip file"),
        (LINES.encode("latin-1"), CSV, "not utf-8"),
        (b'{"flight": "UA1"}\n{"flight": \n', JSON, "object 2 is no JSON"),
        (b'{"flight": "UA1"}\n[1, 2]\n', JSON, "line 2 is no JSON object"),
        (b'{"flight": "UA1", "fare": NaN}\n', JSON, "object 1 is no JSON"),
        (b'{"flight": "UA1", "fare": 1,}\n', JSON, "object 1 is no JSON"),
        (b'{"flight": "UA1", "flight": "UA2"}\n', JSON, "stands twice"),
    ],
)
def test_what_cannot_be_taken_apart_is_refused_with_its_line_and_none_of_its_content(
    content: bytes, said: FileFormat, why: str
) -> None:
    """A message with the broken line in it had put a customer's address into an alert."""
    with pytest.raises(NotReadableError) as refused:
        read_texts(content, contract(said, **FLIGHTS))
    assert why in str(refused.value)
    assert "secret" not in str(refused.value)


def test_numbers_of_json_keep_every_digit() -> None:
    """A number with a fraction went through a float: 0.12345678901234567890 came as 0.12345678901234568."""
    said = contract(JSON, note="VARCHAR", rate="DECIMAL(38,20)", amount="DECIMAL(38,2)", extra="JSON", at="TIMESTAMP")
    line = (
        '{"note": "rate: 0.12345678901234567890, \\\\\\" 1.5", "rate": -0.12345678901234567890, '
        '"amount": 123456789012345678901234.25, "extra": {"x": 1.5}, "at": "2013-01-01T10:00:00Z"}'
    )
    short = '{"note": "a", "rate": 1.5, "amount": 2, "extra": null, "at": "2013-01-01T10:00:00Z"}'
    rows = read_texts(f"{line}\n{short}\n".encode(), said).to_pylist()
    assert [row["rate"] for row in rows] == ["-0.12345678901234567890", "1.5"]
    assert [row["amount"] for row in rows] == ["123456789012345678901234.25", "2"]
    assert rows[0]["note"] == json.loads(line)["note"]
    assert json.loads(rows[0]["extra"]) == {"x": 1.5}


def test_a_number_where_json_promises_text_is_another_type() -> None:
    """A code that became a number has lost its zeros: 0427 came as 427."""
    promised = contract(JSON, flight="VARCHAR", at="TIMESTAMP")
    content = b'{"flight": 427, "at": "2013-01-01 10:00:00"}\n{"flight": 12, "at": "2013-01-01 10:00:00"}\n'
    assert pa.types.is_floating(canonical(read_texts(content, promised), promised).schema.field("flight").type)


def test_a_name_that_no_object_has_is_null_if_it_may_be_and_missing_if_not() -> None:
    """Producers leave out what is null; what must be there must be named."""
    columns = (Column("flight", "VARCHAR", required=True), Column("note", "JSON", required=False, json=True))
    promised = replace(contract(JSON, flight="VARCHAR", at="TIMESTAMP"), columns=columns, event_time="flight")
    assert read_texts(b'{"other": 1}\n', promised).column_names == ["other", "note"]
    nested = read_texts(b'{"flight": "a", "note": {"x": [1, "\xc3\xbc"]}}\n', promised)
    assert json.loads(nested["note"].to_pylist()[0]) == {"x": [1, "ü"]}


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        ("csv", "is a mapping"),
        ({"format": "xml"}, "choose one of parquet, csv, json"),
        ({"format": "csv", "delimiter": ";;"}, "not one character"),
        ({"format": "csv", "delimiter": ""}, "no delimiter"),
        ({"format": "csv", "separator": ";"}, "knows no 'separator'"),
        ({"format": "csv", "skip": -1}, "no number from 0"),
        ({"format": "csv", "nulls": "NA"}, "a list of words"),
        ({"format": "csv", "header": "yes"}, "neither true nor false"),
    ],
)
def test_a_format_that_cannot_be_meant_says_what_to_write(declared: object, why: str) -> None:
    """A misspelt delimiter would read every file as one column."""
    found = file_format(declared)
    assert isinstance(found, str)
    assert why in found


def test_a_declared_format_reads_back_as_itself() -> None:
    """What `sources add` writes is what admission reads."""
    said = FileFormat("csv", "gzip", "latin-1", ";", "'", "\\", ",", False, 2, "%d.%m.%Y", None, ("NA", "-"))
    assert file_format(said.declared) == said
    assert FileFormat("json").declared == {"format": "json"}
