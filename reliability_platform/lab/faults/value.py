"""Faults of value: fields that hold what they should not."""

import itertools
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts import SOURCES
from reliability_platform.lab.faults.fault import Containment, Deliveries, Fault, InjectionResult
from reliability_platform.lab.faults.rows import (
    Positions,
    marked,
    spoil_positions,
    spoil_rows,
    with_column,
)
from reliability_platform.lab.simulation.columns import decimal
from reliability_platform.sources.batch import Batch

NULLED = {"orders": "customer_id", "payments": "customer_id", "web_events": "event_type", "shipments": "order_id"}
GARBAGE = ('{"device": "mob', "", "not json at all", '{"device": "desktop\x00"', "\x00\x00", "[1, 2", "NaN{}", '{"a":}')
"""What arrives instead of a JSON object: cut short, empty, text, NUL bytes."""
POISON_DEPTH = 5_000
POISON = '{"a":' * POISON_DEPTH + "1" + "}" * POISON_DEPTH
"""Valid by the grammar, and deeper than a recursive parser survives."""
LABELS: dict[str, dict[str, tuple[str, ...]]] = {
    "orders": {"currency": ("XTS", "BTC"), "channel": ("kiosk",)},
    "payments": {"method": ("crypto", "cash"), "status": ("authorised",), "currency": ("XTS",)},
    "web_events": {"event_type": ("scroll", "hover", "ADD_TO_CART")},
    "shipments": {"carrier": ("pigeon",), "status": ("lost", "SHIPPED")},
}
REFERENCES = {"orders": ("customer_id", "merchant_id", "product_id"), "payments": ("customer_id",)}
NOBODY = 90_000_000
"""Added to a key: no customer, merchant or product has such a number."""
ABSURD = {"orders": ("quantity", "amount"), "payments": ("amount",), "shipments": ("weight_grams",)}
MEASURES = {"orders": "amount", "payments": "amount"}
MINOR_UNITS = 100
FIRST_NAMES = ("anna", "ben", "chloe", "david", "emma", "felix")


def _cents(column: pa.ChunkedArray) -> Positions:
    cents: Positions = np.rint(column.cast(pa.float64()).to_numpy() * 100).astype(np.int64)
    return cents


