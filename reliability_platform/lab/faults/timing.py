"""Faults of timing: rows and batches that come at another time than they should, or speak of another time."""

import itertools
from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts import CONTRACTS
from reliability_platform.lab.faults.fault import AFTER_A_GAP, BAD_ROWS, Containment, Deliveries, Fault, InjectionResult
from reliability_platform.lab.faults.rows import (
    Positions,
    chosen,
    copy_of,
    event_dates,
    filled,
    keys_of,
    spoil_rows,
    with_column,
    with_table,
)
from reliability_platform.lab.faults.targets import ANYTHING, HAPPENED_AT
from reliability_platform.landing.deadline import deadline_of
from reliability_platform.sources.batch import Batch

LATE_DAYS = (1, 2)
"""Late rows land one or two days after their day: within the default watermark of three days."""
TOO_LATE_DAYS = (5, 6)
"""Beyond it."""
ZONE_HOURS = 13
"""A clock of Auckland taken for UTC. More than half a day covers; of a batch that covers more, the clock is a day ahead as
well, so that every row is ahead of its own landing."""
SILENT_DAYS = 4


def _delayed(
    clean: Deliveries, day: date, share: float, delays: tuple[int, ...], rng: np.random.Generator, *, bad: bool
) -> InjectionResult:
    """Take rows out of a day and let them land `delays` days later; `bad` if they must not be accepted then."""
    deliveries = copy_of(clean)
    moved: dict[date, list[pa.Table]] = {day + timedelta(days=delay): [] for delay in delays}
    touched = []
    for position, batch in enumerate(clean[day]):
        late = chosen(rng, batch.table.num_rows, share)
        if not len(late):
            continue
        touched.append(batch.batch_id)
        on_time = np.ones(batch.table.num_rows, dtype=bool)
        on_time[late] = False
        deliveries[day][position] = with_table(batch, batch.table.filter(pa.array(on_time)))
        delay = rng.choice(delays, len(late))
        for landing_date, tables in moved.items():
            tables.append(batch.table.take(pa.array(late[delay == (landing_date - day).days])))
    rows = [BAD_ROWS.empty_table()]
    moved = {landing_date: tables for landing_date, tables in moved.items() if any(len(table) for table in tables)}
    for landing_date, tables in moved.items():
        first = deliveries[landing_date][0]
        late_rows = pa.concat_tables(tables)
        rows.append(keys_of(with_table(first, late_rows)))
        deliveries[landing_date][0] = with_table(first, pa.concat_tables([late_rows, first.table]))
        touched.append(first.batch_id)
    return InjectionResult(
        deliveries=deliveries,
        batches=touched,
        landing_dates=[day, *moved],
        event_dates=event_dates(clean[day][0].source, (table for tables in moved.values() for table in tables)),
        rows=pa.concat_tables(rows) if bad else BAD_ROWS.empty_table(),
    )


