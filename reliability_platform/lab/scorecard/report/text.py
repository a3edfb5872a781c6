"""How values read: numbers, shares, days, and strings of which nobody knows where they came from."""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from reliability_platform import formats
from reliability_platform.formats import NOTHING, span

SHORT_ID = re.compile(r"^INC-\d+")


def records(document: Mapping[str, Any] | None, key: str) -> list[Mapping[str, Any]]:
    """The mappings under `key`; empty if there are none, or no document."""
    found = (document or {}).get(key) or []
    return [one for one in found if isinstance(one, Mapping)]


def share_of(value: object) -> float | None:
    """A share as a number between 0 and 1; None if it is none."""
    return min(1.0, max(0.0, float(value))) if isinstance(value, int | float) and value == value else None


def percent(value: object) -> str:
    """A share for reading; number and sign stay together."""
    return formats.percent(share_of(value)).replace(" %", "\u00a0%")


def plain(text: object) -> str:
    """The text in one line, without characters that cannot be seen, or that turn it around."""
    return "".join(
        letter if letter.isprintable() or letter == "\u00a0" else " " if letter.isspace() else ""
        for letter in str(text)
    )


def words(name: object) -> str:
    """A name of the code as words."""
    return plain(name).replace("_", " ")


def label(name: object, length: int = 44) -> str:
    """`words`, cut to what fits on a chart."""
    text = words(name)
    return text if len(text) <= length else text[: length - 1] + "…"


def as_moment(value: object) -> datetime | None:
    """A moment from itself or its ISO text; None if it is neither."""
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None


def as_day(value: object) -> date | None:
    """A day from itself or its ISO text; None if it is neither."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    moment = as_moment(value)
    return moment.date() if moment else None


def days_between(first: date, last: date) -> list[date]:
    """Both included."""
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]


def span_of_days(first: object, last: object) -> str:
    """`2026-01-02`, or `2026-01-02 to 2026-01-05`."""
    start, end = as_day(first), as_day(last)
    if start is None or end is None:
        return NOTHING if start is None and end is None else str(start or end)
    return span((start, end))


def duration(start: object, end: object) -> str | None:
    """How long it took, in the unit that reads best; None if it has no end yet."""
    began, ended = as_moment(start), as_moment(end)
    if began is None or ended is None or (began.tzinfo is None) != (ended.tzinfo is None):
        return None
    seconds = (ended - began).total_seconds()
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def short_id(incident: object) -> str:
    """The number of an incident, without the description that its id carries."""
    found = SHORT_ID.match(str(incident))
    return found.group() if found else words(incident)
