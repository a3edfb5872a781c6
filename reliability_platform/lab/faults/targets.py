"""What a contract gives faults to hit: found by what it says of its columns, never by their names.

A target is declared with the reason for which a source does not have it. Where several columns would do, the order is
that of whoever watches: whom a row is about, then what it measures, then the rest as declared.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from reliability_platform.checks.catalogue import CHECKS, MARTS, MODEL_CHECKS, about_columns
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.contracts.contract import Column, Contract
from reliability_platform.contracts.types import arrow_type, is_number
from reliability_platform.profiles.metrics import companions
from reliability_platform.settings import DBT_PROJECT, OWN_DBT_PROJECT
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import Mart, added_up, numbers_of


@dataclass(frozen=True)
class Target:
    """What a fault hits in a source."""

    lack: str
    """Why a source has none of it, to be read after its name."""
    columns: Callable[[Contract], Sequence[Column]]
    """The columns that would do, the best one first; any of the contract where the fault hits no single one."""

    def of(self, source: str) -> Sequence[Column]:
        """The columns of a source that would do."""
        return self.columns(CONTRACTS[source])


def both(one: Target, other: Target) -> Target:
    """Needs what each of two needs; the columns are those of the first."""
    lack = f"{one.lack}, or it {other.lack}"
    return Target(lack, lambda contract: one.columns(contract) if other.columns(contract) else ())


def whatever(condition: Callable[[Contract], bool], lack: str) -> Target:
    """Needs no column, but something else of the contract."""
    return Target(lack, lambda contract: contract.columns if condition(contract) else ())


def _beside_the_key(contract: Contract) -> list[Column]:
    """All columns but those of the key: what changes these makes another row."""
    return sorted(
        (one for one in contract.columns if one.name not in contract.key),
        key=lambda one: (one.role != "entity" or not one.required, not _is_measured(one), not one.required),
    )


def _is_measured(column: Column) -> bool:
    return column.role == "measure" or is_bounded(column)


def is_bounded(column: Column) -> bool:
    """Whether a column declares a minimum or a maximum."""
    return column.minimum is not None or column.maximum is not None


def is_moment(column: Column) -> bool:
    """Whether a column holds moments."""
    return bool(pa.types.is_timestamp(arrow_type(column.type)))


def is_text(column: Column) -> bool:
    """Whether a column holds text that is no JSON."""
    return column.type == "VARCHAR" and not column.json


def _is_whole(column: Column) -> bool:
    return bool(pa.types.is_integer(arrow_type(column.type)))


def _required(contract: Contract) -> list[Column]:
    wanted = (one for one in _beside_the_key(contract) if one.required and not one.json)
    return [one for one in wanted if one.name != contract.event_time]


def _changeable(contract: Contract) -> list[Column]:
    """Columns of which another value is as good as the one that came: counts, then labels, then whatever is not bound."""
    free = [one for one in contract.columns if one.name not in (*contract.key, contract.event_time) and not one.json]
    counts = [one for one in free if _is_whole(one) and is_bounded(one) and not one.valid_values]
    labels = [one for one in free if is_text(one) and len(one.valid_values) > 1]
    others = [one for one in free if not one.references and not one.valid_values and one.role is None]
    return counts + labels + [one for one in others if is_number(one.type) or is_text(one) or one.type == "BOOLEAN"]


def _retyped(contract: Contract) -> list[Column]:
    """A number and a moment, where there are both."""
    watched = sorted(
        (one for one in contract.columns if one.name not in contract.key and is_number(one.type)),
        key=lambda one: (one.role != "measure", not is_bounded(one), not one.required),
    )
    moments = sorted((one for one in contract.columns if is_moment(one)), key=lambda one: not one.required)
    return watched[:1] + moments[:1]


def _new_keys(contract: Contract) -> list[Column]:
    """Columns of the key that can take a value which no true row has: numbers, then text, then moments."""
    free = [
        one
        for one in contract.columns
        if one.name in contract.key and not (one.references or one.valid_values or is_bounded(one))
    ]
    return [one for kind in (_is_whole, is_text, is_moment) for one in free if kind(one)]


def _with_role(contract: Contract, role: str) -> list[Column]:
    """Columns of a role of which rows may get the value of others: in the key that would make them the same row."""
    return [one for one in contract.with_role(role) if one.name not in contract.key]


def _categories(contract: Contract) -> list[Column]:
    """Columns that may hold one of few labels: whether a text does, its values say."""
    plain = (one for one in contract.columns if not one.json)
    return [one for one in plain if one.role == "segment" or len(one.valid_values) > 1 or is_text(one)]


def _free_identifiers(contract: Contract) -> list[Column]:
    """Numbers and texts that name something, of which no contract says what there is."""
    plain = [one for one in contract.columns if one.name not in contract.key and one.role in (None, "entity")]
    free = [one for one in plain if not (one.json or one.references or one.valid_values or is_bounded(one))]
    return [one for one in free if _is_whole(one) or is_text(one)]


def _identifiers(contract: Contract) -> list[Column]:
    """Columns that name something, beside the key."""
    free = _free_identifiers(contract)
    return [one for one in contract.columns if one in free or (one.references and one.name not in contract.key)]


def _moments(contract: Contract) -> list[Column]:
    """Two moments of which one follows the other, that of the event only where there is but one more."""
    event = [one for one in contract.columns if one.name == contract.event_time and is_moment(one)]
    others = [
        one for one in contract.columns if is_moment(one) and one.name not in (*contract.key, contract.event_time)
    ]
    found = others if len(others) > 1 else event + others
    return found if len(found) > 1 else []


def _with_time_of_day(contract: Contract) -> list[Column]:
    """Moments of which no check knows the hour: those of events are compared with their slot, if there are three or more."""
    slots = contract.cadence.batches > 2
    there = [one for one in contract.columns if is_moment(one) and one.name not in contract.key]
    return [one for one in there if not (slots and one.name == contract.event_time)]


def _amounts(contract: Contract) -> list[Column]:
    """The declared measures; without one, numbers with a range."""
    free = [one for one in contract.columns if one.name not in contract.key and is_number(one.type)]
    return [one for one in free if one.role == "measure"] or [one for one in free if is_bounded(one)]


def _is_fractional(column: Column) -> bool:
    kind = arrow_type(column.type)
    return bool(pa.types.is_floating(kind) or (pa.types.is_decimal(kind) and kind.scale > 0))


def _partners(contract: Contract) -> list[Column]:
    """Whom a row is dealt with: what it refers to, then whom it is about."""
    free = [one for one in contract.columns if one.name not in contract.key]
    return sorted((one for one in free if one.references or one.role == "entity"), key=lambda one: one.role == "entity")


def _interchangeable(contract: Contract) -> list[Column]:
    """The most numbers of one type that may hold each other's values: measured ones, or ones that may be missing."""
    free = [one for one in contract.columns if one.name not in contract.key and is_number(one.type)]
    fit = [one for one in free if not (one.references or one.valid_values) and (_is_measured(one) or not one.required)]
    alike = [[one for one in fit if (one.type, one.required) == (like.type, like.required)] for like in fit]
    return max((group for group in alike if len(group) > 1), key=len, default=[])


