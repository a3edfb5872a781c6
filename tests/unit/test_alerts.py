"""Alerts, from the timeline to a real local HTTP server: each told once, in time, and nobody's secret with it."""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from reliability_platform.alerts.channels import channels
from reliability_platform.alerts.dispatch import Dispatched, dispatch
from reliability_platform.alerts.ledger import Ledger, Status
from reliability_platform.alerts.message import harmless
from reliability_platform.alerts.pagerduty import dedup_key
from reliability_platform.alerts.policy import MAX_ATTEMPTS, allowance, quiet_until, room, wait
from reliability_platform.errors import UsageError
from reliability_platform.incidents.classes import Severity
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


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


class Ground:
    """A home with incidents in it, and a clock that the test turns."""

    def __init__(self, home: Path, *urls: str, **settings: Any) -> None:
        values = {"alert_urls": tuple(map(SecretStr, urls)), "alert_dry_run": False, **settings}
        self.settings: Settings = load_settings(home).model_copy(update=values)
        self.engine: Engine = operations_engine(self.settings)
        self.store, self.ledger = IncidentStore(self.engine), Ledger(self.engine)
        self.now: datetime = NOON
        self.count = 0
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
        return dispatch(self.settings, self.engine, self.now, random=Random(7))

    def statuses(self) -> list[str]:
        return [alert.status.value for alert in self.ledger.all()]

    def told_kinds(self, incident_id: str) -> list[str]:
        timeline = self.store.get(incident_id).timeline
        return [entry.data["phase"] for entry in timeline if entry.kind == "alert"]


@pytest.fixture
def ground(tmp_path: Path) -> Callable[..., Ground]:
    return lambda *urls, **settings: Ground(tmp_path / "home", *urls, **settings)


def test_an_opening_is_told_once_however_often_the_platform_restarts(
    server: Server, ground: Callable[..., Ground]
) -> None:
    """A pager that rings at every restart is soon switched off."""
    platform = ground(server.url)
    one = platform.open()
    assert platform.tick().sent == 1
    for _ in range(3):
        again = Ledger(operations_engine(platform.settings))
        assert dispatch(platform.settings, operations_engine(platform.settings), platform.now) == Dispatched()
        assert len(again.all()) == 1
    (message,) = server.heard
    assert message["title"] == "P1 opened · Expected batches are missing · orders 2026-01-01"
    assert f"reliability incidents show {one}" in message["message"]
    assert f"http://127.0.0.1:3000/assets/incident?view=partitions&partition={one}" in message["message"]
    assert "Somebody must be on it by 2026-02-01 13:00 UTC" in message["message"]
    incident = platform.store.get(one)
    assert incident.times.alerted == platform.now
    assert platform.told_kinds(one) == ["sent"]


def test_of_dispatchers_at_once_one_sends(server: Server, ground: Callable[..., Ground]) -> None:
    """`reliability dev` and a command may tick in the same second."""
    platform = ground(server.url)
    server.delay_seconds = 0.3
    platform.open()
    start = threading.Barrier(4)

    def go() -> None:
        start.wait()
        dispatch(platform.settings, operations_engine(platform.settings), platform.now)

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.heard) == 1
    assert platform.statuses() == ["sent"]


def test_changes_of_state_and_severity_are_told_and_signals_are_not(
    server: Server, ground: Callable[..., Ground]
) -> None:
    """An update for each signal would bury the one that matters."""
    platform = ground(server.url)
    one = platform.open("P2")
    platform.tick()
    platform.store.append(one, platform.now, "sensor", "signals", "again", {"signals": []})
    assert platform.tick() == Dispatched()
    platform.lower(one, "P1")
    platform.tick()
    platform.store.append(one, platform.now, "sensor", "deadline", "late", {"deadline": "response"})
    platform.tick()
    platform.move(one, State.ACKNOWLEDGED, State.RECOVERING)
    platform.tick()
    platform.move(one, State.VERIFIED, State.RESOLVED)
    platform.tick()
    assert [message["title"].split(" · ")[0] for message in server.heard] == [
        "P2 opened",
        "P1 raised from P2",
        "P1 response overdue",
        "P1 recovering",
        "P1 resolved",
    ]
    assert [message["type"] for message in server.heard] == ["warning", "failure", "failure", "failure", "success"]
    assert "detected → acknowledged; acknowledged → recovering" in server.heard[3]["message"]


