"""Cells as they may be shown: no control signs, no endless text, nobody's data, nothing that a spreadsheet executes."""

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

MAX_TEXT = 400
DIGITS = 6
"""Shares and seconds are rounded: the seventh digit says nothing."""
_SECRETS = re.compile(r"\b\d(?:[ -]?\d){12,18}\b|[\w.+-]+@[\w-]+\.[\w.]+")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def free_text(text: str | None) -> str | None:
    """Words that may quote data, such as an error's: card numbers and mail addresses masked."""
    return None if text is None else _SECRETS.sub("•••", text)


def cell(value: Any) -> Any:
    """A value as both files hold it: null, truth, number, short printable text, or a list of such texts."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float | Decimal):
        return round(float(value), DIGITS)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, str):
        text = "".join(letter if letter.isprintable() else " " for letter in str(value))
        return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
    if isinstance(value, Iterable):
        return [str(cell(one)) for one in value]
    raise TypeError(f"{type(value).__name__} cannot be a cell")


def csv_cell(value: Any) -> str:
    """The same cell in a CSV file. Text that a spreadsheet would take for a formula begins with an apostrophe there."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = "; ".join(value) if isinstance(value, list) else str(value)
    # Some programs drop leading blanks before they look.
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text
