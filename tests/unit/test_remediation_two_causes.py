"""Several causes on one source and day, by hand, on real dbt: told apart, healed each by its own means, proved."""

from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from reliability_platform.clock import utc_now
from reliability_platform.incidents.detection import Surroundings, observe
from reliability_platform.incidents.impact import consumers
from reliability_platform.incidents.model import State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.simulation.system import scheduled_batches
from reliability_platform.landing.writer import landing_folder, write_batch
from reliability_platform.remediation.due import may_act
from reliability_platform.remediation.heal import act, rerun_is_due, verify
from reliability_platform.remediation.ledger import ReplayLedger
from reliability_platform.sources.batch import Batch
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from tests.ground import Platform, day


def with_nulls(batch: Batch, column: str) -> Batch:
    """Every third row of the batch lacks the column."""
    kept = pa.array([number % 3 != 0 for number in range(batch.table.num_rows)])
    values = pc.if_else(kept, batch.table[column], pa.scalar(None, batch.table[column].type))
    place = batch.table.column_names.index(column)
    return replace(batch, table=batch.table.set_column(place, column, values))


def with_garbage(batch: Batch) -> Batch:
    """Every fourth payload is cut short."""
    good = pa.array([number % 4 != 1 for number in range(batch.table.num_rows)])
    values = pc.if_else(good, batch.table["payload"], pa.scalar('{"cut', pa.string()))
    return replace(batch, table=batch.table.set_column(batch.table.column_names.index("payload"), "payload", values))


@pytest.mark.exhaustive  # 18 s; that two faults of a day are told apart is held by `test_blindness.py`
def test_each_cause_is_healed_by_its_own_means_and_gold_is_what_it_would_have_been(
    platform: Callable[..., Platform],
) -> None:
    """orders: one file renamed, one never came, one is garbage. web_events: nulls in one batch, cut payloads in another."""
    one = day(1)
    clean = platform("clean")
    clean.run(one, one)
    made = platform("broken")
    made.land(one, one)
    orders = scheduled_batches(made.simulation, "orders", one)
    names = ["user_id" if name == "customer_id" else name for name in orders[1].table.column_names]
    write_batch(made.settings, replace(orders[1], table=orders[1].table.rename_columns(names)))
    folder = landing_folder(made.settings, "orders", one)
    for path in folder.glob(f"{orders[2].batch_id}*"):
        path.unlink()
    (folder / f"{orders[3].batch_id}.parquet").write_bytes(b"cut sho")
    events = scheduled_batches(made.simulation, "web_events", one)
    write_batch(made.settings, with_nulls(events[1], "session_id"))
    write_batch(made.settings, with_garbage(events[2]))
    made.admit(one, one)
    made.check(one, one, made.build(one, one))
    published = made.publish()
    assert {"orders/2026-01-01", "web_events/2026-01-01"} <= set(published.held)

    store = IncidentStore(made.engine)
    observe(
        made.engine,
        made.checks.after(0, 10_000),
        utc_now(),
        Surroundings(made.settings, lambda: consumers(made.settings, ensure_manifest())),
    )
    found = {(incident.source, incident.failure_class): incident for incident in store.all()}
    assert {key: incident.severity for key, incident in found.items()} == {
        ("orders", "schema_break"): "P1",
        ("orders", "missing_data"): "P1",
        ("orders", "file_corruption"): "P1",
        ("web_events", "null_spike"): "P2",
        ("web_events", "payload_corruption"): "P2",
    }
    assert all(incident.state is State.CONTAINED for incident in found.values())
    assert len(store.all()) == 5

    for incident in found.values():
        assert may_act(made.settings, made.engine, incident, utc_now())
        act(made.settings, made.engine, incident.id, utc_now(), "test")
    replays = {(replay.batch_id, replay.how) for replay in ReplayLedger(made.engine).all()}
    assert replays == {
        (f"{orders[1].batch_id}-a2", "replacement"),  # on its first day no past tells what a renamed column is
        (f"{orders[2].batch_id}-a2", "replacement"),
        (f"{orders[3].batch_id}-a2", "replacement"),
        (f"{events[1].batch_id}-a2", "replacement"),
        (f"{events[2].batch_id}-a2", "replacement"),
    }
    assert not any(verify(made.settings, made.engine, incident.id, utc_now(), "test") for incident in found.values())

    last = made.checks.after(0, 10_000)[-1][0]
    made.admit(one, one)
    made.check(one, one, made.build(one, one))
    observe(made.engine, made.checks.after(last, 10_000), utc_now())
    assert not any(rerun_is_due(made.settings, made.engine, incident) for incident in store.all())
    assert all(verify(made.settings, made.engine, incident.id, utc_now(), "test") for incident in found.values())
    assert {incident.state for incident in store.all()} == {State.RESOLVED}
    assert not [held for held in made.publish().held if held.endswith("2026-01-01")]
    assert made.gold() == clean.gold()
    assert store.broken_links() == []
