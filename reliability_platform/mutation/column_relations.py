"""Tests that a table could have on how its columns belong together, and on how its days follow each other.

What a test of one column cannot see: values in the wrong rows, one of two amounts in another unit, a day that lacks among
many, dates of which only some are off.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

import duckdb

from reliability_platform.mutation.columns import ColumnFacts, InputTable, ValueKind

MAX_COLUMNS = 8
"""Of a kind that are held against each other: 8 amounts are 56 pairs."""
LEAST_ROWS = 10
"""Of fewer rows anything could be so by chance."""
LEAST_DAYS = 10
"""So many days without a gap are taken for a rule."""
ROWS_OF_ONE = 3
"""A value must come so often, in the mean, for what always comes with it to be no chance."""
BUSIEST = 2.0
"""How many rows of one day are too many, of the busiest day so far."""
NARROW, SLACK = 0.5, 0.02
"""A ratio is narrow if its range is at most half of its size; its limits are half of that range further out, and 2 % at least."""
CENT = 0.011


@dataclass(frozen=True)
class Belonging:
    """A test of several columns that holds on the table it was found on."""

    column: str
    """The one that it is written at."""
    test: str
    arguments: Mapping[str, Any]
    fails: str
    """An aggregate over the table."""


def belongings(connection: duckdb.DuckDBPyConnection, table: InputTable) -> Iterator[Belonging]:
    """All that could be. Whether each holds is seen by running it."""
    if table.rows < LEAST_ROWS:
        return
    usable = [one for one in table.columns if one.filled and is_plain(connection, table, one)]
    measures = [one for one in usable if one.is_measure and one.distinct > 1][:MAX_COLUMNS]
    times = [one for one in usable if one.kind is ValueKind.TIME and one.distinct > 1][:MAX_COLUMNS]
    yield from _ratios(connection, table, measures)
    for total, one, other in permutations(measures, 3):
        if one.name < other.name:
            wrong = f"abs({total.sql} - ({one.sql} + {other.sql})) > {CENT}"
            yield Belonging(total.name, "adds_up", {"of": [one.name, other.name]}, any_row(wrong))
    for one, other in permutations(times, 2):
        yield Belonging(other.name, "not_before_other", {"other": one.name}, any_row(f"{other.sql} < {one.sql}"))
    yield from _dependencies(usable, table)
    for one in times:
        yield from _days(connection, table, one)


def is_plain(connection: duckdb.DuckDBPyConnection, table: InputTable, column: ColumnFacts) -> bool:
    """Whether its name needs no quotes: dbt puts it into a test as it is."""
    if not column.name.isidentifier():
        return False
    try:
        connection.execute(f"select {column.name} from {table.relation} limit 0")
    except duckdb.Error:
        return False
    return True


def any_row(condition: str) -> str:
    """Whether there is a row of which this is true."""
    return f"count(*) filter (where {condition}) > 0"


def _ratios(
    connection: duckdb.DuckDBPyConnection, table: InputTable, measures: list[ColumnFacts]
) -> Iterator[Belonging]:
    for one, other in combinations(measures, 2):
        ratio = f"{one.sql}::double / nullif({other.sql}, 0)"
        row = connection.execute(f"select min({ratio}), max({ratio}), count({ratio}) from {table.relation}").fetchone()
        assert row is not None
        least, most, counted = row
        if counted < LEAST_ROWS or least is None or least <= 0 or most - least > NARROW * least:
            continue
        slack = max((most - least) / 2, SLACK * least)
        low, high = float(f"{least - slack:.4g}"), float(f"{most + slack:.4g}")
        arguments = {"other": other.name, "at_least": low, "at_most": high}
        yield Belonging(one.name, "ratio_between", arguments, any_row(f"{ratio} not between {low} and {high}"))


def _dependencies(usable: list[ColumnFacts], table: InputTable) -> Iterator[Belonging]:
    by = [one for one in usable if one.distinct > 1 and one.distinct * ROWS_OF_ONE <= table.rows][:MAX_COLUMNS]
    of = [one for one in usable if one.distinct > 1 and not one.is_unique][:MAX_COLUMNS]
    for key in by:
        for one in of:
            if one.name != key.name and one.distinct <= key.distinct:
                pairs = f"count(distinct ({key.sql}, {one.sql})) filter (where {key.sql} is not null)"
                yield Belonging(one.name, "one_value_each", {"of": key.name}, f"{pairs} > count(distinct {key.sql})")


def _days(connection: duckdb.DuckDBPyConnection, table: InputTable, column: ColumnFacts) -> Iterator[Belonging]:
    day = f"{column.sql}::date"
    row = connection.execute(
        f"select count(*), max(counted) from (select count(*) as counted from {table.relation} where {day} is not null group by {day})"
    ).fetchone()
    assert row is not None
    days, busiest = row
    if days < LEAST_DAYS:
        return
    yield Belonging(column.name, "every_day_there", {}, f"max({day}) - min({day}) + 1 > count(distinct {day})")
    most = max(busiest + 3, round(BUSIEST * busiest))
    yield Belonging(
        column.name,
        "rows_each_day_at_most",
        {"at_most": most},
        f"coalesce(list_max(map_values(histogram({day}))), 0) > {most}",
    )
