"""Reads the rules under `quality` of a table: SQL as the standard has it, or a custom property for each kind of relation.

| custom property | its value | what must hold |
|---|---|---|
| `inOrder` | `[ordered_at, promised_at]` | each is at most the next |
| `sumOf` | `{total: gross, parts: [net, tax], tolerance: 0.01}` | the total is the sum of the parts |
| `emptyWhere`, `presentWhere` | `{column: arr_time, where: {dep_time: null}}` | the column is empty, or filled, where others have these values |
| `everyRow` | `"amount > 0 or status = 'declined'"` | a condition of SQL holds for each row |
| `determines` | `{columns: [tailnum], column: carrier}` | rows that agree in these agree in that |
| `atMostOne` | `{per: [order_id], where: {status: captured}}` | at most one row for each value of these |
| `sameAs` | `{column: customer_id, by: order_id, other: orders.customer_id}` | the column is that of the row of another source |

A rule of the standard's `type: sql` has a `query` with `${object}` for the rows of a landing day, and one of its `mustBe…`.
Other rules, as of libraries, are for other programs.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from open_data_contract_standard.model import DataQuality

from reliability_platform.contracts.contract import Column
from reliability_platform.contracts.relations import LabelCondition, Relation, RelationKind
from reliability_platform.contracts.types import is_number
from reliability_platform.parquet import identifier

RULE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""How a rule may be called: it becomes part of the names of a check and of the reason of a rejection."""
SHORTHANDS = tuple(one.value for one in RelationKind if one is not RelationKind.QUERY)
_FORBIDDEN = (
    "Select",
    "Subquery",
    "AggFunc",
    "Window",
    "CurrentDate",
    "CurrentTimestamp",
    "CurrentTime",
    "Rand",
    "Placeholder",
)
"""What the condition of a row may not have: it must say the same of the row whenever it is asked. By sqlglot's names."""
_UNSTEADY = frozenset(
    {"now", "random", "uuid", "gen_random_uuid", "today", "get_current_time", "transaction_timestamp", "nextval"}
)
_BOUNDS: Mapping[str, str] = {
    "mustBe": "answer = {0}",
    "mustNotBe": "answer <> {0}",
    "mustBeGreaterThan": "answer > {0}",
    "mustBeGreaterOrEqualTo": "answer >= {0}",
    "mustBeLessThan": "answer < {0}",
    "mustBeLessOrEqualTo": "answer <= {0}",
    "mustBeBetween": "answer between {0} and {1}",
    "mustNotBeBetween": "answer not between {0} and {1}",
}

Said = Callable[[str, int], None]
"""Takes what is wrong with the rule of a number."""


class _WrongRuleError(Exception):
    """Says what is wrong with one rule, and what to do."""


def relations_of(
    rules: Sequence[DataQuality], columns: Sequence[Column], source: str, wrong: Said
) -> tuple[Relation, ...]:
    """The relations that the rules of a table declare; what is wrong with one is said to `wrong`, and it is left out."""
    known = {one.name: one for one in columns}
    found: dict[str, Relation] = {}
    for number, rule in enumerate(rules):
        try:
            relation = _relation(rule, known, source)
            if relation is not None and relation.name in found:
                raise _WrongRuleError(f"two rules are called {relation.name}: give one of them another name")
        except _WrongRuleError as error:
            wrong(str(error), number)
        else:
            if relation is not None:
                found[relation.name] = relation
    return tuple(found.values())


def _relation(rule: DataQuality, known: Mapping[str, Column], source: str) -> Relation | None:
    custom = {one.property: one.value for one in rule.customProperties or [] if one.property is not None}
    ours = [name for name in custom if name in SHORTHANDS]
    for name in custom:
        close = get_close_matches(name.lower(), [one.lower() for one in SHORTHANDS], n=1, cutoff=0.8)
        if close and name not in SHORTHANDS:
            meant = next(one for one in SHORTHANDS if one.lower() == close[0])
            raise _WrongRuleError(f"the custom property {name!r} says nothing: did you mean {meant}?")
    is_query = rule.type == "sql" or (rule.query is not None and rule.type is None)
    if not ours and not is_query:
        return None
    if len(ours) + is_query > 1:
        raise _WrongRuleError(
            f"a rule says one thing: make two of {' and '.join([*ours, *(['query'] if is_query else [])])}"
        )
    name = rule.name or rule.id or ""
    if RULE_NAME.fullmatch(name) is None:
        raise _WrongRuleError(
            f"a rule is called by small letters, digits and underscores, not {name!r}: give it a name"
        )
    described = " ".join((rule.description or "").split())
    if is_query:
        return _query(name, rule, described)
    kind = RelationKind(ours[0])
    return Relation(
        name=name, kind=kind, description=described, **dict(_parts(kind, custom[kind.value], known, source))
    )


