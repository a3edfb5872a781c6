"""Rows of another time than the batch they came with: told by the slots, on real deliveries of the simulated shop."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from reliability_platform.checks.history import evaluate_history, judge_shifted
from reliability_platform.checks.results import INSUFFICIENT_HISTORY, NOTHING_TO_JUDGE, CheckResult, CheckStatus
from reliability_platform.clock import utc_now
from reliability_platform.incidents.grouping import RawSignal, group
from reliability_platform.lab.faults.fault import Deliveries
from reliability_platform.lab.faults.timing import late_events, shuffled_within_the_day
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import scheduled_batches
from tests.ground import day, days

CHECK = "stg_orders__rows_of_their_slot"
INJECTED = day(20)
LAST = day(23)


@pytest.fixture(scope="module")
def clean() -> Deliveries:
    simulation = Simulation(7, 2000)
    return {one: scheduled_batches(simulation, "orders", one) for one in days(day(1), LAST)}


def _judged(deliveries: Deliveries, first: date = INJECTED, last: date = LAST) -> list[CheckResult]:
    """What the check says of these deliveries, staged as dbt does with rows that nothing rejects."""
    tables = [
        pa.table(
            {
                "event_time": batch.table["event_time"].cast(pa.timestamp("us")),
                "landing_date": pa.repeat(pa.scalar(batch.landing_date, pa.date32()), batch.table.num_rows),
                "batch_sequence": pa.repeat(batch.sequence, batch.table.num_rows),
            }
        )
        for batches in deliveries.values()
        for batch in batches
    ]
    with duckdb.connect() as connection:
        connection.register("delivered", pa.concat_tables(tables))
        connection.execute(
            "create table stg_orders as select *, event_time::date as event_date, false as is_superseded, "
            "null::varchar as reject_reasons from delivered"
        )
        return evaluate_history(connection, list(days(first, last)), {CHECK}, {}, "test", utc_now())


def _statuses(results: Sequence[CheckResult]) -> list[CheckStatus]:
    return [one.status for one in results]


def _moved(clean: Deliveries, hours: float, share: float = 1 / 3) -> Deliveries:
    """A share of the rows of a day that many hours later than they were."""
    rng = np.random.default_rng(3)
    moved = dict(clean)
    moved[INJECTED] = []
    for batch in clean[INJECTED]:
        hit = rng.random(batch.table.num_rows) < share
        by = pa.array(hit * int(hours * 3_600_000_000)).cast(pa.duration("us"))
        place = batch.table.column_names.index("event_time")
        times = pc.add(batch.table["event_time"], by)
        moved[INJECTED].append(replace(batch, table=batch.table.set_column(place, "event_time", times)))
    return moved


@pytest.mark.parametrize("hours", [-8, -7, -9.5, -24, -72, 24])
def test_a_third_of_a_day_moved_by_more_than_a_slot_holds_the_day(clean: Deliveries, hours: float) -> None:
    """A third of the rows 8 hours earlier was late data of P3, verified because every row was still there somewhere."""
    injected, *after = _judged(_moved(clean, hours))
    assert injected.status is CheckStatus.FAILED
    assert "away from their slot, usual 0 %" in injected.message
    assert _statuses(after) == [CheckStatus.PASSED] * 3


@pytest.mark.parametrize("hours", [-3, -1])
def test_a_shift_of_less_than_a_slot_is_below_what_slots_tell(clean: Deliveries, hours: float) -> None:
    """Rows that wait for the next batch look the same: one that came an hour late, and one that says so."""
    assert _statuses(_judged(_moved(clean, hours))) == [CheckStatus.PASSED] * 4


def test_clean_late_and_shuffled_rows_are_no_shift(clean: Deliveries) -> None:
    """Late rows come with the first batch, and a row that waits comes with the next one: at every size of the campaign."""
    rng = np.random.default_rng(5)
    assert _statuses(_judged(clean, day(15))) == [CheckStatus.PASSED] * 9
    for fault, sizes in ((late_events, (0.06, 0.15, 0.4)), (shuffled_within_the_day, (0.02, 0.2, 0.6))):
        for size in sizes:
            injected = fault(clean, INJECTED, size, rng).deliveries
            assert _statuses(_judged(injected)) == [CheckStatus.PASSED] * 4, (fault.__name__, size)


def _came_late(clean: Deliveries, delays: Sequence[int], share: float, sequence: int = 2) -> Deliveries:
    """A share of the rows of days before comes with one batch of the day."""
    rng = np.random.default_rng(5)
    [batch] = [one for one in clean[INJECTED] if one.sequence == sequence]
    before = [one.table for delay in delays for one in clean[day(20 - delay)]]
    late = [table.filter(pa.array(rng.random(table.num_rows) < share)) for table in before]
    injected = replace(batch, table=pa.concat_tables([batch.table, *late]))
    return {**clean, INJECTED: [injected if one is batch else one for one in clean[INJECTED]]}


@pytest.mark.parametrize("delays", [(1,), (1, 2), (5, 6)])
def test_rows_of_whole_days_that_come_with_a_later_batch_are_late_and_no_shift(
    clean: Deliveries, delays: tuple[int, ...]
) -> None:
    """Late rows of a month were called a wrong clock, and waited for a person: the source sent the same again, as it must.
    One clock moves the rows of a slot together; what was held back is of all hours of its day.
    """
    assert _statuses(_judged(_came_late(clean, delays, 0.15))) == [CheckStatus.PASSED] * 4


def test_clocks_of_many_zones_at_once_are_a_shift(clean: Deliveries) -> None:
    """Each row by another zone: rows of a slot lie further apart than by one clock, and not so far as what was held back."""
    moved = [_moved(clean, -hours, 1)[INJECTED] for hours in range(1, 15)]
    picked = [
        replace(batch, table=pa.concat_tables([zone[number].table.slice(place, 1) for place in range(batch.table.num_rows)
                                               for zone in [moved[place % len(moved)]]]))
        for number, batch in enumerate(clean[INJECTED])
    ]  # fmt: skip
    assert _judged({**clean, INJECTED: picked})[0].status is CheckStatus.FAILED


def test_half_days_that_come_with_a_later_batch_are_late(clean: Deliveries) -> None:
    """Of the days of a week that are hit one after the other, what is left to be late is of the later slots."""
    halves = {one: [batch for batch in batches if batch.sequence > 2] for one, batches in clean.items()}
    late = _came_late({**halves, INJECTED: clean[INJECTED]}, (1, 2), 0.2)
    assert _judged({**clean, INJECTED: late[INJECTED]})[0].status is CheckStatus.PASSED


@pytest.mark.parametrize("hours", [-8, -13, -24])
def test_a_shift_is_seen_beside_rows_that_came_late(clean: Deliveries, hours: float) -> None:
    """Late rows in one slot must not hide a clock that is wrong in all of them."""
    both = _came_late({**clean, INJECTED: _moved(clean, hours)[INJECTED]}, (5, 6), 0.15)
    assert _judged(both)[0].status is CheckStatus.FAILED


@pytest.mark.parametrize(("shifted", "alarms"), [(2, False), (3, False), (4, True)])
def test_a_few_rows_are_no_shift_of_a_small_day(shifted: int, alarms: bool) -> None:
    """In 40 rows three are 7 %, and say nothing about a clock."""
    usual = {"rows": 40.0, "shifted": 0.0, "day_before": 0.01}
    past = list(days(day(1), day(19)))
    finding = judge_shifted({**dict.fromkeys(past, usual), INJECTED: {**usual, "shifted": shifted}}, past, INJECTED)
    assert finding.value is not None
    assert (finding.value > finding.limit) is alarms


def test_a_source_whose_batches_are_always_old_is_judged_by_that(clean: Deliveries) -> None:
    """What the past showed is usual: only more of it is strange."""
    always = {
        one: [replace(batch, sequence=4 if batch.sequence == 2 else batch.sequence) for batch in batches]
        for one, batches in clean.items()
    }
    assert _statuses(_judged(always)) == [CheckStatus.PASSED] * 4
    assert _judged(_moved(always, -30, 1))[0].status is CheckStatus.FAILED


def test_without_a_past_nothing_is_said(clean: Deliveries) -> None:
    """Thirteen good days are too few."""
    [result] = _judged(clean, day(14), day(14))
    assert (result.status, result.reason) == (CheckStatus.NOT_EVALUATED, INSUFFICIENT_HISTORY)


def test_a_day_without_later_slots_has_nothing_to_judge(clean: Deliveries) -> None:
    """That batches are missing is for the checks to say that count them."""
    [injected, *after] = _judged({**clean, INJECTED: clean[INJECTED][:1]})
    assert (injected.status, injected.reason) == (CheckStatus.NOT_EVALUATED, NOTHING_TO_JUDGE)
    assert _statuses(after) == [CheckStatus.PASSED] * 3


def test_what_a_shift_does_to_the_day_is_one_incident_with_it() -> None:
    """Late rows and a lower volume are its symptoms; the incident was called late data, which nothing has to be done about."""
    names = (CHECK, "stg_orders__late_share", "int_orders__deduplicated__volume", "hld_too_late__no_orders")
    signals = [
        RawSignal(
            number,
            CheckResult(
                check=name,
                dataset=name.rpartition("__")[0],
                source="orders",
                partition=INJECTED,
                status=CheckStatus.FAILED,
                value=9.0,
                threshold="<= 2",
                message="",
                run_id="test",
                evaluated_at=utc_now(),
                column=None,
                details={},
                reason=None,
            ),
        )
        for number, name in enumerate(names)
    ]
    [cause] = group(signals)
    assert (cause.source, cause.failure_class, cause.column) == ("orders", "shifted_timestamps", "event_time")
    assert cause.partitions == [INJECTED]
