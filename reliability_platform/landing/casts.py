"""Casts: how a column that arrived in another type is read as the type of its contract, exactly or not at all.

A cast is strict. A value that it does not convert without loss comes out as null; whoever applies one counts these, and
refuses the file if there is any. What is ambiguous is no cast: `1,230` as an amount may be one or a thousand, `007` is a
code and no number, a moment in text without a zone is anybody's unless the contract declares the zone.

That every value converts says nothing about what it means: `1250` may be cents. Whether a column read through a cast is
what it has always been, `remediation.readings` asks of the past. What cannot mean anything else stands in `canonical`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.landing.canonical import from_zone

SAMPLE_ROWS = 1_000
"""Tried first: most casts that do not fit are told by so many rows."""
NEAR = timedelta(days=400)
"""Moments so far from the landing day, in the middle of a column, are of another unit: the next one is a thousand times off."""
WIDE = pa.decimal128(30, 10)
"""Room for any number of a contract before it is judged."""
_ZONE = r"(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)$"
_MOMENT = r"^\d{4}-\d\d-\d\d[T ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?"

Convert = Callable[[pa.ChunkedArray, pa.DataType, str | None], pa.ChunkedArray]
"""The column, the contract's type and the zone that it declares, to the column in that type; null where a value does not
convert exactly."""


@dataclass(frozen=True)
class Cast:
    """One way to read a column."""

    name: str
    takes: Callable[[pa.DataType], bool]
    gives: Callable[[pa.DataType], bool]
    convert: Convert
    must_be_near: bool = False
    """Whether any number would do, so that only the dates which come of it tell whether the unit is right."""


def _only(values: pa.ChunkedArray, wanted: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(wanted, values, pa.scalar(None, values.type))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_decimal(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or (pa.types.is_dictionary(kind) and _is_text(kind.value_type))
    )


def _fitting(wide: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
    """Exact numbers as the target's type; null for those that it has no room or no place after the point for."""
    scale = target.scale if pa.types.is_decimal(target) else 0
    limit = 10 ** (target.precision - scale) if pa.types.is_decimal(target) else 2 ** (target.bit_width - 1)
    fits = pc.and_(
        pc.equal(pc.round(wide, ndigits=scale), wide), pc.less(pc.abs(wide), pa.scalar(Decimal(limit)).cast(WIDE))
    )
    fitting = _only(wide, fits)
    return pc.cast(fitting if pa.types.is_decimal(target) else pc.cast(fitting, pa.int64()), target)


def _number_in_text(point: str) -> Convert:
    def convert(values: pa.ChunkedArray, target: pa.DataType, zone: str | None) -> pa.ChunkedArray:
        del zone
        text = pc.cast(values, pa.string())
        # Three digits after the sign may be thousands; zeros in front are part of a code.
        pattern = rf"^-?(?:0|[1-9]\d{{0,18}})(?:[{point}]\d{{1,2}})?$"
        plain = pc.replace_substring(_only(text, pc.match_substring_regex(text, pattern)), ",", ".")
        return _fitting(pc.cast(plain, WIDE), target)

    return convert


def _other_number(values: pa.ChunkedArray, target: pa.DataType, zone: str | None) -> pa.ChunkedArray:
    del zone
    if pa.types.is_floating(values.type):
        scale = target.scale if pa.types.is_decimal(target) else 0
        doubles = pc.cast(values, pa.float64())
        units = pc.round(pc.multiply(doubles, float(10**scale)))
        # Below 2^53 a double is exact; `12.34` comes back from 1234 hundredths, and `12.345` does not.
        exact = pc.and_(pc.equal(pc.divide(units, float(10**scale)), doubles), pc.less(pc.abs(units), float(2**53)))
        return _fitting(pc.round(pc.cast(_only(doubles, exact), WIDE), ndigits=scale), target)
    return _fitting(pc.cast(values, WIDE), target)


def _moment_in_text(values: pa.ChunkedArray, target: pa.DataType, zone: str | None) -> pa.ChunkedArray:
    text = pc.cast(values, pa.string())
    # A day that no calendar has is read as one of the next month: it comes back as another text.
    dates = pc.utf8_slice_codeunits(text, 0, 10)
    known = pc.match_substring_regex(dates, r"^\d{4}-\d\d-\d\d$")
    real = pc.equal(
        pc.strftime(pc.strptime(_only(dates, known), "%Y-%m-%d", "s", error_is_null=True), "%Y-%m-%d"), dates
    )
    zoned = _only(text, pc.and_(real, pc.match_substring_regex(text, _MOMENT + _ZONE)))
    moments = pc.cast(pc.cast(zoned, pa.timestamp(target.unit, "UTC")), target)
    if zone is None:
        return moments
    local = _only(text, pc.and_(real, pc.match_substring_regex(text, _MOMENT + "$")))
    return pc.coalesce(moments, _only_in(from_zone(pc.cast(local, target), zone), target))


