"""What a check of SQL of our own is: see `native`, which evaluates them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NativeCheck:
    """The SQL of one check; `{first}` and `{last}` are bound as parameters $first and $last."""

    sql: str
    limit: float
    unit: str
    """What is counted, for one and for any other number: `row|rows of its|their day`."""
    absent: float = 0.0
    """The value of a landing day that the SQL does not return."""
    subject: str | None = None
    """SQL that returns the landing days of which there is something to judge; None for what judges an empty day too."""
