"""Cells as files hold them: no control signs, no endless text, nothing that a spreadsheet executes."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from reliability_platform.masking import printable

MAX_TEXT = 400
DIGITS = 6
"""Shares and seconds are rounded: the seventh digit says nothing."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def cell(value: Any) -> Any:
    """A value as both files hold it: null, truth, number, short printable text, or a list of such texts."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float | Decimal):
        return round(float(value), DIGITS)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, str):
        return printable(value, MAX_TEXT)
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
