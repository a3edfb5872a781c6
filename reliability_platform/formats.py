"""How values read for people, wherever they stand: numbers, days, moments, lengths of time, lists, foreign text.

Moments are UTC; one without a zone is, too.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from reliability_platform.counted import counted

NOTHING = "–"
"""Stands where there is no value."""


def number(value: object) -> str:
    """A number as short as it can be; a dash where there is none."""
    if value is None:
        return NOTHING
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


def percent(share: float | None) -> str:
    """A share; a dash where there is none. Only the whole reads as 100 %, and only nothing as 0 %."""
    if share is None:
        return NOTHING
    if share in (0.0, 1.0):
        return f"{100 * share:.0f} %"
    rounded = f"{100 * share:.1f}"
    return f"{({'100.0': 'over 99.9', '0.0': 'under 0.1'}).get(rounded, rounded)} %"


def span(days: Sequence[date]) -> str:
    """`2026-01-03`, or `2026-01-03 to 2026-01-05`; a dash for no day."""
    if not days:
        return NOTHING
    return f"{days[0]}" + (f" to {days[-1]}" if days[-1] != days[0] else "")


def landing_days(days: Sequence[date]) -> str:
    """`landing day 2026-01-03`, or `landing days 2026-01-03 to 2026-01-05`."""
    return f"landing {'day' if len(days) == 1 else 'days'} {span(days)}"


def moment(at: datetime | None) -> str:
    """A moment in UTC, to the minute; a dash where it has not come."""
    return NOTHING if at is None else f"{_utc(at):%Y-%m-%d %H:%M} UTC"


def second(at: datetime | None) -> str:
    """A moment in UTC, to the second, for tables that say UTC in their heading; a dash where it has not come."""
    return NOTHING if at is None else f"{_utc(at):%Y-%m-%d %H:%M:%S}"


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo is None else at.astimezone(UTC)


def duration(time: timedelta | None) -> str:
    """`2.5 h`: two or three digits in the unit that suits it; a dash where it is not known."""
    if time is None:
        return NOTHING
    seconds = time.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def seconds(taken: float | None) -> str:
    """`2.5 s`: how long a step took; a dash where it is not known."""
    return NOTHING if taken is None else f"{taken:.1f} s"


def clock(at: datetime) -> str:
    """The time of day of a moment that is near, in UTC."""
    return f"{_utc(at):%H:%M:%S} UTC"


_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def length(time: timedelta | None) -> str:
    """`2 hours 5 minutes`: the two largest units; a dash where it is not known, `0 seconds` below one."""
    if time is None:
        return NOTHING
    left, parts = int(time.total_seconds()), []
    for size, name in _UNITS:
        if left >= size:
            parts.append(counted(left // size, name))
            left %= size
    return " ".join(parts[:2]) or "0 seconds"


def plain(text: str) -> str:
    """One line of printable signs: no line breaks, no control, invisible or direction-changing signs."""
    return " ".join(_printable(text).split())


def joined(things: Sequence[str], most: int | None = None) -> str:
    """`a, b and c`; of more than `most` the first ones, and how many are left: `a, b, c and 2 more`."""
    if most is not None and len(things) > most:
        things = [*things[:most], f"{len(things) - most} more"]
    return " and ".join([", ".join(things[:-1]), things[-1]]) if len(things) > 1 else "".join(things)


def _printable(text: str) -> str:
    """A space in the place of each sign that cannot be seen."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def printable(text: str, limit: int) -> str:
    """Text without control signs, cut where it is too long."""
    text = _printable(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
