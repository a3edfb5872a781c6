"""The inputs of the columns of one query, read from its SQL.

An input is direct if the value comes from it, however transformed, and indirect if it only decides about rows or
values: in where, join, group by, a filter, a condition of a case, a window. These are OpenLineage's words.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from reliability_platform.errors import PlatformError
from reliability_platform.lineage.compiled import HOME
from reliability_platform.lineage.use import Use

DIALECT = "duckdb"

COVERS = (exp.Count, exp.Sum, exp.Avg, exp.SHA, exp.SHA2, exp.MD5, exp.Predicate, exp.Length)
DIGESTS = frozenset({"sha256", "sha1", "md5", "hash", "md5_number"})
"""Functions of which a value cannot be told back, beside those that sqlglot has a class for."""


@dataclass(frozen=True, order=True)
class ColumnSource:
    """One input of a column, and how it is used."""

    dataset: str
    column: str
    kind: Use
    is_covered: bool = False
    """Whether no single value can be told from what is made of it: a digest, a count, a sum, a comparison."""


Inputs = frozenset[ColumnSource]


class UnreadableSqlError(PlatformError):
    """The lineage of a query cannot be read from its SQL."""


def inputs_of(sql: str, columns: Mapping[str, Iterable[str]]) -> dict[str, Inputs]:
    """Output column → inputs of one SELECT. `columns` are those of every table that it may read.

    Raises `UnreadableSqlError` where it uses something that is not understood here, as a pivot or a recursion.
    """
    try:
        return _Tracer().outputs(_scope(sql, columns))
    except SqlglotError as error:
        raise UnreadableSqlError(f"no lineage: {error}") from None


def _scope(sql: str, columns: Mapping[str, Iterable[str]]) -> Scope:
    """The query with every column qualified by its table, and every star written out."""
    tree = sqlglot.parse_one(sql, read=DIALECT)
    for table in list(tree.find_all(exp.Table)):
        table.set("this", exp.to_identifier(_dataset(table), quoted=True))
        table.set("db", None)
        table.set("catalog", None)
    for identifier in tree.find_all(exp.Identifier):
        if identifier.name == "filename":  # bronze says its landing day by the folder of a file
            identifier.set("this", "landing_date")
    # The type says nothing about lineage; the name of each column is all that is needed.
    schema: dict[str, object] = {
        f'"{table}"': dict.fromkeys(names, "VARCHAR") for table, names in columns.items() if names
    }
    qualified = qualify(tree, schema=schema, dialect=DIALECT, quote_identifiers=False, identify=False)
    scope = build_scope(qualified)
    if scope is None:
        raise UnreadableSqlError("no lineage: no query")
    return scope


def _dataset(table: exp.Table) -> str:
    """`read_parquet('…/bronze/orders/…')` is bronze/orders; any other table is a model, or a name of the query."""
    if not isinstance(table.this, exp.ReadParquet):
        return table.name
    layer, name = PurePosixPath(table.this.expressions[0].name.removeprefix(f"{HOME}/")).parts[:2]
    return f"{layer}/{name.removesuffix('.parquet')}"


class _Tracer:
    """Follows the columns of one query inwards through its scopes (CTEs, subqueries, unions), each scope once."""

    def __init__(self) -> None:
        self._outputs: dict[int, dict[str, Inputs]] = {}
        self._deciding: dict[int, Inputs] = {}

    def outputs(self, scope: Scope) -> dict[str, Inputs]:
        """Output column → inputs. What decides which rows a scope has is an indirect input of every column of it."""
        if id(scope) not in self._outputs:
            rows = self._rows(scope)
            own = self._of_union(scope) if scope.set_operation_scopes else self._of_select(scope)
            self._outputs[id(scope)] = {name: _once(inputs | rows) for name, inputs in own.items()}
        return self._outputs[id(scope)]

    def _of_union(self, scope: Scope) -> dict[str, Inputs]:
        """The columns of a union correspond by their places."""
        branches = [self.outputs(branch) for branch in scope.set_operation_scopes]
        together = zip(*(branch.values() for branch in branches), strict=True)
        return dict(zip(branches[0], (_all(inputs) for inputs in together), strict=True))

    def _of_select(self, scope: Scope) -> dict[str, Inputs]:
        if not isinstance(scope.expression, exp.Select):
            raise UnreadableSqlError(f"no lineage of {type(scope.expression).__name__}")
        return {one.alias_or_name: self._inputs(one, scope) for one in scope.expression.selects}

    def _rows(self, scope: Scope) -> Inputs:
        """What decides which rows there are, here and in every scope that is read from."""
        if id(scope) not in self._deciding:
            select = scope.expression
            clauses = [select.args.get(name) for name in ("where", "group", "having", "qualify", "distinct")]
            clauses += [join.args.get("on") for join in select.args.get("joins") or ()]
            group = select.args.get("group")
            if isinstance(select, exp.Select) and group is not None and group.args.get("all"):
                clauses += [one for one in select.selects if one.find(exp.AggFunc) is None]
            found = _all(self._inputs(clause, scope) for clause in clauses if isinstance(clause, exp.Expr))
            read = [
                source
                for _, source in scope.selected_sources.values()
                if isinstance(source, Scope) and not source.is_udtf
            ]
            inner = _all(self._rows(one) for one in [*read, *scope.set_operation_scopes])
            self._deciding[id(scope)] = _indirect(found) | inner
        return self._deciding[id(scope)]

    def _inputs(self, node: exp.Expr, scope: Scope) -> Inputs:
        if isinstance(node, exp.Column):
            return self._of_column(node, scope)
        if isinstance(node, exp.Query) and not isinstance(node, exp.Subquery):
            inner = next(one for one in scope.subquery_scopes if one.expression is node)
            return _all(self.outputs(inner).values())
        found: Inputs = frozenset()
        for name, value in node.args.items():
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, exp.Expr):
                    inputs = self._inputs(child, scope)
                    found |= _indirect(inputs) if _is_condition(node, name) else inputs
        return _covered(found) if isinstance(node, COVERS) or _called(node) in DIGESTS else found

    def _of_column(self, column: exp.Column, scope: Scope) -> Inputs:
        around: Scope | None = scope
        while around is not None and column.table not in around.sources:
            around = around.parent  # a subquery may use the columns of the query around it
        source: Any = around.sources[column.table] if around is not None else None
        if isinstance(source, exp.Table):
            return frozenset({ColumnSource(source.name, column.name, "direct")})
        if isinstance(source, Scope) and source.is_udtf:  # as unnest: every column comes from all that goes in
            return _all(self._inputs(one, source) for one in source.expression.iter_expressions())
        known = self.outputs(source) if isinstance(source, Scope) else {}
        if column.name not in known:
            raise UnreadableSqlError(f"no lineage of {column.sql(DIALECT)}")
        return known[column.name]


def _is_condition(node: exp.Expr, argument: str) -> bool:
    """Whether this argument of an expression chooses values and is none."""
    conditions = {
        (exp.If, "this"),
        (exp.Case, "this"),
        (exp.Filter, "expression"),
        (exp.Window, "partition_by"),
        (exp.Window, "order"),
    }
    return (type(node), argument) in conditions


def _all(several: Iterable[Inputs]) -> Inputs:
    return frozenset[ColumnSource]().union(*several)


def _covered(inputs: Iterable[ColumnSource]) -> Inputs:
    return frozenset(replace(one, is_covered=True) for one in inputs)


def _called(node: exp.Expr) -> str:
    return node.name.lower() if isinstance(node, exp.Anonymous) else ""


def _indirect(inputs: Iterable[ColumnSource]) -> Inputs:
    return frozenset(ColumnSource(one.dataset, one.column, "indirect") for one in inputs)


def _once(inputs: Inputs) -> Inputs:
    """Each input once: one that gives the value is not also named as one that chooses it, nor one that shows it as one that
    covers it."""
    strongest: dict[tuple[str, str], ColumnSource] = {}
    for one in sorted(inputs, key=lambda one: (one.kind == "direct", not one.is_covered)):
        strongest[one.dataset, one.column] = one
    return frozenset(strongest.values())
