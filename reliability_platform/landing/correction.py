"""Corrections: what a person may say about delivered rows that their source cannot send again.

A small language of data: one column, one operation with its argument, and typed conditions on the rows. No SQL comes from
a person: each value is checked against the type of its column first, and stands in a query as a quoted literal.

An operation is exact or does nothing: a value that does not fit the type of its column without loss stays as delivered
(`fits`), unless the person wants it rounded.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from reliability_platform.contracts.contract import Column, Contract
from reliability_platform.contracts.types import arrow_type, is_number
from reliability_platform.errors import UsageError
from reliability_platform.in_memory import in_memory
from reliability_platform.json_text import pointer
from reliability_platform.parquet import identifier, literal

_NUMBER = re.compile(r"-?\d{1,12}(?:\.\d{1,6})?")
_SPAN = re.compile(r"(?P<sign>[+-]?)(?P<count>\d{1,6})(?P<unit>[smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_FACTOR = "decimal(18, 6)"


@dataclass(frozen=True)
class Operation:
    """One way to change the values of a column."""

    name: str
    takes: Callable[[str], bool]
    """Whether it can be done to columns of a type, by DuckDB's name."""
    parse: Callable[[Sequence[str], str], Sequence[str]]
    """Checks the arguments as a person wrote them, for a type; returns them as they are kept. Raises `UsageError`."""
    new: Callable[[str, str, Sequence[str]], str]
    """Column, type and arguments to the new value, as SQL of that type; null where it cannot be told."""
    exact: Callable[[str, str, Sequence[str], str], str] = lambda *_: "true"
    """The same with the new value to whether nothing was lost, as SQL."""
    makes_of_nothing: bool = False
    """Whether it gives rows a value that have none, and those of which what came could not be read."""
    words: Callable[[Sequence[str]], str] = lambda _: ""
    """The operation as people read it, after the name of the column."""


def typed(value: str, kind: str) -> str:
    """A value as SQL of a type."""
    return f"cast({literal(value)} as {kind})"


def _is_exact_number(kind: str) -> bool:
    return is_number(kind) and not _is_floating(kind)


def _is_floating(kind: str) -> bool:
    return bool(pa.types.is_floating(arrow_type(kind)))


def _factor(arguments: Sequence[str], kind: str) -> list[str]:
    del kind
    (text,) = arguments
    if not _NUMBER.fullmatch(text) or not float(text):
        raise UsageError(
            f"{text!r} is not taken to multiply or divide by: give a number other than 0, of at most 12 digits and 6 behind "
            "the point, as 100 or 0.01."
        )
    return [text]


def _times(column: str, kind: str, arguments: Sequence[str]) -> str:
    by = typed(arguments[0], "double" if _is_floating(kind) else _FACTOR)
    return f"try_cast(try({column} * {by}) as {kind})"


def _is_product(column: str, kind: str, arguments: Sequence[str], new: str) -> str:
    return "true" if _is_floating(kind) else f"try({column} * {typed(arguments[0], _FACTOR)}) = {new}"


def _by(column: str, kind: str, arguments: Sequence[str]) -> str:
    return f"try_cast(cast({column} as double) / {typed(arguments[0], 'double')} as {kind})"


def _is_quotient(column: str, kind: str, arguments: Sequence[str], new: str) -> str:
    return "true" if _is_floating(kind) else f"try({new} * {typed(arguments[0], _FACTOR)}) = {column}"


def _checked(value: str, kind: str) -> str:
    """The value, if it is one of the type. Raises `UsageError`."""
    with in_memory() as connection:
        row = connection.execute(f"select try_cast({literal(value)} as {kind}) is not null").fetchone()
    if row is None or not row[0]:
        raise UsageError(f"{value!r} is no {kind}.")
    return value


def _value(arguments: Sequence[str], kind: str) -> list[str]:
    (text,) = arguments
    return [_checked(text, kind)]


