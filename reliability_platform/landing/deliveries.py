"""Lands what a source delivers, whatever kind of source it is, or what it sends over HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine

from reliability_platform.clock import Clock
from reliability_platform.contracts import CONTRACTS
from reliability_platform.landing.arrivals import came_from_us, look
from reliability_platform.landing.breaker import Breaker, BreakerState
from reliability_platform.landing.fetch import fetch_day
from reliability_platform.landing.replacement import landed_manifests
from reliability_platform.landing.writer import make_landing_folder, write_batch
from reliability_platform.settings import Settings
from reliability_platform.sources.source import Source


@dataclass(frozen=True)
class Fetched:
    """How the requests went that brought deliveries over HTTP."""

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
    """Why the place where deliveries appear could not be looked at."""


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


def fetch(settings: Settings, engine: Engine, source: str, days: Sequence[date], url: str, clock: Clock) -> Landed:
    """Fetch what has not landed over HTTP; what does not come is missing, and no failure of the run."""
    due_on = CONTRACTS[source].cadence.due_on
    asked = [one for day in days if (one := fetch_day(settings, source, day, url, due_on(day), clock)) is not None]
    look(settings, engine, source, days, clock())
    manifests = [manifest for day in days for manifest in landed_manifests(settings, source, day)]
    breaker = Breaker(engine, source).view()
    missing, refusals = sum(one.missing for one in asked), sum(one.refusals for one in asked)
    return Landed(
        len(manifests),
        sum(manifest.expected_rows for manifest in manifests),
        Fetched(missing, refusals, breaker.state, breaker.next_probe_at),
    )
