"""Profiles of many days as arrays: one row a metric, one column a landing day."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reliability_platform.profiles.metrics import BETWEEN_SOURCES, MAX_LABELS, Metric, MetricKind, Scale

Floats = npt.NDArray[np.float64]
PARTITIONED = frozenset(
    {MetricKind.LABEL, MetricKind.HOUR, MetricKind.SLOT, MetricKind.REJECTED, MetricKind.EMPTY_TOGETHER}
)
"""Kinds of which a day without a part has none of it: its share is 0 of the rows that the others have."""


@dataclass(frozen=True)
class Series:
    """Metrics by day. Arrays have the shape (metrics, days); NaN where a day does not have the metric."""

    metrics: tuple[Metric, ...]
    days: tuple[date, ...]
    """Ascending."""
    rows: Floats
    value: Floats
    error: Floats
    """Standard errors of levels; NaN for shares."""

    def forget(self, days: Iterable[date], metrics: Iterable[Metric]) -> None:
        """Leave these numbers out of every past."""
        rows = [self._places[one] for one in metrics if one in self._places]
        forgotten = set(days)
        columns = [place for place, one in enumerate(self.days) if one in forgotten]
        self.value[np.ix_(rows, columns)] = np.nan
        if rows:
            self.least[rows] = np.fmin.reduce(self.value[rows], axis=1)

    def only(self, places: Sequence[int]) -> "Series":
        """Some of the days, in this order; `least` stays that of all. To forget in it has no effect here."""
        days = tuple(self.days[place] for place in places)
        found = Series(self.metrics, days, *(one[:, places] for one in (self.rows, self.value, self.error)))
        # They follow from the metrics alone, and take longer than to judge a day.
        vars(found).update(
            least=self.least, _places=self._places, is_share=self.is_share, family=self.family, kinds=self.kinds
        )
        return found

    @cached_property
    def least(self) -> Floats:
        """By metric, the smallest value of all days; NaN if there is none."""
        return np.asarray(np.fmin.reduce(self.value, axis=1))

    @cached_property
    def kinds(self) -> npt.NDArray[np.object_]:
        """By metric, its kind."""
        return np.array([one.kind for one in self.metrics], dtype=object)

    @cached_property
    def _places(self) -> dict[Metric, int]:
        return {one: place for place, one in enumerate(self.metrics)}

    @cached_property
    def is_share(self) -> npt.NDArray[np.bool_]:
        """By metric, whether it is a part of its rows."""
        return np.array([one.scale is Scale.SHARE for one in self.metrics], dtype=bool)

    @cached_property
    def total_rows(self) -> Floats:
        """By day, the rows of the day."""
        return np.asarray(np.fmax.reduce(self.rows, axis=0, initial=0.0))

    @cached_property
    def family(self) -> npt.NDArray[np.int64]:
        """Metrics of one kind and column belong together: the labels of a column, the hours, one number in all segments."""
        of_columns = (MetricKind.AGAINST_BEFORE, MetricKind.FAR, *BETWEEN_SOURCES)
        names = [
            (one.kind, one.column, one.part if one.kind in of_columns else "", bool(one.within)) for one in self.metrics
        ]
        known = {name: place for place, name in enumerate(dict.fromkeys(names))}
        return np.array([known[name] for name in names], dtype=np.int64)


def series_of(profiles: pa.Table) -> Series:
    """Turn profiles (`measure.SCHEMA`) into series."""
    table = profiles.combine_chunks()
    names = [table.column(name).combine_chunks().dictionary_encode() for name in ("kind", "subject", "part", "within")]
    code = np.zeros(table.num_rows, dtype=np.int64)
    for one in names:
        code = code * max(len(one.dictionary), 1) + one.indices.to_numpy(zero_copy_only=False)
    known, first, place = np.unique(code, return_index=True, return_inverse=True)
    day_numbers = table.column("landing_date").cast(pa.int32()).to_numpy()
    days, column = np.unique(day_numbers, return_inverse=True)
    arrays = []
    for name in ("n", "value", "error"):
        array = np.full((len(known), len(days)), np.nan)
        array[place, column] = table.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False)
        arrays.append(array)
    texts = [one.take(pa.array(first)).to_pylist() for one in names]
    metrics = tuple(Metric(MetricKind(kind), *rest) for kind, *rest in zip(*texts, strict=True))
    epoch = date(1970, 1, 1).toordinal()
    found = Series(metrics, tuple(date.fromordinal(int(one) + epoch) for one in days), *arrays)
    _fill_missing_parts(found)
    return found


def _fill_missing_parts(series: Series) -> None:
    """What no row of a day was has the share 0 among the rows that have something of the kind."""
    families: dict[tuple[MetricKind, str, str], list[int]] = {}
    for place, one in enumerate(series.metrics):
        if one.kind in PARTITIONED:
            families.setdefault((one.kind, one.column, one.within), []).append(place)
    everything = np.fmax.reduce(series.rows, axis=0, initial=0.0)
    for (kind, _, _), places in families.items():
        rows = np.fmax.reduce(series.rows[places], axis=0, initial=0.0)
        if kind is MetricKind.REJECTED:  # a day without rejected rows says nothing of them
            rows = np.where(rows > 0, rows, everything)
        values = series.value[places]
        there = np.sum(~np.isnan(values), axis=0)
        # Of more labels than are kept the least one is at most as common as the last that was.
        least = np.where(there >= MAX_LABELS, np.fmin.reduce(values, axis=0, initial=1.0), 0.0)
        often = np.sum(~np.isnan(values), axis=1) >= (there > 0).sum() / 2
        for place, is_often in zip(places, often, strict=True):
            if is_often or not (there >= MAX_LABELS).any():
                missing = np.isnan(series.value[place]) & (rows > 0)
                series.value[place, missing] = least[missing]
                series.rows[place, missing] = rows[missing]
            else:
                series.value[place] = np.nan
