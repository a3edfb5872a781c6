"""Lineage events made by hand, a home that sends them, and an endpoint on loopback that answers as it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from reliability_platform.openlineage_events.events import run_event
from reliability_platform.openlineage_events.run import (
    Assertion,
    Dataset,
    Datasets,
    Field,
    JobRun,
    JobState,
    Metrics,
    namespace_of,
)
from reliability_platform.settings import Settings, load_settings

NOW = datetime(2026, 2, 1, 3, 0, tzinfo=UTC)
KEY = "a-key-that-nobody-may-see"


class Source:
    """A column that another one is made from, as column-level lineage names it."""

    def __init__(self, dataset: str, column: str, kind: str) -> None:
        self.dataset, self.column, self.kind = dataset, column, kind


FULL = Datasets(
    inputs=[
        Dataset(
            "bronze/orders",
            fields=(Field("order_id", "BIGINT", "The key."), Field("note")),
            metrics=Metrics(rows=3, files=1, nulls={"note": 2}),
            assertions=(
                Assertion("bronze_orders__not_silent", True, "error", "<= 0", actual="0"),
                Assertion("stg_orders__missing_amount", False, "warn", "<= 1", "amount", None, 3, (date(2026, 1, 2),)),
            ),
        )
    ],
    outputs=[
        Dataset(
            "stg_orders",
            fields=(Field("amount", "DECIMAL(12,2)"),),
            columns={
                "amount": frozenset(
                    {Source("bronze/orders", "amount", "direct"), Source("bronze/orders", "currency", "indirect")}
                )
            },
            rows_written=3,
            files_written=1,
        )
    ],
)


def run_of(job: str = "dbt.stg_orders", parent: str = "0d1b7c52-5f5f-4b3c-9f0a-3f2b3f1f0a11") -> JobRun:
    """A run of one job over two landing days."""
    return JobRun(namespace_of("test"), job, "DBT", "MODEL", "pipeline", parent, date(2026, 1, 1), date(2026, 1, 2))


def event(job: str = "dbt.stg_orders", state: JobState = JobState.START) -> dict[str, Any]:
    """One event with every facet."""
    return run_event(state, run_of(job), NOW, FULL, "it broke" if state is JobState.FAIL else None)


def numbered(count: int) -> list[dict[str, Any]]:
    """So many events, told apart by their jobs."""
    return [event(f"job.{number}") for number in range(count)]


def sending_home(home: Path, url: str, timeout_seconds: float = 0.4) -> Settings:
    """Settings of a home that sends to `url`."""
    return load_settings(home).model_copy(
        update={
            "openlineage_url": url,
            "openlineage_timeout_seconds": timeout_seconds,
            "openlineage_api_key": SecretStr(KEY),
        }
    )


class Server:
    """What an endpoint received, and how it answers: a status, or None to hang until the test ends."""

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, Any]], int | None] = lambda _: 201
        self.asked: list[str] = []
        self.received: list[dict[str, Any]] = []
        """Events that were answered with a success."""
        self.paths: list[str] = []
        self.keys: set[str | None] = set()
        self.url = ""
        self.released = threading.Event()

    def jobs(self) -> list[str]:
        """The jobs of the received events, in order."""
        return [one["job"]["name"] for one in self.received]


@contextmanager
def endpoint() -> Iterator[Server]:
    """An endpoint on loopback."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.asked.append(body["job"]["name"])
            state.paths.append(self.path)
            state.keys.add(self.headers["Authorization"])
            status = state.answer(body)
            if status is None:
                state.released.wait(30)
                return
            if 200 <= status < 300:
                state.received.append(body)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", state.url + "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        server.server_close()
