"""A number with its noun, and with what must agree with it."""

import re


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 file`, `2 files`, `1,000 landing days`, `2 batches`; `many` for what ends otherwise, or goes on with a verb."""
    return f"{number:,} {one if number == 1 else many or _plural(one)}"


def agreeing(number: float, text: str) -> str:
    """Of each pair of words, as in `row|rows contradicts|contradict`, the one that fits the number."""
    return re.sub(r"(\w+)\|(\w+)", r"\1" if number == 1 else r"\2", text)


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"
