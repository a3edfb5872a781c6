"""The calendar of a rotation: asked for now and then, and kept, so that a dead server costs nobody an alert.

Only what reads as a calendar replaces the last good copy. How old that is, and why there is no newer one, is said.
"""

import json
import math
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from reliability_platform.atomic import write_atomically
from reliability_platform.credentials import CredentialsError, is_reference, secret
from reliability_platform.formats import moment
from reliability_platform.settings import Settings

ASK_EVERY = timedelta(minutes=15)
CONNECT_SECONDS, WHOLE_SECONDS = 4.0, 8.0
"""How long a server may take to answer, and to bring all of it: alerts wait for it meanwhile."""
MAX_BYTES = 500_000
"""Some 4,000 events; reading them takes 4 s of CPU, and alerts wait."""
LONGEST_SECONDS = {"HOURLY": 3_600, "DAILY": 86_400, "WEEKLY": 604_800, "MONTHLY": 2_419_200, "YEARLY": 31_536_000}
"""The least time between two turns of a rule. What comes more often is no person's turn."""
MAX_TURNS = 50_000
"""Of all rules since they began: they are unfolded from there on, 7 to 14 µs each, at every look. Daily turns of 20 years are
7,300; an hourly one since the year 1 is 18 million."""


class CalendarError(Exception):
    """There is no calendar, in words without its address, which may be a secret."""


@dataclass(frozen=True)
class Event:
    """One entry of a calendar, with its repetitions unfolded. Moments carry a zone."""

    said: tuple[str, ...]
    """Its title, and the names and addresses of those who attend."""
    begin: datetime
    end: datetime


@dataclass(frozen=True)
class CalendarCopy:
    """What is known of a calendar, and why not more."""

    path: Path | None
    """None where it was never read."""
    trouble: str = ""
    """Why this is not what it says now."""


def calendar_of(
    settings: Settings, name: str, place: str, folder: Path, now: datetime, *, asks: bool = True
) -> CalendarCopy:
    """The calendar of the rotation `name`: a file of `folder`, or the last good copy of what a server says.

    Without `asks` no server is asked and nothing is written: whoever looks at a page waits for nobody.
    """
    if not (place.startswith(("http://", "https://")) or is_reference(place)):
        path = folder / place
        try:
            _events(path, path.stat().st_mtime_ns)
        except OSError as error:
            return CalendarCopy(None, f"its file {place} cannot be read: {error.strerror}")
        except CalendarError as error:
            return CalendarCopy(None, f"its file {place} {error}")
        return CalendarCopy(path)
    kept, notes = settings.alerts / "calendars" / f"{name}.ics", settings.alerts / "calendars" / f"{name}.json"
    known = _noted(notes)
    if known.get("place") != place:  # another calendar by the same name: nothing of the old one counts
        if not asks:
            return CalendarCopy(None, "it was never read")
        kept.unlink(missing_ok=True)
        known = {}
    if asks and known.get("asked_at", "") <= (now - ASK_EVERY).isoformat():
        trouble = _ask(place, kept, now)
        read_at = known.get("read_at", "") if trouble else moment(now)
        known = {"place": place, "asked_at": now.isoformat(), "read_at": read_at, "trouble": trouble}
        write_atomically(notes, json.dumps(known).encode())
    trouble = str(known.get("trouble", ""))
    if not kept.exists():
        return CalendarCopy(None, trouble or "it was never read")
    if not trouble:
        return CalendarCopy(kept)
    return CalendarCopy(kept, f"{trouble}; its last good copy is of {known['read_at']}")


def _noted(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text())
        return found if isinstance(found, dict) else {}
    return {}


def _ask(place: str, kept: Path, now: datetime) -> str:
    """Replace the copy by what the server says; what kept it from that, else nothing."""
    try:
        content = _fetched(secret(place).get_secret_value() if is_reference(place) else place)
        if kept.exists() and kept.read_bytes() == content:
            return ""  # it was read when it was new, and whoever has it in memory need not read it again
        _refuse_endless(_parsed(content), now)
    except (CalendarError, CredentialsError) as error:
        words = str(error)
        return words[:1].lower() + words[1:].rstrip(".")
    write_atomically(kept, content)
    return ""


