"""Tests that a project could have: all that hold on the clean data, with limits taken from them. They are for its inputs, and
where nothing describes an input, as files that a model names, for the models that read it.

Each is known twice: as a test in a dbt yml, and as an expression over the whole table that is true where the test fails. So
one query says of a broken input which of them would have noticed. That the two agree is proved by dbt in the end
(`proposals.py`).
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import PurePath
from typing import Any

import duckdb

from reliability_platform.mutation.column_relations import LEAST_DAYS, any_row, belongings, is_plain
from reliability_platform.mutation.columns import NAMED_AS_KEY, ColumnFacts, InputTable, ValueKind, learn
from reliability_platform.mutation.project import Model, Project, ProjectInput
from reliability_platform.mutation.sql_text import literal

ERROR, WARN = "error", "warn"
LESS, MORE = 0.8, 1.25
"""Limits of a count of rows and of a mean, of what it is today. A bound from one day's data, so these tests warn."""
STEADY = 0.05
"""Of a mean that earlier days show to be steady: what was within 5 % of it after half of the time must be so today."""
HISTORY = (0.5, 0.8, 0.95)
"""Shares of the days. What was made of that part of the history and does not hold on all of it is not proposed."""
MAX_ACCEPTED, ROWS_EACH = 12, 20
"""Labels are listed if there are so few of them, or so many rows of each: surnames in a small table are no list of labels."""
DAY = "1 day"
MODEL = "model"
NEW_YML = "reliability_mutate.yml"
"""Where tests are written of what no yml describes yet."""


@dataclass(frozen=True)
class CandidateTest:
    """A test that holds today."""

    key: str
    place: ProjectInput
    """What it is a test of."""
    column: str
    """Empty for a test of the table."""
    test: str
    """Its name in dbt; those that dbt does not bring are in `dbt_tests.sql.j2`."""
    arguments: Mapping[str, Any]
    severity: str
    fails: str
    """An aggregate over the table."""
    is_builtin: bool = field(default=False)


@dataclass(frozen=True)
class _Spread:
    """What a column's values are like today."""

    least: Any
    most: Any
    mean: float | None
    deviation: float | None
    length: float | None
    length_deviation: float | None
    largest_share: float
    padded: int
    upper: int
    lower: int


Places = Sequence[tuple[ProjectInput, InputTable]]
"""What tests can be written for, with what its clean table is like."""


def candidates(
    connection: duckdb.DuckDBPyConnection, project: Project, inputs: Places, reads: Callable[[str], str]
) -> dict[str, list[CandidateTest]]:
    """By the key of an input, those that hold on the clean data. `reads` tells where the clean rows of a relation are."""
    described = [(given, table) for given, table in inputs if given.is_own]
    known = {given.key: list(_that_hold(connection, given, table, described)) for given, table in described}
    for given, _ in inputs:
        if not given.is_own:
            known[given.key] = []
            for model in (one for one in project.models if _stands_for(one, given, project)):
                if model.key not in known:
                    place, table = _place_of(model), learn(connection, reads(model.relation))
                    known[model.key] = list(_that_hold(connection, place, table, described))
                known[given.key] += known[model.key]
    return {given.key: known[given.key] for given, _ in inputs}


def _stands_for(model: Model, given: ProjectInput, project: Project) -> bool:
    """Whether tests of a model can be in the place of those of an input that it reads; a version of a model is described
    otherwise.
    """
    return given.relation in model.query.named and model.package == project.name and model.key.count(".") == 2


def _place_of(model: Model) -> ProjectInput:
    sql, *yml = model.files
    written = yml[0] if yml else (PurePath(sql).parent / NEW_YML).as_posix()
    return ProjectInput(model.key, model.name, MODEL, model.relation, written, is_own=True)