def _leads_to(contract: Contract, other: Contract) -> bool:
    """Whether rows of a source are compared with those of another one to which they lead: by what its contract declares, else
    by a column that is called like the key of the other.
    """
    declared = {one.other_source for one in contract.relations}
    return contract.source != other.source and other.source in declared | {one.source for one in companions(contract)}


ANYTHING = Target("delivers nothing", lambda contract: contract.columns)
FIRST_OF_ALL = whatever(
    lambda contract: contract.source == SOURCES[0],
    f"is not the first source: a build concerns all of them and is filed under {SOURCES[0] if SOURCES else 'it'}",
)
DUE_A_WEEK_BEFORE = whatever(
    lambda contract: contract.cadence.day_of_month is None, "is due once a month: a week before a batch there is none"
)
HAPPENED_AT = Target(
    "knows the day of an event, and no moment",
    lambda contract: [one for one in contract.columns if one.name == contract.event_time and is_moment(one)],
)
SEVERAL_BATCHES = whatever(
    lambda contract: contract.cadence.batches > 1, "is due in one batch: without it the source is silent"
)
ANNOUNCED = whatever(lambda contract: bool(contract.announced), "announces no column")
UNCOMPARED = whatever(
    lambda contract: not any(contract.source in one.sources for one in MODEL_CHECKS),
    "is compared with another source, which would have to change with it",
)
OF_ITS_OWN = whatever(
    lambda contract: not any(_leads_to(contract, other) for other in CONTRACTS.values()),
    "has rows of another source's: more of them without more of those would be wrong",
)
NOBODY_LACKS = whatever(
    lambda contract: not any(contract.source in one.sources[1:] for one in MODEL_CHECKS),
    "has rows that another source is compared with: without them that one is in the wrong",
)
BESIDE_THE_KEY = Target("has no column beside its key", _beside_the_key)
REQUIRED = Target("requires no column but its key and its event time", _required)
CHANGEABLE = Target("has no column of which another value would be as good", _changeable)
RETYPED = Target("has neither a number beside its key nor a moment", _retyped)
NEW_KEYS = Target("has no column in its key that can take a new value", _new_keys)
LABELLED = Target(
    "declares no allowed values of a text",
    lambda contract: [one for one in contract.columns if contract.allowed_values(one) and is_text(one)],
)
REFERRING = Target(
    "refers to no reference table",
    lambda contract: [one for one in contract.columns if one.references and one.references.table not in CONTRACTS],
)
BOUNDED = Target(
    "declares no range of a number",
    lambda contract: [one for one in contract.columns if is_bounded(one) and is_number(one.type)],
)
MEASURED = Target("declares no measure beside its key", lambda contract: _with_role(contract, "measure"))
ENTITY = Target("declares no entity beside its key", lambda contract: _with_role(contract, "entity"))
FREE_TEXT = Target("has no nested column", lambda contract: contract.nested)