def _query(name: str, rule: DataQuality, description: str) -> Relation:
    if not rule.query or "${object}" not in rule.query:
        raise _WrongRuleError(
            f"the query of {name} does not say ${{object}}, which stands for the rows of a landing day"
        )
    bounds = [(text, value) for field, text in _BOUNDS.items() if (value := getattr(rule, field)) is not None]
    numbers = [one for _, value in bounds for one in (value if isinstance(value, list) else [value])]
    if len(bounds) != 1 or any(isinstance(one, bool) or not isinstance(one, int | float) for one in numbers):
        raise _WrongRuleError(
            f"{name} does not say what its query may answer: add mustBe: 0, or another of the standard's bounds"
        )
    [(text, _)] = bounds
    sql = rule.query.strip().rstrip(";")
    _parsed(sql.replace("${object}", "landed"), name)
    return Relation(name, RelationKind.QUERY, sql=sql, accepted=text.format(*numbers), description=description)


def _parts(kind: RelationKind, value: Any, known: Mapping[str, Column], source: str) -> Iterator[tuple[str, Any]]:
    """The fields of a relation that its value says."""
    if kind is RelationKind.EVERY_ROW:
        if not isinstance(value, str) or not value.strip():
            raise _WrongRuleError(f"everyRow is a condition of SQL, not {value!r}")
        sql, columns = _condition(value, known)
        yield "sql", sql
        yield "columns", columns
    elif kind is RelationKind.IN_ORDER:
        columns = _columns(kind, value, known, least=2)
        if len({_family(known[one]) for one in columns}) > 1:
            raise _WrongRuleError(f"inOrder compares {' with '.join(columns)}, which are not of one kind")
        yield "columns", columns
    else:
        said = _mapping(kind, value)
        yield from _fields(kind, said, known, source)


def _fields(
    kind: RelationKind, said: Mapping[str, Any], known: Mapping[str, Column], source: str
) -> Iterator[tuple[str, Any]]:
    if kind is RelationKind.SUM_OF:
        columns = (_column(kind, said["total"], known), *_columns(kind, said["parts"], known, least=2))
        if not all(is_number(known[one].type) for one in columns):
            raise _WrongRuleError(f"sumOf adds up numbers, and not all of {', '.join(columns)} are")
        tolerance = said.get("tolerance", 0)
        if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 <= tolerance < float("inf"):
            raise _WrongRuleError(f"the tolerance of sumOf is {tolerance!r}, which is no number from 0 on")
        yield "columns", columns
        yield "tolerance", float(tolerance)
    elif kind is RelationKind.DETERMINES:
        columns = (*_columns(kind, said["columns"], known), _column(kind, said["column"], known))
        if columns[-1] in columns[:-1]:
            raise _WrongRuleError(f"determines names {columns[-1]} on both sides")
        yield "columns", columns
    elif kind is RelationKind.AT_MOST_ONE:
        yield "columns", _columns(kind, said["per"], known)
        yield "where", tuple(_conditions(kind, said.get("where", {}), known))
    elif kind is RelationKind.SAME_AS:
        other, _, column = str(said["other"]).partition(".")
        if not (RULE_NAME.fullmatch(other) and column.isidentifier()) or other == source:
            raise _WrongRuleError(
                f"sameAs is about the column of another source, not {said['other']!r}: write orders.customer_id"
            )
        yield "columns", (_column(kind, said["column"], known), _column(kind, said["by"], known))
        yield "other_source", other
        yield "other_column", column
    else:
        where = tuple(_conditions(kind, said["where"], known))
        if not where:
            raise _WrongRuleError(f"{kind} holds where nothing is said: name columns and their values under where")
        yield "columns", (_column(kind, said["column"], known),)
        yield "where", where