def late_events(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """A share of the day's rows lands within the watermark."""
    return _delayed(clean, day, magnitude, LATE_DAYS, rng, bad=False)


def _too_late_events(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    return _delayed(clean, day, magnitude, TOO_LATE_DAYS, rng, bad=True)


def shuffled_within_the_day(
    clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator
) -> InjectionResult:
    """Shuffle each batch, and hold back a share of its rows until the next one: nothing arrives before it happened."""
    deliveries = copy_of(clean)
    places = filled(clean[day])
    tables = {position: clean[day][position].table for position in places}
    for position, later in itertools.pairwise(places):
        held_back = chosen(rng, clean[day][position].table.num_rows, magnitude)
        stay = np.ones(clean[day][position].table.num_rows, dtype=bool)
        stay[held_back] = False
        own = clean[day][position].table
        carried = tables[position].slice(own.num_rows)
        tables[position] = pa.concat_tables([own.filter(pa.array(stay)), carried])
        tables[later] = pa.concat_tables([tables[later], own.take(pa.array(held_back))])
    for position in places:
        order = rng.permutation(tables[position].num_rows)
        deliveries[day][position] = with_table(clean[day][position], tables[position].take(pa.array(order)))
    return InjectionResult(
        deliveries=deliveries,
        batches=[clean[day][position].batch_id for position in places],
        landing_dates=[day],
        event_dates=event_dates(clean[day][0].source, (clean[day][position].table for position in places)),
        rows=BAD_ROWS.empty_table(),
    )


def _future_timestamps(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    source = clean[day][0].source
    name, per_day = CONTRACTS[source].event_time, CONTRACTS[source].cadence.batches

    def ahead(batch: Batch, hit: Positions) -> pa.Table:
        landed = batch.landed_at - datetime(day.year, day.month, day.day)
        hours = ZONE_HOURS if per_day > 1 else ZONE_HOURS + 24 * max(1, landed.days)
        moved: npt.NDArray[np.int64] = np.zeros(batch.table.num_rows, dtype=np.int64)
        moved[hit] = hours * 3_600_000_000
        times = pc.add(batch.table[name], pa.array(moved).cast(pa.duration("us")))
        return with_column(batch.table, name, times)

    injected = spoil_rows(clean, day, magnitude, rng, ahead, name)
    # The dates that the rows claim to be of are touched as well.
    shown = event_dates(source, (batch.table for batch in injected.deliveries[day]))
    return replace(injected, event_dates=sorted({*injected.event_dates, *shown}))


def _sla_breach(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    del rng
    deliveries = copy_of(clean)
    position = filled(clean[day])[-1]
    batch = clean[day][position]
    deadline = deadline_of(batch.source, day).replace(tzinfo=None)
    deliveries[day][position] = replace(batch, landed_at=deadline + timedelta(hours=magnitude))
    return InjectionResult(
        deliveries, [batch.batch_id], [day], event_dates(batch.source, [batch.table]), BAD_ROWS.empty_table()
    )


def _stale_source(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    del rng
    deliveries = copy_of(clean)
    silent = [day + timedelta(days=offset) for offset in range(int(magnitude))]
    for one in silent:
        deliveries[one] = []
    return InjectionResult(
        deliveries=deliveries,
        batches=[batch.batch_id for one in silent for batch in clean[one]],
        landing_dates=silent,
        event_dates=silent,
        rows=BAD_ROWS.empty_table(),
    )


TIMING_FAULTS = (
    Fault(
        name="late_events",
        family="timing",
        description="Events land one or two days after their day, within the watermark.",
        target=ANYTHING,
        magnitudes={"small": 0.06, "medium": 0.15, "large": 0.4},
        magnitude_meaning="share of the day's rows that lands late",
        expected_class="late_data",
        expected_severity="P3",
        root="stg_{source}",
        signature=("stg_{source}__late_share",),
        containment=Containment.NONE_NEEDED,
        end_state="event dates recomputed, oracle-equal",
        injection=late_events,
        days_touched=1 + max(LATE_DAYS),
        whole_day=True,
    ),
    Fault(
        name="too_late_events",
        family="timing",
        description="Events land five or six days after their day, beyond the watermark.",
        target=ANYTHING,
        magnitudes={"small": 0.01, "medium": 0.08, "large": 0.2},
        magnitude_meaning="share of the day's rows that lands beyond the watermark",
        expected_class="held_late",
        expected_severity="P2",
        root="hld_too_late",
        signature=("hld_too_late__no_{source}",),
        symptoms=("stg_{source}__late_share",),
        containment=Containment.ROWS,
        end_state="approved backfill, oracle-equal",
        injection=_too_late_events,
        days_touched=1 + max(TOO_LATE_DAYS),
        whole_day=True,
    ),
    Fault(
        name="out_of_order_events",
        family="timing",
        description="Events arrive shuffled within their day; no result may change.",
        target=ANYTHING,
        magnitudes={"small": 0.02, "medium": 0.2, "large": 0.6},
        magnitude_meaning="share of each batch's rows that comes with the next batch; all are shuffled",
        expected_class=None,
        expected_severity=None,
        root="",
        signature=(),
        containment=Containment.NONE_NEEDED,
        end_state="oracle-equal at once",
        injection=shuffled_within_the_day,
        whole_day=True,
    ),
    Fault(
        name="future_timestamps",
        family="timing",
        description="A time-zone bug moves event times 13 hours ahead.",
        target=HAPPENED_AT,
        magnitudes={"small": 0.02, "medium": 0.15, "large": 0.6},
        magnitude_meaning="share of the day's rows that claim to be of the future",
        expected_class="future_data",
        expected_severity="P1",
        root="stg_{source}",
        signature=("stg_{source}__no_future_event_time", "stg_{source}__reject_share"),
        symptoms=("int_{source}__deduplicated__volume",),
        containment=Containment.ROWS,
        end_state="re-requested, oracle-equal",
        injection=_future_timestamps,
        whole_day=True,
    ),
    Fault(
        name="sla_breach",
        family="timing",
        description="The last batch of the day lands after its deadline.",
        target=ANYTHING,
        magnitudes={"small": 0.5, "medium": 3, "large": 10},
        magnitude_meaning="hours after the deadline",
        expected_class="freshness_breach",
        expected_severity="P2",
        root="bronze_{source}",
        signature=("bronze_{source}__landed_on_time",),
        containment=Containment.NONE_NEEDED,
        end_state="arrives late, oracle-equal; the breach stays on the record",
        injection=_sla_breach,
    ),
    Fault(
        name="stale_source",
        family="timing",
        description="A source goes silent: nothing at all comes for one or several days.",
        target=ANYTHING,
        magnitudes={"small": 1, "medium": 2, "large": SILENT_DAYS},
        magnitude_meaning="landing days of silence",
        expected_class="source_silent",
        expected_severity="P1",
        root="bronze_{source}",
        signature=("bronze_{source}__not_silent", "bronze_{source}__batch_completeness", "stg_{source}__row_count"),
        symptoms=AFTER_A_GAP,
        containment=Containment.HELD,
        end_state="source returns, backfill, oracle-equal",
        injection=_stale_source,
        days_touched=SILENT_DAYS,
        whole_day=True,
        fills_its_days=True,
    ),
)
