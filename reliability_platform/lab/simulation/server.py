"""Sources of the lab behind HTTP, on loopback, simulated or recorded: batches in pages, and answers as bad as a schedule wants them.

`GET /<source>/<day>` lists the batches of a landing day with the SHA-256 of each page;
`GET /<source>/<day>/<sequence>/attempts/<attempt>` is the listing of one batch that is asked for again;
`GET /<source>/<day>/<sequence>/<page>` is a page of rows as Parquet, its checksum in `ETag`, the same for each attempt. A
refusal says how long to wait in `Retry-After` (RFC 9110).
"""

import hashlib
import json
import math
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from email.utils import formatdate
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from reliability_platform.atomic import parquet_bytes
from reliability_platform.errors import UsageError
from reliability_platform.lab.simulation.misbehaviour import WELL_BEHAVED, Misbehaviour, Schedule
from reliability_platform.sources.batch import Batch
from reliability_platform.sources.source import Source

PAGE_ROWS = 500
CACHED_DAYS = 16
TRICKLE_PIECES = 40
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER for no time at all: closing the socket then resets the connection."""


def _pages(batch: Batch) -> list[bytes]:
    """A batch as pages; one without rows is one page that says which columns it has."""
    starts = range(0, max(batch.table.num_rows, 1), PAGE_ROWS)
    return [parquet_bytes(batch.table.slice(start, PAGE_ROWS)) for start in starts]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class SourceServer(ThreadingHTTPServer):
    """Answers with what its sources deliver; requests are numbered from 0, and the schedule names those that are answered badly."""

    daemon_threads = True

    def __init__(self, sources: Mapping[str, Source], schedule: Schedule = WELL_BEHAVED, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.schedule = schedule
        self._sources = sources
        self.asked: list[str] = []
        """The paths of all requests, in their order."""
        self._lock = threading.Lock()
        self._day = lru_cache(CACHED_DAYS)(
            lambda source, day: {one.sequence: (one, _pages(one)) for one in sources[source].deliver(day)}
        )

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def meets(self, path: str) -> Misbehaviour | None:
        """Number a request; what happens to its answer, or None."""
        with self._lock:
            self.asked.append(path)
            return self.schedule.get(len(self.asked) - 1)

    def answer(self, path: str) -> tuple[bytes, str]:
        """The body of an answer and its type. Raises `ValueError`, `LookupError`, `UsageError` if there is none."""
        source, day, *rest = path.strip("/").split("/")
        batches = self._day(source, date.fromisoformat(day))
        match rest:
            case []:
                listed = [_entry(batch, pages) for batch, pages in batches.values()]
            case [sequence, "attempts", attempt]:
                again = self._sources[source].deliver_again(date.fromisoformat(day), int(sequence), int(attempt))
                listed = [_entry(again, batches[int(sequence)][1])]
            case [sequence, page]:
                return batches[int(sequence)][1][_index(page)], "application/vnd.apache.parquet"
            case _:
                raise ValueError("there is no such path")
        return json.dumps(listed).encode(), "application/json"


def _index(number: str) -> int:
    if int(number) < 1:
        raise ValueError("pages are counted from 1")
    return int(number) - 1


def _entry(batch: Batch, pages: list[bytes]) -> dict[str, Any]:
    return {
        "batch_id": batch.batch_id,
        "sequence": batch.sequence,
        "rows": batch.table.num_rows,
        "pages": [_digest(page) for page in pages],
        "produced_at": batch.produced_at.isoformat(),
        "landed_at": batch.landed_at.isoformat(),
    }


class _Handler(BaseHTTPRequestHandler):
    server: SourceServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the name is the base class's
        """Requests are counted by whoever asks."""

    def do_GET(self) -> None:
        met = self.server.meets(self.path)
        try:
            if met is not None and met.status is not None:
                self._refuse(met, met.status)
                return
            try:
                body, kind = self.server.answer(self.path)
            except (ValueError, LookupError, UsageError):
                self._send(404, {}, b"there is no such batch")
                return
            headers = {"Content-Type": kind, "ETag": f'"{_digest(body)}"'}
            if met is None:
                self._send(200, headers, body)
            else:
                self._send_badly(met, headers, body)
        except (BrokenPipeError, ConnectionResetError):
            return  # whoever asked has lost patience

    def _refuse(self, met: Misbehaviour, status: int) -> None:
        headers = {}
        if isinstance(met.retry_after, int) and met.retry_after_as_date:
            headers["Retry-After"] = formatdate(math.ceil(time.time() + met.retry_after), usegmt=True)
        elif met.retry_after is not None:
            headers["Retry-After"] = str(met.retry_after)
        self._send(status, headers, b"")

    def _send_badly(self, met: Misbehaviour, headers: dict[str, str], body: bytes) -> None:
        if met.garbled:
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 0xFF]) + body[middle + 1 :]
        self._head(200, headers, len(body))
        sent = body[: int(len(body) * met.sent_share)]
        if met.body_seconds:
            size = -(-len(sent) // TRICKLE_PIECES)
            for start in range(0, len(sent), size):
                self.wfile.write(sent[start : start + size])
                time.sleep(met.body_seconds / TRICKLE_PIECES)
        else:
            self.wfile.write(sent)
        if met.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self.rfile.close()
            self.connection.close()

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self._head(status, headers, len(body))
        self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str], length: int) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()


@contextmanager
def serving(sources: Mapping[str, Source], schedule: Schedule = WELL_BEHAVED, port: int = 0) -> Iterator[SourceServer]:
    """Serve on loopback for the length of the block; on a free port if none is named."""
    with SourceServer(sources, schedule, port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
