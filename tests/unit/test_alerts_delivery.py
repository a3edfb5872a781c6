"""Channels that are dead, slow, forgotten or paged; dispatchers that die; secrets that stay where they are."""

import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner

from reliability_platform.alerts.channels import channels
from reliability_platform.alerts.delivery import send
from reliability_platform.alerts.dispatch import Dispatched, dispatch
from reliability_platform.alerts.ledger import Status
from reliability_platform.alerts.pagerduty import dedup_key
from reliability_platform.alerts.policy import MAX_ATTEMPTS
from reliability_platform.alerts.status import channel_statuses
from reliability_platform.cli.main import cli
from reliability_platform.errors import UsageError
from reliability_platform.incidents.model import State
from reliability_platform.operations.tables import alert_channels, alerts
from reliability_platform.orchestration.alert_sensor import alert_sensor
from reliability_platform.orchestration.resources import RESOURCES
from reliability_platform.settings import load_settings
from tests.unit.alerting import TOKEN, Ground, Server
from tests.unit.failing import day


class Shell:
    """The command line on one home, with a channel in its environment."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(cli, ["alerts", *arguments, "--home", str(self.home)], standalone_mode=False)
        if result.exception is not None:
            raise result.exception
        return int(result.return_value or 0), result.output


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
    monkeypatch.setattr("reliability_platform.alerts.delivery.SENDER_SECONDS", 1.5)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        platform = ground(f"json://127.0.0.1:{deaf.getsockname()[1]}/{TOKEN}")
        platform.delivery = send  # only a process of its own can be stopped
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


@pytest.mark.parametrize("answer", [500, *(pytest.param(one, marks=pytest.mark.exhaustive) for one in (200, None))])
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
    platform.delivery = send  # in this process, the libraries would log every URL
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


def test_an_idle_tick_costs_next_to_nothing(ground: Callable[..., Ground]) -> None:
    """It runs every fifteen seconds, for ever."""
    platform = ground("json://127.0.0.1:9/a", "json://127.0.0.1:9/b", "json://127.0.0.1:9/c", alert_dry_run=True)
    for _ in range(20):
        platform.open()
    platform.tick()
    spent = []
    for _ in range(15):
        begun = time.process_time()  # of work: how long the machine lets it wait says nothing
        assert platform.tick().new == 0
        spent.append(time.process_time() - begun)
    assert min(spent) < 0.02, spent


def test_a_channel_long_dead_is_tried_once_for_what_is_urgent_and_then_the_file_has_it(
    server: Server, ground: Callable[..., Ground]
) -> None:
    """A breach must not wait for an hour of retries to a channel that has been dead for days."""
    platform = ground(server.url)
    server.answer = 500
    platform.open()
    for _ in range(MAX_ATTEMPTS):
        platform.tick()
        platform.pass_by(minutes=10)
    assert platform.statuses() == ["failed"]
    tried = len(server.paths)
    platform.open("P2")
    platform.ledger.note_health(platform.ledger.all()[0].channel, False, retry_at=platform.now + timedelta(minutes=9))
    assert platform.tick().deferred == 1
    platform.open("P0")
    assert platform.tick().failed == 2
    assert len(server.paths) == tried + 1
    assert len((platform.settings.alerts / "undelivered.jsonl").read_text().splitlines()) == 2
    server.answer = 200
    platform.pass_by(minutes=30)
    platform.open()
    platform.tick()
    assert "3 earlier alerts could not be delivered here" in server.heard[0]["message"]


def test_of_a_dead_channel_the_others_are_told(server: Server, ground: Callable[..., Ground]) -> None:
    """Nobody reads the log of a pager that does not ring."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = free.getsockname()[1]
    platform = ground(f"json://127.0.0.1:{closed}", server.url)
    for _ in range(3):
        platform.open("P2")
        platform.tick()
        platform.pass_by(minutes=5)
    dead = next(one.name for one in platform.ledger.channels().values() if one.state == "failing")
    words = f"The channel {dead} takes nothing at present: reliability alerts status"
    told = [words in message["message"] for message in server.heard]
    # In one tick the dead channel comes first or the other one does: by their names, which hold a port.
    assert told in ([False, False, True], [False, True, True])


def test_a_killed_dispatcher_does_not_hold_a_channel_for_ever(server: Server, ground: Callable[..., Ground]) -> None:
    """Whoever is killed while it sends cannot let go by itself."""
    platform = ground(server.url)
    platform.open()
    with platform.ledger.held(channels(platform.settings)[0].name, False, platform.now) as held:
        assert held
        assert platform.tick().sent == 0
        platform.pass_by(seconds=60)
        assert platform.tick().sent == 0
        platform.pass_by(seconds=31)
        assert platform.tick().sent == 1