def _that_hold(
    connection: duckdb.DuckDBPyConnection, place: ProjectInput, table: InputTable, others: Places
) -> Iterator[CandidateTest]:
    if not table.rows:
        return
    earlier = list(_earlier(connection, table))
    possible = [*_of_table(connection, place, table, others, has_history=bool(earlier))]
    failing = set(would_fail(connection, table.relation, possible))
    for each in earlier:
        made_then = [*_of_table(connection, place, each, others, has_history=True)]
        held_then = would_fail(connection, each.relation, made_then)
        made_then = [one for one in made_then if one.key not in held_then]
        failing |= would_fail(connection, table.relation, made_then)
    yield from (one for one in possible if one.key not in failing)


def would_notice(
    cursor: duckdb.DuckDBPyConnection, changed: Mapping[str, str], watch: Sequence[CandidateTest]
) -> frozenset[str]:
    """The keys of those that fail on what is broken; `changed` tells where the rows of each relation are that is not as it was."""
    found = frozenset[str]()
    for relation, members in groupby(watch, key=lambda one: one.place.relation):
        if relation in changed:
            found |= would_fail(cursor, changed[relation], list(members))
    return found


def _earlier(connection: duckdb.DuckDBPyConnection, table: InputTable) -> Iterator[InputTable]:
    """The table as it was on earlier days, where it has several: a test that was made then must hold today."""
    column = max(table.times, key=lambda one: one.distinct, default=None)
    if column is None:
        return
    day = f"{column.sql}::date"
    row = connection.execute(f"select count(distinct {day}) from {table.relation}").fetchone()
    if row is None or row[0] < LEAST_DAYS:
        return
    for share in HISTORY:
        until = f"(select quantile_disc({day}, {share}) from {table.relation})"
        then = learn(connection, f"(select * from {table.relation} where {day} <= {until})")
        if 0 < then.rows < table.rows:
            yield then


def would_fail(cursor: duckdb.DuckDBPyConnection, relation: str, possible: Sequence[CandidateTest]) -> frozenset[str]:
    """The keys of those that fail on a table. One that cannot be run on it, as its column is missing, does not count."""
    if not possible:
        return frozenset()
    try:
        row = cursor.execute(f"select {', '.join(one.fails for one in possible)} from {relation}").fetchone()
    except duckdb.InterruptException:
        raise
    except duckdb.Error:
        if len(possible) == 1:
            return frozenset()
        half = len(possible) // 2
        return would_fail(cursor, relation, possible[:half]) | would_fail(cursor, relation, possible[half:])
    assert row is not None
    return frozenset(one.key for one, fails in zip(possible, row, strict=True) if fails)


def _of_table(
    connection: duckdb.DuckDBPyConnection,
    given: ProjectInput,
    table: InputTable,
    inputs: Places,
    *,
    has_history: bool,
) -> Iterator[CandidateTest]:
    at_least, at_most = math.floor(LESS * table.rows), math.ceil(MORE * table.rows)
    yield _candidate(
        given,
        "",
        "row_count_between",
        {"at_least": at_least, "at_most": at_most},
        WARN,
        f"count(*) not between {at_least} and {at_most}",
    )
    yield _candidate(given, "", "row_count_at_least", {"at_least": at_least}, WARN, f"count(*) < {at_least}")
    for one in belongings(connection, table):
        key = " ".join(str(value) for name, value in one.arguments.items() if name in ("of", "other"))
        yield _candidate(given, one.column, one.test, dict(one.arguments), WARN, one.fails, key)
    for column in table.columns:
        if not is_plain(connection, table, column):
            continue
        if column.filled:
            yield from _of_column(connection, given, table, column, has_history=has_history)
        if column.is_reference:
            yield from _references(connection, given, table, column, inputs)


