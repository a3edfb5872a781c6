"""Each fault does what it declares, no more, and tells the truth about it."""

from dataclasses import replace

import pyarrow as pa
import pytest

from reliability_platform.faults.catalogue import CATALOGUE
from reliability_platform.faults.plan import Strike
from reliability_platform.faults.strike import apply_strike
from reliability_platform.sources.batch import Batch
from reliability_platform.sources.contracts import CONTRACTS
from reliability_platform.sources.simulation import Simulation
from reliability_platform.sources.system import scheduled_batches
from tests.conftest import day

WORLD = Simulation(seed=9, events_per_day=1500)
CASES = [
    (name, source, size)
    for name, fault in CATALOGUE.items()
    for source in fault.applies_to
    for size in ("small", "large")
]


def _rows(batches: list[Batch]) -> dict[tuple[str, int], dict[str, object]]:
    found = {}
    for batch in batches:
        for row in batch.table.to_pylist():
            found[batch.batch_id, row[CONTRACTS[batch.source].key]] = row
    return found


@pytest.mark.parametrize(("name", "source", "size"), CASES)
def test_the_truth_is_exactly_what_changed(name: str, source: str, size: str) -> None:
    """Batches and rows that differ from the clean delivery are those that the truth names; the rest is untouched."""
    strike = Strike(name, source, day(5), size)
    struck = apply_strike(WORLD, 1, strike)
    again = apply_strike(WORLD, 1, strike)
    assert struck.batches == again.batches
    assert struck.rows.equals(again.rows)
    changed: set[str] = set()
    bad: set[tuple[str, int]] = set()
    for one in strike.landing_dates():
        clean = {batch.batch_id: batch for batch in scheduled_batches(WORLD, source, one)}
        broken = {batch.batch_id: batch for batch in struck.deliveries[one]}
        assert all(
            again_batch.table.equals(broken[again_batch.batch_id].table) for again_batch in again.deliveries[one]
        )
        changed |= clean.keys() ^ broken.keys()
        for batch_id in clean.keys() & broken.keys():
            if not clean[batch_id].table.equals(broken[batch_id].table):
                changed.add(batch_id)
            if clean[batch_id].table.num_rows == broken[batch_id].table.num_rows:
                before, after = _rows([clean[batch_id]]), _rows([broken[batch_id]])
                bad |= {key for key in before if before[key] != after.get(key)}
    assert changed == set(struck.batches)
    named = {(row["batch_id"], row["record_key"]) for row in struck.rows.to_pylist()}
    assert named == (bad if name not in ("late_events",) else set())
    assert set(struck.landing_dates) <= set(strike.landing_dates())


def test_late_rows_are_moved_not_lost() -> None:
    """Every row of the clean days is delivered exactly once, later."""
    strike = Strike("late_events", "orders", day(5), "large")
    struck = apply_strike(WORLD, 1, strike)
    clean = [batch for one in strike.landing_dates() for batch in scheduled_batches(WORLD, "orders", one)]
    moved = [batch for one in strike.landing_dates() for batch in struck.deliveries[one]]

    def keys(batches: list[Batch]) -> list[int]:
        return sorted(pa.concat_tables([batch.table for batch in batches])["order_id"].to_pylist())

    assert keys(clean) == keys(moved)
    early = [row for batch in struck.deliveries[day(6)] for row in batch.table.to_pylist()]
    assert any(row["event_time"].date() == day(5) for row in early)


def test_the_clean_batches_are_never_changed() -> None:
    """A strike works on copies: the same clean day, before and after."""
    before = scheduled_batches(WORLD, "payments", day(5))
    fault = CATALOGUE["null_spike"]
    clean = {day(5): [replace(batch) for batch in before]}
    import numpy as np

    fault.strike(clean, day(5), 0.5, np.random.default_rng(1))
    assert [batch.table for batch in clean[day(5)]] == [batch.table for batch in before]
    assert all(batch.table["customer_id"].null_count == 0 for batch in clean[day(5)])
