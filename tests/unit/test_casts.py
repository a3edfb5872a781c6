"""Casts convert exactly or not at all, and one is proposed only where every value of a column speaks for it."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from reliability_platform.landing.casts import CASTS, SAMPLE_ROWS, proposed, unconverted

DAY = date(2026, 1, 5)
NOON = datetime(2026, 1, 5, 12)
EPOCH = 1_767_614_400
MONEY, LONG, SHORT, MOMENT = pa.decimal128(12, 2), pa.int64(), pa.int32(), pa.timestamp("us")


def column(values: list[Any], kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind)])


def text(*values: str | None) -> pa.ChunkedArray:
    return column(list(values), pa.string())


@pytest.mark.parametrize(
    ("came", "target", "name", "values"),
    [
        (text("12,50", "-7,0", None), MONEY, "number_in_text_with_comma", [Decimal("12.50"), Decimal("-7.00"), None]),
        (text("12.5", "7"), MONEY, "number_in_text", [Decimal("12.50"), Decimal("7.00")]),
        (text("7,0", "9223372036854775807"), LONG, "number_in_text_with_comma", [7, 2**63 - 1]),
        (text("7", "2147483647"), SHORT, "number_in_text", [7, 2**31 - 1]),
        (column(["7", None], pa.string()).dictionary_encode(), LONG, "number_in_text", [7, None]),
        (column([12.34, 5.0], pa.float64()), MONEY, "other_number", [Decimal("12.34"), Decimal("5.00")]),
        (column([7.0, None], pa.float32()), LONG, "other_number", [7, None]),
        (column([2**31 - 1], LONG), MONEY, "other_number", [Decimal(2**31 - 1)]),  # or cents: the past must say
        (column([Decimal("7.00")], MONEY), LONG, "other_number", [7]),
        (column(["7"], pa.string_view()), LONG, "number_in_text", [7]),
        (column([EPOCH, None], LONG), MOMENT, "epoch_seconds", [NOON, None]),
        (column([EPOCH], SHORT), MOMENT, "epoch_seconds", [NOON]),
        (column([EPOCH * 1_000], LONG), MOMENT, "epoch_milliseconds", [NOON]),
        (column([EPOCH * 1_000_000], LONG), MOMENT, "epoch_microseconds", [NOON]),
        (text("2026-01-05T12:00:00Z", "2026-01-05 13:00:00.5+01:00"), MOMENT, "moment_in_text", None),
    ],
)
def test_what_came_is_read_exactly(came: pa.ChunkedArray, target: pa.DataType, name: str, values: Any) -> None:
    """The likely one is proposed, and gives the contract's type with every value."""
    assert proposed(came, target, DAY) == name
    converted, lost = unconverted(CASTS[name], came, target)
    assert (converted.type, lost) == (target, 0)
    assert converted.to_pylist() == (values or [NOON, NOON.replace(microsecond=500_000)])


@pytest.mark.parametrize(
    ("came", "target"),
    [
        (text("1,230"), MONEY),  # one, or a thousand
        (text("7,000"), LONG),
        (text("7,5"), LONG),
        (text("12,505"), MONEY),
        (text("1.234,50"), MONEY),
        (text("12,50", "n/a"), MONEY),
        (text("12,50", ""), MONEY),
        (text("12.50", "12,50"), MONEY),  # two notations in one column
        (text("99999999999"), MONEY),
        (text("9223372036854775808"), LONG),
        (text("1e3"), LONG),
        (text(None), LONG),
        (column([], pa.string()), LONG),
        (column([12.345], pa.float64()), MONEY),
        (column([float("nan")], pa.float64()), LONG),
        (column([float("inf")], pa.float64()), LONG),
        (column([1e300], pa.float64()), MONEY),
        (column([2.0**60], pa.float64()), LONG),
        (column([2**31], LONG), SHORT),
        (column([2**64 - 1], pa.uint64()), LONG),
        (column([Decimal("1.505")], pa.decimal128(20, 3)), MONEY),
        (column([7, 8], LONG), MOMENT),  # a number that is no date of these years
        (column([EPOCH * 10**9], LONG), MOMENT),
        (column([-(2**63)], LONG), MOMENT),
        (text("2026-02-30T12:00:00"), MOMENT),
        (text("2026-01-05T25:00:00"), MOMENT),
        (text("05.01.2026 12:00"), MOMENT),
        (text("2026-01-05T12:00:00 Europe/Berlin"), MOMENT),
        (text("2026-01-05T12:00:00"), MOMENT),  # local time of nobody knows where
        (text("2026-01-05T12:00:00Z", "2026-01-05T12:00:00"), MOMENT),
        (text("007", "8"), LONG),  # a code
        (text("00.50"), MONEY),
        (text("-01"), LONG),
        (text(" 7"), LONG),
        (text("7 "), LONG),
        (text("+7"), LONG),
        (text("12,5 %"), MONEY),
        (text("0x1F"), LONG),
        (text("true", "false"), LONG),
        (text("2026-05-01"), MOMENT),
        (text("2026-01-05T12:00:00.1234567Z"), MOMENT),
        (column([12.34], pa.float32()), MONEY),  # 12.34000015258789
        (column([date(2026, 1, 5)], pa.date32()), MOMENT),
        (column([1], pa.timestamp("ns")), MOMENT),
        (column([0], pa.timestamp("us", "Erika M")), MOMENT),
        (column([{"a": 1}], pa.struct([("a", LONG)])), MONEY),
        (column([True], pa.bool_()), LONG),
    ],
)
def test_what_is_not_exact_or_not_clear_has_no_cast(came: pa.ChunkedArray, target: pa.DataType) -> None:
    """Better asked for again than read wrong."""
    assert proposed(came, target, DAY) is None


def test_a_moment_without_a_zone_is_read_only_in_the_zone_that_the_contract_declares() -> None:
    """Local time taken for UTC moved 3 % of a day's payments to another day."""
    came = text("2026-01-05T13:00:00", "2026-01-05T12:00:00Z", None)
    cast = CASTS["moment_in_text"]
    assert proposed(came, MOMENT, DAY) is None
    assert unconverted(cast, came, MOMENT)[1] == 1
    assert proposed(came, MOMENT, DAY, "Europe/Berlin") == "moment_in_text"
    assert unconverted(cast, came, MOMENT, "Europe/Berlin")[0].to_pylist() == [NOON, NOON, None]
    twice, never = text("2026-10-25T02:30:00"), text("2026-03-29T02:30:00")
    assert [unconverted(cast, one, MOMENT, "Europe/Berlin")[1] for one in (twice, never)] == [1, 1]


def test_the_last_row_counts_as_much_as_the_first() -> None:
    """A sample that fits is no proof."""
    assert proposed(text(*["1,5"] * SAMPLE_ROWS, "x"), MONEY, DAY) is None
    assert unconverted(CASTS["number_in_text_with_comma"], text("1,5", "x", "y", None), MONEY)[1] == 2


def test_a_few_moments_far_away_do_not_speak_against_the_unit() -> None:
    """Late rows and wrong years are for the rules of rows; the middle of the column says which unit it is."""
    assert proposed(column([EPOCH, EPOCH + 60, EPOCH + 10**9], LONG), MOMENT, DAY) == "epoch_seconds"
