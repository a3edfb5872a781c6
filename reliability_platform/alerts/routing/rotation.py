"""Who is on call in a rotation, and when nobody is: a gap is named, and somebody is told all the same."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from reliability_platform.alerts.routing.calendar import CalendarError, calendar_of, events_between
from reliability_platform.alerts.routing.declared import Routing, routing_file
from reliability_platform.formats import joined, moment, plain
from reliability_platform.settings import Settings

INSTANT = timedelta(seconds=1)
SHOWN_NAME = 60


@dataclass(frozen=True)
class DutyTurn:
    """A stretch of time in which somebody is on call. Moments carry UTC."""

    recipient: str | None
    """None where whoever is named is no recipient."""
    said: str
    """How the calendar calls them."""
    begin: datetime
    end: datetime


@dataclass(frozen=True)
class Turns:
    """The turns that touch a span, by their beginning; and what was wrong with where they stand."""

    turns: tuple[DutyTurn, ...]
    trouble: str = ""


@dataclass(frozen=True)
class OnCall:
    """Who is told for a rotation at a moment, and why."""

    recipients: tuple[str, ...]
    why: str
    is_gap: bool = False
    trouble: str = ""
    """What is wrong with its calendar, though somebody may be on call by its last good copy."""


def _named(routing: Routing, said: Sequence[str]) -> str | None:
    """Whom a calendar means: by a name or address as a whole, else by one within a title, as in `On call: Anna Muster`."""
    exact = routing.meant(said)
    if exact:
        return exact[0]
    for name, recipient in routing.recipients.items():
        for one in (name, *recipient.known_as):
            if any(re.search(rf"(?<!\w){re.escape(one)}(?!\w)", title, re.IGNORECASE) for title in said):
                return name
    return None


def turns_between(
    settings: Settings, routing: Routing, name: str, begin: datetime, end: datetime, now: datetime, *, asks: bool = True
) -> Turns:
    """The turns of a rotation in a span; `asks` as of `calendar_of`."""
    rotation = routing.rotations[name]
    zone = ZoneInfo(rotation.zone)
    if rotation.calendar is None:
        shifts = [
            (one.recipient, one.begin.replace(tzinfo=zone), one.until.replace(tzinfo=zone)) for one in rotation.shifts
        ]
        found = [DutyTurn(who, who, since.astimezone(UTC), until.astimezone(UTC)) for who, since, until in shifts]
        return Turns(tuple(sorted((one for one in found if one.begin < end and one.end > begin), key=_beginning)))
    copy = calendar_of(settings, name, rotation.calendar, _folder(settings), now, asks=asks)
    if copy.path is None:
        return Turns((), copy.trouble)
    try:
        events = events_between(copy.path, zone, begin, end)
    except CalendarError as error:
        return Turns((), str(error))
    made = [
        DutyTurn(
            _named(routing, one.said),
            plain(one.said[0] if one.said else "")[:SHOWN_NAME],
            one.begin.astimezone(UTC),
            one.end.astimezone(UTC),
        )
        for one in events
    ]
    return Turns(tuple(made), copy.trouble)


def _beginning(turn: DutyTurn) -> datetime:
    return turn.begin


def _folder(settings: Settings) -> Path:
    file = routing_file(settings)
    return settings.project if file is None else file.absolute().parent


def on_call(settings: Settings, routing: Routing, name: str, now: datetime, *, asks: bool = True) -> OnCall:
    """Whom to tell for a rotation now; in a gap, those who stand in for it. `asks` as of `calendar_of`."""
    found = turns_between(settings, routing, name, now, now + INSTANT, now, asks=asks)
    turns = [one for one in found.turns if one.begin <= now < one.end]
    people = tuple(dict.fromkeys(one.recipient for one in turns if one.recipient is not None))
    noted = f" ({found.trouble})" if found.trouble else ""
    if people:
        until = min(one.end for one in turns if one.recipient is not None)
        return OnCall(people, f"on call in {name} until {moment(until)}{noted}", trouble=found.trouble)
    unknown = [one.said for one in turns]
    gap = f"{name} names {joined(unknown)}, who is no recipient" if unknown else f"nobody is on call in {name}"
    why = f"{gap}{noted}: {joined(routing.rotations[name].otherwise)} instead"
    return OnCall(routing.rotations[name].otherwise, why, True, found.trouble)


def gaps(found: Turns, begin: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """The stretches of a span in which nobody who can be told is on call."""
    left, free = begin, []
    for turn in sorted((one for one in found.turns if one.recipient is not None), key=_beginning):
        if turn.begin > left:
            free.append((left, turn.begin))
        left = max(left, turn.end)
    return [*free, *([(left, end)] if left < end else [])]
