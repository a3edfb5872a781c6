"""The one clock. "Now" is an argument elsewhere; only the edges (command line, Dagster) ask for it here.

Data times are UTC without an offset (as DuckDB's TIMESTAMP); times of the platform itself carry UTC.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

from reliability_platform.errors import UsageError

Clock = Callable[[], datetime]

FIRST_DAY = date(2026, 1, 1)
"""The first landing day that the platform knows; partitions begin here."""


def utc_now() -> datetime:
    """The present moment, with its zone."""
    return datetime.now(UTC)


def parse_day(text: str) -> date:
    """A day written as YYYY-MM-DD; anything else is a `UsageError`."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a date: write it as YYYY-MM-DD, for example 2026-01-31.") from None


def days(first: date, last: date) -> Iterator[date]:
    """Every day from `first` to `last`, both included."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def day_end(day: date) -> datetime:
    """The moment at which a day is over."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
