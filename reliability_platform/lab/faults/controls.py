"""Controls: changes that nothing may notice. A check that fails at one of these raises a false alarm."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reliability_platform.contracts import CONTRACTS
from reliability_platform.lab.faults.fault import (
    BAD_ROWS,
    Containment,
    Deliveries,
    Fault,
    InjectionFunction,
    InjectionResult,
)
from reliability_platform.lab.faults.good_days import (
    GROWTH_DAYS,
    WEEK,
    amounts_grow,
    fewer_of_the_same,
    more_of_the_same,
    volume_grows,
)
from reliability_platform.lab.faults.rows import copy_of, filled, spoil_files, with_table
from reliability_platform.lab.faults.targets import (
    AMOUNTS,
    ANNOUNCED,
    ANYTHING,
    NEW_KEYS,
    NOBODY_LACKS,
    OF_ITS_OWN,
    UNCOMPARED,
    Target,
    both,
)
from reliability_platform.lab.faults.timing import late_events, shuffled_within_the_day
from reliability_platform.landing.deadline import deadline_of
from reliability_platform.sources.batch import Batch


def _nothing(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    del day, magnitude, rng
    return InjectionResult(copy_of(clean), [], [], [], BAD_ROWS.empty_table())


def _few_duplicates(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """A share of rows is delivered twice, in the same batch."""
    deliveries = copy_of(clean)
    touched = []
    for position in filled(clean[day]):
        batch = clean[day][position]
        count = int(batch.table.num_rows * magnitude)
        again = batch.table.take(pa.array(np.sort(rng.choice(batch.table.num_rows, count, replace=False))))
        deliveries[day][position] = with_table(batch, pa.concat_tables([batch.table, again]))
        touched.append(batch.batch_id)
    return InjectionResult(deliveries, touched, [day], [day], BAD_ROWS.empty_table())


def _announced_column(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    name = CONTRACTS[clean[day][0].source].announced[0]

    def add(batch: Batch) -> Batch:
        values = pa.array(("yes", None)).take(pa.array(rng.integers(0, 2, batch.table.num_rows)))
        return with_table(batch, batch.table.append_column(name, values))

    return spoil_files(clean, day, magnitude, rng, add, refused=False)


def _early_by_a_minute(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """The last batch lands shortly before its deadline."""
    del rng
    deliveries = copy_of(clean)
    position = filled(clean[day])[-1]
    batch = clean[day][position]
    deadline = deadline_of(batch.source, day).replace(tzinfo=None)
    deliveries[day][position] = replace(batch, landed_at=max(batch.landed_at, deadline - timedelta(minutes=magnitude)))
    return InjectionResult(deliveries, [batch.batch_id], [day], [day], BAD_ROWS.empty_table())


def _another_writer(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """The same rows as another program writes them: columns in another order, other pages, other words in the footer."""

    def rewritten(batch: Batch) -> Batch:
        table = batch.table.select(batch.table.column_names[::-1])
        return with_table(replace(batch, written=_as_another_writes(table, int(magnitude))), table)

    return spoil_files(clean, day, len(clean[day]), rng, rewritten, refused=False)


def _as_another_writes(table: pa.Table, rows_of_a_group: int) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(
        table.replace_schema_metadata({"written_by": "another program"}),
        sink,
        row_group_size=rows_of_a_group,
        compression="gzip",
        use_dictionary=False,
        data_page_version="2.0",
        write_statistics=False,
        store_schema=False,
    )
    return bytes(sink.getvalue())


def _control(
    name: str,
    description: str,
    injection: InjectionFunction,
    size: float,
    meaning: str,
    target: Target = ANYTHING,
    days_touched: int = 1,
    days_read: int = 0,
) -> Fault:
    return Fault(
        name=name,
        family="control",
        description=description,
        target=target,
        magnitudes={"small": size, "medium": size, "large": size},
        magnitude_meaning=meaning,
        expected_class=None,
        expected_severity=None,
        root="",
        signature=(),
        containment=Containment.NONE_NEEDED,
        end_state="nothing is noticed",
        injection=injection,
        days_touched=days_touched,
        days_read=days_read,
        whole_day=True,
    )


CONTROLS = (
    _control("clean_day", "Nothing is changed.", _nothing, 0, "nothing"),
    _control(
        "volume_a_fifth_up",
        "A good day, as of a promotion: a fifth more rows than usual, in the usual mix.",
        more_of_the_same,
        1.19,
        "times the rows",
        both(NEW_KEYS, OF_ITS_OWN),
        days_read=WEEK.days,
    ),
    _control(
        "volume_a_fifth_down",
        "A bad day, as of a public holiday: a fifth fewer rows than usual.",
        fewer_of_the_same,
        0.81,
        "share of the rows",
        # Orders without their payments, or the other way round, would be a true failure of another kind.
        target=both(NOBODY_LACKS, OF_ITS_OWN),
        days_read=WEEK.days,
    ),
    _control(
        "lateness_below_the_limit",
        "Few rows land a day or two late.",
        late_events,
        0.012,
        "share of the rows",
        days_touched=3,
    ),
    _control("duplicates_below_the_limit", "Few rows come twice.", _few_duplicates, 0.007, "share of the rows"),
    _control(
        "announced_column", "A nullable column that the contract announces.", _announced_column, 4, "batches", ANNOUNCED
    ),
    _control(
        "volume_grows",
        "A good year: a little more rows from day to day.",
        volume_grows,
        1,
        "percent a week",
        both(NEW_KEYS, OF_ITS_OWN),
        days_touched=GROWTH_DAYS,
        days_read=WEEK.days,
    ),
    _control(
        "amounts_grow",
        "Prices rise: amounts are a little larger from day to day.",
        amounts_grow,
        1,
        "percent a week",
        both(AMOUNTS, UNCOMPARED),
        days_touched=GROWTH_DAYS,
    ),
    _control(
        "another_writer",
        "Another program writes the files: compression, encoding, row groups, order of columns, words in the footer.",
        _another_writer,
        500,
        "rows in each row group",
    ),
    _control("out_of_order_arrival", "Rows come shuffled.", shuffled_within_the_day, 0.3, "share held back a batch"),
    _control(
        "just_before_the_deadline", "The last batch lands late, in time.", _early_by_a_minute, 1, "minutes before it"
    ),
)
