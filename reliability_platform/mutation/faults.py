"""The declared data faults: what each does to an input, as one set-based query over its clean rows.

A fault that the lab's catalogue (`lab/faults`) has too bears the same name and means the same.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from reliability_platform.mutation.columns import ColumnFacts, InputTable, ValueKind
from reliability_platform.mutation.sql_text import literal, quoted

ROW, RANK = quoted("__mutation_row"), quoted("__mutation_rank")
HELPERS = f"exclude ({ROW}, {RANK})"
UNHEARD_OF = "unheard_of"
NOBODY = 90_000_000
"""Added to a key: nobody has such a number."""
LATEST_SHARE = {"a tenth": 0.1, "half": 0.5}


@dataclass(frozen=True)
class Size:
    """How many rows a fault hits."""

    name: str
    share: float
    """Of the rows; 0 stands for one row."""
    rows: str
    """For people."""

    def of(self, rows: int) -> int:
        """How many of so many rows."""
        return min(rows, max(1, round(self.share * rows)))


ONE = Size("one", 0.0, "one row")
FEW = Size("few", 0.05, "5 % of the rows")
HALF = Size("half", 0.5, "half of the rows")
ALL = Size("all", 1.0, "every row")


@dataclass(frozen=True)
class Broken:
    """One way in which an input can be broken: the query of its broken rows, where `{hit}` says which rows are."""

    column: str
    """Empty where it is all of the table."""
    query: str
    """Reads `ranked`, the clean rows with the two helping columns."""
    first: str = ""
    """An order of the rows in which those come first that it can hit."""
    detail: str = ""
    """What else tells it apart, for people."""


Ways = Callable[[InputTable], Iterable[Broken]]


@dataclass(frozen=True)
class DataFault:
    """A declared fault."""

    name: str
    family: str
    said: str
    """What became of the data, for people, with `{rows}`, `{column}`, `{detail}` and `{input}`."""
    sizes: tuple[Size, ...]
    ways: Ways


def _values(applies: Callable[[ColumnFacts], bool], value: Callable[[ColumnFacts], str], retyped: str = "") -> Ways:
    """Other values in one column; of its own type, unless they have another one on purpose."""

    def ways(table: InputTable) -> Iterator[Broken]:
        for column in table.columns:
            if column.filled and applies(column):
                kept = f"{column.sql}::{retyped}" if retyped else column.sql
                new = f"cast({value(column)} as {retyped or column.type})"
                chosen = f"case when {{hit}} then {new} else {kept} end as {column.sql}"
                yield Broken(
                    column.name,
                    f"select * {HELPERS} replace ({chosen}) from ranked order by {ROW}",
                    f"{column.sql} is null",
                )

    return ways


def _rows(query: str) -> Ways:
    return lambda _: [Broken("", query)]


def _repeated(table: InputTable) -> Iterator[Broken]:
    del table
    yield Broken("", f"select * {HELPERS} from (from ranked union all from ranked where {{hit}}) order by {ROW}")


def _conflicting(table: InputTable) -> Iterator[Broken]:
    key = next((one for one in table.columns if one.is_unique), None)
    other = table.first("is_measure", "is_category")
    if key is None or other is None or key.name == other.name:
        return
    value = f"{other.sql} + 1" if other.kind is ValueKind.NUMBER else literal(UNHEARD_OF)
    changed = f"select * replace (cast({value} as {other.type}) as {other.sql}) from ranked where {{hit}}"
    yield Broken("", f"select * {HELPERS} from (from ranked union all {changed}) order by {ROW}", detail=other.name)


def _more_rows(table: InputTable) -> Iterator[Broken]:
    key = next((one for one in table.columns if one.is_unique and one.kind in (ValueKind.NUMBER, ValueKind.TEXT)), None)
    if key is not None:
        new = f"{key.sql} + {NOBODY}" if key.kind is ValueKind.NUMBER else f"{key.sql} || '-again'"
        again = f"select * replace (cast({new} as {key.type}) as {key.sql}) from ranked where {{hit}}"
        yield Broken("", f"select * {HELPERS} from (from ranked union all {again}) order by {ROW}")


def _a_day_lost(table: InputTable) -> Iterator[Broken]:
    for one in table.times:
        day = f"(select {one.sql}::date from ranked where {one.sql} is not null order by {RANK} limit 1)"
        query = f"select * {HELPERS} from ranked where {one.sql} is null or {one.sql}::date <> {day} order by {ROW}"
        yield Broken(one.name, query)


def _latest_lost(table: InputTable) -> Iterator[Broken]:
    for one in table.times:
        for detail, share in LATEST_SHARE.items():
            limit = f"(select quantile_disc({one.sql}, {1 - share}) from ranked)"
            query = f"select * {HELPERS} from ranked where {one.sql} is null or {one.sql} <= {limit} order by {ROW}"
            yield Broken(one.name, query, detail=detail)


def _swapped(table: InputTable) -> Iterator[Broken]:
    for one, other in zip(table.columns, table.columns[1:], strict=False):
        if one.type == other.type and one.filled and other.filled:
            swap = (
                f"case when {{hit}} then {b.sql} else {a.sql} end as {a.sql}" for a, b in ((one, other), (other, one))
            )
            query = f"select * {HELPERS} replace ({', '.join(swap)}) from ranked order by {ROW}"
            yield Broken(one.name, query, detail=other.name)


def _shuffled(table: InputTable) -> Iterator[Broken]:
    for one in table.columns:
        if one.distinct > 1 and not one.is_unique:
            next_one = (
                f"coalesce(lead({one.sql}) over (order by {RANK}), first_value({one.sql}) over (order by {RANK}))"
            )
            yield Broken(one.name, f"select * {HELPERS} replace ({next_one} as {one.sql}) from ranked order by {ROW}")


def _each_column(query: Callable[[ColumnFacts], str]) -> Ways:
    return lambda table: [Broken(one.name, query(one)) for one in table.columns] if len(table.columns) > 1 else []


def _reordered(table: InputTable) -> Iterator[Broken]:
    if len(table.columns) > 1:
        backwards = ", ".join(one.sql for one in reversed(table.columns))
        yield Broken("", f"select {backwards} from ranked order by {ROW}")


def _as_text(column: ColumnFacts) -> str:
    """As a spreadsheet of another country, or a program that counts seconds, writes it."""
    if column.kind is ValueKind.TIME:
        return f"epoch({column.sql})::varchar"
    return f"replace({column.sql}::varchar, '.', ',')" if column.is_fractional else f"{column.sql}::varchar || ',0'"


def _is(kind: ValueKind) -> Callable[[ColumnFacts], bool]:
    return lambda column: column.kind is kind


def _is_free(column: ColumnFacts) -> bool:
    return column.kind is ValueKind.TEXT and column.type == "VARCHAR"


def _label(column: ColumnFacts) -> bool:
    return column.is_category and column.type == "VARCHAR"


def _most_frequent(column: ColumnFacts) -> str:
    return f"(select mode({column.sql}) from ranked)"


def _orphan(column: ColumnFacts) -> str:
    return f"{column.sql} + {NOBODY}" if column.kind is ValueKind.NUMBER else f"'nobody-' || {column.sql}"


ROWS_LOST, ROWS_REPEATED, KEYS, NULLS, AMOUNTS, TIMES, TEXTS, CATEGORIES, SCHEMA, SHAPE = (
    "rows lost", "rows repeated", "keys", "nulls", "amounts", "times", "texts", "categories", "schema", "distribution",
)  # fmt: skip

FAULTS: tuple[DataFault, ...] = (
    DataFault(
        "volume_drop", ROWS_LOST, "{rows} of {input} lost", (ONE, FEW, HALF),
        _rows(f"select * {HELPERS} from ranked where not {{hit}} order by {ROW}"),
    ),
    DataFault(
        "accidental_delete", ROWS_LOST, "{rows} of {input} lost", (ALL,),
        _rows(f"select * {HELPERS} from ranked where not {{hit}}"),
    ),
    DataFault("missing_batch", ROWS_LOST, "one day of {input} lost, by {column}", (ALL,), _a_day_lost),
    DataFault("stale_source", ROWS_LOST, "the latest {detail} of {input} not there yet, by {column}", (ALL,), _latest_lost),
    DataFault("duplicate_retry_storm", ROWS_REPEATED, "{rows} of {input} there twice", (ONE, FEW, ALL), _repeated),
    DataFault(
        "conflicting_duplicate", ROWS_REPEATED, "{rows} of {input} there again with another {detail}", (ONE, FEW), _conflicting,
    ),
    DataFault("volume_spike", ROWS_REPEATED, "{rows} of {input} there again under new keys", (HALF, ALL), _more_rows),
    DataFault("null_spike", NULLS, "{column} null in {rows} of {input}", (ONE, FEW, HALF, ALL), _values(lambda _: True, lambda _: "null")),
    DataFault(
        "orphan_reference", KEYS, "{column} refers to nobody in {rows} of {input}", (ONE, FEW, HALF),
        _values(lambda one: one.is_reference, _orphan),
    ),
    DataFault(
        "repeated_key", KEYS, "{column} the same in {rows} of {input}", (FEW, HALF),
        _values(lambda one: one.is_unique and one.kind is not ValueKind.OTHER, lambda one: f"(select min({one.sql}) from ranked)"),
    ),
    DataFault(
        "hot_partition_skew", SHAPE, "{column} one and the same in {rows} of {input}", (HALF,),
        _values(lambda one: one.is_reference and one.distinct > 1, _most_frequent),
    ),
    DataFault("values_shuffled", SHAPE, "{column} in the wrong rows of {input}", (ALL,), _shuffled),
    DataFault(
        "unit_change", AMOUNTS, "{column} × 100 in {rows} of {input}", (ONE, FEW, ALL),
        _values(lambda one: one.is_measure, lambda one: f"{one.sql} * 100"),
    ),
    DataFault(
        "unit_divided", AMOUNTS, "{column} ÷ 100 in {rows} of {input}", (FEW, ALL),
        _values(lambda one: one.is_measure, lambda one: f"{one.sql} / 100"),
    ),
    DataFault(
        "amount_drift", AMOUNTS, "{column} 10 % higher in {rows} of {input}", (ALL,),
        _values(lambda one: one.is_measure, lambda one: f"{one.sql} * 1.1"),
    ),
    DataFault(
        "sign_flipped", AMOUNTS, "{column} with the other sign in {rows} of {input}", (ONE, FEW, ALL),
        _values(lambda one: one.is_measure and not one.type.startswith("U"), lambda one: f"-{one.sql}"),
    ),
    DataFault(
        "out_of_range_values", AMOUNTS, "{column} absurdly large (× 10,000) in {rows} of {input}", (ONE, FEW),
        _values(lambda one: one.is_measure, lambda one: f"({one.sql} + 1) * 10000"),
    ),
    DataFault(
        "zeroed", AMOUNTS, "{column} zero in {rows} of {input}", (FEW, ALL),
        _values(lambda one: one.is_measure, lambda _: "0"),
    ),
    DataFault(
        "precision_lost", AMOUNTS, "{column} rounded to whole numbers in {rows} of {input}", (ALL,),
        _values(lambda one: one.is_measure and one.is_fractional, lambda one: f"round({one.sql})"),
    ),
    DataFault(
        "future_timestamps", TIMES, "{column} ten years ahead in {rows} of {input}", (ONE, FEW, ALL),
        _values(_is(ValueKind.TIME), lambda one: f"{one.sql} + interval 10 year"),
    ),
    DataFault(
        "time_zone_shift", TIMES, "{column} shifted by a day in {rows} of {input}", (FEW, ALL),
        _values(_is(ValueKind.TIME), lambda one: f"{one.sql} - interval 1 day"),
    ),
    DataFault(
        "epoch_default", TIMES, "{column} 1970-01-01 in {rows} of {input}", (ONE, FEW, ALL),
        _values(_is(ValueKind.TIME), lambda _: "date '1970-01-01'"),
    ),
    DataFault(
        "unknown_enum", CATEGORIES, "{column} a label that nobody knows in {rows} of {input}", (ONE, FEW, ALL),
        _values(_label, lambda _: literal(UNHEARD_OF)),
    ),
    DataFault(
        "category_collapsed", CATEGORIES, "{column} its most frequent label in {rows} of {input}", (FEW, HALF, ALL),
        _values(lambda one: one.is_category and one.distinct > 1, _most_frequent),
    ),
    DataFault(
        "boolean_flipped", CATEGORIES, "{column} the opposite in {rows} of {input}", (FEW, ALL),
        _values(_is(ValueKind.BOOLEAN), lambda one: f"not {one.sql}"),
    ),
    DataFault(
        "case_changed", TEXTS, "{column} in other case in {rows} of {input}", (FEW, ALL),
        _values(_is_free, lambda one: f"case when {one.sql} = upper({one.sql}) then lower({one.sql}) else upper({one.sql}) end"),
    ),
    DataFault(
        "whitespace_added", TEXTS, "{column} with a space behind it in {rows} of {input}", (FEW, ALL),
        _values(_is_free, lambda one: f"{one.sql} || ' '"),
    ),
    DataFault(
        "text_truncated", TEXTS, "{column} cut to half its length in {rows} of {input}", (FEW, ALL),
        _values(_is_free, lambda one: f"left({one.sql}, greatest(1, length({one.sql}) // 2))"),
    ),
    DataFault("text_emptied", TEXTS, "{column} empty text in {rows} of {input}", (ONE, FEW, ALL), _values(_is_free, lambda _: "''")),
    DataFault("columns_swapped", SHAPE, "{column} and {detail} exchanged in {rows} of {input}", (FEW, ALL), _swapped),
    DataFault(
        "schema_column_missing", SCHEMA, "{input} without its column {column}", (ALL,),
        _each_column(lambda one: f"select * exclude ({ROW}, {RANK}, {one.sql}) from ranked order by {ROW}"),
    ),
    DataFault(
        "schema_column_renamed", SCHEMA, "{column} of {input} under another name", (ALL,),
        _each_column(lambda one: f"select * {HELPERS} rename ({one.sql} as {quoted(one.name + '_new')}) from ranked order by {ROW}"),
    ),
    DataFault(
        "schema_type_changed", SCHEMA, "{column} of {input} as text", (ALL,),
        _values(lambda one: one.kind in (ValueKind.NUMBER, ValueKind.TIME), _as_text, "varchar"),
    ),
    DataFault(
        "schema_column_added", SCHEMA, "{input} with a column more", (ALL,),
        _rows(f"select * {HELPERS}, 0 as {quoted('added_column')} from ranked order by {ROW}"),
    ),
    DataFault("columns_reordered", SCHEMA, "the columns of {input} in another order", (ALL,), _reordered),
    DataFault(
        "out_of_order_events", SHAPE, "the rows of {input} in another order", (ALL,),
        _rows(f"select * {HELPERS} from ranked order by {RANK}"),
    ),
)  # fmt: skip
FAMILIES = tuple(dict.fromkeys(one.family for one in FAULTS))
