"""Fetches a landing day from a source behind HTTP: with patience, but not without end.

Refusals (429) and failures (5xx) are retried with exponential backoff and jitter, for as long as `Retry-After` says;
that is urllib3's work. After two requests in a row whose retries are used up the circuit breaker opens: the source is
left alone for this time, what came whole is landed, what did not is missing. A batch lands only with all its pages, so
that no row is lost or doubled by a broken transfer. How it went is kept in the log of fetches.

`python -m reliability_platform.landing.fetch HOME SOURCE DAY URL` does it in a process of its own.
"""

import json
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import urllib3
from sqlalchemy import Column, Date, DateTime, Engine, Integer, String, Table, insert, select

from reliability_platform.clock import utc_now
from reliability_platform.landing.writer import write_batch
from reliability_platform.operations import metadata, operations_engine
from reliability_platform.settings import Settings, load_settings
from reliability_platform.sources.batch import Batch

PATIENCE = urllib3.Retry(
    total=4, status_forcelist=(429, 500, 502, 503, 504), backoff_factor=0.2, backoff_jitter=0.2, backoff_max=30
)
TIMEOUT = urllib3.Timeout(connect=5, read=30)
BREAKS_AFTER = 2
"""Requests in a row that stay unanswered before the breaker opens."""
CLOSED, OPEN = "closed", "open"

fetches = Table(
    "fetches",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("source", String(100), nullable=False),
    Column("landing_date", Date, nullable=False),
    Column("refusals", Integer, nullable=False),
    Column("missing", Integer, nullable=False),
    Column("breaker", String(10), nullable=False),
    Column("fetched_at", DateTime, nullable=False),
)


@dataclass(frozen=True)
class Fetch:
    """How one fetch went."""

    id: int
    source: str
    landing_date: date
    refusals: int
    """Requests that were turned away, those that a retry made good among them."""
    missing: int
    """Batches that did not come."""
    breaker: str
    """`closed`, or `open` if the source was left alone in the end."""
    fetched_at: datetime


class FetchLog:
    """The fetches in the operations store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, source: str, day: date, refusals: int, missing: int, breaker: str, now: datetime) -> None:
        """Append one."""
        values = {"source": source, "landing_date": day, "refusals": refusals, "missing": missing, "breaker": breaker}
        with self._engine.begin() as connection:
            connection.execute(insert(fetches).values(**values, fetched_at=now.astimezone(UTC).replace(tzinfo=None)))

    def all(self) -> list[Fetch]:
        """Every fetch, oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(fetches).order_by(fetches.c.id)).mappings().all()
        return [Fetch(**row) for row in rows]


@dataclass
class _Client:
    """Asks, counts refusals, and gives up when the breaker opens."""

    url: str
    refusals: int = 0
    unanswered: int = 0
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(timeout=TIMEOUT))

    @property
    def breaker(self) -> str:
        return OPEN if self.unanswered >= BREAKS_AFTER else CLOSED

    def ask(self, path: str) -> bytes | None:
        """The body of the answer; None if there was none, or the breaker is open."""
        if self.breaker == OPEN:
            return None
        try:
            answer = self.pool.request("GET", f"{self.url}/{path}", retries=PATIENCE)
        except urllib3.exceptions.HTTPError:
            # Every attempt was turned away: the first one and each retry.
            self.refusals += int(PATIENCE.total or 0) + 1
            self.unanswered += 1
            return None
        self.refusals += len(answer.retries.history) if answer.retries else 0
        if answer.status != 200:
            self.unanswered += 1
            return None
        self.unanswered = 0
        return answer.data


def _rows(client: _Client, source: str, day: date, entry: dict[str, Any]) -> pa.Table | None:
    pages = []
    for page in range(1, int(entry["pages"]) + 1):
        body = client.ask(f"{source}/{day}/{int(entry['sequence'])}/{page}")
        if body is None:
            return None
        pages.append(pq.read_table(pa.BufferReader(body)))
    return pa.concat_tables(pages).combine_chunks()


def fetch_day(settings: Settings, source: str, day: date, url: str, expected: int, now: datetime) -> int:
    """Fetch and land the batches of a day; returns how many of the `expected` did not come."""
    client = _Client(url.rstrip("/"))
    listed = client.ask(f"{source}/{day}")
    if listed is None:  # nothing can be had without it: worth asking once more before the breaker opens
        listed = client.ask(f"{source}/{day}")
    landed = 0
    for entry in json.loads(listed) if listed is not None else ():
        table = _rows(client, source, day, entry)
        if table is None:
            continue
        write_batch(
            settings,
            Batch(
                batch_id=str(entry["batch_id"]),
                source=source,
                landing_date=day,
                sequence=int(entry["sequence"]),
                attempt=1,
                kind="scheduled",
                table=table,
                produced_at=datetime.fromisoformat(entry["produced_at"]),
                landed_at=datetime.fromisoformat(entry["landed_at"]),
            ),
        )
        landed += 1
    missing = max(0, expected - landed)
    FetchLog(operations_engine(settings)).record(source, day, client.refusals, missing, client.breaker, now)
    return missing


if __name__ == "__main__":
    from reliability_platform.sources.contracts import CONTRACTS

    home, name, landing_day, address = sys.argv[1:]
    fetch_day(
        load_settings(Path(home)),
        name,
        date.fromisoformat(landing_day),
        address,
        CONTRACTS[name].batches_per_day,
        utc_now(),
    )