def _only_in(moments: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
    """None of them where one could not be told, for the clock showed it twice or never."""
    return moments if moments.type.equals(target) else pa.chunked_array([pa.nulls(len(moments), target)])


def _epoch(units_per_second: int) -> Convert:
    microseconds = 1_000_000 // units_per_second

    def convert(values: pa.ChunkedArray, target: pa.DataType, zone: str | None) -> pa.ChunkedArray:
        del zone
        numbers = pc.cast(values, pa.int64())
        limit = 253_402_300_800 * units_per_second  # the year 10000: beyond it no text shows a moment
        inside = pc.less(pc.abs(_only(numbers, pc.greater(numbers, -(2**63)))), limit)
        return pc.cast(pc.cast(pc.multiply(_only(numbers, inside), microseconds), pa.timestamp("us")), target)

    return convert


def _declared(*casts: Cast) -> dict[str, Cast]:
    return {cast.name: cast for cast in casts}


CASTS = _declared(
    Cast("number_in_text", _is_text, _is_number, _number_in_text(".")),
    Cast("number_in_text_with_comma", _is_text, _is_number, _number_in_text(",")),
    Cast("other_number", lambda kind: _is_number(kind) or pa.types.is_floating(kind), _is_number, _other_number),
    Cast("moment_in_text", _is_text, pa.types.is_timestamp, _moment_in_text),
    Cast("epoch_seconds", pa.types.is_integer, pa.types.is_timestamp, _epoch(1), must_be_near=True),
    Cast("epoch_milliseconds", pa.types.is_integer, pa.types.is_timestamp, _epoch(1_000), must_be_near=True),
    Cast("epoch_microseconds", pa.types.is_integer, pa.types.is_timestamp, _epoch(1_000_000), must_be_near=True),
)
"""By name, the likelier ones first: whole numbers as text are not taken for numbers with a comma."""

NEEDED_NO_MORE = frozenset({"plain_text", "other_moment"})
"""Casts of version 0.3.0 for what is equal by now; approvals of that time may name them."""


def unconverted(
    cast: Cast, values: pa.ChunkedArray, target: pa.DataType, zone: str | None = None
) -> tuple[pa.ChunkedArray, int]:
    """The column as `target`, and how many values of it the cast does not convert; a column it cannot take, all."""
    if not (cast.takes(values.type) and cast.gives(target)):
        return pa.chunked_array([pa.nulls(len(values), target)]), len(values) - values.null_count
    try:
        converted = cast.convert(values, target, zone)
    except pa.ArrowException:  # an engine's own limit: nothing of the column is vouched for
        return pa.chunked_array([pa.nulls(len(values), target)]), len(values) - values.null_count
    return converted, converted.null_count - values.null_count


def _fits(cast: Cast, values: pa.ChunkedArray, target: pa.DataType, landing_date: date, zone: str | None) -> bool:
    converted, lost = unconverted(cast, values, target, zone)
    if lost or converted.null_count == len(converted):  # a column without a value speaks for nothing
        return False
    return not cast.must_be_near or _is_near(converted, landing_date)


def _is_near(moments: pa.ChunkedArray, landing_date: date) -> bool:
    """Whether the middle of a column lies near the landing day; single values may be late, or wrong."""
    microseconds = pc.cast(pc.cast(moments, pa.timestamp("us")), pa.int64())
    middle = pc.quantile(microseconds, q=0.5, interpolation="lower")[0].as_py()
    distance = timedelta(microseconds=middle) - (datetime.combine(landing_date, time.min) - datetime(1970, 1, 1))
    return abs(distance) <= NEAR


def proposed(values: pa.ChunkedArray, target: pa.DataType, landing_date: date, zone: str | None = None) -> str | None:
    """The name of the first cast that converts every value; None if there is none."""
    sample = values.slice(0, SAMPLE_ROWS)
    if sample.null_count == len(sample):
        sample = values
    return next(
        (
            cast.name
            for cast in CASTS.values()
            if _fits(cast, sample, target, landing_date, zone) and _fits(cast, values, target, landing_date, zone)
        ),
        None,
    )