def test_what_waits_for_a_removed_channel_is_given_up_after_a_day_and_says_so(
    server: Server, ground: Callable[..., Ground], tmp_path: Path
) -> None:
    """Not at once: a shell that knows fewer URLs than the daemon must not throw the daemon's alerts away."""
    platform = ground(server.url)
    server.answer = 500
    platform.open()
    platform.tick()
    fewer = Ground(tmp_path / "home", f"json://127.0.0.1:{server.port}/other")
    assert Status.PENDING in {alert.status for alert in fewer.ledger.all()}
    removed = [one for one in channel_statuses(fewer.settings, fewer.engine) if one.state == "removed"]
    assert [one.waiting for one in removed] == [1]
    fewer.pass_by(days=2)
    fewer.tick()
    suppressed = [alert for alert in fewer.ledger.all() if alert.status is Status.SUPPRESSED]
    assert [alert.reason for alert in suppressed] == ["its channel is not configured any more"]


def test_the_command_lists_sends_and_tests(
    server: Server, ground: Callable[..., Ground], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was decided can be seen, and whether a channel works can be tried, without sending by accident."""
    home = ground().settings.home
    shell = Shell(home)
    with pytest.raises(UsageError, match="No channel is configured"):
        shell("test")
    monkeypatch.setenv("RELIABILITY_ALERT_URLS", server.url)
    assert shell("send")[0] == 0
    Ground(home).open()
    code, said = shell("send", "--json")
    assert (code, json.loads(said)["sent"], json.loads(said)["dry_run"]) == (0, 1, True)
    assert "nothing was sent" in shell("test")[1]
    assert server.heard == []
    assert [row["status"] for row in json.loads(shell("list", "--json")[1])] == ["dry_run"]
    assert "opened" in shell("list")[1]
    assert json.loads(shell("list", "--waiting", "--json")[1]) == []
    assert shell("test", "--really") == (0, f"{channels(load_settings(home))[0].name}: took the test\n")
    assert server.heard[0]["title"] == "A test of the Reliability Platform"
    monkeypatch.setenv("RELIABILITY_ALERT_DRY_RUN", "false")
    server.answer = 500
    assert shell("test")[0] == 1
    assert shell("send")[0] == 1
    code, said = shell("status", "--json")
    assert (code, [one["state"] for one in json.loads(said)["channels"]]) == (1, ["failing"])
    code, said = shell("status")
    assert code == 1 and "failing" in said and TOKEN not in said
    found = json.loads(CliRunner().invoke(cli, ["doctor", "--json", "--home", str(home)]).output)
    (alerts,) = [one for one in found if one["what"] == "alerts"]
    assert not alerts["ok"] and "has not taken anything: it answered with HTTP status 500" in alerts["says"]


@pytest.mark.exhaustive  # 6 s: two commands; in `make test` four threads that dispatch at once (`test_alerts.py`)
def test_two_processes_on_one_home_send_once(server: Server, ground: Callable[..., Ground]) -> None:
    """Two daemons started by mistake are two processes, with nothing in common but the store."""
    platform = ground(server.url)
    platform.open()
    server.delay_seconds = 1.0
    environment = os.environ | {
        "RELIABILITY_ALERT_URLS": server.url,
        "RELIABILITY_ALERT_DRY_RUN": "false",
        "RELIABILITY_HOME": str(platform.settings.home),
    }
    program = "from reliability_platform.cli import main; main(['alerts', 'send'])"
    both = [subprocess.Popen([sys.executable, "-c", program], env=environment) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert len(server.heard) == 1


def test_the_sensor_sends_and_needs_no_cursor(
    server: Server, ground: Callable[..., Ground], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sensor that is reset or doubled must not tell everything again."""
    platform = ground(server.url)
    platform.open()
    monkeypatch.setenv("RELIABILITY_HOME", str(platform.settings.home))
    monkeypatch.setenv("RELIABILITY_ALERT_URLS", server.url)
    monkeypatch.setenv("RELIABILITY_ALERT_DRY_RUN", "false")
    with dg.instance_for_test() as instance:
        for expected in ("1 alert sent", "0 alerts sent"):
            with dg.build_sensor_context(instance=instance, resources=RESOURCES) as context:
                outcome = alert_sensor(context)
            assert isinstance(outcome, dg.SensorResult) and isinstance(outcome.skip_reason, dg.SkipReason)
            assert str(outcome.skip_reason.skip_message).startswith(expected)
    assert len(server.heard) == 1


def test_no_text_is_longer_than_its_column(ground: Callable[..., Ground]) -> None:
    """PostgreSQL refuses the row: what was sent would be sent again at each tick, and nobody would know why."""
    platform = ground("json://127.0.0.1:1/x")
    [(channel, dry_run)] = platform.ledger.channels()
    one = platform.open()
    data = {"to": "everybody on the second floor, " * 20, "must": "decide"}
    platform.store.append(one, platform.now, "x", "escalation", "so", data)
    platform.tick()
    waiting = platform.ledger.waiting()
    platform.ledger.mark([alert.id for alert in waiting], reason="no message could be made of it " * 20)
    platform.ledger.note_health(channel, dry_run, last_error="it answered something else " * 20)
    found = platform.ledger.all()
    assert {len(alert.reason) for alert in found} == {alerts.c.reason.type.length}
    assert max(len(alert.summary) for alert in found) == alerts.c.summary.type.length
    assert len(platform.ledger.channels()[channel, dry_run].last_error) == alert_channels.c.last_error.type.length