def _fetched(url: str) -> bytes:
    import urllib3

    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=CONNECT_SECONDS)
    until, found = time.monotonic() + WHOLE_SECONDS, b""
    try:
        with urllib3.PoolManager(retries=False, timeout=timeout) as pool:
            answer = pool.request("GET", url, redirect=False, preload_content=False)
            if answer.status != 200:
                raise CalendarError(f"its server answered with HTTP status {answer.status}")
            while piece := answer.read1(65_536):
                found += piece
                if len(found) > MAX_BYTES or time.monotonic() > until:
                    raise CalendarError(
                        f"it is longer than {MAX_BYTES:,} bytes, or takes more than {WHOLE_SECONDS:g} s"
                    )
    except (urllib3.exceptions.HTTPError, ValueError, OSError):
        raise CalendarError("its server could not be reached, or gave no answer") from None
    return found


def _parsed(content: bytes) -> Any:
    """The calendar, as its library has it. Raises `CalendarError` for anything else."""
    from icalendar import Calendar

    try:
        calendar = Calendar.from_ical(content)
        events = list(calendar.walk("VEVENT"))
        often = {name for event in events for rule in _rules(event) for name in _frequency(rule)}
    except Exception as error:  # whatever the library makes of hostile text
        raise CalendarError(f"is no calendar ({type(error).__name__})") from None
    if not events:
        raise CalendarError("is a calendar without any event")
    if often - set(LONGEST_SECONDS):
        raise CalendarError("has events that repeat more than once an hour")
    return calendar


def _rules(event: Any) -> list[Any]:
    """The rules by which an event repeats."""
    found = event.get("RRULE", [])
    return found if isinstance(found, list) else [found]


def _frequency(rule: Any) -> list[str]:
    return [str(name).upper() for name in rule.get("FREQ", [])]


def _turns(event: Any, rule: Any, until: datetime) -> float:
    """How many turns a rule makes at the most."""
    began = event.decoded("DTSTART")
    days = (until.date() - date(began.year, began.month, began.day)).days
    each = math.prod(len(said) for name, said in rule.items() if str(name).upper().startswith("BY"))
    return max(days, 0) * each * max(86_400 / LONGEST_SECONDS[name] for name in _frequency(rule))


def _refuse_endless(calendar: Any, until: datetime) -> None:
    """Raise `CalendarError` where unfolding until a moment would keep alerts waiting."""
    try:
        turns = sum(_turns(event, rule, until) for event in calendar.walk("VEVENT") for rule in _rules(event))
    except Exception as error:
        raise CalendarError(f"cannot be unfolded ({type(error).__name__})") from None
    if turns > MAX_TURNS:
        raise CalendarError(
            f"repeats its events {turns:,.0f} times until now, and {MAX_TURNS:,} are allowed: let their rules begin later"
        )


@lru_cache(maxsize=32)
def _events(path: Path, _stamp: int) -> Any:
    with path.open("rb") as file:
        return _parsed(file.read(MAX_BYTES))


def events_between(path: Path, zone: ZoneInfo, begin: datetime, end: datetime) -> list[Event]:
    """The events that touch a span, by their beginning. Raises `CalendarError`."""
    import recurring_ical_events  # type: ignore[import-untyped]

    try:
        calendar = _events(path, path.stat().st_mtime_ns)
        _refuse_endless(calendar, end)
        found = recurring_ical_events.of(calendar).between(begin.astimezone(zone), end.astimezone(zone))
        events = [_event(one, zone) for one in found]
    except CalendarError:
        raise
    except Exception as error:
        raise CalendarError(f"cannot be unfolded ({type(error).__name__})") from None
    return sorted((one for one in events if one.begin < end and one.end > begin), key=lambda one: one.begin)


def _event(found: Any, zone: ZoneInfo) -> Event:
    attendees: Iterable[Any] = found.get("ATTENDEE", [])
    attendees = attendees if isinstance(attendees, list) else [attendees]
    names = [str(one.params.get("CN", "")) for one in attendees]
    addresses = [str(one).removeprefix("mailto:").removeprefix("MAILTO:") for one in attendees]
    said = [str(found.get("SUMMARY", "")), *names, *addresses]
    return Event(tuple(one for one in said if one), _moment(found.start, zone), _moment(found.end, zone))


def _moment(said: date, zone: ZoneInfo) -> datetime:
    """A day begins at its midnight there; a moment without a zone is one of the rotation's."""
    if not isinstance(said, datetime):
        return datetime(said.year, said.month, said.day, tzinfo=zone)
    return said if said.tzinfo is not None else said.replace(tzinfo=zone)
