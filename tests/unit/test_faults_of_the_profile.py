"""Faults of which every single row is possible: each does what it declares, no more, and tells the truth about it."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from reliability_platform.contracts import CONTRACTS
from reliability_platform.lab.faults.amount import DRIFT_DAYS
from reliability_platform.lab.faults.catalogue import CATALOGUE
from reliability_platform.lab.faults.fault import Containment, InjectionResult
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import scheduled_batches
from reliability_platform.sources.batch import Batch
from tests.ground import day

WORLD = Simulation(seed=9, events_per_day=1_000)
FAULTS = {name: one for name, one in CATALOGUE.items() if one.containment is Containment.TOLD}
PLACES = [(name, source) for name, fault in FAULTS.items() for source in fault.applies_to]
CASES = [
    pytest.param(*place, size, marks=[] if size == "medium" else [pytest.mark.exhaustive])
    for place in PLACES
    for size in ("small", "medium", "large")
]
"""A case takes 0.15 s; another size is the same code on another number of rows."""
HIT = {
    "category_shift": "orders payments shipments web_events",
    "segment_missing": "payments shipments web_events",
    "segment_doubled": "orders payments shipments web_events",
    "hours_missing": "payments shipments web_events",
    "hours_repeated": "orders payments shipments web_events",
    "clock_shift": "orders payments shipments web_events",
    "midnight_timestamps": "shipments",
    "partner_unit_change": "orders payments",
    "constant_measure": "orders payments shipments",
    "rounded_measure": "orders payments",
    "measure_drift": "orders payments shipments",
    "rekeyed_duplicates": "orders payments shipments web_events",
    "reused_keys": "payments shipments web_events",
    "moments_out_of_order": "shipments",
    "misaligned_column": "orders payments shipments web_events",
    "swapped_columns": "web_events",
    "distinct_collapse": "orders payments shipments web_events",
    "distinct_explosion": "payments shipments web_events",
    "unseen_values": "payments shipments web_events",
    "optional_null_spike": "web_events",
}  # fmt: skip


@cache
def _clean(source: str, first: date, days: int) -> dict[date, list[Batch]]:
    every = (first + timedelta(days=number) for number in range(days))
    return {one: scheduled_batches(WORLD, source, one) for one in every}


@cache
def _injected(name: str, source: str, size: str, seed: int = 1) -> tuple[dict[date, list[Batch]], InjectionResult]:
    fault = FAULTS[name]
    clean = _clean(source, day(15 - fault.days_read), fault.days_read + fault.days_touched)
    assert fault.injection is not None
    return clean, fault.injection(clean, day(15), fault.magnitudes[size], np.random.default_rng(seed))


Row = tuple[str, str, tuple[object, ...]]


def _rows(batches: list[Batch]) -> Counter[Row]:
    """Every delivered row with its batch and key, as often as it comes."""
    return Counter(
        (batch.batch_id, str(row[CONTRACTS[batch.source].key[0]]), tuple(row.values()))
        for batch in batches
        for row in batch.table.to_pylist()
    )


@cache
def _difference(name: str, source: str, size: str) -> tuple[Counter[Row], Counter[Row]]:
    """The rows that came, and those that are gone; batches with equal tables have neither."""
    clean, injected = _injected(name, source, size)
    tables = {one.batch_id: one.table for one in _all(clean)}
    changed = {one.batch_id for one in _all(injected.deliveries) if not one.table.equals(tables.pop(one.batch_id))}
    assert not tables
    before, after = (
        _rows([one for one in _all(side) if one.batch_id in changed]) for side in (clean, injected.deliveries)
    )
    return after - before, before - after


def _all(deliveries: Mapping[date, list[Batch]]) -> list[Batch]:
    return [batch for batches in deliveries.values() for batch in batches]


def _table(deliveries: Mapping[date, list[Batch]], at: date) -> pa.Table:
    return pa.concat_tables([batch.table for batch in deliveries[at]])


def test_each_hits_the_sources_that_give_it_something() -> None:
    """By contract alone: whatever a source of one's own declares is hit in the same way."""
    assert {name: set(one.applies_to) for name, one in FAULTS.items()} == {
        name: set(one.split()) for name, one in HIT.items()
    }
    assert "other sources refer to" in str(FAULTS["reused_keys"].why_not("orders"))
    assert FAULTS["swapped_columns"].why_not("orders") == "orders has no two numbers that may hold each other's values"


@pytest.mark.parametrize(("name", "source", "size"), CASES)
def test_the_truth_is_exactly_what_changed(name: str, source: str, size: str) -> None:
    """Rows, batches and days: the difference between the clean and the faulty deliveries, and never nothing."""
    clean, injected = _injected(name, source, size)
    came, gone = _difference(name, source, size)
    changed = {row[0] for row in came + gone}
    assert changed
    assert set(injected.batches) == changed
    named = {(row["batch_id"], row["record_key"]) for row in injected.rows.to_pylist()}
    assert named == {row[:2] for row in came}
    days = {batch.landing_date for batch in _all(clean) if batch.batch_id in changed}
    assert set(injected.landing_dates) == days
    assert days <= set(injected.event_dates)


