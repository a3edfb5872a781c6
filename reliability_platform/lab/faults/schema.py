"""Faults of schema: columns that are not what the contract says."""

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Contract
from reliability_platform.lab.faults.fault import AFTER_A_GAP, Containment, Deliveries, Fault, InjectionResult
from reliability_platform.lab.faults.rows import spoil_files, with_column, with_table
from reliability_platform.lab.faults.targets import ANYTHING, BESIDE_THE_KEY, RETYPED
from reliability_platform.sources.batch import Batch

ADDED = "utm_campaign"
ADDED_VALUES = ("spring", "summer", None)


def _schema_column_added(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    name = _free(CONTRACTS[clean[day][0].source], ADDED)

    def add(batch: Batch) -> Batch:
        values = pa.array(ADDED_VALUES).take(pa.array(rng.integers(0, len(ADDED_VALUES), batch.table.num_rows)))
        return with_table(batch, batch.table.append_column(name, values))

    return spoil_files(clean, day, magnitude, rng, add, refused=False, column=name)


def _free(contract: Contract, name: str) -> str:
    """The name, or one like it that the contract does not know."""
    known = {*contract.arrow_schema.names, *contract.aliases, *contract.announced}
    return name if name not in known else _free(contract, f"{name}_v2")


def _schema_column_missing(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    columns = BESIDE_THE_KEY.of(clean[day][0].source)
    name = columns[int(rng.integers(len(columns)))].name
    return spoil_files(
        clean, day, magnitude, rng, lambda batch: with_table(batch, batch.table.drop_columns([name])), column=name
    )


def _schema_column_renamed(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    source = clean[day][0].source
    old = BESIDE_THE_KEY.of(source)[0].name
    new = _free(CONTRACTS[source], f"{old}_v2")

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
    columns = RETYPED.of(clean[day][0].source)
    name = columns[int(rng.integers(len(columns)))].name

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
        target=ANYTHING,
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
        target=BESIDE_THE_KEY,
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
        target=BESIDE_THE_KEY,
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
        target=RETYPED,
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
