"""Small operations on batches that several faults share. Input is never changed."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.faults.fault import BAD_ROWS, Deliveries
from reliability_platform.sources.batch import Batch
from reliability_platform.sources.contracts import CONTRACTS


def copy_of(deliveries: Deliveries) -> dict[date, list[Batch]]:
    """The same batches in lists of their own."""
    return {day: list(batches) for day, batches in deliveries.items()}


def with_table(batch: Batch, table: pa.Table) -> Batch:
    """The batch with other rows."""
    return replace(batch, table=table)


def chosen(rng: np.random.Generator, count: int, share: float) -> npt.NDArray[np.int64]:
    """Sorted positions of a random share of `count` rows, at least one where there are any."""
    wanted = min(count, max(1, round(count * share))) if count else 0
    return np.sort(rng.choice(count, wanted, replace=False))


def keys_of(batch: Batch, positions: npt.NDArray[np.int64] | None = None) -> pa.Table:
    """The keys of some rows of a batch (of all, by default) as `BAD_ROWS`."""
    column = batch.table[CONTRACTS[batch.source].key]
    keys = column.combine_chunks() if positions is None else column.take(pa.array(positions)).combine_chunks()
    return pa.table([pa.repeat(batch.batch_id, len(keys)), keys], schema=BAD_ROWS)


def event_dates(tables: Iterable[pa.Table]) -> list[date]:
    """The event dates of all rows, sorted."""
    found: set[date] = set()
    for table in tables:
        if "event_time" in table.column_names:
            found.update(pc.unique(table["event_time"].cast(pa.date32())).to_pylist())
    return sorted(day for day in found if day is not None)
