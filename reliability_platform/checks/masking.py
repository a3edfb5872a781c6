"""Samples of offending rows that may be shown: few, short, and without anybody's data."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from reliability_platform.sources.contracts import CONTRACTS

MAX_ROWS = 5
MAX_TEXT = 40
_PERSONAL = {column.name for contract in CONTRACTS.values() for column in contract.columns if column.pii}
_FREE_TEXT = {column.name for contract in CONTRACTS.values() for column in contract.columns if column.json}
_SECRETS = re.compile(r"\b(?:\d[ -]?){13,19}\b|[\w.+-]+@[\w-]+\.[\w.]+")


def masked(name: str, value: Any) -> Any:
    """One value as it may be shown: personal keys and free text masked, other text short and without control signs."""
    if value is None:
        return None
    if name in _PERSONAL:
        return "•••"
    text = str(value)
    if name in _FREE_TEXT:
        return f"text of {len(text)} characters" + (" with NUL bytes" if "\x00" in text else "")
    if isinstance(value, int | float):
        return value
    text = without_secrets(text)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def without_secrets(text: str) -> str:
    """A text without card numbers, mail addresses and control signs."""
    text = _SECRETS.sub("•••", text)
    return "".join(letter if letter.isprintable() else " " for letter in text)


def sample(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The first rows, masked."""
    return [{name: masked(name, value) for name, value in row.items()} for row in rows[:MAX_ROWS]]
