"""Faults of value: fields that hold what they should not."""

import itertools
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Column
from reliability_platform.lab.faults.anomaly import anomaly
from reliability_platform.lab.faults.fault import Containment, Deliveries, Fault, InjectionResult
from reliability_platform.lab.faults.rows import (
    Positions,
    chosen,
    marked,
    of_the_day,
    spoil_positions,
    spoil_rows,
    times,
    with_column,
    with_values,
    without_value,
)
from reliability_platform.lab.faults.targets import (
    BOUNDED,
    FREE_TEXT,
    LABELLED,
    MEASURED,
    RECONCILIATION,
    REFERRING,
    REQUIRED,
)
from reliability_platform.sources.batch import Batch

GARBAGE = ('{"device": "mob', "", "not json at all", '{"device": "desktop\x00"', "\x00\x00", "[1, 2", "NaN{}", '{"a":}')
"""What arrives instead of a JSON object: cut short, empty, text, NUL bytes."""
POISON_DEPTH = 5_000
POISON = '{"a":' * POISON_DEPTH + "1" + "}" * POISON_DEPTH
"""Valid by the grammar, and deeper than a recursive parser survives."""
UNHEARD_OF = "unheard_of"
NOBODY = 90_000_000
"""Added to a key: no customer, merchant or product has such a number."""
MINOR_UNITS = 100
FIRST_NAMES = ("anna", "ben", "chloe", "david", "emma", "felix")


