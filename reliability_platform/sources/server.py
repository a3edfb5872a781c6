"""The systems of record behind HTTP, on loopback: batches in pages, and 429 while the source is busy.

`GET /<source>/<day>` lists the batches of a landing day, `GET /<source>/<day>/<sequence>/<page>` is one page of rows
as Parquet, with the number of pages in `X-Pages`. A refusal says how many seconds to wait in `Retry-After` (RFC 9110).
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from reliability_platform.atomic import parquet_bytes
from reliability_platform.errors import UsageError
from reliability_platform.sources.simulation import Simulation
from reliability_platform.sources.system import scheduled_batches

PAGE_ROWS = 500
RETRY_AFTER_SECONDS = 1


class SourceServer(ThreadingHTTPServer):
    """Answers from the simulation; the first `refusals` requests are turned away."""

    daemon_threads = True

    def __init__(self, simulation: Simulation, refusals: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.simulation = simulation
        self._refusals = refusals
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def refuses(self) -> bool:
        """Whether the next request is turned away."""
        with self._lock:
            self._refusals -= 1
            return self._refusals >= 0


class _Handler(BaseHTTPRequestHandler):
    server: SourceServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the name is the base class's
        """Requests are counted by whoever asks."""

    def do_GET(self) -> None:
        if self.server.refuses():
            self._answer(429, b"", {"Retry-After": str(RETRY_AFTER_SECONDS)})
            return
        try:
            source, day, *rest = self.path.strip("/").split("/")
            batches = scheduled_batches(self.server.simulation, source, date.fromisoformat(day))
            if not rest:
                listed = [
                    {
                        "batch_id": one.batch_id,
                        "sequence": one.sequence,
                        "pages": -(-one.table.num_rows // PAGE_ROWS) or 1,
                        "produced_at": one.produced_at.isoformat(),
                        "landed_at": one.landed_at.isoformat(),
                    }
                    for one in batches
                ]
                self._answer(200, json.dumps(listed).encode(), {"Content-Type": "application/json"})
                return
            sequence, page = (int(word) for word in rest)
            table = batches[sequence - 1].table.slice((page - 1) * PAGE_ROWS, PAGE_ROWS)
            self._answer(200, parquet_bytes(table), {"Content-Type": "application/vnd.apache.parquet"})
        except (ValueError, IndexError, UsageError):
            self._answer(404, b"there is no such batch", {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(simulation: Simulation, refusals: int = 0) -> Iterator[SourceServer]:
    """Serve on a free port of loopback for the length of the block."""
    with SourceServer(simulation, refusals) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
