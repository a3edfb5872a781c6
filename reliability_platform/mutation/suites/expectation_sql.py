"""Each kind of expectation as a query of one row and one column, `failed`.

They mean what Great Expectations does: an expectation about values leaves nulls out, `mostly` is the least share of the others
that must be as expected, and no value is no failure.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from reliability_platform.mutation.sql_text import literal, quoted

Arguments = Mapping[str, Any]
ABOUT_RESULTS = frozenset(
    {"result_format", "include_config", "catch_exceptions", "meta", "batch_id", "notes", "column_index"}
)
"""Arguments that change how a result is told, not what it is."""


class CannotJudgeError(Exception):
    """An expectation that has no query here."""


def fails(kind: str, arguments: Arguments, relation: str, other: str) -> str:
    """The query; `other` is the relation that `other_table_name` means. Raises `CannotJudgeError`."""
    known = KINDS.get(kind)
    if known is None:
        raise CannotJudgeError(f"{kind or 'a nameless expectation'} has no query here")
    given = {key: value for key, value in arguments.items() if key not in ABOUT_RESULTS and value is not None}
    beyond = sorted(
        given.keys() - known.takes - {name for name in ("strict_min", "strict_max") if given.get(name) is False}
    )
    if beyond:
        raise CannotJudgeError(f"its {', '.join(beyond)} is not understood")
    try:
        return known.query(given, relation) if not known.is_of_two else known.query({**given, "other": other}, relation)
    except KeyError as error:
        raise CannotJudgeError(f"it lacks {error.args[0]}") from None


@dataclass(frozen=True)
class _Kind:
    takes: frozenset[str]
    query: Callable[[Arguments, str], str]
    is_of_two: bool = False


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return repr(value)
    if isinstance(value, str):
        return literal(value)
    raise CannotJudgeError("one of its values is computed when it runs, or no plain value")


def _listed(arguments: Arguments, name: str) -> list[Any]:
    found = arguments[name]
    if not isinstance(found, list):
        raise CannotJudgeError(f"its {name} is no list")
    return found


def _values(arguments: Arguments, name: str = "value_set") -> str:
    return ", ".join(_value(one) for one in _listed(arguments, name) if one is not None) or "null"


def _texts(arguments: Arguments, name: str) -> list[str]:
    found = _listed(arguments, name)
    if not all(isinstance(one, str) for one in found):
        raise CannotJudgeError(f"its {name} is no list of texts")
    return found


def _name(arguments: Arguments, key: str = "column") -> str:
    value = arguments[key]
    if not isinstance(value, str):
        raise CannotJudgeError(f"its {key} is no name")
    return quoted(value)


def _outside(arguments: Arguments, sql: str) -> str:
    """True where a value is not between the limits."""
    least, most = arguments.get("min_value"), arguments.get("max_value")
    parts = [f"{sql} {'<=' if arguments.get('strict_min') else '<'} {_value(least)}"] if least is not None else []
    parts += [f"{sql} {'>=' if arguments.get('strict_max') else '>'} {_value(most)}"] if most is not None else []
    return f"({' or '.join(parts) or 'false'})"


def _too_many(arguments: Arguments, judged: str, unexpected: str) -> str:
    """Of `judged` rows more are unexpected than `mostly` lets be."""
    mostly = _value(arguments.get("mostly", 1))
    count = f"count(*) filter (where ({judged}) and ({unexpected}))"
    return f"coalesce(1 - {count} / nullif(count(*) filter (where {judged}), 0) < {mostly} - 1e-12, false)"


LIMITS = frozenset({"min_value", "max_value", "strict_min", "strict_max"})


def _each(unexpected: Callable[[Arguments, str], str], *takes: str) -> _Kind:
    """About the values of a column."""

    def query(arguments: Arguments, relation: str) -> str:
        column = _name(arguments)
        failed = _too_many(arguments, f"{column} is not null", unexpected(arguments, column))
        return f"select {failed} as failed from {relation}"

    return _Kind(frozenset({"column", "mostly", *takes}), query)


def _null(judged_is_null: bool) -> _Kind:
    def query(arguments: Arguments, relation: str) -> str:
        unexpected = f"{_name(arguments)} is {'not ' if judged_is_null else ''}null"
        return f"select {_too_many(arguments, 'true', unexpected)} as failed from {relation}"

    return _Kind(frozenset({"column", "mostly"}), query)


def _unique(arguments: Arguments, relation: str) -> str:
    column = _name(arguments)
    counted = f"select {column} as value, count(*) over (partition by {column}) as times from {relation}"
    return f"select {_too_many(arguments, 'value is not null', 'times > 1')} as failed from ({counted})"


def _of_column(aggregate: str, *takes: str) -> _Kind:
    """About one number or value of a column; no value is no failure."""

    def query(arguments: Arguments, relation: str) -> str:
        found = aggregate.format(_name(arguments))
        return f"select coalesce({_outside(arguments, 'found')}, false) as failed from (select {found} as found from {relation})"

    return _Kind(frozenset({"column", *LIMITS, *takes}), query)


def _distinct(failed: str) -> _Kind:
    def query(arguments: Arguments, relation: str) -> str:
        column = _name(arguments)
        wanted = (
            f"(select distinct value from (select unnest([{_values(arguments)}]) as value) where value is not null)"
        )
        found = f"(select distinct {column} as value from {relation} where {column} is not null)"
        return f"select {failed.format(found=found, wanted=wanted)} as failed"

    return _Kind(frozenset({"column", "value_set"}), query)


BEYOND = "exists (select 1 from {found} where value not in (from {wanted}))"
LACKING = "exists (select 1 from {wanted} where value not in (from {found}))"


def _table(found: str, failed: Callable[[Arguments], str], *takes: str) -> _Kind:
    """About one number of a table."""
    return _Kind(
        frozenset(takes),
        lambda arguments, relation: (
            f"select {failed(arguments)} as failed from (select {found.format(relation)} as found)"
        ),
    )


COLUMNS = "(select list(column_name) from (describe select * from {}))"
ROWS, WIDTH = "(select count(*) from {})", f"len({COLUMNS})"


def _column_list(arguments: Arguments) -> str:
    return f"[{', '.join(map(literal, _texts(arguments, 'column_list')))}]::varchar[]"


def _column_set(arguments: Arguments) -> str:
    wanted = f"[{', '.join(map(literal, _texts(arguments, 'column_set')))}]::varchar[]"
    lacking = f"len(list_filter({wanted}, lambda one: not list_contains(found, one))) > 0"
    beyond = f"len(list_filter(found, lambda one: not list_contains({wanted}, one))) > 0"
    return lacking if arguments.get("exact_match") is False else f"{lacking} or {beyond}"


def _ignored(arguments: Arguments, names: list[str]) -> str:
    """The rows that are judged; Great Expectations leaves those out in which all are null, or any."""
    how = arguments.get("ignore_row_if", "all_values_are_missing" if len(names) > 2 else "both_values_are_missing")
    together = {"all_values_are_missing": " or ", "both_values_are_missing": " or "}
    any_missing = {"any_value_is_missing": " and ", "either_value_is_missing": " and "}
    if how == "never":
        return "true"
    join = (together | any_missing).get(str(how))
    if join is None:
        raise CannotJudgeError(f"its ignore_row_if {how!r} is not understood")
    return f"({join.join(f'{one} is not null' for one in names)})"


def _pair(unexpected: Callable[[Arguments, str, str], str], *takes: str) -> _Kind:
    def query(arguments: Arguments, relation: str) -> str:
        one, other = _name(arguments, "column_A"), _name(arguments, "column_B")
        judged = _ignored(arguments, [one, other])
        return f"select {_too_many(arguments, judged, unexpected(arguments, one, other))} as failed from {relation}"

    return _Kind(frozenset({"column_A", "column_B", "mostly", "ignore_row_if", *takes}), query)


def _names(arguments: Arguments) -> list[str]:
    return [quoted(one) for one in _texts(arguments, "column_list")]


def _compound(arguments: Arguments, relation: str) -> str:
    names = _names(arguments)
    judged = _ignored({"ignore_row_if": "all_values_are_missing", **arguments}, names)
    times = f"select {judged} as judged, count(*) over (partition by {', '.join(names)}) as times from {relation}"
    return f"select {_too_many(arguments, 'judged', 'times > 1')} as failed from ({times})"


def _within_record(arguments: Arguments, relation: str) -> str:
    names = _names(arguments)
    judged = _ignored({"ignore_row_if": "all_values_are_missing", **arguments}, names)
    same = " or ".join(f"{one} is not distinct from {other}" for one, other in combinations(names, 2)) or "false"
    return f"select {_too_many(arguments, judged, same)} as failed from {relation}"


def _sum(arguments: Arguments, relation: str) -> str:
    names = _names(arguments)
    judged = _ignored({"ignore_row_if": "all_values_are_missing", **arguments}, names)
    unexpected = f"({' + '.join(names)}) is distinct from {_value(arguments['sum_total'])}"
    return f"select {_too_many(arguments, judged, unexpected)} as failed from {relation}"


def _as_many_rows(arguments: Arguments, relation: str) -> str:
    if not arguments["other"]:
        raise CannotJudgeError(f"the project has no table {arguments.get('other_table_name')!r}")
    return f"select (select count(*) from {relation}) <> (select count(*) from {arguments['other']}) as failed"


def _own_query(arguments: Arguments, relation: str) -> str:
    sql = arguments["unexpected_rows_query"]
    if not isinstance(sql, str) or "{batch}" not in sql:
        raise CannotJudgeError("its query does not read {batch}")
    own = sql.replace("{batch}", relation).strip().rstrip(";")
    return f"select count(*) > 0 as failed from ({own})"


def _matches(arguments: Arguments, column: str, name: str = "regex") -> str:
    pattern = arguments[name]
    if not isinstance(pattern, str):
        raise CannotJudgeError(f"its {name} is no text")
    # Python's `re.match` and most databases differ here; Great Expectations asks the database, which looks anywhere.
    return f"regexp_matches({column}::varchar, {literal(pattern)})"


def _matches_list(arguments: Arguments, column: str) -> str:
    one_each = [f"regexp_matches({column}::varchar, {literal(each)})" for each in _texts(arguments, "regex_list")]
    return f"({(' and ' if arguments.get('match_on') == 'all' else ' or ').join(one_each) or 'true'})"


def _pairs_in_set(arguments: Arguments, one: str, other: str) -> str:
    pairs = [f"({_value(a)}, {_value(b)})" for a, b in _listed(arguments, "value_pairs_set")]
    return f"({one}, {other}) not in ({', '.join(pairs)})"


KINDS: Mapping[str, _Kind] = {
    "expect_column_values_to_not_be_null": _null(judged_is_null=False),
    "expect_column_values_to_be_null": _null(judged_is_null=True),
    "expect_column_values_to_be_unique": _Kind(frozenset({"column", "mostly"}), _unique),
    "expect_column_values_to_be_in_set": _each(lambda a, c: f"{c} not in ({_values(a)})", "value_set"),
    "expect_column_values_to_not_be_in_set": _each(lambda a, c: f"{c} in ({_values(a)})", "value_set"),
    "expect_column_values_to_be_between": _each(_outside, *LIMITS),
    "expect_column_value_lengths_to_be_between": _each(lambda a, c: _outside(a, f"length({c}::varchar)"), *LIMITS),
    "expect_column_value_lengths_to_equal": _each(lambda a, c: f"length({c}::varchar) <> {_value(a['value'])}", "value"),
    "expect_column_values_to_match_regex": _each(lambda a, c: f"not {_matches(a, c)}", "regex"),
    "expect_column_values_to_not_match_regex": _each(_matches, "regex"),
    "expect_column_values_to_match_regex_list": _each(lambda a, c: f"not {_matches_list(a, c)}", "regex_list", "match_on"),
    "expect_column_values_to_not_match_regex_list": _each(lambda a, c: _matches_list({**a, "match_on": "any"}, c), "regex_list"),
    "expect_column_values_to_match_like_pattern": _each(lambda a, c: f"{c} not like {_value(a['like_pattern'])}", "like_pattern"),
    "expect_column_values_to_not_match_like_pattern": _each(lambda a, c: f"{c} like {_value(a['like_pattern'])}", "like_pattern"),
    "expect_column_values_to_be_json_parseable": _each(lambda _, c: f"not json_valid({c}::varchar)"),
    "expect_column_min_to_be_between": _of_column("min({})"),
    "expect_column_max_to_be_between": _of_column("max({})"),
    "expect_column_mean_to_be_between": _of_column("avg({})"),
    "expect_column_median_to_be_between": _of_column("median({})"),
    "expect_column_sum_to_be_between": _of_column("sum({})"),
    "expect_column_stdev_to_be_between": _of_column("stddev_samp({})"),
    "expect_column_unique_value_count_to_be_between": _of_column("count(distinct {0})"),
    "expect_column_proportion_of_unique_values_to_be_between": _of_column("count(distinct {0}) / nullif(count({0}), 0)"),
    "expect_column_distinct_values_to_be_in_set": _distinct(BEYOND),
    "expect_column_distinct_values_to_contain_set": _distinct(LACKING),
    "expect_column_distinct_values_to_equal_set": _distinct(f"{BEYOND} or {LACKING}"),
    "expect_column_to_exist": _table(COLUMNS, lambda a: f"not list_contains(found, {_value(a['column'])})", "column"),
    "expect_table_row_count_to_be_between": _table(ROWS, lambda a: _outside(a, "found"), *LIMITS),
    "expect_table_row_count_to_equal": _table(ROWS, lambda a: f"found <> {_value(a['value'])}", "value"),
    "expect_table_column_count_to_be_between": _table(WIDTH, lambda a: _outside(a, "found"), *LIMITS),
    "expect_table_column_count_to_equal": _table(WIDTH, lambda a: f"found <> {_value(a['value'])}", "value"),
    "expect_table_columns_to_match_ordered_list": _table(COLUMNS, lambda a: f"found <> {_column_list(a)}", "column_list"),
    "expect_table_columns_to_match_set": _table(COLUMNS, _column_set, "column_set", "exact_match"),
    "expect_table_row_count_to_equal_other_table": _Kind(frozenset({"other_table_name"}), _as_many_rows, is_of_two=True),
    "expect_column_pair_values_to_be_equal": _pair(lambda _, one, other: f"{one} is distinct from {other}"),
    "expect_column_pair_values_a_to_be_greater_than_b": _pair(
        lambda a, one, other: f"not coalesce({one} {'>=' if a.get('or_equal') else '>'} {other}, false)", "or_equal"
    ),
    "expect_column_pair_values_to_be_in_set": _pair(_pairs_in_set, "value_pairs_set"),
    "expect_compound_columns_to_be_unique": _Kind(frozenset({"column_list", "ignore_row_if"}), _compound),
    "expect_select_column_values_to_be_unique_within_record": _Kind(
        frozenset({"column_list", "ignore_row_if", "mostly"}), _within_record
    ),
    "expect_multicolumn_sum_to_equal": _Kind(frozenset({"column_list", "sum_total", "ignore_row_if"}), _sum),
    "unexpected_rows_expectation": _Kind(frozenset({"unexpected_rows_query", "description"}), _own_query),
}  # fmt: skip
"""By Great Expectations' own names."""