@pytest.mark.parametrize(("name", "source", "size"), CASES)
def test_every_row_stays_possible(name: str, source: str, size: str) -> None:
    """What a contract forbids, other checks see: types, labels, ranges, required fields, the number of rows."""
    clean, injected = _injected(name, source, size)
    for at, batches in injected.deliveries.items():
        rows = _table(injected.deliveries, at)
        assert rows.schema == _table(clean, at).schema
        assert abs(rows.num_rows / _table(clean, at).num_rows - 1) < 0.21
        assert [one.batch_id for one in batches] == [one.batch_id for one in clean[at]]
        for column in CONTRACTS[source].columns:
            values = rows[column.name]
            assert not (column.required and values.null_count), column.name
            if column.valid_values:
                assert set(pc.unique(values).to_pylist()) <= {*column.valid_values, None}
            if column.minimum is not None:
                assert float(pc.min(values).as_py()) >= column.minimum
            if column.maximum is not None:  # of the minor units of a partner a few are too large, and rejected
                beyond = pc.sum(pc.greater(pc.cast(values, pa.float64()), column.maximum)).as_py()
                assert beyond <= (rows.num_rows / 100 if name == "partner_unit_change" else 0)


@pytest.mark.exhaustive  # 10 s for all of them; the demo and the catalogue are compared with their oracle
@pytest.mark.parametrize(("name", "source", "size"), CASES[1::3])
def test_the_same_seed_is_the_same_rows_and_the_clean_ones_stay(name: str, source: str, size: str) -> None:
    """An injection works on copies, and draws from its generator alone."""
    clean, first = _injected(name, source, size)
    _, again = _injected.__wrapped__(name, source, size)
    assert [one.table for one in _all(first.deliveries)] == [one.table for one in _all(again.deliveries)]
    anew = _clean.__wrapped__(source, min(clean), len(clean))
    assert [one.table for one in _all(clean)] == [one.table for one in _all(anew)]


@pytest.mark.exhaustive  # 15 s for all of them
@pytest.mark.parametrize(("name", "source"), PLACES)
def test_a_larger_size_changes_more(name: str, source: str) -> None:
    """Small, medium and large mean something."""
    sizes = [sum(rows.total() for rows in _difference(name, source, size)) for size in ("small", "large")]
    # A clock that is behind by more moves fewer rows, each farther; a drift moves them all.
    assert sizes[0] < sizes[1] or name in ("clock_shift", "measure_drift")


def test_a_third_of_the_captured_payments_may_be_declined() -> None:
    """What the platform published without a word."""
    for seed in range(20):
        clean, injected = _injected("category_shift", "payments", "medium", seed)
        if injected.column == "status":
            break
    before, after = (
        Counter(_table(one, day(15))["status"].to_pylist())["captured"] for one in (clean, injected.deliveries)
    )
    assert after / before == pytest.approx(2 / 3, abs=0.01)


def test_a_clock_that_is_behind_leaves_each_event_on_its_date() -> None:
    """Another date would be another fault: late data."""
    clean, injected = _injected("clock_shift", "orders", "large")
    dates = [_table(one, day(15))["event_time"].cast(pa.date32()) for one in (clean, injected.deliveries)]
    assert dates[0] == dates[1]
    behind = pc.subtract(*(_table(one, day(15))["event_time"] for one in (clean, injected.deliveries)))
    assert set(pc.unique(behind).to_pylist()) == {timedelta(0), timedelta(hours=4)}


def test_a_drift_grows_by_a_little_every_day() -> None:
    """No day of it is strange by itself."""
    clean, injected = _injected("measure_drift", "orders", "medium")
    assert injected.landing_dates == [day(15 + number) for number in range(DRIFT_DAYS)]
    for number in range(DRIFT_DAYS):
        before, after = (
            float(pc.sum(_table(one, day(15 + number))["amount"]).as_py()) for one in (clean, injected.deliveries)
        )
        assert after / before == pytest.approx(1.02 ** (number + 1), rel=0.001)


def test_shipments_are_promised_before_they_were_ordered() -> None:
    """The share that arrived on time was 0 %."""
    _, injected = _injected("moments_out_of_order", "shipments", "large")
    rows = _table(injected.deliveries, day(15))
    early = pc.sum(pc.less(rows["promised_at"], rows["ordered_at"])).as_py()
    assert early == injected.rows.num_rows
    assert injected.column is None, "nobody can say which of the two is wrong"


def test_the_usual_amount_stays_where_few_partners_send_minor_units() -> None:
    """The check of the scale looks at medians; the day's revenue was three times too high."""
    clean, injected = _injected("partner_unit_change", "orders", "medium")
    before, after = (_table(one, day(15))["amount"].cast(pa.float64()) for one in (clean, injected.deliveries))
    medians = [pc.quantile(one, 0.5)[0].as_py() for one in (before, after)]
    assert medians[1] / medians[0] < 1.05
    assert pc.sum(after).as_py() / pc.sum(before).as_py() > 2


def test_rows_with_keys_of_the_day_before_are_lost_to_silver() -> None:
    """The first delivery of a key wins: what bears it again counts as a repetition."""
    clean, injected = _injected("reused_keys", "payments", "medium")
    old = set(_table(clean, day(14))["payment_id"].to_pylist())
    again = [key for key in _table(injected.deliveries, day(15))["payment_id"].to_pylist() if key in old]
    assert len(again) == len(set(again)) == injected.rows.num_rows