def _labels(arguments: Sequence[str], kind: str) -> list[str]:
    pairs = [one.partition("=") for one in arguments]
    wrong = next((one for one, (old, sign, _) in zip(arguments, pairs, strict=True) if not sign or not old), None)
    if wrong is not None:
        raise UsageError(f"{wrong!r} does not say what is replaced by what: write OLD=NEW.")
    olds = [old for old, _, _ in pairs]
    twice = next((one for one in olds if olds.count(one) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice!r} is replaced twice: give each value once.")
    return [f"{_checked(old, kind)}={_checked(new, kind)}" for old, _, new in pairs]


def _replaced(column: str, kind: str, arguments: Sequence[str]) -> str:
    pairs = [one.partition("=") for one in arguments]
    branches = " ".join(f"when {typed(old, kind)} then {typed(new, kind)}" for old, _, new in pairs)
    return f"case {column} {branches} else {column} end"


def _span(arguments: Sequence[str], kind: str) -> list[str]:
    (text,) = arguments
    told = _SPAN.fullmatch(text)
    seconds = int(f"{told['sign']}{told['count']}") * _SECONDS[told["unit"]] if told is not None else 0
    if not seconds:
        raise UsageError(f"{text!r} is no length of time: write it as -2h, 90m or 1d.")
    if kind == "DATE" and seconds % _SECONDS["d"]:
        raise UsageError(f"{text!r} is no number of whole days, and the column holds dates.")
    return [text]


def _seconds(text: str) -> int:
    told = _SPAN.fullmatch(text)
    assert told is not None  # it was parsed when it was said
    return int(f"{told['sign']}{told['count']}") * _SECONDS[told["unit"]]


def _shifted(column: str, kind: str, arguments: Sequence[str]) -> str:
    return f"try_cast(try({column} + to_seconds({_seconds(arguments[0])})) as {kind})"


def _declared(*operations: Operation) -> dict[str, Operation]:
    return {one.name: one for one in operations}


OPERATIONS = _declared(
    Operation("multiply", is_number, _factor, _times, _is_product, words=lambda given: f"× {given[0]}"),
    Operation("divide", is_number, _factor, _by, _is_quotient, words=lambda given: f"÷ {given[0]}"),
    Operation(
        "set",
        lambda _: True,
        _value,
        lambda _, kind, given: typed(given[0], kind),
        makes_of_nothing=True,
        words=lambda given: f"= {given[0]}",
    ),
    Operation(
        "set_null",
        lambda _: True,
        lambda *_: [],
        lambda _, kind, __: f"cast(null as {kind})",
        makes_of_nothing=True,
        words=lambda _: "= nothing",
    ),
    Operation(
        "replace",
        lambda kind: not _is_floating(kind),
        _labels,
        _replaced,
        words=lambda given: ", ".join(one.replace("=", " → ", 1) for one in given),
    ),
    Operation(
        "shift",
        lambda kind: kind in ("TIMESTAMP", "DATE"),
        _span,
        _shifted,
        words=lambda given: f"{'' if given[0].startswith('-') else '+'}{given[0].removeprefix('+')}",
    ),
)
"""Everything that can be done to a value."""


@dataclass(frozen=True)
class RowCondition:
    """Which rows: those whose value of a column is one of some, lies between two, or is missing."""

    column: str
    values: tuple[str, ...] = ()
    low: str | None = None
    """Included, as `high` is."""
    high: str | None = None

    @property
    def is_missing(self) -> bool:
        """Whether it asks for rows without a value."""
        return not self.values and self.low is None and self.high is None

    def sql(self, kind: str) -> str:
        """The condition about a column of a type."""
        column = identifier(self.column)
        if self.is_missing:
            return f"{column} is null"
        if self.values:
            return f"{column} in ({', '.join(typed(one, kind) for one in self.values)})"
        ends = ((">=", self.low), ("<=", self.high))
        return " and ".join(f"{column} {sign} {typed(end, kind)}" for sign, end in ends if end is not None)

    @property
    def words(self) -> str:
        """As people read it."""
        if self.is_missing:
            return f"{self.column} is missing"
        if self.values:
            return f"{self.column} is {' or '.join(self.values)}"
        if self.low is None:
            return f"{self.column} is at most {self.high}"
        return f"{self.column} is at least {self.low}" + (f" and at most {self.high}" if self.high is not None else "")


@dataclass(frozen=True)
class Correction:
    """What a person says about rows of a source; which deliveries are meant is decided when it is applied."""

    source: str
    column: str
    operation: str
    """One of `OPERATIONS`."""
    arguments: tuple[str, ...] = ()
    where: tuple[RowCondition, ...] = ()
    """All of them must hold."""
    slots: tuple[int, ...] = ()
    """Only these slots of a landing day; all if none is named."""
    rounded: bool = False
    """Whether a value may be rounded to what the type of the column holds."""

    def document(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "source": self.source,
            "column": self.column,
            "operation": self.operation,
            "arguments": list(self.arguments),
            "where": [{**vars(one), "values": list(one.values)} for one in self.where],
            "slots": list(self.slots),
            "rounded": self.rounded,
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Correction":
        """From what was kept. Raises `ValueError`, `KeyError` or `TypeError` for what is none."""
        if document["operation"] not in OPERATIONS:
            raise ValueError(f"there is no operation {document['operation']!r}")
        return cls(
            source=document["source"],
            column=document["column"],
            operation=document["operation"],
            arguments=tuple(document["arguments"]),
            where=tuple(RowCondition(**{**one, "values": tuple(one["values"])}) for one in document["where"]),
            slots=tuple(document["slots"]),
            rounded=document["rounded"],
        )

    @property
    def words(self) -> str:
        """As people read it, without the days."""
        conditions = [one.words for one in self.where]
        conditions += [f"slot {' or '.join(map(str, self.slots))}"] if self.slots else []
        rounded = ", rounded" if self.rounded else ""
        where = f" where {' and '.join(conditions)}" if conditions else ""
        return f"{self.column} {OPERATIONS[self.operation].words(self.arguments)}{rounded}{where}"

    @property
    def reads(self) -> frozenset[str]:
        """The columns on whose values it depends what it does."""
        return frozenset((self.column, *(one.column for one in self.where)))


@dataclass(frozen=True)
class Expressions:
    """A correction as SQL about a row of bronze."""

    kind: str
    """The type of the column."""
    before: str
    """What came, as text; of what could not be read the text that came."""
    new: str
    after: str
    """The new value as text."""
    selected: str
    """Whether the row is meant."""
    fits: str
    """Whether the new value says all that it should."""
    changed: str
    """Whether the row is corrected: it is meant, the value fits, and is another than before."""
    forgets: str | None
    """As a merge patch (RFC 7396): what is rescued of the column and holds no more; None where nothing can be."""


def _column(contract: Contract, name: str) -> Column:
    found = next((one for one in contract.columns if one.name == name), None)
    if found is None:
        raise UsageError(
            f"{contract.source} has no column {name!r}: choose one of {', '.join(one.name for one in contract.columns)}."
        )
    return found


def expressions(contract: Contract, correction: Correction) -> Expressions:
    """What a correction asks and does, as SQL."""
    column, operation = _column(contract, correction.column), OPERATIONS[correction.operation]
    name, kind = identifier(column.name), column.type
    rescued = list(_rescued_as(contract, column))
    texts = [f"json_extract_string(_rescued, {literal(pointer(one))})" for one in rescued]
    before = f"coalesce({', '.join([f'cast({name} as varchar)', *texts])})" if texts else f"cast({name} as varchar)"
    new = operation.new(name, kind, correction.arguments)
    after = f"cast({new} as varchar)"
    conditions = [one.sql(_column(contract, one.column).type) for one in correction.where]
    if correction.slots:
        conditions.append(f"_batch_sequence in ({', '.join(map(str, correction.slots))})")
    if not operation.makes_of_nothing:
        conditions.append(f"{name} is not null")
    selected = " and ".join(f"({one})" for one in conditions) or "true"
    exact = "true" if correction.rounded else operation.exact(name, kind, correction.arguments, new)
    fits = "true" if operation.makes_of_nothing else f"coalesce({new} is not null and {exact}, false)"
    changed = f"coalesce(({selected}) and {fits} and {before} is distinct from {after}, false)"
    patch = "{" + ", ".join(f"{json.dumps(one)}: null" for one in rescued) + "}" if rescued else None
    return Expressions(kind, before, new, after, selected, fits, changed, patch)


def _rescued_as(contract: Contract, column: Column) -> Iterator[str]:
    """The names under which a value of a column may be kept beside it that is not of its type."""
    if contract.may_come_as_text(column):
        yield column.name
    yield from (one.kept_as(column.name) for one in contract.versions if one.version != contract.version)


@dataclass(frozen=True)
class CorrectionRequest:
    """A correction as a person asks for it, before anything is known to be right about it."""

    source: str
    column: str
    operations: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Name of each operation that was given → its arguments as written; exactly one must be."""
    where: Sequence[str] = ()
    """`COLUMN=VALUE`: those of one column are alternatives."""
    between: Sequence[str] = ()
    """`COLUMN=LOW..HIGH`; one of the two may be left out."""
    missing: Sequence[str] = ()
    slots: Sequence[int] = ()
    rounded: bool = False


def parsed(contract: Contract, asked: CorrectionRequest) -> Correction:
    """The correction that a person means. Raises `UsageError` in one line for what it may not be."""
    column = _column(contract, asked.column)
    if column.name in contract.key:
        raise UsageError(f"{column.name} is of the key of {contract.source}: a row with another key is another row.")
    if column.json:
        raise UsageError(f"{column.name} holds JSON: no operation changes what is inside.")
    if len(asked.operations) != 1:
        given = " and ".join(asked.operations) or "none"
        raise UsageError(f"Give exactly one operation ({', '.join(OPERATIONS)}): given was {given}.")
    [(name, arguments)] = asked.operations.items()
    operation = OPERATIONS[name]
    if not operation.takes(column.type):
        raise UsageError(f"{name} does not fit {column.name}, which is {column.type}.")
    if asked.rounded and not _is_exact_number(column.type):
        raise UsageError(f"--round is for exact numbers: {column.name} is {column.type}.")
    conditions = tuple(_conditions(contract, asked))
    personal = [one.column for one in conditions if not one.is_missing and _column(contract, one.column).pii] + (
        [column.name] if column.pii and name in ("set", "replace") else []
    )
    if personal:
        raise UsageError(f"{personal[0]} is personal: its values must not stand in the journal of corrections.")
    if name == "set_null" and column.required:
        raise UsageError(f"{column.name} is required: rows without it are rejected.")
    try:
        kept = tuple(operation.parse(arguments, column.type))
    except UsageError as error:
        raise UsageError(f"{name} of {column.name}: {error}") from None
    return Correction(
        contract.source, column.name, name, kept, conditions, tuple(sorted(set(asked.slots))), asked.rounded
    )


def _conditions(contract: Contract, asked: CorrectionRequest) -> Iterator[RowCondition]:
    values: dict[str, set[str]] = {}
    for text in asked.where:
        column, value = _said(contract, text, "COLUMN=VALUE")
        values.setdefault(column.name, set()).add(_of_type(column, value))
    for name, several in values.items():
        yield RowCondition(name, tuple(sorted(several)))
    for text in asked.between:
        column, ends = _said(contract, text, "COLUMN=LOW..HIGH")
        low, sign, high = ends.partition("..")
        if not sign or not (low or high):
            raise UsageError(f"{text!r} is no range: write COLUMN=LOW..HIGH; one of the two may be left out.")
        first, last = (_of_type(column, end) if end else None for end in (low, high))
        yield RowCondition(column.name, low=first, high=last)
    for name in asked.missing:
        yield RowCondition(_column(contract, name).name)


def _said(contract: Contract, text: str, how: str) -> tuple[Column, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise UsageError(f"{text!r} is no condition: write {how}.")
    return _column(contract, name.strip()), value


def _of_type(column: Column, value: str) -> str:
    try:
        return _checked(value, column.type)
    except UsageError as error:
        raise UsageError(f"{column.name}: {error}") from None
