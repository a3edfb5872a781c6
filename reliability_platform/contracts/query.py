"""The query that brings a landing day out of a database: its parameters are bound, never pasted.

| parameter | is |
|---|---|
| `:day` | the landing day |
| `:start`, `:end` | the moments between which the rows of a batch happened: from the first, before the second |
| `:slot` | the number of the batch in its day, from 1 |
"""

import re
from collections.abc import Callable

from reliability_platform.counted import counted

PARAMETERS = ("day", "start", "end", "slot")
_PARTS = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$|::|(?<![\w\]]):(?P<name>[A-Za-z_]\w*)""",
    re.DOTALL,
)
"""What stands in quotes or in a comment is no parameter, and `::` is a cast."""


def parameters(query: str) -> frozenset[str]:
    """The names that a query has with a colon before them."""
    return frozenset(found["name"] for found in _PARTS.finditer(query) if found["name"] is not None)


def with_parameters(query: str, spelled: Callable[[str], str]) -> str:
    """The query with each parameter as a database spells it."""
    return _PARTS.sub(lambda found: found[0] if found["name"] is None else spelled(found["name"]), query)


def objection(query: object, batches: int) -> str | None:
    """Why a query cannot bring single days, or single batches of one; None if it can."""
    if not isinstance(query, str) or not query.strip():
        return "query is no SQL: write one that uses :start and :end, or :day"
    named = parameters(query)
    unknown = sorted(named - set(PARAMETERS))
    if unknown:
        return f"query has the parameter :{unknown[0]}: there are {', '.join(f':{one}' for one in PARAMETERS)}"
    by_moment = {"start", "end"} <= named
    if not by_moment and "day" not in named:
        return "query does not use the day, and every day would bring all rows: use :start and :end, or :day"
    if batches > 1 and not by_moment and "slot" not in named:
        return f"query brings a whole day, and {counted(batches, 'batch is', 'batches are')} due on one: use :start and :end, or :slot"
    return None
