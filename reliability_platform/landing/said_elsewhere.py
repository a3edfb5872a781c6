"""Numbers and moments that a file says which may come from another home: read as others' words, which need not be possible."""

from datetime import UTC, datetime
from typing import Any


def whole_number(said: Any) -> int:
    """A number that the operations store has room for. Raises `ValueError`, `TypeError`, `OverflowError`."""
    if not 0 <= (found := int(said)) < 2**31:
        raise ValueError("out of range")
    return found


def moment(said: str) -> datetime:
    """In UTC. Raises `ValueError` for one without its zone, `OverflowError` for one outside of the calendar."""
    found = datetime.fromisoformat(said)
    if found.tzinfo is None:
        raise ValueError("a moment without its zone")
    return found.astimezone(UTC)
