"""What a contract says of a value by itself, its range and its labels, as conditions of SQL: spelled once for generated
staging, for whoever judges a file without a home, and for corrections.
"""

from collections.abc import Sequence

from reliability_platform.contracts.contract import Column
from reliability_platform.parquet import literal


def out_of_range(column: Column, value: str) -> str | None:
    """Whether a value, as SQL, is outside of the range of its column; None where it has none. Null where the value is."""
    low, high = column.minimum, column.maximum
    if low is not None and high is not None:
        return f"{value} not between {sql_number(low)} and {sql_number(high)}"
    if low is not None:
        return f"{value} < {sql_number(low)}"
    return f"{value} > {sql_number(high)}" if high is not None else None


def unknown_label(allowed: Sequence[str], value: str, kind: str) -> str | None:
    """Whether a value, as SQL of the type `kind`, is none of the allowed ones; None where any is allowed."""
    if not allowed:
        return None
    plain = value if kind == "VARCHAR" else f"cast({value} as varchar)"
    return f"{plain} not in ({', '.join(map(literal, allowed))})"


def sql_number(limit: float) -> str:
    """A limit as SQL."""
    return f"{limit:.15g}" if isinstance(limit, float) else str(limit)