def _of_column(
    connection: duckdb.DuckDBPyConnection,
    given: ProjectInput,
    table: InputTable,
    column: ColumnFacts,
    *,
    has_history: bool,
) -> Iterator[CandidateTest]:
    name, sql, spread = column.name, column.sql, _spread(connection, table, column)

    def one(test: str, arguments: dict[str, Any], severity: str, fails: str, extra: str = "") -> CandidateTest:
        return _candidate(given, name, test, arguments, severity, fails, extra)

    if column.filled == column.rows:
        yield one("not_null", {}, ERROR, f"count(*) > count({sql})")
    else:
        limit = _rounded(min(1.0, 1.25 * (1 - column.filled / column.rows) + 0.02), math.ceil)
        yield one("null_share_at_most", {"at_most": limit}, WARN, f"count(*) - count({sql}) > {limit} * count(*)")
    if column.is_unique and NAMED_AS_KEY.search(name) is not None:
        yield one("unique", {}, ERROR, f"count({sql}) > count(distinct {sql})")
    if column.is_category and column.distinct <= max(MAX_ACCEPTED, column.rows // ROWS_EACH):
        values = _values(connection, table, column)
        listed = ", ".join(literal(value) for value in values)
        # dbt neither escapes a quote in them nor leaves what looks like Jinja alone.
        if not any(set(value) & set("'{}") for value in values):
            yield one("accepted_values", {"values": values}, ERROR, any_row(f"{sql}::varchar not in ({listed})"))
    if column.distinct > 1 and not column.is_unique:
        least = max(2, math.floor(LESS * column.distinct))
        yield one("distinct_values_at_least", {"at_least": least}, WARN, f"count(distinct {sql}) < {least}")
        limit = _rounded(min(1.0, spread.largest_share + 0.1), math.ceil)
        yield one(
            "largest_share_at_most",
            {"at_most": limit},
            WARN,
            f"list_max(map_values(histogram({sql}))) > {limit} * count({sql})",
        )
    if column.is_measure and spread.mean is not None:
        yield from _of_measure(one, column, spread, has_history=has_history)
    if column.kind is ValueKind.TIME:
        yield from _of_time(one, column, spread)
    if column.kind is ValueKind.TEXT:
        yield from _of_text(one, column, spread)


def _of_measure(one: Any, column: ColumnFacts, spread: _Spread, *, has_history: bool) -> Iterator[CandidateTest]:
    least, most, mean = float(spread.least), float(spread.most), spread.mean or 0.0
    room = most - least
    low = 0 if 0 <= least <= room else _rounded(least - room / 2, math.floor)
    high = _rounded(most + max(room / 2, abs(most) / 2), math.ceil)
    sql = column.sql
    yield one(
        "values_between", {"at_least": low, "at_most": high}, WARN, any_row(f"{sql} not between {low} and {high}")
    )
    error = (spread.deviation or 0.0) / math.sqrt(max(1, column.filled))
    margins = {"": max(abs(mean) * (1 - LESS), 3 * error)}
    if has_history:
        margins["steady"] = max(abs(mean) * STEADY, 4 * error)
    for extra, margin in margins.items():
        below, above = _rounded(mean - margin, math.floor, 3), _rounded(mean + margin, math.ceil, 3)
        yield one(
            "mean_between",
            {"at_least": below, "at_most": above},
            WARN,
            f"avg({sql}) is null or avg({sql}) not between {below} and {above}",
            extra,
        )


def _of_time(one: Any, column: ColumnFacts, spread: _Spread) -> Iterator[CandidateTest]:
    sql, first, last = column.sql, str(spread.least)[:10], str(spread.most)[:10]
    yield one("not_in_the_future", {}, ERROR, any_row(f"{sql} > current_timestamp::timestamp + interval {DAY}"))
    yield one("not_before", {"day": first}, WARN, any_row(f"{sql} < date {literal(first)}"))
    yield one("latest_not_before", {"day": last}, WARN, f"max({sql}) is null or max({sql}) < date {literal(last)}")


def _of_text(one: Any, column: ColumnFacts, spread: _Spread) -> Iterator[CandidateTest]:
    sql = column.sql
    yield one("not_empty", {}, WARN, any_row(f"{sql} = ''"))
    if not spread.padded:
        yield one("no_spaces_around", {}, WARN, any_row(f"{sql} <> trim({sql})"))
    for case, count in (("upper", spread.upper), ("lower", spread.lower)):
        if not count:
            yield one(
                "never_all_in_case",
                {"case": case},
                WARN,
                any_row(f"{sql} = {case}({sql}) and upper({sql}) <> lower({sql})"),
            )
    if spread.length:
        margin = max(
            spread.length * (1 - LESS), 3 * (spread.length_deviation or 0.0) / math.sqrt(max(1, column.filled))
        )
        below, above = _rounded(spread.length - margin, math.floor), _rounded(spread.length + margin, math.ceil)
        mean = f"avg(length({sql}))"
        yield one(
            "mean_length_between",
            {"at_least": below, "at_most": above},
            WARN,
            f"{mean} is null or {mean} not between {below} and {above}",
        )


def _references(
    connection: duckdb.DuckDBPyConnection,
    given: ProjectInput,
    table: InputTable,
    column: ColumnFacts,
    inputs: Places,
) -> Iterator[CandidateTest]:
    for other, there in inputs:
        key = next((one for one in there.columns if one.is_unique and one.is_key and one.kind is column.kind), None)
        if other.key == given.key or key is None:
            continue
        lacks = f"count(*) filter (where {column.sql} is not null and {column.sql} not in (select {key.sql} from {there.relation})) > 0"
        row = connection.execute(f"select {lacks} from {table.relation}").fetchone()
        if row is not None and not row[0]:
            to = (
                f"ref({other.name!r})"
                if other.kind == "seed"
                else "source({!r}, {!r})".format(*other.name.split(".", 1))
            )
            yield _candidate(given, column.name, "relationships", {"to": to, "field": key.name}, ERROR, lacks)
            return


BUILTIN = frozenset({"not_null", "unique", "accepted_values", "relationships"})


def _candidate(
    given: ProjectInput,
    column: str,
    test: str,
    arguments: dict[str, Any],
    severity: str,
    fails: str,
    extra: str = "",
) -> CandidateTest:
    extra = extra or arguments.get("case", "")
    key = " ".join(part for part in (given.name, column, test, extra) if part)
    return CandidateTest(key, given, column, test, arguments, severity, f"({fails})", test in BUILTIN)


def _spread(connection: duckdb.DuckDBPyConnection, table: InputTable, column: ColumnFacts) -> _Spread:
    sql = column.sql
    is_number, is_text = column.kind is ValueKind.NUMBER, column.kind is ValueKind.TEXT
    number = (f"avg({sql})", f"stddev({sql})") if is_number else ("null", "null")
    lettered = f"{sql} is not null and upper({sql}) <> lower({sql})"
    text = (
        (
            f"avg(length({sql}))",
            f"stddev(length({sql}))",
            f"count(*) filter (where {sql} <> trim({sql}))",
            f"count(*) filter (where {sql} = upper({sql}) and {lettered})",
            f"count(*) filter (where {sql} = lower({sql}) and {lettered})",
        )
        if is_text
        else ("null", "null", "0", "0", "0")
    )
    comparable = column.kind is not ValueKind.OTHER
    ends = (f"min({sql})", f"max({sql})") if comparable else ("null", "null")
    row = connection.execute(f"select {', '.join((*ends, *number, *text))} from {table.relation}").fetchone()
    largest = connection.execute(
        f"select max(times) / sum(times) from (select count(*) as times from {table.relation} group by {sql})"
    ).fetchone()
    assert row is not None and largest is not None
    least, most, mean, deviation, length, length_deviation, padded, upper, lower = row
    return _Spread(
        least, most, mean, deviation, length, length_deviation, float(largest[0] or 0.0), padded, upper, lower
    )


def _values(connection: duckdb.DuckDBPyConnection, table: InputTable, column: ColumnFacts) -> list[str]:
    query = f"select distinct {column.sql}::varchar from {table.relation} where {column.sql} is not null order by 1"
    return [str(row[0]) for row in connection.execute(query).fetchall()]


def _rounded(value: float, way: Any, digits: int = 2) -> float:
    """So many digits, up or down."""
    if not value or not math.isfinite(value):
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - digits + 1)
    rounded = float(f"{way(value / step) * step:.12g}")
    return int(rounded) if rounded.is_integer() else rounded
