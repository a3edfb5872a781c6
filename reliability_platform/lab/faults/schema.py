"""Faults of schema: columns that are not what the contract says."""

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts import SOURCES
from reliability_platform.lab.faults.fault import AFTER_A_GAP, Containment, Deliveries, Fault, InjectionResult
from reliability_platform.lab.faults.rows import spoil_files, with_column, with_table
from reliability_platform.sources.batch import Batch

ADDED = "utm_campaign"
ADDED_VALUES = ("spring", "summer", None)
REMOVED = {
    "orders": ("merchant_id", "quantity", "channel"),
    "payments": ("customer_id", "method", "currency"),
    "web_events": ("session_id", "event_type", "payload"),
    "shipments": ("carrier", "status", "promised_at"),
}
RENAMES = {
    "orders": ("customer_id", "user_id"),
    "payments": ("customer_id", "user_id"),
    "web_events": ("session_id", "visit_id"),
    "shipments": ("weight_grams", "weight_g"),
}
RETYPED = {
    "orders": ("amount", "event_time"),
    "payments": ("amount", "event_time"),
    "web_events": ("session_id", "event_time"),
    "shipments": ("weight_grams", "ordered_at"),
}


def _schema_column_added(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    def add(batch: Batch) -> Batch:
        values = pa.array(ADDED_VALUES).take(pa.array(rng.integers(0, len(ADDED_VALUES), batch.table.num_rows)))
        return with_table(batch, batch.table.append_column(ADDED, values))

    return spoil_files(clean, day, magnitude, rng, add, refused=False, column=ADDED)


def _schema_column_missing(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    columns = REMOVED[clean[day][0].source]
    name = columns[rng.integers(len(columns))]
    return spoil_files(
        clean, day, magnitude, rng, lambda batch: with_table(batch, batch.table.drop_columns([name])), column=name
    )


def _schema_column_renamed(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    old, new = RENAMES[clean[day][0].source]

    def rename(batch: Batch) -> Batch:
        names = [new if name == old else name for name in batch.table.column_names]
        return with_table(batch, batch.table.rename_columns(names))

    return spoil_files(clean, day, magnitude, rng, rename, column=old)


def _as_european_text(numbers: pa.ChunkedArray) -> pa.ChunkedArray:
    """12.50 becomes "12,50", 7 becomes "7,0": how a spreadsheet of another country writes numbers."""
    text = pc.cast(numbers, pa.string())
    has_point = pc.match_substring(text, ".")
    return pc.if_else(has_point, pc.replace_substring(text, ".", ","), pc.binary_join_element_wise(text, "0", ","))


def _as_epoch(times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Microseconds since 1970: seconds would have lost what no reading gives back."""
    return pc.cast(times, pa.int64())


def _schema_type_changed(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    columns = RETYPED[clean[day][0].source]
    name = columns[rng.integers(len(columns))]

    def retype(batch: Batch) -> Batch:
        values = batch.table[name]
        changed = _as_epoch(values) if pa.types.is_timestamp(values.type) else _as_european_text(values)
        return with_table(batch, with_column(batch.table, name, changed))

    return spoil_files(clean, day, magnitude, rng, retype, column=name)


_REFUSED = ("bronze_{source}__schema_contract", "bronze_{source}__batch_completeness")
_GAPS = (*AFTER_A_GAP, "stg_{source}__row_count")
_FILES = {"small": 1, "medium": 2, "large": 4}

SCHEMA_FAULTS = (
    Fault(
        name="schema_column_added",
        family="schema",
        description="The producer adds a column that the contract does not know.",
        applies_to=SOURCES,
        magnitudes=_FILES,
        magnitude_meaning="batches of the day with the unknown column",
        expected_class="schema_addition",
        expected_severity="P3",
        root="bronze_{source}",
        signature=("bronze_{source}__no_unknown_columns",),
        containment=Containment.NONE_NEEDED,
        end_state="kept in the rescued-data column, oracle-equal",
        injection=_schema_column_added,
    ),
    Fault(
        name="schema_column_missing",
        family="schema",
        description="A required column is gone.",
        applies_to=SOURCES,
        magnitudes=_FILES,
        magnitude_meaning="batches of the day without the column",
        expected_class="schema_break",
        expected_severity="P1",
        root="bronze_{source}",
        signature=_REFUSED,
        symptoms=_GAPS,
        containment=Containment.FILES,
        end_state="re-requested, oracle-equal",
        injection=_schema_column_missing,
    ),
    Fault(
        name="schema_column_renamed",
        family="schema",
        description="The producer renames a required column without notice.",
        applies_to=SOURCES,
        magnitudes=_FILES,
        magnitude_meaning="batches of the day with the renamed column",
        expected_class="schema_break",
        expected_severity="P1",
        root="bronze_{source}",
        signature=_REFUSED,
        symptoms=_GAPS,
        containment=Containment.FILES,
        end_state="read under its old name once a person approves who sees its past, else asked for again, oracle-equal",
        injection=_schema_column_renamed,
    ),
    Fault(
        name="schema_type_changed",
        family="schema",
        description="Numbers arrive as text with a comma, or times as microseconds since 1970.",
        applies_to=SOURCES,
        magnitudes=_FILES,
        magnitude_meaning="batches of the day with the changed type",
        expected_class="schema_break",
        expected_severity="P1",
        root="bronze_{source}",
        signature=_REFUSED,
        symptoms=_GAPS,
        containment=Containment.FILES,
        end_state="read through a cast that agrees with the past, else asked for again, oracle-equal",
        injection=_schema_type_changed,
    ),
)
