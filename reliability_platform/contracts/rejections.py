"""The codes under which staging rejects a row: which rule it breaks, and in which column."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """What a value or a row must not be. A code is the column's name and this, but for the rule on whole rows."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    UNKNOWN_VALUE = "unknown_value"
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_REFERENCE = "unknown_reference"
    MALFORMED = "malformed"
    POISONOUS = "poisonous"
    PERSONAL_DATA = "personal_data"
    IMPOSSIBLE = "impossible"
    IN_FUTURE = "in_future"
    KEY_CONFLICT = "key_conflict"


@dataclass(frozen=True)
class Rejection:
    """What one code says."""

    rule: Rule
    column: str | None
    """None where the row as a whole is meant."""


def rejections(columns: Iterable[str]) -> dict[str, Rejection]:
    """Every code that rows with these columns can be rejected for."""
    by_column = {
        f"{column}_{rule}": Rejection(rule, column) for column in columns for rule in Rule if rule != Rule.KEY_CONFLICT
    }
    return by_column | {Rule.KEY_CONFLICT.value: Rejection(Rule.KEY_CONFLICT, None)}
