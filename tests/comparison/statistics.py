"""What the methods of others look at: statistics of the delivered rows of a landing day, column by column."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats = npt.NDArray[np.float64]
BUCKETS = 10
"""Of a histogram of equal widths, as TFDV draws it."""
MOST_LABELS = 1_000
"""Of a column with more different values no shares are compared."""
NEARLY_UNIQUE = 0.92
"""Of a column whose values differ so much the values themselves are kept, to know over days whether they are a key."""


@dataclass(frozen=True)
class ColumnStatistics:
    """One column of one landing day."""

    numbers: Mapping[str, float]
    """By the name of a monitor; a constant set of names for each kind of column."""
    rows: int
    nulls: int
    distinct: int
    edges: Floats | None = None
    counts: Floats | None = None
    """Histogram of a number; None of others, and where there is no value."""
    labels: Mapping[str, int] | None = None
    values: npt.NDArray[np.uint64] | None = None
    """Hashes of the different values of a column that is nearly unique."""


@dataclass(frozen=True)
class DayStatistics:
    """One landing day of a source."""

    rows: int
    columns: Mapping[str, ColumnStatistics]


def statistics_of(table: pa.Table) -> DayStatistics:
    """Measure a landing day."""
    return DayStatistics(table.num_rows, {name: _column(table[name]) for name in table.column_names})


def _column(column: pa.ChunkedArray) -> ColumnStatistics:
    rows, nulls = len(column), column.null_count
    counted = pc.value_counts(column.drop_null())
    distinct = len(counted)
    shared = {"null_count": float(nulls), "null_percent": nulls / max(rows, 1)}
    kind = column.type
    labels = values = None
    if distinct <= MOST_LABELS and not pa.types.is_timestamp(kind) and not pa.types.is_date(kind):
        names = pc.cast(counted.field("values"), pa.string()).to_pylist()
        labels = dict(zip(names, counted.field("counts").to_pylist(), strict=True))
    if distinct >= NEARLY_UNIQUE * rows:
        texts = pc.cast(counted.field("values"), pa.string()).to_pandas()
        import pandas as pd

        values = pd.util.hash_array(texts.to_numpy(dtype=object))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        known = np.asarray(pc.cast(column.drop_null(), pa.float64(), safe=False).to_numpy(), dtype=np.float64)
        numbers, edges, counts = _number(known, rows)
        return ColumnStatistics(shared | numbers, rows, nulls, distinct, edges, counts, labels, values)
    numbers = _text(column, rows) if pa.types.is_string(kind) else {}
    return ColumnStatistics(shared | numbers, rows, nulls, distinct, None, None, labels, values)


def _number(known: Floats, rows: int) -> tuple[dict[str, float], Floats | None, Floats | None]:
    if not len(known):
        nothing = dict.fromkeys(("min", "max", "average", "standard_deviation", "variance"), np.nan)
        return nothing | {"zero_count": 0.0, "zero_percent": 0.0, "negative_share": 0.0}, None, None
    counts, edges = np.histogram(known, BUCKETS)
    zeros = float((known == 0).sum())
    return (
        {
            "min": float(known.min()),
            "max": float(known.max()),
            "average": float(known.mean()),
            "standard_deviation": float(known.std(ddof=1)) if len(known) > 1 else np.nan,
            "variance": float(known.var(ddof=1)) if len(known) > 1 else np.nan,
            "zero_count": zeros,
            "zero_percent": zeros / max(rows, 1),
            "negative_share": float((known < 0).mean()),
        },
        edges.astype(np.float64),
        counts.astype(np.float64),
    )


def _text(column: pa.ChunkedArray, rows: int) -> dict[str, float]:
    lengths = pc.utf8_length(column.drop_null())
    empty = float(pc.sum(pc.equal(lengths, 0)).as_py() or 0)
    there = len(lengths) > 0
    return {
        "min_length": float(pc.min(lengths).as_py()) if there else np.nan,
        "max_length": float(pc.max(lengths).as_py()) if there else np.nan,
        "average_length": float(pc.mean(lengths).as_py()) if there else np.nan,
        "missing_count": column.null_count + empty,
        "missing_percent": (column.null_count + empty) / max(rows, 1),
    }
