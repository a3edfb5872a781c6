"""Controls that move what a profile looks at, and are right: a good day, a good year, another writer."""

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from reliability_platform.atomic import parquet_bytes
from reliability_platform.contracts import CONTRACTS
from reliability_platform.lab.campaign.grid import scenarios_of
from reliability_platform.lab.faults.catalogue import CONTROLS
from reliability_platform.lab.faults.good_days import GROWTH_DAYS
from reliability_platform.lab.faults.injection import inject_one
from reliability_platform.lab.faults.plan import Injection
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import SimulatedSource, scheduled_batches
from reliability_platform.landing.canonical import canonical
from reliability_platform.landing.delivered_file import read_delivered
from tests.ground import day

WORLD = Simulation(seed=9, events_per_day=3_000)


def _rows(source: str, number: int, control: str | None = None) -> pa.Table:
    clean = scheduled_batches(WORLD, source, day(number))
    if control is None:
        return pa.concat_tables([batch.table for batch in clean])
    injected = inject_one(SimulatedSource(WORLD, source), 1, Injection(control, source, day(15), "medium"))
    return pa.concat_tables([batch.table for batch in injected.deliveries[day(number)]])


@pytest.mark.parametrize("source", CONTROLS["volume_a_fifth_up"].applies_to)
def test_a_good_day_brings_rows_that_are_no_copies(source: str) -> None:
    """The control had repeated a fifth of the day under new keys: to count everything twice is a fault, not a promotion."""
    clean, good = _rows(source, 15), _rows(source, 15, "volume_a_fifth_up")
    assert good.num_rows / clean.num_rows == pytest.approx(1.19, abs=0.02)
    contract = CONTRACTS[source]
    [key] = contract.key
    assert len(pc.unique(good[key])) == good.num_rows
    content = good.drop_columns([key]).group_by([one for one in good.column_names if one != key]).aggregate([])
    assert content.num_rows == good.num_rows
    dates = Counter(good[contract.event_time].cast(pa.date32()).to_pylist())
    assert set(dates) <= {day(15), day(14)}, "the rows late by nature of a week before are late here too"
    for column in contract.columns:  # the usual mix
        if column.valid_values:
            shares = [Counter(one[column.name].to_pylist()) for one in (clean, good)]
            for label in column.valid_values:
                before, after = (one[label] / one.total() for one in shares)
                assert after == pytest.approx(before, abs=0.03), label
    if source == "orders":  # nobody buys again what they bought a week before
        pairs = [
            set(zip(*(one[name].to_pylist() for name in ("customer_id", "product_id")), strict=True))
            for one in (_rows(source, 8), good)
        ]
        assert len(pairs[0] & pairs[1]) < 0.03 * good.num_rows
    if source == "web_events":  # sessions end with the day
        earlier = _rows(source, 8)["session_id"]
        assert not pc.any(pc.is_in(good["session_id"], value_set=earlier.combine_chunks())).as_py()
        per_session = [one.num_rows / len(pc.unique(one["session_id"])) for one in (clean, good)]
        assert per_session[1] == pytest.approx(per_session[0], rel=0.2)


def test_a_good_year_is_one_percent_a_week() -> None:
    """In volume and amounts, and no day of it jumps."""
    volume = [
        _rows("orders", 15 + one, "volume_grows").num_rows / _rows("orders", 15 + one).num_rows
        for one in (0, GROWTH_DAYS - 1)
    ]
    assert volume == pytest.approx([1.01 ** (1 / 7), 1.01 ** (10 / 7)], abs=0.006)
    weights = [
        pc.mean(_rows("shipments", 15 + one, "amounts_grow")["weight_grams"]).as_py()
        / pc.mean(_rows("shipments", 15 + one)["weight_grams"]).as_py()
        for one in (0, GROWTH_DAYS - 1)
    ]
    assert weights == pytest.approx([1.01 ** (1 / 7), 1.01 ** (10 / 7)], abs=0.001)
    assert CONTROLS["volume_grows"].days_touched == GROWTH_DAYS
    assert sum(one.fault == "volume_grows" for one in scenarios_of("standard", 1)) == 2, "days on end, once a source"


@pytest.mark.parametrize("source", CONTROLS["another_writer"].applies_to)
def test_another_writer_writes_the_same_rows(source: str) -> None:
    """Other bytes, another order of columns, another footer: after admission nothing of it is left."""
    injected = inject_one(SimulatedSource(WORLD, source), 1, Injection("another_writer", source, day(15), "medium"))
    for clean, batch in zip(scheduled_batches(WORLD, source, day(15)), injected.deliveries[day(15)], strict=True):
        assert batch.written is not None and batch.written != parquet_bytes(clean.table)
        read = canonical(read_delivered(CONTRACTS[source], "x.parquet", batch.written), CONTRACTS[source])
        assert read.select(clean.table.column_names).equals(clean.table)
        written = pq.ParquetFile(pa.BufferReader(batch.written))
        assert written.schema_arrow.names == clean.table.column_names[::-1]
        assert written.metadata.row_group(0).column(0).compression == "GZIP"
