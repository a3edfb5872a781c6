"""A value as a cell of a CSV file, which no spreadsheet executes."""

from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_cell(value: Any) -> str:
    """The cell. Text that a spreadsheet would take for a formula begins with an apostrophe; lists are joined by `; `."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = "; ".join(value) if isinstance(value, list) else str(value)
    # Some programs drop leading blanks before they look.
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text
