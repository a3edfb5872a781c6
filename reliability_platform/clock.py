"""The one clock. "Now" is an argument elsewhere; only the edges (command line, Dagster) ask for it here.

Data times are UTC without an offset (as DuckDB's TIMESTAMP); times of the platform itself carry UTC.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from reliability_platform.errors import UsageError
from reliability_platform.settings import PREFIX, Settings

Clock = Callable[[], datetime]


def _first_day() -> date:
    try:
        return date.fromisoformat(os.environ.get(f"{PREFIX}FIRST_DAY", ""))
    except ValueError:  # nothing is set; or no day, which `Settings` refuses
        default: date = Settings.model_fields["first_day"].default
        return default


FIRST_DAY = _first_day()
"""The first landing day that the platform knows, by the setting of this name; partitions begin here."""


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


def spans(wanted: Iterable[date]) -> Iterator[tuple[date, date]]:
    """Days as first and last of each unbroken row of them: one build for each."""
    first = last = None
    for day in sorted(set(wanted)):
        if first is None or last is None:
            first = day
        elif day - last > timedelta(days=1):
            yield first, last
            first = day
        last = day
    if first is not None and last is not None:
        yield first, last


def day_end(day: date, zone: str = "UTC") -> datetime:
    """The moment at which a day is over by the calendar of a zone, in UTC."""
    if zone == "UTC":
        return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    following = day + timedelta(days=1)
    return datetime(following.year, following.month, following.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def is_zone(name: Any) -> bool:
    """Whether it names a time zone. The list of all of them (`available_timezones`) opens 1,800 files, 17 ms each time."""
    if not isinstance(name, str) or name.startswith(
        ("posix/", "right/")
    ):  # the same zones once more; engines know neither
        return False
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
