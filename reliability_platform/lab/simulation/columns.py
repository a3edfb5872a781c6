"""Building Arrow columns from NumPy arrays without a Python object per row."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]

TIMESTAMP = pa.timestamp("us")
DAY_SECONDS = 86_400


def decimal(unscaled: Ints, precision: int, scale: int) -> pa.Array:
    """Exact decimals from integers in the smallest unit (cents for scale 2)."""
    words = np.empty((len(unscaled), 2), dtype=np.int64)
    words[:, 0] = unscaled
    words[:, 1] = unscaled >> 63  # sign extension of the 128-bit integer
    return pa.Array.from_buffers(pa.decimal128(precision, scale), len(unscaled), [None, pa.py_buffer(words.tobytes())])


def choice(labels: Sequence[str], codes: npt.NDArray[Any]) -> pa.Array:
    """Text column from codes into a short list of labels."""
    return pa.array(labels, pa.string()).take(pa.array(codes))


def timestamps(day: date, seconds: npt.NDArray[Any]) -> pa.Array:
    """Timestamps (UTC) `seconds` after the beginning of `day`; fractions are kept to the microsecond."""
    start = np.int64((day - date(1970, 1, 1)).days * DAY_SECONDS)
    micros = start * 1_000_000 + np.rint(np.asarray(seconds, dtype=np.float64) * 1e6).astype(np.int64)
    return pa.array(micros, pa.int64()).cast(TIMESTAMP)
