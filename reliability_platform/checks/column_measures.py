"""The measures of a column, of the past and of one file beside it: what `agreement` compares.

Each measure is one number for the file and one for the same slot of each day of the past. Vectorised over all rows at once;
NaN where a day has too few rows to speak of.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.formats import percent

MIN_PAST_DAYS = 7
"""With fewer days the range of a measure says little about the next one."""
SPREADS = 1.5
"""How many times its own spread a measure may leave its past. Of seven normal values the spread is 2.7 sigma, so that is
5.4 sigma from the middle: wide, for some twenty measures are looked at, and what must be told apart is far outside."""
MIN_ROWS = 20
"""Fewer values than this have no shares or quantiles to speak of."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MeasureKind:
    """What a measure counts, and how far from its past it may lie at least."""

    floor: float
    relative: bool
    in_words: Callable[[float], str]


SHARE = MeasureKind(0.02, False, percent)
CORRELATION = MeasureKind(0.02, False, lambda value: f"{value:.2f}")
LEVEL = MeasureKind(0.3, True, lambda value: f"{value:,.6g}")
SECONDS = MeasureKind(60.0, False, lambda value: f"{value:,.0f} s")


@dataclass(frozen=True)
class ColumnMeasure:
    """One measure of the file beside its past."""

    name: str
    kind: MeasureKind
    past: tuple[float, ...]
    found: float

    @property
    def agrees(self) -> bool:
        """Whether it lies within its past, widened by its own spread."""
        low, high = min(self.past), max(self.past)
        floor = self.kind.floor * (max(abs(low), abs(high)) if self.kind.relative else 1.0)
        room = max(SPREADS * (high - low), floor)
        return low - room <= self.found <= high + room

    @property
    def shows_values(self) -> bool:
        """Whether it tells values of the column itself: of a personal one nobody may see them."""
        return self.kind is LEVEL


@dataclass(frozen=True)
class Companion:
    """Another source that says the same about the same key."""

    source: str
    key: str
    """Of both; it is unique in one of them."""
    rows: pa.Table
    """Of the past days and of the day itself."""


@dataclass(frozen=True)
class Past:
    """What the source delivered on good days."""

    days: tuple[date, ...]
    """Oldest first."""
    rows: pa.Table
    """The contract's columns of all slots."""
    day_of_row: Ints
    """Which of the days each row landed on."""
    in_slot: npt.NDArray[np.bool_]
    """Whether it came in the slot of the file."""
    companions: tuple[Companion, ...] = ()


def is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_decimal(kind))


def is_moment(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind))


def below_each_other(column: str, file: pa.Table, day: date, past: Past, others: Sequence[str]) -> "Rows":
    """A column of the past and of the file, with the other columns that may speak for it."""
    names = [name for name in past.rows.column_names if name == column or name in others]
    table = pa.concat_tables([past.rows.select(names), file.select(names)])
    last = len(past.days)
    day_of_row = np.concatenate([past.day_of_row, np.full(file.num_rows, last, dtype=np.int64)])
    in_slot = np.concatenate([past.in_slot, np.ones(file.num_rows, dtype=bool)])
    return Rows(past, table, day, day_of_row, np.where(in_slot, day_of_row, -1))


