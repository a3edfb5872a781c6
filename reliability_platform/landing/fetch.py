"""Fetches a landing day from a source behind HTTP, in a database or in a topic, and goes on where an earlier fetch was stopped.

Pages that came whole are kept in the spool; what has landed is not asked for again. A batch lands only with all its
pages, each with its checksum, so that no row is lost or doubled by a broken transfer, a kill, or two fetches at once.
While the breaker of the source is open nobody asks it: what came is landed, what did not is missing, and consumers keep
the last good rows. How it went is kept in the log of fetches.

`python -m reliability_platform.landing.fetch HOME SOURCE DAY URL` does it in a process of its own.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Engine

from reliability_platform.clock import Clock, day_end, utc_now
from reliability_platform.contracts import CONTRACTS
from reliability_platform.credentials import CredentialsError
from reliability_platform.errors import EnvironmentUnusableError, SourceUnavailableError
from reliability_platform.landing.breaker import Breaker
from reliability_platform.landing.client import Client, ClientTerms
from reliability_platform.landing.fetch_log import Fetch, FetchLog
from reliability_platform.landing.listing import Listed, read_listing
from reliability_platform.landing.replacement import attempts_landed
from reliability_platform.landing.spool import Spool
from reliability_platform.landing.stream import land_stream
from reliability_platform.landing.writer import make_landing_folder, write_batch
from reliability_platform.locks import locked
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings, load_settings
from reliability_platform.sources.batch import Batch
from reliability_platform.sources.database import DatabaseSource, due_slots
from reliability_platform.sources.endpoint import SourceEndpoint

PATIENT = ClientTerms()


def slots_landed(settings: Settings, source: str, day: date) -> set[int]:
    """The slots of a landing day of which some attempt has landed."""
    return set(attempts_landed(settings, source, day))


def _rows(client: Client, spool: Spool, path: str, listed: Listed) -> pa.Table | None:
    """The rows of a batch from kept and fetched pages; None if a page did not come, or the source contradicts itself."""
    pages = []
    for number, checksum in enumerate(listed.pages, start=1):
        body = spool.page(checksum)
        if body is None:
            body = client.ask(f"{path}/{listed.sequence}/{number}", checksum)
            if body is None:
                return None
            spool.keep(checksum, body)
        pages.append(body)
    try:
        table = pa.concat_tables([pq.read_table(pa.BufferReader(page)) for page in pages]).combine_chunks()
    except (pa.ArrowException, OSError):
        return None
    return table if table.num_rows == listed.rows else None


def _listing(client: Client, path: str, source: str, day: date, slots: int, suffix: str = "") -> list[Listed]:
    """What is on offer; nothing if the source does not say. Nothing can be had without it: worth asking for twice."""
    body = client.ask(path)
    if body is None:
        body = client.ask(path)
    try:
        return [] if body is None else read_listing(body, source, day, slots, suffix)
    except ValueError:
        return []


@contextmanager
def _turn(settings: Settings, source: str, day: date) -> Iterator[Spool]:
    """The spool of a day, held: fetches of the same day take turns. Raises `HomeBusyError` if another does not end."""
    spool = Spool(settings, source, day)
    seconds = settings.fetch_budget_seconds
    busy = f"Another process has been fetching {source} of {day} for {seconds:g} s; try again when it has ended."
    with locked(spool.folder.with_suffix(".lock"), busy, wait_seconds=seconds):
        yield spool


@dataclass(frozen=True)
class Asked(Fetch):
    """A fetch that has just ended."""

    why: str = ""
    """Why something did not come, or came from another server than the first one."""


def _land_missing(
    settings: Settings,
    source: str,
    day: date,
    slots: set[int],
    clock: Clock,
    ask: Callable[[Engine, Spool, set[int]], tuple[int, str]],
) -> Asked | None:
    """Let `ask` land what has not landed of these slots, and write down how that went; None if nothing was left to ask for.

    It is given the slots that have landed, adds those that it lands, and says how often it was turned away, and why.
    """
    engine, began = operations_engine(settings), time.monotonic()
    make_landing_folder(settings, source, day)
    with _turn(settings, source, day) as spool:
        landed = slots_landed(settings, source, day)
        if slots <= landed:
            spool.clear()
            return None
        refusals, why = ask(engine, spool, landed)
        missing = len(slots - landed)
        if not missing:
            spool.clear()
        seconds, state = time.monotonic() - began, Breaker(engine, source).view().state
        told = FetchLog(engine).record(source, day, refusals, missing, state, clock(), seconds)
        return Asked(**vars(told), why=why)


def fetch_day(
    settings: Settings,
    source: str,
    day: date,
    endpoints: Sequence[SourceEndpoint],
    expected: int,
    clock: Clock,
    terms: ClientTerms = PATIENT,
) -> Asked | None:
    """Fetch and land what has not landed of the `expected` batches of a day; None if nothing was left to ask for.

    Raises `HomeBusyError` if another fetch of the day does not end.
    """
    slots, path = set(range(1, expected + 1)), f"{source}/{day.isoformat()}"

    def ask(engine: Engine, spool: Spool, landed: set[int]) -> tuple[int, str]:
        refusals, why = 0, list[str]()
        for endpoint in endpoints:
            try:
                client = _client(settings, engine, source, endpoint, clock, terms)
            except CredentialsError as error:
                why.append(str(error))
                continue
            for listed in _listing(client, path, source, day, expected):
                table = None if listed.sequence in landed else _rows(client, spool, path, listed)
                if table is not None:
                    write_batch(settings, _batch(source, day, listed, table, endpoint))
                    landed.add(listed.sequence)
            refusals += client.refusals
            if slots <= landed or not client.why:
                break
            why.append(f"{source} over HTTP{_name(endpoint)}: {client.why}.")
        return refusals, " ".join(why)

    return _land_missing(settings, source, day, slots, clock, ask)


def _name(endpoint: SourceEndpoint) -> str:
    return f" ({endpoint.fallback})" if endpoint.fallback else ""


def _client(
    settings: Settings, engine: Engine, source: str, endpoint: SourceEndpoint, clock: Clock, terms: ClientTerms
) -> Client:
    """What asks one endpoint; each has a breaker of its own. Raises `CredentialsError`."""
    return Client(
        endpoint, Breaker(engine, f"{source}{_name(endpoint)}"[:100]), clock, settings.fetch_budget_seconds, terms
    )


def fetch_again(
    settings: Settings,
    source: str,
    day: date,
    sequence: int,
    attempt: int,
    endpoints: Sequence[SourceEndpoint],
    clock: Clock,
    terms: ClientTerms = PATIENT,
) -> Batch:
    """Ask for one slot again. Raises `SourceUnavailableError` if it does not come, `HomeBusyError` as `fetch_day`."""
    suffix, path = f"-a{attempt}", f"{source}/{day.isoformat()}"
    with _turn(settings, source, day) as spool:
        engine, why = operations_engine(settings), list[str]()
        for endpoint in endpoints:
            try:
                client = _client(settings, engine, source, endpoint, clock, terms)
            except CredentialsError as error:
                why.append(str(error))
                continue
            for listed in _listing(client, f"{path}/{sequence}/attempts/{attempt}", source, day, sequence, suffix):
                table = _rows(client, spool, path, listed)
                if listed.sequence == sequence and table is not None:
                    return _batch(source, day, listed, table, endpoint, attempt)
            why += [f"{source} over HTTP{_name(endpoint)}: {client.why}."] if client.why else []
        told = " ".join(["", *why])
        raise SourceUnavailableError(
            f"{source} did not send batch {sequence} of {day} again; its breaker is {Breaker(engine, source).view().state}: "
            f"see `reliability sources`.{told}"
        )


def query_day(settings: Settings, source: DatabaseSource, day: date, clock: Clock) -> Asked | None:
    """Ask a database for what has not landed of the batches of a day whose time is over; None if nothing was left to ask
    for. What has landed stays: rows that have changed since come when healing asks for the next attempt."""

    def ask(engine: Engine, spool: Spool, landed: set[int]) -> tuple[int, str]:
        del spool
        found = set[str]()
        try:
            with Breaker(engine, source.name).permitted(clock, SourceUnavailableError):
                for batch in source.batches(day, slots - landed, clock()):
                    write_batch(settings, batch)
                    landed.add(batch.sequence)
                    found |= {batch.fallback} - {""}
        except SourceUnavailableError as error:
            return 1, str(error)
        return 0, f"{source.name} was asked at {', '.join(sorted(found))}: its first server cannot be." if found else ""

    slots = due_slots(CONTRACTS[source.name], day, clock())
    return _land_missing(settings, source.name, day, slots, clock, ask)


def query_again(
    settings: Settings, source: DatabaseSource, day: date, sequence: int, attempt: int, clock: Clock
) -> Batch:
    """Ask a database for one slot again. Raises `SourceUnavailableError` if it cannot be asked."""
    with Breaker(operations_engine(settings), source.name).permitted(clock, SourceUnavailableError):
        return source.deliver_again(day, sequence, attempt)


def read_days(settings: Settings, source: str, days: Sequence[date], clock: Clock) -> list[Asked]:
    """Read a topic up to the last of some days, and say of each whether it is closed; nothing where nothing has changed."""
    began, contract, why = time.monotonic(), CONTRACTS[source], ""
    try:
        found = land_stream(settings, source, days, clock)
        landed, left = found.days, set(found.open)
    except (SourceUnavailableError, EnvironmentUnusableError) as error:
        landed, why = frozenset[date](), str(error)
        left = {day for day in days if day_end(day, contract.day_zone) <= clock()}
    engine, seconds = operations_engine(settings), time.monotonic() - began
    log, state = FetchLog(engine), Breaker(engine, source).view().state
    return [
        Asked(**vars(log.record(source, day, int(bool(why)), int(day in left), state, clock(), seconds)), why=why)
        for day in days
        if why or day in left or day in landed
    ]


def _batch(
    source: str, day: date, listed: Listed, table: pa.Table, endpoint: SourceEndpoint, attempt: int = 1
) -> Batch:
    return Batch(
        batch_id=listed.batch_id,
        source=source,
        landing_date=day,
        sequence=listed.sequence,
        attempt=attempt,
        kind="scheduled" if attempt == 1 else "replacement",
        table=table,
        produced_at=listed.produced_at,
        landed_at=listed.landed_at,
        fallback=endpoint.fallback,
    )


def main(home: str, source: str, day: str, url: str) -> None:
    """Fetch a day into a home."""
    landing_date = date.fromisoformat(day)
    expected = CONTRACTS[source].cadence.due_on(landing_date)
    fetch_day(load_settings(Path(home)), source, landing_date, [SourceEndpoint(url)], expected, utc_now)


if __name__ == "__main__":
    main(*sys.argv[1:])