_KEYS: Mapping[RelationKind, tuple[tuple[str, ...], tuple[str, ...]]] = {
    RelationKind.SUM_OF: (("total", "parts"), ("tolerance",)),
    RelationKind.EMPTY_WHERE: (("column", "where"), ()),
    RelationKind.PRESENT_WHERE: (("column", "where"), ()),
    RelationKind.DETERMINES: (("columns", "column"), ()),
    RelationKind.AT_MOST_ONE: (("per",), ("where",)),
    RelationKind.SAME_AS: (("column", "by", "other"), ()),
}
"""What the value of each kind must say, and may."""


def _mapping(kind: RelationKind, value: Any) -> Mapping[str, Any]:
    must, may = _KEYS[kind]
    if not isinstance(value, dict) or not {*must} <= value.keys() <= {*must, *may}:
        optional = f", and may say {', '.join(may)}" if may else ""
        raise _WrongRuleError(f"{kind} says {', '.join(must)}{optional}, not {value!r}")
    return value


def _columns(kind: RelationKind, value: Any, known: Mapping[str, Column], least: int = 1) -> tuple[str, ...]:
    names = value if isinstance(value, list) else [value]
    found = tuple(_column(kind, one, known) for one in names)
    if len(found) < least or len({*found}) < len(found):
        raise _WrongRuleError(f"{kind} names {least} or more different columns, not {value!r}")
    return found


def _column(kind: RelationKind, name: Any, known: Mapping[str, Column]) -> str:
    if name not in known:
        raise _WrongRuleError(f"{kind} names {name!r}, which is no column of the table")
    if known[name].json:
        raise _WrongRuleError(f"{kind} names {name}, which is nested: no rule compares what is nested")
    return str(name)


def _conditions(kind: RelationKind, value: Any, known: Mapping[str, Column]) -> Iterator[LabelCondition]:
    if not isinstance(value, dict):
        raise _WrongRuleError(f"where of {kind} must map columns to their values, not {value!r}")
    for name, said in value.items():
        values = said if isinstance(said, list) else [said]
        if not values or any(isinstance(one, dict | list) for one in values):
            raise _WrongRuleError(f"where of {kind} says for {name} {said!r}, which is no value")
        yield LabelCondition(_column(kind, name, known), tuple(map(_as_text, values)))


def _as_text(value: Any) -> str | None:
    """A value as DuckDB casts it to text."""
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _family(column: Column) -> str:
    if is_number(column.type):
        return "number"
    return "moment" if column.type.startswith(("TIMESTAMP", "DATE")) else column.type


def _condition(text: str, known: Mapping[str, Column]) -> tuple[str, tuple[str, ...]]:
    """A condition of a row, its columns as `live.name`, and which they are."""
    from sqlglot import exp

    tree = _parsed(text, "everyRow")
    forbidden = tuple(getattr(exp, name) for name in _FORBIDDEN)
    for node in tree.walk():
        unsteady = isinstance(node, exp.Anonymous) and node.name.lower() in _UNSTEADY
        if isinstance(node, forbidden) or unsteady:
            raise _WrongRuleError(
                f"everyRow has {node.sql('duckdb')!r}: a row must be judged by itself, and always alike"
            )
    meant = {name.casefold(): name for name in known}
    names: dict[str, None] = {}
    for one in tree.find_all(exp.Column):
        name = meant.get(one.name.casefold())
        if name is None or one.table:
            raise _WrongRuleError(f"everyRow names {one.sql('duckdb')!r}, which is no column of the table")
        names[name] = None
        one.set("this", exp.to_identifier(name, quoted=True))
        one.set("table", exp.to_identifier("live"))
    if not names:
        raise _WrongRuleError(f"everyRow names no column: {text!r}")
    return tree.sql("duckdb"), tuple(names)


def _parsed(sql: str, name: str) -> Any:
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        [tree] = sqlglot.parse(sql, read="duckdb")
    except (SqlglotError, ValueError):
        tree = None
    if tree is None:
        raise _WrongRuleError(f"{name} is no SQL that DuckDB knows: {sql!r}")
    return tree


def day_query(relation: Relation, table: str, day: str) -> str:
    """The query of a relation as SQL of one number: of the rows of `table` on the landing day that the SQL `day` names."""
    rows = f"(select * from {identifier(table)} as its_rows where its_rows.landing_date = {day})"
    return relation.sql.replace("${object}", rows)
