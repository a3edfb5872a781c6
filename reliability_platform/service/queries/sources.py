"""Sources: how each is fetched, what its last fetch brought, and whether its next deadline is at risk."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import Engine

from reliability_platform.contracts import SOURCES
from reliability_platform.landing.breaker import Breaker
from reliability_platform.landing.deadline import Outlook, days_ahead, deadline_of, outlooks
from reliability_platform.landing.delivered_by import comes_by
from reliability_platform.landing.fetch_log import Fetch, FetchLog
from reliability_platform.pauses import Pause, Pauses
from reliability_platform.service.queries.answer import QueryAnswer
from reliability_platform.service.queries.pauses import missed_days
from reliability_platform.settings import Settings


class LastFetch(QueryAnswer):
    """What the last fetch of a source brought."""

    landing_date: date
    """The landing day that was fetched."""
    fetched_at: datetime
    """When."""
    refusals: int
    """How often the source refused."""
    missing: int
    """Batches that had not come by then."""
    breaker: str
    """The state of the circuit breaker after it."""


class NextDeadline(QueryAnswer):
    """By when a landing day must be there."""

    landing_date: date
    """The landing day."""
    at: datetime
    """The moment, in UTC."""


class SourceStanding(QueryAnswer):
    """How one source stands."""

    source: str
    """Its name, as in its contract."""
    comes_by: str
    """How it is delivered: `HTTP`, `simulation`, or a kind of source as `drop` or `database`."""
    breaker: str
    """The state of its circuit breaker: `closed`, `open` or `half_open`."""
    breaker_since: datetime | None
    """Since when; null where it was never asked."""
    failures_in_a_row: int
    """Fetches that failed one after the other."""
    next_probe_at: datetime | None
    """When an open breaker lets the next request through."""
    last_fetch: LastFetch | None
    """Null for a source that is not asked, or was not asked yet."""
    next_deadline: NextDeadline
    """Of the landing day that comes next."""
    missing: int | None
    """Batches of that day that have not come yet; null for a source that is not asked."""
    paused: str | None
    """Who has paused it, since when, until when and why; null for one that is asked."""
    missed_while_paused: list[date]
    """Landing days that were built without it while it was paused, and that still lack it: run them once it is resumed."""
    at_risk: bool
    """Whether the deadline will be missed as things stand."""
    outlook: str
    """The same in words."""


def source_standings(settings: Settings, engine: Engine, now: datetime) -> list[SourceStanding]:
    """One record per source, in the order of the contracts. Times are UTC."""
    last, ahead, paused = FetchLog(engine).last(), outlooks(settings, engine, now), Pauses(engine).sources(now)
    missed = missed_days(settings, engine, now)
    return [
        _standing(settings, engine, now, source, last, ahead, paused.get(source), missed.get(source, []))
        for source in SOURCES
    ]


def _standing(
    settings: Settings,
    engine: Engine,
    now: datetime,
    source: str,
    last: Mapping[str, Fetch],
    ahead: Sequence[Outlook],
    pause: Pause | None,
    missed: list[date],
) -> SourceStanding:
    breaker, fetch = Breaker(engine, source).view(), last.get(source)
    day = days_ahead(source, now)[0]
    outlook = next((one for one in ahead if (one.source, one.day) == (source, day)), None)
    return SourceStanding(
        source=source,
        comes_by=comes_by(settings, source),
        breaker=breaker.state.value,
        breaker_since=breaker.since,
        failures_in_a_row=breaker.failures,
        next_probe_at=breaker.next_probe_at,
        last_fetch=None
        if fetch is None
        else LastFetch(
            landing_date=fetch.landing_date,
            fetched_at=fetch.fetched_at,
            refusals=fetch.refusals,
            missing=fetch.missing,
            breaker=fetch.breaker,
        ),
        next_deadline=NextDeadline(landing_date=day, at=deadline_of(source, day)),
        missing=None if outlook is None else outlook.missing,
        paused=None if pause is None else f"{source} {pause.words}",
        missed_while_paused=missed,
        at_risk=outlook is not None and outlook.at_risk,
        outlook=_outlook_words(outlook, pause),
    )


def _outlook_words(outlook: Outlook | None, pause: Pause | None) -> str:
    if pause is not None:
        return "it is paused: nothing is asked for, and no deadline is told"
    return "it is not asked: what it sends is landed when it comes" if outlook is None else outlook.words