def test_what_changes_in_one_tick_comes_as_one_message(server: Server, ground: Callable[..., Ground]) -> None:
    """Thirty incidents of one bad night are one message, the worst first."""
    platform = ground(server.url)
    platform.open("P3")
    for _ in range(12):
        platform.open("P2")
    worst = platform.open("P0")
    platform.tick()
    (message,) = server.heard
    assert message["title"] == "14 incidents changed, the worst is P0"
    lines = message["message"].splitlines()
    assert worst in " ".join(lines[:2])
    assert "- and 4 more" in lines
    assert platform.statuses() == ["sent"] * 14


def test_a_channel_hears_of_its_severities_and_of_all_that_follows(
    server: Server, ground: Callable[..., Ground]
) -> None:
    """Who was woken by a P1 must hear that it is only a P3, and that it is over."""
    platform = ground(f"P0,P1={server.url}")
    platform.open("P2")
    assert platform.tick() == Dispatched()
    one = platform.open("P1")
    platform.tick()
    platform.lower(one, "P3")
    platform.pass_by(minutes=1)
    platform.tick()
    platform.move(one, State.RESOLVED)
    platform.tick()
    assert [message["title"][:12] for message in server.heard] == ["P1 opened · ", "P3 lowered f", "P3 resolved "]


def test_the_cap_holds_back_and_a_digest_follows(server: Server, ground: Callable[..., Ground]) -> None:
    """A storm must not drown the channel, and nothing of it may be lost."""
    platform = ground(server.url, alert_cap_per_hour=4)
    for _ in range(3):
        platform.open("P2")
        platform.tick()
        platform.pass_by(minutes=1)
    assert "at the most" in server.heard[2]["message"]
    for _ in range(5):
        platform.open("P2")
        platform.tick()
        platform.pass_by(minutes=1)
    assert len(server.heard) == 3
    assert platform.statuses().count("pending") == 5
    assert {one.reason for one in platform.ledger.waiting()} == {"the cap of 4 messages an hour"}
    platform.open("P0")  # a quarter of the cap is kept for this, and what waits comes along
    platform.tick()
    assert server.heard[3]["title"] == "6 incidents changed, the worst is P0"
    platform.open("P0")
    assert platform.tick().sent == 0  # explicit is explicit
    platform.now = NOON + timedelta(minutes=60, seconds=1)
    platform.tick()
    assert len(server.heard) == 5
    assert set(platform.statuses()) == {"sent"}


def test_p3_waits_for_the_end_of_quiet_hours_and_p1_does_not(server: Server, ground: Callable[..., Ground]) -> None:
    """Nobody is woken for a thing of tomorrow."""
    platform = ground(server.url, alert_timezone="Europe/Zurich")
    platform.now = NOW.replace(hour=23)
    small = platform.open("P3")
    assert platform.tick().sent == 0
    assert platform.ledger.waiting()[0].due_at == (NOW + timedelta(days=1)).replace(hour=6)  # 7 in Zurich
    platform.open("P1")
    assert platform.tick().sent == 1
    platform.pass_by(hours=6, minutes=59)
    assert platform.tick().sent == 0
    platform.pass_by(minutes=1)
    assert platform.tick().sent == 1
    assert small in server.heard[-1]["message"]


def test_a_small_thing_that_becomes_worse_at_night_is_told_at_once(
    server: Server, ground: Callable[..., Ground]
) -> None:
    """What waited for the morning goes along with what cannot wait."""
    platform = ground(server.url)
    platform.now = NOW.replace(hour=23)
    one = platform.open("P3")
    platform.tick()
    platform.lower(one, "P1")
    assert platform.tick().sent == 2
    assert server.heard[0]["title"].startswith("P1 opened")


@pytest.mark.parametrize("failure", ["answers 500", "answers 429", "port closed"])
def test_a_dead_channel_is_retried_with_backoff_and_falls_back_to_a_file(
    server: Server, ground: Callable[..., Ground], failure: str
) -> None:
    """An alert that nobody could be told must lie where somebody finds it, and say why."""
    platform = ground(server.url)
    if failure == "port closed":
        server.close()
    else:
        server.answer = int(failure[-3:])
    one = platform.open()
    waits: list[float] = []
    for attempt in range(1, MAX_ATTEMPTS + 1):
        done = platform.tick()
        assert (done.retried, done.failed) == ((1, 0) if attempt < MAX_ATTEMPTS else (0, 1))
        (health,) = platform.ledger.channels().values()
        assert health.state == "failing" and health.failures == attempt and health.retry_at is not None
        assert platform.tick().retried == 0  # not before its time
        waits.append((health.retry_at - platform.now).total_seconds())
        platform.now = health.retry_at
    assert all(later > earlier * 0.6 for earlier, later in pairwise(waits)) and waits[-1] > 100
    assert platform.statuses() == ["failed"]
    (line,) = (platform.settings.alerts / "undelivered.jsonl").read_text().splitlines()
    kept = json.loads(line)
    assert kept["incidents"] == [one] and kept["title"].startswith("P1 opened")
    words = "it could not be reached or gave no answer" if failure == "port closed" else f"HTTP status {failure[-3:]}"
    assert words in kept["why"]
    assert platform.told_kinds(one) == ["failed"]
    assert platform.store.get(one).times.alerted is None