@dataclass
class Rows:
    """The past and the file below each other, each row with its day and, in the slot of the file, its group."""

    past: Past
    table: pa.Table
    day: date
    day_of_row: Ints
    group: Ints
    """The day again for rows of the slot, -1 for those of other slots."""
    _codes: dict[str, Ints] = field(default_factory=dict)
    _numbers: dict[str, Floats] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many groups there are: the days of the past, and the file as the last one."""
        return len(self.past.days) + 1

    def codes(self, name: str) -> Ints:
        """The values of a column as numbers from 0 on; -1 for none."""
        if name not in self._codes:
            self._codes[name] = _encoded(self.table[name])
        return self._codes[name]

    def numbers(self, name: str) -> Floats:
        """The values of an ordered column; NaN for none."""
        if name not in self._numbers:
            self._numbers[name] = _as_numbers(self.table[name])
        return self._numbers[name]

    def starts(self) -> Floats:
        """The beginning of each row's landing day, in seconds since 1970."""
        days = [*self.past.days, self.day]
        seconds = [(datetime.combine(one, time.min) - datetime(1970, 1, 1)).total_seconds() for one in days]
        return np.array(seconds)[self.day_of_row]

    def seen_elsewhere(self, codes: Ints) -> npt.NDArray[np.bool_]:
        """Whether a value occurs on a day of the past other than the row's own."""
        known = codes >= 0
        in_past = known & (self.day_of_row < self.count - 1)
        size = int(codes.max(initial=-1)) + 1
        pairs = np.unique(codes[in_past] * np.int64(self.count) + self.day_of_row[in_past])
        days_with = np.bincount(pairs // self.count, minlength=size)
        found = np.zeros(len(codes), dtype=bool)
        found[known] = days_with[codes[known]] - (self.day_of_row[known] < self.count - 1) > 0
        return found

    def share(self, hits: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_]) -> Floats:
        """By group, the share of hits among some rows; NaN where these are too few."""
        rows = among & (self.group >= 0)
        total = np.bincount(self.group[rows], minlength=self.count).astype(float)
        part = np.bincount(self.group[rows & hits], minlength=self.count)
        return np.where(total >= MIN_ROWS, part / np.maximum(total, 1), np.nan)

    def quantiles(self, values: Floats) -> tuple[Floats, Floats, Floats]:
        """By group, the low, middle and high values."""
        found = np.full((3, self.count), np.nan)
        for group in range(self.count):
            own = values[(self.group == group) & ~np.isnan(values)]
            if len(own) >= MIN_ROWS:
                found[:, group] = np.quantile(own, (0.05, 0.5, 0.95))
        return found[0], found[1], found[2]


def _encoded(values: pa.ChunkedArray) -> Ints:
    indices = pc.dictionary_encode(values.combine_chunks()).indices
    return np.asarray(pc.fill_null(indices, -1).to_numpy(zero_copy_only=False), dtype=np.int64)


def _paired(one: Ints, other: Ints) -> Ints:
    """Both codes as one; -1 where either is missing."""
    both = one * (int(other.max(initial=-1)) + 1) + other
    _, codes = np.unique(both, return_inverse=True)
    return np.where((one >= 0) & (other >= 0), codes, -1).astype(np.int64)


def _is_ordered(kind: pa.DataType) -> bool:
    return is_number(kind) or is_moment(kind)


