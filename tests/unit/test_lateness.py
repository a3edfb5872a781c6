"""Rows that cannot have come late are asked for again, and nothing about them is called recovered before they are right."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from reliability_platform.landing.replacement import landed_manifests
from reliability_platform.landing.writer import landing_folder
from reliability_platform.remediation.changes import environment_fingerprint
from reliability_platform.remediation.heal import act, verify
from reliability_platform.remediation.lateness import out_of_turn
from tests.unit.broken_home import BrokenHome
from tests.unit.failing import later

LATE = "stg_orders__late_share"


def earlier(hours: int, every: int = 3) -> Callable[[pa.Table], pa.Table]:
    """A table of which every third row says to be of some hours before."""

    def made(table: pa.Table) -> pa.Table:
        place = table.column_names.index("event_time")
        times = table["event_time"].cast(pa.int64()).to_numpy().copy()
        times[::every] -= hours * 3_600_000_000
        return table.set_column(place, "event_time", pa.array(times.astype(np.int64)).cast(pa.timestamp("us")))

    return made


@pytest.fixture
def home(tmp_path: Path) -> BrokenHome:
    made = BrokenHome(tmp_path, events_per_day=800)
    made.remember(3)
    return made


def test_a_third_of_a_day_eight_hours_earlier_is_asked_for_again(home: BrokenHome) -> None:
    """It was computed on the wrong days once more, and called recovered: conservation holds wherever a row counts."""
    home.land(retyped=dict.fromkeys((1, 2, 3, 4), earlier(8)))
    one = home.incident(LATE)
    done = act(home.settings, home.engine, one.id, later(1), "test")
    assert "Asked orders again and landed orders-20260105-01-a2" in done.summary
    home.admit()
    assert out_of_turn(home.settings, "orders", [home.day]) == []
    home.judge(at=later(2))
    assert verify(home.settings, home.engine, one.id, later(3), "test")


def test_a_source_that_stands_by_times_that_cannot_be_is_not_recovered(home: BrokenHome) -> None:
    """What it sends the second time may be as wrong as the first."""
    wrong = dict.fromkeys((1, 2, 3, 4), earlier(8))
    home.land(retyped=wrong)
    one = home.incident(LATE)
    act(home.settings, home.engine, one.id, later(1), "test")
    home.land(retyped=wrong, attempt=2)
    home.judge(failing=[LATE], at=later(2))
    assert not verify(home.settings, home.engine, one.id, later(3), "test")
    told = " ".join(entry.why for entry in home.incidents.get(one.id).timeline)
    assert "are of the hours before their batch" in told and "which no delay explains" in told


def test_rows_that_the_source_does_not_have_in_the_batch_again_came_late_and_stay(home: BrokenHome) -> None:
    """The answer took the place of the batch that had brought them: they were lost, and that was called recovered."""

    def with_rows_of_the_night(table: pa.Table) -> pa.Table:
        night = earlier(7, every=1)(table)
        place = night.column_names.index("order_id")
        keys = [pc.add(night["order_id"], number * 5_000_000_000) for number in range(1, 9)]
        return pa.concat_tables([table, *(night.set_column(place, "order_id", one) for one in keys)])

    home.land(retyped={1: with_rows_of_the_night})
    assert out_of_turn(home.settings, "orders", [home.day]) != []
    one = home.incident(LATE)
    done = act(home.settings, home.engine, one.id, later(1), "test")
    assert "it does not have all rows of orders-20260105-01" in done.summary
    assert done.reruns == [home.day]
    assert {one.attempt for one in landed_manifests(home.settings, "orders", home.day)} == {1}
    home.judge(failing=[LATE], at=later(2))
    assert verify(home.settings, home.engine, one.id, later(3), "test")


@pytest.mark.parametrize("hours", [0, 24, 48])
def test_what_was_held_back_for_a_day_or_two_may_be_late(home: BrokenHome, hours: int) -> None:
    """Late rows are no fault of the source: the event dates that they are of are computed again, and nobody is asked."""
    home.land(retyped=dict.fromkeys((1, 2, 3, 4), earlier(hours)))
    assert out_of_turn(home.settings, "orders", [home.day]) == []
    one = home.incident(LATE)
    assert "Asked" not in act(home.settings, home.engine, one.id, later(1), "test").summary


def test_a_name_in_landing_that_is_no_text_keeps_no_incident_from_being_looked_at(home: BrokenHome) -> None:
    """Its digest could not be made, and whatever was due for the incident was left out at every tick."""
    home.land()
    before = environment_fingerprint(home.settings, home.incident(LATE))
    (landing_folder(home.settings, "orders", home.day) / "\udcff.parquet").touch()
    assert environment_fingerprint(home.settings, home.incident(LATE))["deliveries"] != before["deliveries"]