def test_a_channel_that_comes_back_is_told_what_it_missed(server: Server, ground: Callable[..., Ground]) -> None:
    """The first try after an outage brings everything of it, in one message."""
    platform = ground(server.url)
    server.answer = 503
    platform.open()
    platform.tick()
    platform.open()
    platform.tick()
    server.answer = 200
    platform.pass_by(minutes=5)
    assert platform.tick().sent == 2
    (health,) = platform.ledger.channels().values()
    assert health.state == "ok" and health.last_error == ""
    assert server.heard[0]["title"].startswith("2 incidents")


def test_what_a_channel_refuses_for_good_is_not_tried_again(server: Server, ground: Callable[..., Ground]) -> None:
    """A revoked token does not become valid by asking five times."""
    platform = ground(server.url)
    server.answer = 403
    platform.open()
    assert platform.tick().failed == 1
    assert (platform.settings.alerts / "undelivered.jsonl").exists()


def test_a_channel_that_hangs_is_given_up_in_time(ground: Callable[..., Ground], monkeypatch: Any) -> None:
    """A tick that hangs would keep every later alert back."""
    monkeypatch.setattr("reliability_platform.alerts.delivery.COURIER_SECONDS", 1.5)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        platform = ground(f"json://127.0.0.1:{deaf.getsockname()[1]}/{TOKEN}")
        platform.open()
        begun = time.monotonic()
        assert platform.tick().retried == 1
        assert time.monotonic() - begun < 5
    assert platform.ledger.waiting()[0].reason == "it did not answer within 1.5 seconds"


def test_one_dead_channel_does_not_keep_another_from_hearing(server: Server, ground: Callable[..., Ground]) -> None:
    """Fallbacks are of no use if they die together."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = free.getsockname()[1]
    platform = ground(f"json://127.0.0.1:{closed}", server.url)
    one = platform.open()
    done = platform.tick()
    assert (done.sent, done.retried) == (1, 1)
    assert len(server.heard) == 1
    assert platform.told_kinds(one) == ["sent"]


def test_who_dies_between_sending_and_writing_it_down_sends_again(
    server: Server, ground: Callable[..., Ground]
) -> None:
    """Sending is at least once; a lost alert is worse than a doubled one."""
    platform = ground(server.url)
    platform.open()

    def dies(*_: object) -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dispatch(platform.settings, platform.engine, platform.now, delivery=dies)
    assert platform.statuses() == ["sending"]
    assert platform.tick().sent == 1
    assert len(server.heard) == 1


def test_a_new_channel_hears_of_what_is_open_and_of_nothing_that_is_over(
    server: Server, ground: Callable[..., Ground], tmp_path: Path
) -> None:
    """Whoever adds a channel after a year does not want the year."""
    before = ground()
    over, still = before.open(), before.open()
    before.move(over, State.RESOLVED)
    platform = Ground(tmp_path / "home", server.url)
    assert len(server.heard) == 1
    assert still in server.heard[0]["message"] and over not in server.heard[0]["message"]
    assert platform.tick() == Dispatched()


def test_a_dry_run_is_the_default_and_sends_nothing(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever tries the platform out must not page a stranger."""
    monkeypatch.setenv("RELIABILITY_ALERT_URLS", server.url)
    settings = load_settings(tmp_path)
    assert settings.alert_dry_run
    platform = Ground(tmp_path, server.url, alert_dry_run=True)
    one = platform.open()
    assert platform.tick().sent == 1
    assert server.paths == []
    assert platform.statuses() == ["dry_run"]
    assert platform.told_kinds(one) == ["dry_run"]
    assert "P1 opened" in (tmp_path / "alerts" / "dry_run.jsonl").read_text()
    live = Ground(tmp_path, server.url)  # what was only rehearsed is told for real once the dry run ends
    assert len(server.heard) == 1 and live.statuses() == ["dry_run", "sent"]