def _as_numbers(values: pa.ChunkedArray) -> Floats:
    plain = pc.cast(values, pa.int64()) if is_moment(values.type) else values
    numbers = np.asarray(pc.cast(plain, pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    return numbers / 1e6 if is_moment(values.type) else numbers


def _ranks(values: Floats) -> Floats:
    _, place, times = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(times) - (times - 1) / 2)[place]


def _correlation(one: Floats, other: Floats) -> float:
    known = ~np.isnan(one) & ~np.isnan(other)
    if known.sum() < MIN_ROWS:
        return float("nan")
    left, right = _ranks(one[known]), _ranks(other[known])
    spread = left.std() * right.std()
    return float(((left - left.mean()) * (right - right.mean())).mean() / spread) if spread else float("nan")


def _grows(days: Sequence[date], low: Floats, high: Floats) -> bool:
    """Whether each day's values lie above those of the day before: keys that a counter gives."""
    known = ~np.isnan(low[: len(days)])
    return bool(known.sum() >= MIN_PAST_DAYS and (low[:-1][known][1:] > high[:-1][known][:-1]).all())


def _levels(
    rows: Rows, values: pa.ChunkedArray, numbers: Floats
) -> tuple[MeasureKind, str, tuple[Floats, Floats, Floats]]:
    if is_moment(values.type):
        return SECONDS, "after the beginning of the day", rows.quantiles(numbers - rows.starts())
    low, middle, high = rows.quantiles(numbers)
    if not _grows(rows.past.days, low, high):
        return LEVEL, "values", (low, middle, high)
    days = np.array([one.toordinal() for one in (*rows.past.days, rows.day)], dtype=float)
    known = ~np.isnan(middle[:-1])
    slope, level = np.polyfit((days - days[-1])[:-1][known], middle[:-1][known], 1)
    line = slope * (days - days[-1]) + level
    return LEVEL, "values against their growth", (low - line, middle - line, high - line)


Measured = Iterator[tuple[str, MeasureKind, Floats]]
"""Name, kind and value by group, one measure after the other: a control needs only the first that notices it."""


def _measured(rows: Rows, column: str, values: pa.ChunkedArray) -> Measured:
    codes = _encoded(values)
    for companion in rows.past.companions:
        yield from _elsewhere(rows, column, values, companion)
    yield from _spread(rows, codes)
    others = [name for name in rows.table.column_names if name != column]
    if _is_ordered(values.type):
        numbers = _as_numbers(values)
        kind, what, quantiles = _levels(rows, values, numbers)
        yield from _three(kind, quantiles, f"{{}} {what}")
        for name in others:
            if _is_ordered(rows.table[name].type):
                yield from _beside(rows, name, numbers, both_moments=is_moment(values.type))
    for name in others:
        pairs = _paired(rows.codes(name), codes)
        context = rows.seen_elsewhere(rows.codes(name)) & (codes >= 0)
        yield f"pairs with {name} seen on other days", SHARE, rows.share(rows.seen_elsewhere(pairs), context)


def _spread(rows: Rows, codes: Ints) -> Measured:
    """How much is there, and how much of it has been there before."""
    known = codes >= 0
    yield "empty", SHARE, rows.share(~known, np.ones(len(codes), dtype=bool))
    here = known & (rows.group >= 0)
    total = np.bincount(rows.group[here], minlength=rows.count).astype(float)
    distinct = np.bincount(np.unique(codes[here] * np.int64(rows.count) + rows.group[here]) % rows.count)
    distinct.resize(rows.count, refcheck=False)
    yield "distinct", SHARE, np.where(total >= MIN_ROWS, distinct / np.maximum(total, 1), np.nan)
    yield "seen on other days", SHARE, rows.share(rows.seen_elsewhere(codes), known)


def _three(kind: MeasureKind, quantiles: tuple[Floats, Floats, Floats], name: str) -> Measured:
    for place, level in zip(("low", "middle", "high"), quantiles, strict=True):
        yield name.format(place), kind, level


def _beside(rows: Rows, name: str, numbers: Floats, *, both_moments: bool) -> Measured:
    """How an ordered column goes with another one."""
    other = rows.numbers(name)
    by_group = [rows.group == group for group in range(rows.count)]
    correlations = np.array([_correlation(numbers[own], other[own]) for own in by_group])
    yield f"rank correlation with {name}", CORRELATION, correlations
    if both_moments and is_moment(rows.table[name].type):
        yield from _three(SECONDS, rows.quantiles(numbers - other), f"{{}} distance from {name}")


def _elsewhere(rows: Rows, column: str, values: pa.ChunkedArray, companion: Companion) -> Measured:
    """How often another source has the same values for the same key. A column that is the key itself is judged by what
    the other source has for it."""
    own, theirs, key = rows.table.column_names, companion.rows.column_names, companion.key
    if column == key:
        for name in own:
            if name in theirs and name != key:
                same = _same(rows, companion, values, name, rows.table[name])
                yield f"the same {name} in {companion.source} for it", SHARE, same
    elif column in theirs and key in own:
        same = _same(rows, companion, rows.table[key], column, values)
        yield f"the same in {companion.source} for the same {key}", SHARE, same


def _same(rows: Rows, companion: Companion, keys: pa.ChunkedArray, name: str, values: pa.ChunkedArray) -> Floats:
    """By group, the share of rows whose key the other source knows that have the same value there."""
    theirs, count = companion.rows, len(values)
    key_of = _encoded(pa.chunked_array([*keys.chunks, *theirs[companion.key].chunks]))
    value_of = _encoded(
        pa.chunked_array([*pc.cast(values, theirs[name].type, safe=False).chunks, *theirs[name].chunks])
    )
    said = np.full(int(key_of.max(initial=-1)) + 1, -1, dtype=np.int64)
    there = key_of[count:] >= 0
    said[key_of[count:][there]] = value_of[count:][there]
    found = np.full(count, -1, dtype=np.int64)
    known = key_of[:count] >= 0
    found[known] = said[key_of[:count][known]]
    return rows.share(found == value_of[:count], (found >= 0) & (value_of[:count] >= 0))


def measures(rows: Rows, column: str, values: pa.ChunkedArray) -> Iterator[ColumnMeasure]:
    """The measures that the past has often enough, and the file too."""
    for name, kind, groups in _measured(rows, column, values):
        past = groups[:-1][~np.isnan(groups[:-1])]
        if len(past) >= MIN_PAST_DAYS and not np.isnan(groups[-1]):
            yield ColumnMeasure(name, kind, tuple(past.tolist()), float(groups[-1]))
