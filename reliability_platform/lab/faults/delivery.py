"""Faults of delivery: batches that come twice, not at all, cut short, or with another content."""

import itertools
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.atomic import parquet_bytes
from reliability_platform.contracts.contract import Column
from reliability_platform.lab.faults.fault import AFTER_A_GAP, BAD_ROWS, Containment, Deliveries, Fault, InjectionResult
from reliability_platform.lab.faults.rows import (
    bad_rows,
    chosen,
    copy_of,
    event_dates,
    filled,
    some_batches,
    spoil_files,
    with_column,
    with_table,
)
from reliability_platform.lab.faults.targets import ANYTHING, CHANGEABLE, DUE_A_WEEK_BEFORE, SEVERAL_BATCHES
from reliability_platform.sources.batch import Batch, batch_id

MAX_RESENDS = 5
STALE_DAYS = 7
"""How old a batch is that is delivered again: older than any watermark would take."""


def _resent(batch: Batch, number: int) -> Batch:
    return replace(
        batch,
        batch_id=batch_id(batch.source, batch.landing_date, batch.sequence, f"-r{number}"),
        kind="resend",
        produced_at=batch.produced_at + timedelta(minutes=number),
        landed_at=batch.landed_at + timedelta(minutes=number),
    )


def _duplicate_retry_storm(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    deliveries = copy_of(clean)
    hit = [clean[day][position] for position in some_batches(clean[day], magnitude, rng)]
    times = [int(rng.integers(1, MAX_RESENDS + 1)) for _ in hit]
    resent = [_resent(batch, number) for batch, last in zip(hit, times, strict=True) for number in range(1, last + 1)]
    deliveries[day] = deliveries[day] + resent
    return InjectionResult(
        deliveries=deliveries,
        batches=[batch.batch_id for batch in resent],
        landing_dates=[day],
        event_dates=event_dates(clean[day][0].source, (batch.table for batch in hit)),
        rows=BAD_ROWS.empty_table(),  # every row is good, it only comes too often
    )


def _other_values(column: Column, values: pa.ChunkedArray) -> pa.Array:
    """Another value for each, as valid as the one that came; nothing becomes something."""
    kind = values.type
    if column.valid_values:
        labels = pa.array(column.valid_values)
        place = pc.fill_null(pc.index_in(values, value_set=labels), -1)
        return pa.concat_arrays([labels[1:], labels]).take(pc.if_else(pc.less(place, 0), 0, place).combine_chunks())
    if pa.types.is_boolean(kind):
        return pc.invert(pc.fill_null(values, False)).combine_chunks()
    if pa.types.is_string(kind):
        return pc.binary_join_element_wise(pc.fill_null(values, ""), "other", " ").combine_chunks()
    one = pa.scalar(1, kind)
    more = pc.cast(pc.add(pc.fill_null(values, pa.scalar(0, kind)), one), kind)
    if column.maximum is None:
        return more.combine_chunks()
    fits = pc.less_equal(pc.cast(more, pa.float64()), column.maximum)
    less = pc.cast(pc.subtract(pc.fill_null(values, pa.scalar(0, kind)), one), kind)
    return pc.if_else(fits, more, less).combine_chunks()


def _conflicting_duplicate(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    deliveries = copy_of(clean)
    places = filled(clean[day])
    touched, bad, copies = [], [BAD_ROWS.empty_table()], []
    source = clean[day][0].source
    column = CHANGEABLE.of(source)[0]
    # A copy comes with the batch after that of its first delivery, or behind it in the only batch, so that the first one
    # is never in doubt.
    for position, later in itertools.pairwise(places) if len(places) > 1 else [(places[0], places[0])]:
        batch, target = clean[day][position], deliveries[day][later]
        hit = chosen(rng, batch.table.num_rows, magnitude)
        rows = batch.table.take(pa.array(hit))
        rows = with_column(rows, column.name, _other_values(column, rows[column.name]))
        deliveries[day][later] = with_table(target, pa.concat_tables([target.table, rows]))
        touched.append(target.batch_id)
        copies.append(rows)
        bad.append(bad_rows(target, rows))
    return InjectionResult(deliveries, touched, [day], event_dates(source, copies), pa.concat_tables(bad))


def _missing_batch(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    deliveries = copy_of(clean)
    count = min(magnitude, len(clean[day]) - 1)  # without any batch the source would be silent: another failure
    lost = {clean[day][position].batch_id for position in some_batches(clean[day], count, rng)}
    deliveries[day] = [batch for batch in deliveries[day] if batch.batch_id not in lost]
    return InjectionResult(
        deliveries=deliveries,
        batches=sorted(lost),
        landing_dates=[day],
        # Rows of earlier event dates may come later still, the watermark allows it; the day itself must not be shown.
        event_dates=[day],
        rows=BAD_ROWS.empty_table(),  # the rows are not wrong, they are not there
    )


def _partial_batch(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    def cut(batch: Batch) -> Batch:
        kept = batch.table.num_rows - max(1, round(batch.table.num_rows * magnitude))
        return replace(batch, table=batch.table.slice(0, kept), declared_rows=batch.table.num_rows)

    return spoil_files(clean, day, 1, rng, cut)


def _truncated_file(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    def break_off(batch: Batch) -> Batch:
        whole = parquet_bytes(batch.table)
        return replace(batch, file=whole[: int(len(whole) * (1 - magnitude))])

    return spoil_files(clean, day, 1, rng, break_off)


def _stale_redelivery(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    deliveries = copy_of(clean)
    old = clean[day - timedelta(days=STALE_DAYS)]
    hit = [old[position] for position in some_batches(old, magnitude, rng)]
    landed_at = max(batch.landed_at for batch in clean[day])
    # Its name and its content are those of the old day; only the folder in which it lands is that of today.
    again = [replace(batch, landing_date=day, kind="resend", landed_at=landed_at) for batch in hit]
    deliveries[day] = deliveries[day] + again
    return InjectionResult(
        deliveries=deliveries,
        batches=[batch.batch_id for batch in again],
        landing_dates=[day],
        event_dates=event_dates(clean[day][0].source, (batch.table for batch in hit)),
        rows=BAD_ROWS.empty_table(),
    )


DELIVERY_FAULTS = (
    Fault(
        name="duplicate_retry_storm",
        family="delivery",
        description="A producer does not see its acknowledgements and re-sends whole batches under new ids.",
        target=ANYTHING,
        magnitudes={"small": 1, "medium": 2, "large": 4},
        magnitude_meaning="batches of the day that are re-sent, each one to five times",
        expected_class="duplicate_delivery",
        expected_severity="P2",
        root="bronze_{source}",
        signature=("bronze_{source}__duplicate_batches", "stg_{source}__repeated_keys"),
        containment=Containment.DEDUPLICATED,
        end_state="oracle-equal at once",
        injection=_duplicate_retry_storm,
    ),
    Fault(
        name="conflicting_duplicate",
        family="delivery",
        description="A producer sends the same keys again with another content.",
        target=CHANGEABLE,
        magnitudes={"small": 0.002, "medium": 0.02, "large": 0.15},
        magnitude_meaning="share of the day's rows that come again with another content",
        expected_class="key_conflict",
        expected_severity="P1",
        root="stg_{source}",
        signature=("stg_{source}__no_conflicting_keys",),
        symptoms=("stg_{source}__repeated_keys", "stg_{source}__reject_share"),
        containment=Containment.ROWS,
        end_state="re-requested, oracle-equal",
        injection=_conflicting_duplicate,
        whole_day=True,
    ),
    Fault(
        name="missing_batch",
        family="delivery",
        description="Expected batches never arrive.",
        target=SEVERAL_BATCHES,
        magnitudes={"small": 1, "medium": 2, "large": 3},
        magnitude_meaning="batches of the day that never arrive",
        expected_class="missing_data",
        expected_severity="P1",
        root="bronze_{source}",
        signature=("bronze_{source}__batch_completeness",),
        symptoms=AFTER_A_GAP,
        containment=Containment.HELD,
        end_state="re-requested, oracle-equal",
        injection=_missing_batch,
    ),
    Fault(
        name="partial_batch",
        family="delivery",
        description="A batch holds fewer rows than its manifest declares.",
        target=ANYTHING,
        magnitudes={"small": 0.01, "medium": 0.3, "large": 0.9},
        magnitude_meaning="share of one batch's rows that are not in its file",
        expected_class="file_corruption",
        expected_severity="P1",
        root="bronze_{source}",
        signature=("bronze_{source}__file_integrity", "bronze_{source}__batch_completeness"),
        symptoms=AFTER_A_GAP,
        containment=Containment.FILES,
        end_state="re-requested, oracle-equal",
        injection=_partial_batch,
    ),
    Fault(
        name="truncated_file",
        family="delivery",
        description="A transfer breaks off: the file is cut in mid-write and cannot be read.",
        target=ANYTHING,
        magnitudes={"small": 0.01, "medium": 0.5, "large": 1.0},
        magnitude_meaning="share of one file's bytes that never arrive",
        expected_class="file_corruption",
        expected_severity="P1",
        root="bronze_{source}",
        signature=("bronze_{source}__file_integrity", "bronze_{source}__batch_completeness"),
        symptoms=AFTER_A_GAP,
        containment=Containment.FILES,
        end_state="re-requested, oracle-equal",
        injection=_truncated_file,
    ),
    Fault(
        name="stale_redelivery",
        family="delivery",
        description="Batches of a week ago are delivered again with today's.",
        target=DUE_A_WEEK_BEFORE,
        magnitudes={"small": 1, "medium": 2, "large": 4},
        magnitude_meaning="old batches that come again",
        expected_class="stale_redelivery",
        expected_severity="P3",
        root="bronze_{source}",
        signature=("bronze_{source}__no_stale_batches",),
        containment=Containment.DEDUPLICATED,
        end_state="ignored, oracle-equal at once",
        injection=_stale_redelivery,
        days_read=STALE_DAYS,
    ),
)
