"""Whether what is missing of a landing day can still come before its deadline: said while there is time to do something.

Only deadlines that lie ahead are looked at, so that a backfill of an old day alarms nobody; what has passed its
deadline is for the checks on the data to say.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Engine

from reliability_platform.clock import day_end, days
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.counted import counted
from reliability_platform.formats import clock, second
from reliability_platform.landing.breaker import Breaker, BreakerState, BreakerView
from reliability_platform.landing.fetch_log import FetchLog
from reliability_platform.pauses import Pauses
from reliability_platform.settings import Settings
from reliability_platform.sources.source import is_fetched

TO_SPARE = timedelta(minutes=15)
"""Less time than this between the end of the next fetch and the deadline is none: a person could do nothing with it.

A contract that gives less than an hour after the day's end is warned of in the last quarter of what it gives.
"""
UNKNOWN_DURATION = timedelta(minutes=1)
"""What a fetch is taken to last before one has been seen."""


@dataclass(frozen=True)
class Outlook:
    """One landing day of one source whose deadline lies ahead."""

    source: str
    day: date
    deadline: datetime
    missing: int
    """Batches of the day that have not landed."""
    complete_at: datetime | None
    """When the day can be complete at the soonest; None if it is."""

    @property
    def at_risk(self) -> bool:
        """Whether the deadline will probably be missed unless somebody does something."""
        to_spare = min(TO_SPARE, (self.deadline - day_end(self.day, CONTRACTS[self.source].day_zone)) / 4)
        return self.complete_at is not None and self.complete_at + to_spare > self.deadline

    @property
    def words(self) -> str:
        """The same in words."""
        if self.complete_at is None:
            return "all batches have landed"
        return (
            f"{counted(self.missing, 'batch has', 'batches have')} not come; {'it' if self.missing == 1 else 'they'} can be here at {clock(self.complete_at)} at the soonest, "
            f"the deadline is {second(self.deadline)}"
        )


def deadline_of(source: str, day: date) -> datetime:
    """When the last batch of a landing day must be here."""
    return day_end(day, CONTRACTS[source].day_zone) + timedelta(minutes=CONTRACTS[source].deadline_minutes)


def days_ahead(source: str, now: datetime) -> list[date]:
    """The landing days that have begun and whose deadline lies ahead of `now`."""
    minutes = timedelta(minutes=CONTRACTS[source].deadline_minutes)
    now = now.astimezone(UTC)
    passed = (now - minutes - timedelta(days=1)).date()
    return list(days(passed + timedelta(days=1), now.date()))


def outlook(
    source: str, day: date, now: datetime, missing: int, breaker: BreakerView, duration: timedelta | None
) -> Outlook:
    """What to expect, from what is missing, how the breaker stands and how long a fetch typically takes.

    A source whose breaker is not closed is taken to fail its next probe, too.
    """
    ready = None
    if missing:
        ready = max(now, day_end(day, CONTRACTS[source].day_zone))  # the last batch holds the day's last rows
        if breaker.state is not BreakerState.CLOSED and breaker.next_probe_at is not None:
            ready = max(ready, breaker.next_probe_at) + breaker.cool_down
        ready += UNKNOWN_DURATION if duration is None else duration
    return Outlook(source, day, deadline_of(source, day), missing, ready)


def outlooks(settings: Settings, engine: Engine, now: datetime) -> list[Outlook]:
    """The landing days ahead of their deadlines, of all sources that are asked now; the others send by themselves, or are paused."""
    log, found, paused = FetchLog(engine), [], Pauses(engine).sources(now)
    for source in SOURCES:
        if not is_fetched(settings, source) or source in paused:
            continue
        breaker, seconds = Breaker(engine, source).view(), log.typical_seconds(source)
        duration = None if seconds is None else timedelta(seconds=seconds)
        for day in days_ahead(source, now):
            from reliability_platform.landing.fetch import slots_landed  # 0.3 s, and most homes ask nobody

            due = set(range(1, 1 + CONTRACTS[source].cadence.due_on(day)))
            missing = len(due - slots_landed(settings, source, day))
            found.append(outlook(source, day, now, missing, breaker, duration))
    return found
