"""Faults of repetition that no key gives away: old content under new keys, new content under old ones."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from reliability_platform.contracts import CONTRACTS
from reliability_platform.lab.faults.anomaly import anomaly
from reliability_platform.lab.faults.fault import Deliveries, InjectionResult
from reliability_platform.lab.faults.new_keys import with_copies
from reliability_platform.lab.faults.rows import Positions, chosen, spoil_positions, with_values
from reliability_platform.lab.faults.targets import NEW_KEYS, NOBODY_REFERS, TIMELESS_KEY, both
from reliability_platform.sources.batch import Batch

_SHARES = {"small": 0.01, "medium": 0.05, "large": 0.2}


def _rekeyed_duplicates(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    return with_copies(clean, day, [chosen(rng, one.table.num_rows, magnitude) for one in clean[day]])


def _reused_keys(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """Rows of the day bear keys of the day before, each another one."""
    key = CONTRACTS[clean[day][0].source].key
    hits = [chosen(rng, batch.table.num_rows, magnitude) for batch in clean[day]]
    before = pa.concat_tables([batch.table.select(key) for batch in clean[day - timedelta(days=1)]])
    used = before.take(pa.array(rng.permutation(before.num_rows)[: sum(map(len, hits))]))
    begins = dict(zip((one.batch_id for one in clean[day]), np.cumsum([0, *map(len, hits)]).tolist(), strict=False))

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        keys = used.slice(begins[batch.batch_id], len(hit))
        for name in key:
            batch = replace(batch, table=with_values(batch, name, hit, keys[name].combine_chunks()))
        return batch.table

    return spoil_positions(clean, day, hits, spoil)


REPETITION_FAULTS = (
    anomaly(
        "rekeyed_duplicates",
        "repetition",
        "Rows come twice, the second time under new keys: no key is repeated, and everything counts twice.",
        NEW_KEYS,
        _SHARES,
        "share of the day's rows that come a second time",
        _rekeyed_duplicates,
    ),
    anomaly(
        "reused_keys",
        "repetition",
        "New rows bear keys of the day before, as after a sequence was reset: they are taken for repetitions, and lost.",
        both(TIMELESS_KEY, NOBODY_REFERS),
        _SHARES,
        "share of the day's rows that bear a key of the day before",
        _reused_keys,
        days_read=1,
    ),
)
