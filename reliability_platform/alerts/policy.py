"""When an alert may go: quiet hours, the cap of an hour, and how long to wait for a channel that does not answer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from reliability_platform.incidents.classes import Severity
from reliability_platform.settings import Settings

WINDOW = timedelta(hours=1)
QUIETED = frozenset({Severity.P3})
"""Severities that wait in quiet hours. P0 and P1 never do."""
URGENT = frozenset({Severity.P0, Severity.P1})
RESERVED_SHARE = 0.25
"""Of the cap, kept for P0 and P1: twenty small things must not make a breach wait for an hour."""
MAX_ATTEMPTS = 5
FIRST_WAIT = timedelta(seconds=15)
LONGEST_WAIT = timedelta(minutes=15)


@dataclass(frozen=True)
class QuietHours:
    """When somebody is left alone, by their own clock."""

    hours: str
    """HH:MM-HH:MM, over midnight too; empty for never."""
    zone: str
    quieted: frozenset[Severity] = QUIETED
    """The severities that wait; the others go through."""

    def until(self, severity: Severity, at: datetime) -> datetime | None:
        """The end of the quiet hours in which `at` (with its zone) lies, if they concern this severity."""
        return self.end(at) if severity in self.quieted else None

    def end(self, at: datetime) -> datetime | None:
        """The end of the quiet hours in which `at` (with its zone) lies."""
        if not self.hours:
            return None
        begin, end = (time.fromisoformat(text) for text in self.hours.split("-"))
        zone = ZoneInfo(self.zone)
        here = at.astimezone(zone)
        over_midnight = end <= begin
        past_begin, before_end = here.time() >= begin, here.time() < end
        if not (past_begin or before_end if over_midnight else past_begin and before_end):
            return None
        tomorrow = over_midnight and past_begin
        return datetime.combine(here.date() + timedelta(days=tomorrow), end, zone).astimezone(at.tzinfo)

    @property
    def in_words(self) -> str:
        """As people say it."""
        waiting = "/".join(sorted(self.quieted))
        return f"{self.hours} {self.zone} for {waiting}" if self.hours and self.quieted else "never"


NEVER_QUIET = QuietHours("", "UTC")


def quiet_hours(settings: Settings) -> QuietHours:
    """Those of the settings: P3 waits for the morning."""
    return QuietHours(settings.alert_quiet_hours, settings.alert_timezone)


def allowance(cap: int, severity: Severity) -> int:
    """Messages an hour for alerts of this severity; the rest of the cap is reserved."""
    return cap if severity in URGENT else max(1, cap - math.ceil(cap * RESERVED_SHARE))


def room(sent: Sequence[datetime], now: datetime, allowed: int) -> tuple[int, datetime]:
    """How many more messages may go now, and, where none, when the next may. `sent` are the times of earlier ones."""
    recent = sorted(at for at in sent if at > now - WINDOW)
    free = max(0, allowed - len(recent))
    return free, now if free else recent[-allowed] + WINDOW


def wait(failures: int, random: Random) -> timedelta:
    """How long to leave a channel alone after so many failures in a row: doubling, with jitter, bounded."""
    doubled: timedelta = FIRST_WAIT * 2 ** min(failures - 1, 10)
    return min(doubled, LONGEST_WAIT) * random.uniform(0.5, 1.5)
