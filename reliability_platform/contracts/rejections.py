"""The codes under which staging rejects a row: which rule it breaks, and in which column."""

from collections.abc import Iterable, Mapping
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
    VIOLATED = "violated"
    """A rule between columns; the code is the rule's name and this."""


_OF_ROWS = (Rule.KEY_CONFLICT, Rule.VIOLATED)
"""Those that are about no column alone."""


@dataclass(frozen=True)
class Rejection:
    """What one code says."""

    rule: Rule
    column: str | None
    """None where the row as a whole is meant."""


def rejections(columns: Iterable[str], relations: Mapping[str, str | None]) -> dict[str, Rejection]:
    """Every code that rows with these columns can be rejected for. `relations` has the codes of rules between columns, with
    the column that each is most about.
    """
    by_column = {
        f"{column}_{rule}": Rejection(rule, column) for column in columns for rule in Rule if rule not in _OF_ROWS
    }
    violated = {code: Rejection(Rule.VIOLATED, column) for code, column in relations.items()}
    return by_column | violated | {Rule.KEY_CONFLICT.value: Rejection(Rule.KEY_CONFLICT, None)}