def null_spike(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """A share of the day's rows lacks a required field."""
    name = NULLED[clean[day][0].source]

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        column = batch.table[name]
        nulled = pc.if_else(marked(len(column), hit), pa.scalar(None, column.type), column)
        return with_column(batch.table, name, nulled)

    return spoil_rows(clean, day, magnitude, rng, spoil, name)


def _with_payloads(batch: Batch, hit: Positions, payloads: pa.Array) -> pa.Table:
    """The batch with one payload for each hit row."""
    spread = np.zeros(batch.table.num_rows, dtype=np.int64)
    spread[hit] = np.arange(len(hit))
    bad = payloads.take(pa.array(spread))
    payload = pc.if_else(marked(batch.table.num_rows, hit), bad, batch.table["payload"])
    return with_column(batch.table, "payload", payload)


def _corrupt_payloads(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        return _with_payloads(batch, hit, pa.array(GARBAGE).take(pa.array(rng.integers(0, len(GARBAGE), len(hit)))))

    return spoil_rows(clean, day, magnitude, rng, spoil, "payload")


def _rows_of_the_day(clean: Deliveries, day: date, count: float, rng: np.random.Generator) -> list[Positions]:
    """`count` random rows of the whole day, as positions within each batch."""
    sizes = [batch.table.num_rows for batch in clean[day]]
    taken = np.sort(rng.choice(sum(sizes), min(int(count), sum(sizes)), replace=False))
    starts = np.cumsum([0, *sizes])
    return [taken[(taken >= start) & (taken < end)] - start for start, end in itertools.pairwise(starts)]


def _poison_message(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        return _with_payloads(batch, hit, pa.array([POISON] * len(hit)))

    return spoil_positions(clean, day, _rows_of_the_day(clean, day, magnitude, rng), spoil, "payload")


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
    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        return _with_payloads(batch, hit, pa.array([_personal(rng) for _ in hit]))

    return spoil_positions(clean, day, _rows_of_the_day(clean, day, magnitude, rng), spoil, "payload")


def _unit_change(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    name = MEASURES[clean[day][0].source]
    currencies = pc.unique(pa.chunked_array([batch.table["currency"].combine_chunks() for batch in clean[day]]))
    # Half of the hundredfold injections are the minor units of one currency alone.
    one_currency = magnitude == MINOR_UNITS and rng.random() < 0.5
    currency = currencies[int(rng.integers(len(currencies)))]

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        cents = _cents(batch.table[name])
        cents[hit] = np.rint(cents[hit] * magnitude).astype(np.int64)
        return with_column(batch.table, name, decimal(cents, 12, 2))

    def rows(batch: Batch) -> Positions:
        if one_currency:
            return np.flatnonzero(pc.equal(batch.table["currency"], currency).to_numpy())
        return np.arange(batch.table.num_rows)

    return spoil_positions(clean, day, [rows(batch) for batch in clean[day]], spoil, name)


def _unknown_enum(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    labels = LABELS[clean[day][0].source]
    name = sorted(labels)[rng.integers(len(labels))]
    label = labels[name][rng.integers(len(labels[name]))]

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        column = batch.table[name]
        return with_column(batch.table, name, pc.if_else(marked(len(column), hit), pa.scalar(label), column))

    return spoil_rows(clean, day, magnitude, rng, spoil, name)


def _orphan_reference(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    names = REFERENCES[clean[day][0].source]
    name = names[rng.integers(len(names))]

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        column = batch.table[name]
        orphans = pc.add(column, pa.scalar(NOBODY, column.type))
        return with_column(batch.table, name, pc.if_else(marked(len(column), hit), orphans, column))

    return spoil_rows(clean, day, magnitude, rng, spoil, name)


def _out_of_range_values(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    names = ABSURD[clean[day][0].source]
    name = names[rng.integers(len(names))]

    def spoil(batch: Batch, hit: Positions) -> pa.Table:
        column = batch.table[name]
        units = _cents(column) if pa.types.is_decimal(column.type) else column.to_numpy().copy()
        negative = rng.random(len(hit)) < 0.5
        units[hit] = np.where(negative, -np.abs(units[hit]), 99_999_999)
        changed = decimal(units, 12, 2) if pa.types.is_decimal(column.type) else pa.array(units, column.type)
        return with_column(batch.table, name, changed)

    return spoil_rows(clean, day, magnitude, rng, spoil, name)


_AFTER_REJECTS = ("stg_{source}__reject_share", "int_{source}__deduplicated__volume")

VALUE_FAULTS = (
    Fault(
        name="null_spike",
        family="value",
        description="A required field is suddenly null in many rows.",
        applies_to=SOURCES,
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
        applies_to=("web_events",),
        magnitudes={"small": 0.02, "medium": 0.08, "large": 0.3},
        magnitude_meaning="share of the day's rows whose payload is no JSON object",
        expected_class="payload_corruption",
        expected_severity="P2",
        root="stg_{source}",
        signature=("stg_{source}__valid_payload",),
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
        applies_to=("web_events",),
        magnitudes={"small": 1, "medium": 3, "large": 10},
        magnitude_meaning="records of the day that no parser survives",
        expected_class="poison_message",
        expected_severity="P3",
        root="stg_{source}",
        signature=("stg_{source}__no_poison",),
        containment=Containment.ROWS,
        end_state="re-requested, oracle-equal",
        injection=_poison_message,
        whole_day=True,
    ),
    Fault(
        name="unit_change",
        family="value",
        description="Amounts come in another unit: in miles for kilometres, in tenths, in minor units.",
        applies_to=tuple(MEASURES),
        magnitudes={"small": 1.609, "medium": 10, "large": MINOR_UNITS},
        magnitude_meaning="factor on the amounts of the day; half of those by 100 hit one currency alone",
        expected_class="distribution_shift",
        expected_severity="P1",
        root="int_{source}__deduplicated",
        signature=("int_{source}__deduplicated__amount_scale",),
        symptoms=(
            "rec_orders__vs__payments__matched",
            "stg_{source}__range_amount",
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
        description="A label that the contract does not know: a new currency, status or event type.",
        applies_to=SOURCES,
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
        description="Rows refer to customers, merchants or products that do not exist.",
        applies_to=tuple(REFERENCES),
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
        description="Negative or absurd amounts, quantities and weights.",
        applies_to=tuple(ABSURD),
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
        applies_to=("web_events",),
        magnitudes={"small": 1, "medium": 10, "large": 100},
        magnitude_meaning="records of the day with somebody's data",
        expected_class="pii_leak",
        expected_severity="P0",
        root="stg_{source}",
        signature=("stg_{source}__no_personal_data",),
        symptoms=_AFTER_REJECTS,
        containment=Containment.ROWS,
        end_state="clean rows re-requested, purged once somebody says so, oracle-equal",
        injection=_pii_leak,
        whole_day=True,
    ),
)
