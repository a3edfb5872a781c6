"""Whether a column of one file is what the column of the contract has always been: a test on the source's own past.

A name or a type says nothing about meaning: `amount_net` is a decimal, near `amount` in name, at its place. So the column
is measured as it would be read, and so is the same slot on each of the last good days:

- how much of it is empty, how much distinct, and how much of it has occurred on other days (its set of values);
- where its low, middle and high values lie (5, 50 and 95 %): times after the beginning of the landing day, keys that grow
  from day to day against their own line;
- what ties it to the other columns: how often its pair with another column's value has occurred on other days (a product
  has one merchant, an order one weight), the rank correlation with them, for times the seconds between them;
- how often another source has the same value for the same key (a payment names the customer of its order).

It agrees if every measure lies within its own past, widened by one and a half of its own spread on either side. An honest
file that leaves so wide a range is asked for again, which costs little.

Agreement is worth what the test could have noticed. So it is repeated on the same file made wrong on purpose, in ways that
would matter (`CONTROLS`): if one of these would have passed as well, nothing is said about the file: not evaluated.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.checks.column_measures import (
    MIN_PAST_DAYS,
    MIN_ROWS,
    ColumnMeasure,
    Past,
    below_each_other,
    is_moment,
    is_number,
    measures,
)
from reliability_platform.checks.results import CheckStatus
from reliability_platform.counted import counted
from reliability_platform.masking import PERSONAL

PAST_DAYS = 14


@dataclass(frozen=True)
class Agreement:
    """What the past says about one column of a file."""

    column: str
    status: CheckStatus
    why: str
    measures: tuple[ColumnMeasure, ...] = ()
    days: tuple[date, ...] = ()
    noticed: tuple[str, ...] = ()
    """The measures that told the file from one made wrong on purpose."""


Change = Callable[[pa.ChunkedArray], pa.ChunkedArray]


@dataclass(frozen=True)
class Control:
    """The file made wrong on purpose."""

    what: str
    """Completes: it would not be noticed if …"""
    about: Callable[[pa.DataType], bool]
    make: Change


def _times(factor: float) -> Change:
    def make(values: pa.ChunkedArray) -> pa.ChunkedArray:
        scaled = pc.multiply(pc.cast(values, pa.float64()), factor)
        scale = values.type.scale if pa.types.is_decimal(values.type) else 0
        if scale == 0:
            return pc.cast(pc.round(scaled), values.type, safe=False)
        return pc.cast(pc.round(scaled, ndigits=scale), pa.decimal128(38, scale))

    return make


def _later(hours: int) -> Change:
    def make(values: pa.ChunkedArray) -> pa.ChunkedArray:
        return pc.add(values, pa.scalar(hours * 3_600 * 1_000_000, pa.duration("us")))

    return make


def _mixed(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Every tenth value is that of another row."""
    known = np.flatnonzero(values.is_valid().to_numpy())
    chosen = np.random.default_rng(len(values)).permutation(known)[: max(2, len(known) // 10)]
    places = np.arange(len(values))
    places[chosen] = np.roll(chosen, 1)
    return values.take(pa.array(places))


_AN_HOUR = (
    Control("its times were an hour later", is_moment, _later(1)),
    Control("its times were an hour earlier", is_moment, _later(-1)),
)
RENAMED = (
    Control("every tenth row had the value of another row", lambda _: True, _mixed),
    Control("its numbers were without a tax of 7 %", is_number, _times(1 / 1.07)),
    Control("its numbers were with a tax of 7 %", is_number, _times(1.07)),
    *_AN_HOUR,
)
"""For a column of another name: it may be another column of the same things."""
CAST = (
    Control("its numbers were ten times as large", is_number, _times(10)),
    Control("its numbers were a tenth as large", is_number, _times(0.1)),
    *_AN_HOUR,
)
"""For a column of another type: it may be in another unit or zone."""


def agreement(
    column: str, file: pa.Table, day: date, past: Past, controls: Sequence[Control], others: Sequence[str]
) -> Agreement:
    """Whether `column` of a file that landed on `day`, read as it would be, agrees with the past. `others` are the other
    columns that may speak for it."""
    if len(past.days) < MIN_PAST_DAYS:
        there = counted(len(past.days), "good day of the past is", "good days of the past are")
        why = f"{there} too few to compare with: it takes {MIN_PAST_DAYS}"
        return Agreement(column, CheckStatus.NOT_EVALUATED, why, days=past.days)
    own = file[column]
    if len(own) - own.null_count < MIN_ROWS:
        why = f"the file has fewer than {MIN_ROWS} values of it"
        return Agreement(column, CheckStatus.NOT_EVALUATED, why, days=past.days)
    rows = below_each_other(column, file, day, past, others)

    def measured(values: pa.ChunkedArray) -> Iterator[ColumnMeasure]:
        wide = pa.decimal128(38, values.type.scale) if pa.types.is_decimal(values.type) else values.type
        before = past.rows[column]
        return measures(
            rows, column, pa.chunked_array([*pc.cast(before, wide).chunks, *pc.cast(values, wide).chunks], wide)
        )

    found = tuple(measured(own))
    apart = [one for one in found if not one.agrees]
    if apart:
        why = f"it is not what {column} has been: {'; '.join(in_words(one, column) for one in apart[:3])}"
        return Agreement(column, CheckStatus.FAILED, why, found, past.days)
    blind, noticed = [], list[str]()
    for control in controls:
        if control.about(own.type):
            first = next((one.name for one in measured(control.make(own)) if not one.agrees), None)
            if first is None:
                blind.append(control.what)
            else:
                noticed.append(first)
    if blind:
        why = f"the past of {column} does not tell: it would not be noticed if {blind[0]}"
        return Agreement(column, CheckStatus.NOT_EVALUATED, why, found, past.days)
    why = f"it agrees with {counted(len(past.days), 'day')} of its past"
    return Agreement(column, CheckStatus.PASSED, why, found, past.days, tuple(dict.fromkeys(noticed)))


def in_words(measure: ColumnMeasure, column: str) -> str:
    """One measure beside its past, for people. Of a personal column nobody sees a value, and of a file whose values are
    not the column's nobody knows whose they are."""
    say = measure.kind.in_words
    past = f"{say(min(measure.past))} to {say(max(measure.past))} in the past"
    if not measure.shows_values:
        return f"{measure.name} {say(measure.found)} ({past})"
    if column in PERSONAL:
        return f"{measure.name} {'within' if measure.agrees else 'outside'} their past"
    return f"{measure.name} {say(measure.found) if measure.agrees else 'outside'} ({past})"


PLAIN = ("empty", "distinct", "seen on other days")
"""What is shown in any case, with the levels."""


def beside_its_past(found: Agreement) -> str:
    """A column beside its past: how much there is, where it lies, and what would have told of another one."""
    shown = [
        one
        for one in found.measures
        if one.name in (*PLAIN, *found.noticed) or one.name.startswith(("low ", "middle ", "high "))
    ]
    told = "; ".join(in_words(one, found.column) for one in shown)
    return (
        f"{found.column} beside {counted(len(found.days), 'day')} from {found.days[0]} to {found.days[-1]}: {told}"
        if told
        else ""
    )
