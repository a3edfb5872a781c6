"""`python -m tests.bench.alerts DEMO_HOME`: seconds from a failed check to the first message under `reliability dev`, and how many
messages each person gets: of the incidents of a demo as they happened there, and of 1,000 that are opened at once.

The home of the demo is only read. `--days` sets how many bad deliveries are timed; 0 leaves them out.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import groupby
from pathlib import Path
from threading import Thread
from typing import Any

from reliability_platform.alerts.delivery import DeliveryOutcome, rehearse
from reliability_platform.alerts.dispatch import dispatch
from reliability_platform.checks.results import CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import utc_now
from reliability_platform.contracts import CONTRACTS
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.faults.plan import ActivePlan, Injection
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import read_manifest
from tests.orchestration.served import served
from tests.orchestration.test_dev import _launch, _status

LIMIT_SECONDS, LIMIT_STORM = 20.0, 2
"""From the failed check to the first message; messages of a storm for one person."""
FIRST = date(2026, 1, 1)
BAD = (("missing_batch", "shipments"), ("null_spike", "orders"), ("duplicate_retry_storm", "payments"))
"""What is wrong with the deliveries that are timed, in turn."""
STORM = 1_000
SAME_LOOK = timedelta(seconds=0.5)
"""So often the daemon looks for what is new: what happens between two looks is told together."""


def routing(folder: Path) -> Path:
    """Everybody who may be concerned: on call, security, executives, each owner of a source and of what reads the data."""
    said = {one.owner for one in CONTRACTS.values()} | {
        exposure["owner"].get("name") for exposure in read_manifest(ensure_manifest())["exposures"].values()
    }
    owners = {f"owner{number}": [one] for number, one in enumerate(sorted(filter(None, said)), 1)}
    people = {"oncall": [], "security": [], "board": [], **owners}
    file = folder / "routing.yml"
    content = {
        "recipients": {name: {"channels": ["env:NOBODY"], "known_as": known} for name, known in people.items()},
        "routes": [
            {"name": "on call", "tell": ["oncall"]},
            {"name": "breaches", "when": {"type": ["breach"]}, "tell": ["security"]},
            {"name": "worst", "when": {"severity": ["P0"]}, "tell": ["board"]},
            {"name": "owners", "when": {"severity": ["P0", "P1", "P2"]}, "tell": ["source_owner", "reader_owners"]},
        ],
        "otherwise": ["oncall"],
    }
    file.write_text(json.dumps(content))  # JSON is YAML
    return file


class Told:
    """Counts what would be sent, by recipient and by the incidents in it."""

    def __init__(self) -> None:
        self.messages: Counter[str] = Counter()
        self.of_incident: Counter[tuple[str, str]] = Counter()

    def __call__(self, settings: Settings, channel: Any, messages: Sequence[Any], now: datetime) -> Any:
        for message in messages:
            self.messages[channel.name] += 1
            self.of_incident.update({(alert.incident_id, channel.name) for alert in message.alerts})
        outcomes = rehearse(settings, channel, messages, now)
        assert {one.outcome for one in outcomes.values()} <= {DeliveryOutcome.SENT}
        return outcomes

    @property
    def figures(self) -> dict[str, Any]:
        """Messages, and in how many of them an incident stands for one person."""
        each = sorted(self.of_incident.values())
        return {
            "messages": dict(sorted(self.messages.items())),
            "per_incident_and_person": {"median": statistics.median(each), "most": each[-1]} if each else {},
        }


def _home(folder: Path, routed: Path) -> Settings:
    return load_settings(folder).model_copy(update={"routing_file": routed, "alert_cap_per_hour": 1_000})


def of_demo(demo: Path, folder: Path) -> dict[str, Any]:
    """The timeline of the demo once more, with a look for what is new every half second, as the daemon has."""
    settings, told = _home(folder / "demo", routing(folder)), Told()
    shutil.copytree(
        demo, folder / "copy", ignore=lambda _, names: [one for one in names if "operations.sqlite" not in one]
    )
    engine = operations_engine(settings)
    entries = IncidentStore(operations_engine(load_settings(folder / "copy"))).entries_after(0, 10**9)
    store, incidents = IncidentStore(engine), {one for _, one, _ in entries}
    dispatch(settings, engine, entries[0][2].at, delivery=told)  # channels are known from here on
    for _, together in groupby(entries, key=lambda entry: int(entry[2].at.timestamp() / SAME_LOOK.total_seconds())):
        for _, incident, entry in together:
            if entry.kind != "alert":
                store.append(incident, entry.at, entry.actor, entry.kind, entry.why, entry.data)
        dispatch(settings, engine, entry.at, delivery=told)
    return {"incidents": len(incidents), **told.figures}


def of_storm(folder: Path) -> dict[str, Any]:
    """All at once, P0 to P3, at every source; by the cap that is usual."""
    settings, told = _home(folder / "storm", routing(folder)), Told()
    settings = settings.model_copy(update={"alert_cap_per_hour": load_settings(folder).alert_cap_per_hour})
    engine, now = operations_engine(settings), datetime.fromisoformat("2026-01-02T12:00:00+00:00")
    store = IncidentStore(engine)
    dispatch(settings, engine, now, delivery=told)
    for number in range(STORM):
        source = list(CONTRACTS)[number % len(CONTRACTS)]
        data = {
            "partitions": [FIRST.isoformat()], "signals": [], "source": source, "failure_class": "missing_data",
            "root_dataset": f"bronze_{source}", "severity": f"P{number % 4}", "severity_reason": "by its class",
        }  # fmt: skip
        store.create(f"missing_data-{number}", now, "sensor", "because", data, [number + 1])
    for tick in range(8):
        dispatch(settings, engine, now + timedelta(seconds=15 * tick), delivery=told)
    return {"incidents": STORM, **told.figures}


@contextmanager
def receiver() -> Iterator[tuple[str, list[tuple[datetime, str]]]]:
    """The address of a channel as Apprise has it, and what came there, with the moment."""
    heard: list[tuple[datetime, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            at = utc_now()
            heard.append((at, self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"json://127.0.0.1:{server.server_port}/x", heard
    server.shutdown()


def first_messages(folder: Path, days: int) -> list[dict[str, Any]]:
    """Each a bad delivery whose day is run from the UI: from the evaluation of the failed check to the message about it."""
    settings = load_settings(folder / "dev")
    bad = [(FIRST + timedelta(days=number), *BAD[number % len(BAD)]) for number in range(1, days + 1)]
    Simulation(seed=11, events_per_day=300).save(settings)
    ActivePlan(11, tuple(Injection(fault, source, day, "medium") for day, fault, source in bad)).save(settings)
    found = []
    with receiver() as (url, heard):
        os.environ |= {
            "RELIABILITY_ALERT_URLS": url,
            "RELIABILITY_ALERT_DRY_RUN": "false",
            "RELIABILITY_AUTOMATION": "false",
        }
        with served(settings.home, folder / "dev.log") as platform:
            engine = operations_engine(settings)
            for day, fault, source in [(FIRST, "", ""), *bad]:
                run = _launch(platform, day.isoformat())
                platform.wait("the run", lambda one=run: _status(platform, one) in ("SUCCESS", "FAILURE"), 400)
                if not fault:
                    continue

                def about(day: date = day) -> list[datetime]:
                    return [at for at, body in list(heard) if day.isoformat() in body]

                platform.wait("a message", about, 120)
                results = [one for _, one in CheckStore(engine).after(0, 10**6) if one.partition == day]
                failed = min(one.evaluated_at for one in results if one.status is CheckStatus.FAILED)
                seconds = round((about()[0] - failed).total_seconds(), 1)
                found.append({"fault": fault, "source": source, "seconds": seconds})
    return found


def main() -> int:
    """Measure and print one JSON document; 1 if anything takes more than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo", type=Path)
    parser.add_argument("--days", type=int, default=6, help="Bad deliveries that are timed. [6]")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        found: dict[str, Any] = {
            "load": round(os.getloadavg()[0], 1),
            "storm": of_storm(folder),
            "demo": of_demo(asked.demo, folder),
        }
        found["first_message"] = first_messages(folder, asked.days)
    slowest = max((one["seconds"] for one in found["first_message"]), default=0.0)
    over = ["first message"] if slowest > LIMIT_SECONDS else []
    over += ["storm"] if max(found["storm"]["messages"].values()) > LIMIT_STORM else []
    print(json.dumps(found | {"slowest_seconds": slowest, "over_the_limit": over}, indent=2))  # noqa: T201
    return int(bool(over))


if __name__ == "__main__":
    raise SystemExit(main())