def test_pagerduty_has_one_alert_for_the_life_of_an_incident(server: Server, ground: Callable[..., Ground]) -> None:
    """Triggered, acknowledged, resolved under one key, though the incident's days grow meanwhile."""
    endpoint = f"http://127.0.0.1:{server.port}/v2/enqueue"
    platform = ground(f"P0,P1=pagerduty://routing-{TOKEN}@api", alert_pagerduty_url=endpoint)
    one = platform.open("P1")
    two = platform.open("P0")
    platform.tick()
    platform.store.append(one, platform.now, "sensor", "signals", "more", {"partitions": [day(9).isoformat()]})
    platform.move(one, State.ACKNOWLEDGED)
    platform.tick()
    platform.move(one, State.RECOVERING, State.VERIFIED, State.RESOLVED)
    platform.tick()
    platform.move(two, State.FALSE_ALARM)
    platform.tick()
    assert [(event["event_action"], event["dedup_key"][-10:]) for event in server.heard] == [
        ("trigger", "2026-01-02"),
        ("trigger", "2026-01-01"),
        ("acknowledge", "2026-01-01"),
        ("resolve", "2026-01-01"),
        ("resolve", "2026-01-02"),
    ]
    assert {event["routing_key"] for event in server.heard} == {f"routing-{TOKEN}"}
    assert [event["payload"]["severity"] for event in server.heard[:2]] == ["critical", "error"]
    assert server.heard[1]["dedup_key"] == dedup_key(platform.store.get(one))
    assert server.heard[1]["payload"]["summary"] == "P1 opened · Expected batches are missing · orders 2026-01-01"
    assert set(server.paths) == {"/v2/enqueue"}


def test_a_pager_that_was_dead_for_a_whole_incident_still_has_it_in_its_history(
    server: Server, ground: Callable[..., Ground]
) -> None:
    """A resolve of what was never triggered is dropped over there without a word."""
    endpoint = f"http://127.0.0.1:{server.port}/v2/enqueue"
    platform = ground("pagerduty://routing@api", alert_pagerduty_url=endpoint)
    server.answer = 500
    one = platform.open()
    platform.tick()
    platform.move(one, State.RESOLVED)
    server.answer = 202
    platform.pass_by(minutes=5)
    platform.tick()
    assert [event["event_action"] for event in server.heard] == ["trigger", "resolve"]
    assert set(platform.statuses()) == {"sent"}


def test_the_cap_of_a_pager_never_keeps_a_resolution_back(server: Server, ground: Callable[..., Ground]) -> None:
    """A pager that goes on ringing for what is over is worse than a silent one."""
    endpoint = f"http://127.0.0.1:{server.port}/v2/enqueue"
    platform = ground("pagerduty://routing@api", alert_pagerduty_url=endpoint, alert_cap_per_hour=2)
    opened = [platform.open("P1") for _ in range(4)]
    assert platform.tick() == Dispatched(new=4, sent=2, deferred=2)
    platform.move(opened[0], State.RESOLVED)
    platform.tick()
    assert [event["event_action"] for event in server.heard] == ["trigger", "trigger", "resolve"]
    platform.pass_by(hours=1, seconds=1)
    platform.tick()
    assert [event["event_action"] for event in server.heard[3:]] == ["trigger", "trigger"]