def null_spike(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """A share of the day's rows lacks a required field."""
    name = REQUIRED.of(clean[day][0].source)[0].name
    return spoil_rows(clean, day, magnitude, rng, lambda batch, hit: without_value(batch, name, hit), name)


def _in_free_text(
    clean: Deliveries, day: date, hits: Sequence[Positions], texts: Callable[[int], Sequence[str]]
) -> InjectionResult:
    """Given rows of each batch with other payloads, so many as are asked for."""
    name = FREE_TEXT.of(clean[day][0].source)[0].name

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        return with_values(batch, name, hit, pa.array(texts(len(hit))))

    return spoil_positions(clean, day, hits, spoil, name)


def _corrupt_payloads(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    hits = [chosen(rng, batch.table.num_rows, magnitude) for batch in clean[day]]
    return _in_free_text(clean, day, hits, lambda count: [GARBAGE[one] for one in rng.integers(0, len(GARBAGE), count)])


def _rows_of_the_day(clean: Deliveries, day: date, count: float, rng: np.random.Generator) -> list[Positions]:
    """`count` random rows of the whole day, as positions within each batch."""
    sizes = [batch.table.num_rows for batch in clean[day]]
    taken = np.sort(rng.choice(sum(sizes), min(int(count), sum(sizes)), replace=False))
    starts = np.cumsum([0, *sizes])
    return [taken[(taken >= start) & (taken < end)] - start for start, end in itertools.pairwise(starts)]


def _poison_message(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    return _in_free_text(clean, day, _rows_of_the_day(clean, day, magnitude, rng), lambda count: [POISON] * count)


def _luhn(digits: np.ndarray) -> int:  # type: ignore[type-arg]
    """The check digit of a card number (ISO/IEC 7812-1, annex B)."""
    doubled = digits[::-1].copy()
    doubled[::2] = doubled[::2] * 2
    return int(-np.where(doubled > 9, doubled - 9, doubled).sum() % 10)


def _personal(rng: np.random.Generator) -> str:
    """A card number or a mail address as somebody might type it into a search box. Nobody's."""
    if rng.random() < 0.5:
        digits = np.array([4, *rng.integers(0, 10, 14)])
        number = "".join(map(str, [*digits, _luhn(digits)]))
        text = f"card {number[:4]} {number[4:8]} {number[8:12]} {number[12:]}"
    else:
        text = f"{FIRST_NAMES[rng.integers(len(FIRST_NAMES))]}.{rng.integers(1000, 9999)}@mail.example.com"
    return f'{{"device": "mobile", "search": "{text}"}}'


def _pii_leak(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    hits = _rows_of_the_day(clean, day, magnitude, rng)
    return _in_free_text(clean, day, hits, lambda count: [_personal(rng) for _ in range(count)])


def _unit_change(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    source = clean[day][0].source
    name, segments = MEASURED.of(source)[0].name, CONTRACTS[source].with_role("segment")
    # Half of the hundredfold injections are the minor units of one segment alone, as of one currency.
    segment = None
    if segments and magnitude == MINOR_UNITS and rng.random() < 0.5:
        there = pc.unique(of_the_day(clean[day], segments[0].name))
        segment = there[int(rng.integers(len(there)))]

    def rows(batch: Batch) -> Positions:
        if segment is None:
            return np.arange(batch.table.num_rows)
        return np.flatnonzero(pc.fill_null(pc.equal(batch.table[segments[0].name], segment), False).to_numpy())

    return spoil_positions(clean, day, [rows(batch) for batch in clean[day]], partial(times, name, magnitude), name)


def _unknown_labels(column: Column) -> list[str]:
    """Values like those that are allowed, which are not: a new one, and an old one in another spelling."""
    again = column.valid_values[0].swapcase()
    return [UNHEARD_OF, again] if again not in column.valid_values else [UNHEARD_OF]


def _unknown_enum(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    columns = LABELLED.of(clean[day][0].source)
    column = columns[int(rng.integers(len(columns)))]
    labels = _unknown_labels(column)
    label = labels[rng.integers(len(labels))]

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        return with_values(batch, column.name, hit, pa.repeat(label, len(hit)))

    return spoil_rows(clean, day, magnitude, rng, spoil, column.name)


def _orphan_reference(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    columns = REFERRING.of(clean[day][0].source)
    name = columns[int(rng.integers(len(columns)))].name

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        column = batch.table[name]
        if pa.types.is_string(column.type):
            orphans = pc.binary_join_element_wise(column, UNHEARD_OF, "-")
        else:
            orphans = pc.add(column, pa.scalar(NOBODY, column.type))
        return with_column(batch.table, name, pc.if_else(marked(len(column), hit), orphans, column))

    return spoil_rows(clean, day, magnitude, rng, spoil, name)


def _absurd(column: Column, values: np.ndarray, rng: np.random.Generator) -> np.ndarray:  # type: ignore[type-arg]
    """Values beyond the declared range, below or above it where both ends are declared."""
    above = rng.random(len(values)) >= 0.5
    if column.minimum is None or column.maximum is None:
        above[:] = column.minimum is None
    low = (0.0 if column.minimum is None else column.minimum) - 1 - np.abs(np.nan_to_num(values))
    high = 10 * abs(column.maximum or 0.0) + 9
    return np.where(above, high, low)


def _out_of_range_values(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    columns = BOUNDED.of(clean[day][0].source)
    column = columns[int(rng.integers(len(columns)))]

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        values = pc.cast(batch.table[column.name], pa.float64()).to_numpy()[hit]
        absurd = _absurd(column, values, rng)
        places = getattr(batch.table[column.name].type, "scale", 2)
        return with_values(batch, column.name, hit, pa.array(np.round(absurd, places)))

    return spoil_rows(clean, day, magnitude, rng, spoil, column.name)


_AFTER_REJECTS = ("stg_{source}__reject_share", "int_{source}__deduplicated__volume")

VALUE_FAULTS = (
    anomaly(
        "rejects_below_the_limit",
        "value",
        "Few rows lack a required field, too few to hold the day: what is published is short of them.",
        REQUIRED,
        {"small": 0.003, "medium": 0.006, "large": 0.009},
        "share of the day's rows that are rejected",
        null_spike,
        containment=Containment.ROWS,
        severity="P3",  # less than 2 % of the day's numbers
        also_known_as=("sources_disagree", "volume_anomaly", "null_spike"),  # of few rows a whole one may be a percent
    ),
    Fault(
        name="null_spike",
        family="value",
        description="A required field is suddenly null in many rows.",
        target=REQUIRED,
        magnitudes={"small": 0.03, "medium": 0.12, "large": 0.5},
        magnitude_meaning="share of the day's rows whose field is null",
        expected_class="null_spike",
        expected_severity="P2",
        root="stg_{source}",
        signature=("stg_{source}__missing_{column}",),
        symptoms=_AFTER_REJECTS,
        containment=Containment.ROWS,
        end_state="re-requested, oracle-equal",
        injection=null_spike,
        whole_day=True,
    ),
    Fault(
        name="corrupt_payloads",
        family="value",
        description="Payloads arrive malformed, empty or with NUL bytes.",
        target=FREE_TEXT,
        magnitudes={"small": 0.02, "medium": 0.08, "large": 0.3},
        magnitude_meaning="share of the day's rows whose payload is no JSON object",
        expected_class="payload_corruption",
        expected_severity="P2",
        root="stg_{source}",
        signature=("stg_{source}__valid_{column}",),
        symptoms=_AFTER_REJECTS,
        containment=Containment.ROWS,
        end_state="re-requested, oracle-equal",
        injection=_corrupt_payloads,
        whole_day=True,
    ),
    Fault(
        name="poison_message",
        family="value",
        description="Single records that break the parser every time.",
        target=FREE_TEXT,
        magnitudes={"small": 1, "medium": 3, "large": 10},
        magnitude_meaning="records of the day that no parser survives",
        expected_class="poison_message",
        expected_severity="P3",
        root="stg_{source}",
        signature=("stg_{source}__{no_poison}",),
        containment=Containment.ROWS,
        end_state="re-requested, oracle-equal",
        injection=_poison_message,
        whole_day=True,
    ),
    Fault(
        name="unit_change",
        family="value",
        description="A measure comes in another unit: in miles for kilometres, in tenths, in minor units.",
        target=MEASURED,
        magnitudes={"small": 1.609, "medium": 10, "large": MINOR_UNITS},
        magnitude_meaning="factor on the measure of the day; half of those by 100 hit one segment alone, as one currency",
        expected_class="distribution_shift",
        expected_severity="P1",
        root="int_{source}__deduplicated",
        signature=("int_{source}__deduplicated__{column}_scale",),
        also_known_as=("invalid_values",),  # where the range of the contract is closer than the other unit
        symptoms=(
            RECONCILIATION,
            "stg_{source}__range_{column}",
            "stg_{source}__reject_share",
        ),
        containment=Containment.HELD,
        end_state="re-requested after approval, oracle-equal",
        injection=_unit_change,
        whole_day=True,
    ),
    Fault(
        name="unknown_enum",
        family="value",
        description="A label that the contract does not know.",
        target=LABELLED,
        magnitudes={"small": 0.02, "medium": 0.1, "large": 0.4},
        magnitude_meaning="share of the day's rows with the unknown label",
        expected_class="unknown_values",
        expected_severity="P2",
        root="stg_{source}",
        signature=("stg_{source}__valid_{column}",),
        symptoms=_AFTER_REJECTS,
        containment=Containment.ROWS,
        end_state="re-requested after approval, oracle-equal",
        injection=_unknown_enum,
        whole_day=True,
    ),
    Fault(
        name="orphan_reference",
        family="value",
        description="Rows refer to what the reference data do not have.",
        target=REFERRING,
        magnitudes={"small": 0.02, "medium": 0.1, "large": 0.4},
        magnitude_meaning="share of the day's rows whose reference leads nowhere",
        expected_class="broken_references",
        expected_severity="P2",
        root="stg_{source}",
        signature=("stg_{source}__known_references",),
        symptoms=_AFTER_REJECTS,
        containment=Containment.ROWS,
        end_state="re-requested after approval, oracle-equal",
        injection=_orphan_reference,
        whole_day=True,
    ),
    Fault(
        name="out_of_range_values",
        family="value",
        description="Numbers beyond the declared range: negative or absurd amounts, quantities, weights.",
        target=BOUNDED,
        magnitudes={"small": 0.02, "medium": 0.1, "large": 0.4},
        magnitude_meaning="share of the day's rows with an impossible value",
        expected_class="invalid_values",
        expected_severity="P2",
        root="stg_{source}",
        signature=("stg_{source}__range_{column}",),
        symptoms=_AFTER_REJECTS,
        containment=Containment.ROWS,
        end_state="re-requested after approval, oracle-equal",
        injection=_out_of_range_values,
        whole_day=True,
    ),
    Fault(
        name="pii_leak",
        family="value",
        description="Card numbers or mail addresses in a free-text payload.",
        target=FREE_TEXT,
        magnitudes={"small": 1, "medium": 10, "large": 100},
        magnitude_meaning="records of the day with somebody's data",
        expected_class="pii_leak",
        expected_severity="P0",
        root="stg_{source}",
        signature=("stg_{source}__{no_personal_data}",),
        symptoms=_AFTER_REJECTS,
        containment=Containment.ROWS,
        end_state="clean rows re-requested, purged once somebody says so, oracle-equal",
        injection=_pii_leak,
        whole_day=True,
    ),
)
