"""Ground for tests of alerts: a real HTTP server, a home with incidents in it, and a clock that the test turns."""

import json
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from reliability_platform.alerts import sender
from reliability_platform.alerts.channels import Channel
from reliability_platform.alerts.delivery import Delivered, Delivery, outcomes_of, rehearse, task_of
from reliability_platform.alerts.dispatch import Dispatched, dispatch
from reliability_platform.alerts.ledger import AlertLedger
from reliability_platform.alerts.message import AlertMessage
from reliability_platform.alerts.routing.declared import read_routing
from reliability_platform.errors import UsageError
from reliability_platform.incidents.model import State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings, load_settings
from tests.unit.failing import NOW, day

NOON = NOW.replace(hour=12)
TOKEN = "tok3n-S3CR3T-7f1c"  # noqa: S105 - recognisable, and nobody's


class Server:
    """A real HTTP server on loopback that keeps what it was told."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.answer = 200
        self.delay_seconds = 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(outer.delay_seconds)
                outer.paths.append(self.path)
                if outer.answer < 300:
                    outer.heard.append(json.loads(body))
                self.send_response(outer.answer)
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/{TOKEN}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def in_process(
    settings: Settings, channel: Channel, messages: Sequence[AlertMessage], now: datetime
) -> dict[str, Delivered]:
    """The sender's own code, without the second that its process takes to start."""
    said = StringIO()
    sender.run(task_of(settings, channel, messages), said)
    return outcomes_of(messages, said.getvalue(), "it said nothing")


def routing_at(folder: Path, text: str) -> Path:
    """A routing file."""
    file = folder / "routing.yml"
    file.write_text(text)
    return file


def refusal(folder: Path, text: str, said: str, instead: str) -> str:
    """What is said of a routing file in which `instead` stands where `said` stood."""
    assert said in text
    with pytest.raises(UsageError) as raised:
        read_routing(routing_at(folder, text.replace(said, instead, 1)))
    return str(raised.value)


class Ground:
    """A home with incidents in it, and a clock that the test turns."""

    def __init__(self, home: Path, *urls: str, **settings: Any) -> None:
        values = {"alert_urls": tuple(map(SecretStr, urls)), "alert_dry_run": False, **settings}
        self.settings: Settings = load_settings(home).model_copy(update=values)
        self.engine: Engine = operations_engine(self.settings)
        self.store, self.ledger = IncidentStore(self.engine), AlertLedger(self.engine)
        self.now: datetime = NOON
        self.count = 0
        self.delivery: Delivery = rehearse if self.settings.alert_dry_run else in_process
        self.tick()  # channels are known from here on

    def open(self, severity: str = "P1", failure_class: str = "missing_data", **more: Any) -> str:
        self.count += 1
        data = {
            "partitions": [day(self.count).isoformat()],
            "signals": [],
            "source": "orders",
            "failure_class": failure_class,
            "root_dataset": "bronze_orders",
            "severity": severity,
            "severity_reason": f"{severity} by its class",
            **more,
        }
        opened = self.store.create(f"{failure_class}-{self.count}", self.now, "sensor", "because", data, [self.count])
        assert opened is not None
        return opened

    def move(self, incident_id: str, *states: State) -> None:
        for state in states:
            self.store.move(incident_id, state, self.now, "somebody", "so it went")

    def lower(self, incident_id: str, severity: str) -> None:
        data = {"severity": severity, "severity_reason": "told so", "triage": []}
        self.store.append(incident_id, self.now, "sensor", "severity", "because", data)

    def pass_by(self, **time: float) -> None:
        self.now += timedelta(**time)

    def tick(self) -> Dispatched:
        return dispatch(self.settings, self.engine, self.now, random=Random(7), delivery=self.delivery)

    def statuses(self) -> list[str]:
        return [alert.status.value for alert in self.ledger.all()]

    def told_kinds(self, incident_id: str) -> list[str]:
        timeline = self.store.get(incident_id).timeline
        return [entry.data["phase"] for entry in timeline if entry.kind == "alert"]