CATEGORIES = Target(
    "declares neither labels nor a text beside its key",
    lambda contract: [one for one in _categories(contract) if one.name not in contract.key],
)
SEGMENTS = Target("declares neither labels nor a text", _categories)
TIMELESS_KEY = Target(
    "has no key that can be used again on another day",
    lambda contract: [] if contract.event_time in contract.key else _new_keys(contract),
)
NOBODY_REFERS = whatever(
    lambda contract: not any(_leads_to(other, contract) for other in CONTRACTS.values()),
    "has keys that other sources refer to on later days: what is lost of it is lacking there",
)
TIME_OF_DAY = Target("has no moment beside that of its events, whose slots are known", _with_time_of_day)
AMOUNTS = Target("has neither a measure nor a number with a range beside its key", _amounts)
FRACTIONS = Target(
    "has no measure with decimal places", lambda contract: [one for one in _amounts(contract) if _is_fractional(one)]
)
PARTNERS = Target("refers to nothing and declares no entity", _partners)
MOMENTS = Target("has no two moments beside its key", _moments)
IDENTIFIERS = Target("has no identifier beside its key", _identifiers)
FREE_IDENTIFIERS = Target("has no identifier beside its key without a declared reference", _free_identifiers)
NAMELESS = Target(
    "has no identifier beside its key but its entities",
    lambda contract: [one for one in _identifiers(contract) if one.role != "entity"],
)
INTERCHANGEABLE = Target("has no two numbers that may hold each other's values", _interchangeable)
OPTIONAL = Target(
    "requires all columns",
    lambda contract: [one for one in contract.columns if not (one.required or one.json or one.name in contract.key)],
)


@dataclass(frozen=True)
class Gold:
    """A measure of a mart."""

    mart: Mart
    measure: str
    type: str | None
    """None where an own dbt project declares none."""


def gold_of(source: str) -> Iterator[Gold]:
    """The measures of the marts that a source is in, of the one first that is most its own; of an own dbt project those that
    say what they add up to, for no check knows the others.
    """
    for mart in sorted(MARTS, key=lambda one: (len(one.sources), one.name)):
        if source in mart.sources:
            manifest = ensure_manifest(DBT_PROJECT)
            if mart.place is None:
                yield from (Gold(mart, measure, kind) for measure, kind in numbers_of(mart.name, manifest).items())
            else:
                told = (one for one in added_up(manifest) if (one.model, one.source) == (mart.name, source))
                yield from (Gold(mart, one.column, one.type) for one in told)


def written_gold_of(source: str) -> Iterator[Gold]:
    """Those of them of which another version can be deployed: a file of SQL in the project itself."""
    return (one for one in gold_of(source) if one.mart.file.endswith(".sql"))


def stored_gold_of(source: str) -> Iterator[Gold]:
    """Those of them whose rows lie in a table."""
    return (one for one in gold_of(source) if not one.mart.is_view)


def daily_gold_of(source: str) -> Iterator[Gold]:
    """Those of them whose table has rows of each day of the source: that they are gone is seen."""
    return (
        one
        for one in stored_gold_of(source)
        if one.mart.event_date is not None and source not in one.mart.may_lack_days_of
    )


_IN_NO_MART = (
    "has no mart with a measure"
    if OWN_DBT_PROJECT is None
    else f"is in no published model of {OWN_DBT_PROJECT.name} that says what a measure of it adds up to (meta: adds_up)"
)
IN_A_MODEL = whatever(
    lambda contract: any(written_gold_of(contract.source)),
    f"{_IN_NO_MART}, and is written in SQL in the project itself",
)
IN_A_MART = whatever(lambda contract: any(stored_gold_of(contract.source)), f"{_IN_NO_MART}, and is no view")
IN_A_DAILY_MART = whatever(
    lambda contract: any(daily_gold_of(contract.source)),
    f"{_IN_NO_MART}, is no view, and has rows of each of its days (meta: event_date)",
)

RECONCILIATION = "{reconciliation}"
"""Stands for the checks by which a model compares the source with others."""
_ABOUT_COLUMNS: dict[str, Callable[[Contract], list[Column]]] = {
    "no_poison": lambda contract: contract.nested,
    "no_personal_data": lambda contract: contract.nested,
    "key_share": lambda contract: contract.with_role("entity"),
}
"""Checks that are named after their column where there are several, and the columns that they are about."""


def checks_named(patterns: Sequence[str], source: str, column: str | None) -> set[str]:
    """The checks that a fault's declaration means for a source and the column that is hit."""
    words = {
        what: dict(about_columns(what, judged(CONTRACTS[source]))).get(column or "", what)
        for what, judged in _ABOUT_COLUMNS.items()
    }
    compared = {f"{one.model}__{one.name}" for one in MODEL_CHECKS if source in one.sources}
    plain = {one.format(source=source, column=column, **words) for one in patterns if one != RECONCILIATION}
    return plain | compared if RECONCILIATION in patterns else plain


def unjudged(patterns: Sequence[str], source: str, target: Target) -> str | None:
    """The first check of a signature that the project lacks; None if it has all of them."""
    wanted = set[str]().union(*(checks_named(patterns, source, one.name) for one in target.of(source)))
    return next((one for one in sorted(wanted) if one not in CHECKS), None)
