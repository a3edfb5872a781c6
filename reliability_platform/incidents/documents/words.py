"""How documents say counts, days, moments and lengths of time."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from reliability_platform.counted import counted


def number(value: object) -> str:
    """A number as short as it can be; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


def span(days: Sequence[date]) -> str:
    """`2026-01-03`, or `2026-01-03 to 2026-01-05`; a dash for no day."""
    if not days:
        return "–"
    return f"{days[0]}" + (f" to {days[-1]}" if len(days) > 1 else "")


def landing_days(days: Sequence[date]) -> str:
    """`landing day 2026-01-03`, or `landing days 2026-01-03 to 2026-01-05`."""
    return f"landing {'day' if len(days) == 1 else 'days'} {span(days)}"


def moment(at: datetime | None) -> str:
    """A moment in UTC, to the minute; a dash where it has not come."""
    return "–" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def second(at: datetime) -> str:
    """A moment in UTC, to the second, for tables that say UTC in their heading."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def length(time: timedelta | None) -> str:
    """`2 hours 5 minutes`: the two largest units; a dash where it is not known, `0 seconds` below one."""
    if time is None:
        return "–"
    left, parts = int(time.total_seconds()), []
    for size, name in _UNITS:
        if left >= size:
            parts.append(counted(left // size, name))
            left %= size
    return " ".join(parts[:2]) or "0 seconds"


def joined(things: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    return f" {last} ".join([", ".join(things[:-1]), things[-1]]) if len(things) > 1 else "".join(things)
