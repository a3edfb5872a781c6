"""What a landing day of a source looks like, in numbers: which metrics there are, and the SQL that measures them.

All follow from the contract: which columns may be empty, which are numbers, moments or texts, which part the rows into
segments, which lead to another source. One metric is one number of one landing day with the rows behind it, so that a
small number of rows is never taken for news. What staging accepted and silver kept is measured, for that is what is published;
of rejected rows the share, by reason.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Column, Contract
from reliability_platform.contracts.types import is_number
from reliability_platform.parquet import identifier, literal
from reliability_platform.warehouse.built import SILVER

MAX_LABELS = 40
"""Values that a column may have on a day to be one of categories; of one that leads to a reference table, so many count."""
SEEN_DAYS = 14
"""So far back a value counts as known; before a source is that old, nothing is said of what is known."""
HOUR_MICROSECONDS = 3_600_000_000
MEDIAN_ERROR = 1.2533
"""Standard error of a median: 1.2533 sigma / sqrt(n) for normal noise."""
QUARTILES_TO_SIGMA = 1.349


class Scale(StrEnum):
    """How a metric is compared with its past."""

    SHARE = "share"
    """A part of `rows`: it has the noise of a count."""
    LEVEL = "level"
    """A number of any size, compared as a factor where it is always positive."""


class MetricKind(StrEnum):
    """What is measured."""

    EMPTY = "empty"
    EMPTY_TOGETHER = "empty together"
    DISTINCT = "distinct values"
    LABEL = "label"
    HOUR = "hour"
    SLOT = "slot"
    OUTSIDE_SLOT = "outside its slot"
    MIDNIGHT = "at midnight"
    MEAN = "mean"
    MEDIAN = "median"
    LOW = "5th percentile"
    HIGH = "95th percentile"
    WHOLE = "whole numbers"
    NEGATIVE = "negative"
    LENGTH = "length of text"
    ORDER = "in order"
    APART = "time apart"
    REPEATED = "repeated content"
    REPEATED_PAIR = "repeated pair"
    KNOWN = "known values"
    KNOWN_PAIR = "known pairs"
    KEPT = "kept pairs"
    COMMONEST = "commonest value"
    AGAINST_BEFORE = "against the weeks before"
    FAR = "far from the weeks before"
    KEY_AGAIN = "keys used again"
    REJECTED = "rejected"
    FOUND = "found in"
    SAME = "the same as in"
    REACHED = "reached of"


LEVELS = frozenset(
    {
        MetricKind.DISTINCT,
        MetricKind.MEAN,
        MetricKind.MEDIAN,
        MetricKind.LOW,
        MetricKind.HIGH,
        MetricKind.LENGTH,
        MetricKind.APART,
        MetricKind.AGAINST_BEFORE,
    }
)


BETWEEN_SOURCES = frozenset({MetricKind.FOUND, MetricKind.SAME, MetricKind.REACHED})
"""Kinds whose part is another source: which of the two is wrong they do not say."""
MISSED = BETWEEN_SOURCES - {MetricKind.REACHED}
"""Those of them that tell what another source lacks or has changed, for days after it."""


@dataclass(frozen=True, order=True)
class Metric:
    """One number of a landing day."""

    kind: MetricKind
    column: str = ""
    """What it is about: a column, or two with a space between."""
    part: str = ""
    """The label, the hour, the slot, the reason, the other source; the column of the same thing."""
    within: str = ""
    """The segment in which it is measured, as `column=label`; empty for all rows."""

    @property
    def scale(self) -> Scale:
        """How it is compared."""
        return Scale.LEVEL if self.kind in LEVELS else Scale.SHARE


@dataclass(frozen=True)
class Aggregate:
    """A metric as SQL over the rows of a day: the rows behind it, the value, and its standard error if it has one."""

    metric: Metric
    rows: str
    value: str
    error: str = "null"


def _is_measured(column: Column, contract: Contract) -> bool:
    """A number that says how much, and not whose: no key, no reference, nothing by which rows are parted."""
    return (
        is_number(column.type)
        and column.name not in contract.key
        and column.references is None
        and column.role in (None, "measure")
        and not column.pii
        and not (column.role is None and column.type == "BIGINT")
    )


def measures(contract: Contract) -> list[Column]:
    """The numbers of a source."""
    return [one for one in contract.columns if _is_measured(one, contract)]


def moments(contract: Contract) -> list[Column]:
    """The moments of a source."""
    return [one for one in contract.columns if one.type == "TIMESTAMP"]


def others(contract: Contract) -> list[Column]:
    """What is neither key nor number nor moment nor nested: labels, names, references to other things."""
    taken = {one.name for one in (*measures(contract), *moments(contract), *contract.nested)}
    return [one for one in contract.columns if one.name not in taken and one.name not in contract.key]


def aggregates(contract: Contract) -> Iterator[Aggregate]:
    """What is measured of all rows of a day."""
    grouped = {thing.name for thing, _ in things(contract)}
    for one in contract.columns:
        name = identifier(one.name)
        if not one.required:
            yield _empty(one)
        is_counted = one.name not in contract.key or one in labelled(contract)
        # Of declared labels each has a share of its own.
        if is_counted and not one.valid_values and one.type not in ("TIMESTAMP", "BOOLEAN") and one.name not in grouped:
            yield Aggregate(Metric(MetricKind.DISTINCT, one.name), f"count({name})", f"count(distinct {name})")
        if one.type == "VARCHAR" and not one.valid_values:
            length = f"length({name})"
            yield Aggregate(
                Metric(MetricKind.LENGTH, one.name), f"count({name})", f"avg({length})", _error_of_mean(length, name)
            )
    for one in measures(contract):
        name = identifier(one.name)
        yield _mean(one)
        yield Aggregate(Metric(MetricKind.NEGATIVE, one.name), f"count({name})", _share(f"{name} < 0", name))
        if is_integer(one.type):  # their median and quantiles jump by one or not at all; their mean says as much
            continue
        yield _median(one)
        yield Aggregate(Metric(MetricKind.LOW, one.name), f"count({name})", _quantile(one, 0.05))
        yield Aggregate(Metric(MetricKind.HIGH, one.name), f"count({name})", _quantile(one, 0.95))
        yield Aggregate(Metric(MetricKind.WHOLE, one.name), f"count({name})", _share(f"{name} = floor({name})", name))
    yield from _of_moments(contract)


def _share(condition: str, name: str) -> str:
    return f"count(*) filter (where {condition}) / nullif(count({name}), 0)"


def _error_of_mean(value: str, name: str) -> str:
    return f"stddev_samp({value}) / sqrt(count({name}))"


def is_integer(duckdb_type: str) -> bool:
    """Whether a number is a whole one by its type."""
    return duckdb_type.endswith(("INT", "INTEGER"))


def _mean(column: Column) -> Aggregate:
    """Without the largest and the smallest value: what rests on one row says nothing of the day. Of 134 payments one of 7,805 made
    the mean twice what it is, on a day on which nothing was wrong.
    """
    name = identifier(column.name)
    value = f"{name}::double"
    most = f"(sum({value}) - max({value}) - min({value})) / nullif(greatest(count({name}) - 2, 0), 0)"
    return Aggregate(Metric(MetricKind.MEAN, column.name), f"count({name})", most, _error_of_mean(value, name))


def _median(column: Column) -> Aggregate:
    name = identifier(column.name)
    spread = f"({_quantile(column, 0.75)} - {_quantile(column, 0.25)}) / {QUARTILES_TO_SIGMA}"
    error = f"{MEDIAN_ERROR} * {spread} / sqrt(count({name}))"
    return Aggregate(Metric(MetricKind.MEDIAN, column.name), f"count({name})", _quantile(column, 0.5), error)


QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def _quantile(column: Column, one: float) -> str:
    """Always of the same list: DuckDB then orders the values once, and not for each."""
    return f"quantile_cont({identifier(column.name)}::double, {list(QUANTILES)})[{QUANTILES.index(one) + 1}]"


def labelled(contract: Contract) -> list[Column]:
    """Columns whose values part the rows: those beside the key, and parts of a key of several columns, as a carrier."""
    parts = [one for one in contract.columns if one.name in contract.key and one.type == "VARCHAR"]
    found = others(contract) + (parts if len(contract.key) > 1 else [])
    return [one for one in found if not one.pii]


def compared_things(contract: Contract) -> list[tuple[Column, Column]]:
    """Numbers, each with something that the rows are about and that has a usual one of its own, as a product its price."""
    things = [one for one in others(contract) if one.references and not one.pii]
    return [(number, thing) for number in measures(contract) if not is_integer(number.type) for thing in things]


def by_segment(contract: Contract) -> list[Aggregate]:
    """What is measured of the rows of each segment: a page view is about no product, whatever is of all rows."""
    optional = [one for one in contract.columns if not one.required]
    return [*(_mean(one) for one in measures(contract)), *map(_empty, optional)]


def _empty(column: Column) -> Aggregate:
    return Aggregate(
        Metric(MetricKind.EMPTY, column.name), "count(*)", f"1 - count({identifier(column.name)}) / count(*)"
    )


def segments(contract: Contract) -> list[Column]:
    """Columns by which rows are parted: those that the contract says, and small sets of allowed values."""
    return [one for one in contract.columns if one.role == "segment" or (one.valid_values and one.role is None)]


def _of_moments(contract: Contract) -> Iterator[Aggregate]:
    found = moments(contract)
    for one in found:
        name = identifier(one.name)
        midnight = f"{name} = date_trunc('day', {name})"
        yield Aggregate(Metric(MetricKind.MIDNIGHT, one.name), f"count({name})", _share(midnight, name))
    for first, second in combinations([one.name for one in found], 2):
        left, right = identifier(first), identifier(second)
        apart = f"(epoch_us({right}) - epoch_us({left}))"
        both = f"count({apart})"
        metric = f"{first} {second}"
        order = f"count(*) filter (where {left} <= {right}) / nullif({both}, 0)"
        yield Aggregate(Metric(MetricKind.ORDER, metric), both, order)
        yield Aggregate(
            Metric(MetricKind.APART, metric),
            both,
            f"median({apart}) / {HOUR_MICROSECONDS}",
            f"stddev_samp({apart}) / {HOUR_MICROSECONDS} / sqrt({both})",
        )


MAX_BITS = 62
"""Labels of a column that fit into a number as its bits, one more for what is none of them; of more, pairs are not counted."""


def things(contract: Contract) -> Iterator[tuple[Column, list[Column]]]:
    """Whom or what rows are about, each with the labels that it may have twice: two captures of one order."""
    labels = [one for one in others(contract) if 0 < len(one.valid_values or ()) < MAX_BITS]
    for one in others(contract):
        if not one.valid_values and one.type != "BOOLEAN":
            yield one, labels if one.role != "segment" else []


def mask(label: Column) -> str:
    """SQL: the label of a row as one bit of a number."""
    known = ", ".join(map(literal, label.valid_values or ()))
    return f"1::bigint << coalesce(list_position([{known}], {identifier(label.name)}::varchar), 0)"


def aggregates_of_things(thing: Column, labels: Iterable[Column]) -> Iterator[Aggregate]:
    """What is measured of the values of a column, each with its rows `c` and the bits of its labels."""
    yield Aggregate(Metric(MetricKind.DISTINCT, thing.name), "sum(c)::bigint", "count(*)")
    yield Aggregate(Metric(MetricKind.COMMONEST, thing.name), "sum(c)::bigint", "max(c) / sum(c)")
    for one in labels:
        repeated = f"1 - sum(bit_count({identifier(one.name)})) / sum(c)"
        yield Aggregate(Metric(MetricKind.REPEATED_PAIR, f"{thing.name} {one.name}"), "sum(c)::bigint", repeated)


@dataclass(frozen=True)
class OtherSource:
    """Another source that has one row for each value of a column, and columns of the same name."""

    source: str
    key: str
    shared: tuple[str, ...]


def companions(contract: Contract) -> list[OtherSource]:
    """The sources whose key is a column of this one. That two sources call their own keys `id` says nothing."""
    own = {one.name for one in contract.columns}
    return [
        OtherSource(
            other.source,
            other.key[0],
            tuple(
                one.name
                for one in other.columns
                if one.name in own and one.name not in other.key and one.type != "TIMESTAMP" and not one.json
            ),
        )
        for other in CONTRACTS.values()
        if other.source != contract.source and len(other.key) == 1 and other.key[0] in own and other.key != contract.key
    ]


def silver(source: str) -> str:
    """The table of the rows that count."""
    return SILVER.format(source=source)


def row_of(metric: Metric) -> str:
    """The four names of a metric as the beginning of a select list."""
    return ", ".join(literal(one) for one in (metric.kind.value, metric.column, metric.part, metric.within))


def unpivoted(found: Sequence[Aggregate]) -> str:
    """Aggregates as a list of structs, so that one pass over the rows gives all of them, one row each."""
    structs = (
        f"struct_pack(kind := {literal(one.metric.kind.value)}, subject := {literal(one.metric.column)}, "
        f"n := {one.rows}, value := ({one.value})::double, error := ({one.error})::double)"
        for one in found
    )
    return f"[{', '.join(structs)}]"
