"""The simulated world is coherent, seasonal and the same every time."""

from datetime import date, timedelta

import pyarrow.compute as pc
import pytest

from reliability_platform.atomic import parquet_bytes
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.errors import UsageError
from reliability_platform.lab.simulation.events import events
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import request_batch, scheduled_batches

DAY = date(2026, 1, 7)
WORLD = Simulation(seed=3, events_per_day=2000)


@pytest.mark.parametrize("source", SOURCES)
def test_the_same_seed_gives_the_same_bytes(source: str) -> None:
    """Invariant 1: a second, separate world of the same seed does not differ in a single byte."""
    again = Simulation(seed=3, events_per_day=2000)
    assert parquet_bytes(events(WORLD, source, DAY)) == parquet_bytes(events(again, source, DAY))
    other = Simulation(seed=4, events_per_day=2000)
    assert parquet_bytes(events(WORLD, source, DAY)) != parquet_bytes(events(other, source, DAY))


@pytest.mark.parametrize("source", SOURCES)
def test_events_keep_their_contract(source: str) -> None:
    """Types, required columns, unique keys, allowed values: the clean source never breaks its promise."""
    contract, table = CONTRACTS[source], events(WORLD, source, DAY)
    assert table.schema.equals(contract.arrow_schema)
    assert pc.count_distinct(table[contract.key[0]]).as_py() == table.num_rows > 0
    for column in contract.columns:
        if column.required:
            assert table[column.name].null_count == 0, column.name
        if column.valid_values:
            assert set(pc.unique(table[column.name]).to_pylist()) <= set(column.valid_values)


def test_payments_and_shipments_belong_to_orders() -> None:
    """A payment has its order on the same day and of the same amount; a shipment an order of 1 or 3 days before."""
    orders = {row["order_id"]: row for row in events(WORLD, "orders", DAY).to_pylist()}
    for payment in events(WORLD, "payments", DAY).to_pylist():
        order = orders[payment["order_id"]]
        assert (payment["amount"], payment["currency"]) == (order["amount"], order["currency"])
        assert payment["event_time"] >= order["event_time"]
    earlier = set()
    for age in (1, 3):
        earlier.update(events(WORLD, "orders", DAY - timedelta(days=age))["order_id"].to_pylist())
    assert set(events(WORLD, "shipments", DAY)["order_id"].to_pylist()) <= earlier


def test_a_month_has_its_season_and_its_size() -> None:
    """At least the nominal number of events in 30 days; Saturdays above Mondays."""
    counts = {}
    for offset in range(30):
        day = date(2026, 1, 1) + timedelta(days=offset)
        counts[day] = sum(events(WORLD, source, day).num_rows for source in SOURCES)
    assert sum(counts.values()) >= 30 * WORLD.events_per_day
    mean = {w: sum(n for d, n in counts.items() if d.weekday() == w) for w in (0, 5)}
    assert mean[5] > mean[0]


@pytest.mark.parametrize("source", SOURCES)
def test_batches_cut_the_day_without_losing_a_row(source: str) -> None:
    """Four batches, together exactly the day; asked again, the source gives the same rows."""
    batches = scheduled_batches(WORLD, source, DAY)
    assert [batch.sequence for batch in batches] == [1, 2, 3, 4]
    assert sum(batch.table.num_rows for batch in batches) == events(WORLD, source, DAY).num_rows
    again = request_batch(WORLD, source, DAY, 3, attempt=2)
    assert again.table.equals(batches[2].table)
    assert again.batch_id != batches[2].batch_id


def test_an_unknown_source_or_batch_is_refused_in_words() -> None:
    """Whoever mistypes learns what there is."""
    with pytest.raises(UsageError, match="choose one of orders"):
        scheduled_batches(WORLD, "ordres", DAY)
    with pytest.raises(UsageError, match="there is no batch 9"):
        request_batch(WORLD, "orders", DAY, 9, 2)
