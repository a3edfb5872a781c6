"""Lands what a source delivers, whatever kind of source it is, or what it is asked for over HTTP, in a database or a topic."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine

from reliability_platform.clock import Clock
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.credentials import CredentialsError
from reliability_platform.landing.arrivals import came_from_us, look
from reliability_platform.landing.breaker import Breaker, BreakerState
from reliability_platform.landing.fetch import Asked, fetch_day, query_day, read_days
from reliability_platform.landing.replacement import landed_manifests
from reliability_platform.landing.writer import make_landing_folder, write_batch
from reliability_platform.settings import Settings
from reliability_platform.sources.database import DatabaseSource
from reliability_platform.sources.endpoint import SourceEndpoint, endpoints_of
from reliability_platform.sources.location import trouble_at
from reliability_platform.sources.source import Source, is_fetched, is_picked_up, source_named
from reliability_platform.sources.stream import StreamSource


@dataclass(frozen=True)
class Fetched:
    """How the requests went that brought deliveries over HTTP, from a database or out of a topic."""

    missing: int
    refusals: int
    breaker: BreakerState
    next_probe_at: datetime | None


@dataclass(frozen=True)
class Landed:
    """What is in landing of a source and some days."""

    batches: int
    rows: int
    fetch: Fetched | None = None
    trouble: str = ""
    """Why a server of the source could not be asked, its place looked at, or that somebody has paused it."""


def deliver(settings: Settings, engine: Engine, source: Source, days: Sequence[date]) -> Landed:
    """Land the batches of some days. Again gives the same bytes; replacements stay."""
    batches = []
    for day in days:
        make_landing_folder(settings, source.name, day)
        for batch in source.deliver(day):
            write_batch(settings, batch)
            batches.append(batch)
    came_from_us(settings, engine, batches)
    return Landed(len(batches), sum(batch.table.num_rows for batch in batches))


def fetch(settings: Settings, engine: Engine, source: str, days: Sequence[date], clock: Clock) -> Landed:
    """Fetch what has not landed, over HTTP, from a database or out of a topic; what does not come is missing, and no failure
    of the run."""
    asked = _asked(settings, source, days, clock)
    look(settings, engine, source, days, clock())
    manifests = [manifest for day in days for manifest in landed_manifests(settings, source, day)]
    breaker = Breaker(engine, source).view()
    missing, refusals = sum(one.missing for one in asked), sum(one.refusals for one in asked)
    return Landed(
        len(manifests),
        sum(manifest.expected_rows for manifest in manifests),
        Fetched(missing, refusals, breaker.state, breaker.next_probe_at),
        " ".join(dict.fromkeys(one.why for one in asked if one.why)),
    )


def _asked(settings: Settings, source: str, days: Sequence[date], clock: Clock) -> list[Asked]:
    """What came of asking for what has not landed; nothing of days of which nothing was left to ask for."""
    endpoints, due_on = endpoints_of(settings, source), CONTRACTS[source].cadence.due_on
    told: Sequence[Asked | None]
    if endpoints:
        told = [fetch_day(settings, source, day, endpoints, due_on(day), clock) for day in days]
    elif isinstance(found := source_named(settings, source), DatabaseSource):
        told = [query_day(settings, found, day, clock) for day in days]
    else:
        told = read_days(settings, source, days, clock)
    return [one for one in told if one is not None]


def unreachable(settings: Settings) -> list[str]:
    """Which sources cannot be asked or looked for now, and why, one line a source."""
    found = []
    for source in SOURCES:
        endpoints, places = endpoints_of(settings, source), CONTRACTS[source].places
        why = list[str]()
        if endpoints:
            why = [words for one in endpoints if (words := _without_credentials(one))]
        elif is_fetched(settings, source):
            asked = source_named(settings, source)
            why = asked.troubles() if isinstance(asked, DatabaseSource | StreamSource) else []
        elif is_picked_up(settings, source):
            why = [words for one in places if (words := trouble_at(one))]
        if why:
            found.append(f"{source}: {' '.join(why).rstrip('.')}")
    return found


def _without_credentials(endpoint: SourceEndpoint) -> str:
    try:
        endpoint.headers()
    except CredentialsError as error:
        return str(error)
    return ""
