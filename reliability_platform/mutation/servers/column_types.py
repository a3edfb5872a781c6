"""Types of one warehouse as those of another, by patterns."""

import re
from collections.abc import Iterable


def type_as(types: Iterable[tuple[str, str]], name: str, otherwise: str) -> str:
    """The first of some (pattern, type) whose pattern is all of a name; `{1}` in its type is the pattern's first group."""
    for pattern, found in types:
        matched = re.fullmatch(pattern, name)
        if matched is not None:
            return found.format(matched.group(0), *matched.groups())
    return otherwise
