"""Cells as files hold them: no control signs, no endless text, nothing that a spreadsheet executes."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from reliability_platform.formats import printable

MAX_TEXT = 400
DIGITS = 6
"""Shares and seconds are rounded: the seventh digit says nothing."""


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