@pytest.mark.parametrize("answer", [200, 404, 500, None])
def test_no_secret_of_a_url_is_left_anywhere(
    server: Server,
    ground: Callable[..., Ground],
    answer: int | None,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A token in a log, a page or a store belongs to whoever reads them."""
    caplog.set_level(logging.DEBUG)
    server.answer = answer or 200
    pager, chat = f"pagerduty://key{TOKEN}@api{TOKEN}", f"json://user:{TOKEN}@127.0.0.1:{server.port}/{TOKEN}?k={TOKEN}"
    endpoint = f"http://127.0.0.1:{server.port}/v2/enqueue"
    if answer is None:
        server.close()
    platform = ground(pager, chat, f"slack://{TOKEN}", alert_pagerduty_url=endpoint)
    platform.open()
    platform.tick()
    found = [
        path for path in platform.settings.home.rglob("*") if path.is_file() and TOKEN in path.read_text("latin-1")
    ]
    assert found == []
    assert TOKEN not in caplog.text
    assert TOKEN not in "".join(capfd.readouterr())
    assert TOKEN not in repr(platform.settings) + str(platform.settings) + repr(channels(platform.settings))
    statuses = {alert.channel.split("-")[0]: alert.status for alert in platform.ledger.all()}
    assert statuses["slack"] is Status.FAILED  # not a URL that Apprise understands: said, without showing it


@pytest.mark.parametrize(
    "value", ["hello", f"json://a {TOKEN}", f"P7=json://{TOKEN}", "[1]", '["json"', f'["{TOKEN}"]', f"json:// {TOKEN}"]
)
def test_urls_that_are_none_are_refused_without_showing_them(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing error must not print the token beside it."""
    monkeypatch.setenv("RELIABILITY_ALERT_URLS", value)
    with pytest.raises(UsageError, match="RELIABILITY_ALERT_URLS") as error:
        load_settings()
    assert TOKEN not in str(error.value)


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("", []),
        ("json://a:1/x", ["json://a:1/x"]),
        ("P0,P1=json://a, P2=slack://b/c/d json://q?to=a,b", ["P0,P1=json://a", "P2=slack://b/c/d", "json://q?to=a,b"]),
        ("json://a,P0,P1=json://b", ["json://a", "P0,P1=json://b"]),
        ('["P0=json://a", "json://b?x=1,json"]', ["P0=json://a", "json://b?x=1,json"]),
    ],
)
def test_urls_are_parted_where_the_next_begins(text: str, urls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Severities and mail addresses have commas of their own."""
    monkeypatch.setenv("RELIABILITY_ALERT_URLS", text)
    assert [url.get_secret_value() for url in load_settings().alert_urls] == urls


@pytest.mark.parametrize(
    ("hours", "at", "end"),
    [
        ("22:00-07:00", "2026-02-01T21:59", None),
        ("22:00-07:00", "2026-02-01T22:00", "2026-02-02T07:00"),
        ("22:00-07:00", "2026-02-02T06:59", "2026-02-02T07:00"),
        ("22:00-07:00", "2026-02-02T07:00", None),
        ("12:00-13:00", "2026-02-02T12:30", "2026-02-02T13:00"),
        ("12:00-13:00", "2026-02-02T11:30", None),
        ("", "2026-02-02T03:00", None),
    ],
)
def test_quiet_hours_may_go_over_midnight(hours: str, at: str, end: str | None, tmp_path: Path) -> None:
    """The commonest window does."""
    settings = load_settings(tmp_path).model_copy(update={"alert_quiet_hours": hours})
    moment = datetime.fromisoformat(f"{at}:00+00:00")
    found = quiet_until(settings, Severity.P3, moment)
    assert found == (datetime.fromisoformat(f"{end}:00+00:00") if end else None)
    assert quiet_until(settings, Severity.P1, moment) is None


def test_room_and_waits_are_what_they_say() -> None:
    """The cap counts any hour, not that of the wall clock; waits double within bounds."""
    sent = [NOW, NOW + timedelta(minutes=10), NOW + timedelta(minutes=20)]
    assert room(sent, NOW + timedelta(minutes=30), 4) == (1, NOW + timedelta(minutes=30))
    assert room(sent, NOW + timedelta(minutes=30), 3) == (0, NOW + timedelta(hours=1))
    assert room(sent, NOW + timedelta(minutes=30), 2) == (0, NOW + timedelta(minutes=70))
    assert room(sent, NOW + timedelta(minutes=61), 3)[0] == 1
    assert [allowance(20, severity) for severity in Severity] == [20, 20, 15, 15]
    assert allowance(1, Severity.P3) == 1
    first, tenth = [[wait(failures, Random(seed)) for seed in range(50)] for failures in (1, 10)]
    assert len(set(first)) > 40  # jitter
    assert timedelta(seconds=7.5) <= min(first) and max(first) <= timedelta(seconds=22.5)
    assert max(tenth) <= timedelta(minutes=22.5)


@pytest.mark.parametrize(
    "hostile",
    ["<!channel>", "@everyone", "[x](https://evil.example)", "https://evil.example", "evil.example", "**b** `c` __d__"],
)
def test_foreign_words_mean_nothing_in_any_chat(hostile: str) -> None:
    """A limit or a name that came from elsewhere must not mention, link or mark up."""
    shown = harmless(hostile)
    assert not any(sign in shown for sign in ("@", "!", "[", "://", "`", "*", "__", "evil.example", "<c"))
    assert harmless("<= 0.5 % of 1,000 rows (stg_orders)") == "<= 0.5 % of 1,000 rows (stg_orders)"


def test_an_idle_tick_costs_next_to_nothing(ground: Callable[..., Ground]) -> None:
    """It runs every fifteen seconds, for ever."""
    platform = ground("json://127.0.0.1:9/a", "json://127.0.0.1:9/b", "json://127.0.0.1:9/c", alert_dry_run=True)
    for _ in range(20):
        platform.open()
    platform.tick()
    spent = []
    for _ in range(15):
        begun = time.perf_counter()
        assert platform.tick().new == 0
        spent.append(time.perf_counter() - begun)
    assert min(spent) < 0.02, spent
