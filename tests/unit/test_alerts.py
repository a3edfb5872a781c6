"""Alerts, from the timeline to a real local server: each told once, together, in time."""

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from reliability_platform.alerts.dispatch import Dispatched, dispatch
from reliability_platform.alerts.ledger import AlertLedger, Status
from reliability_platform.incidents.model import State
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings
from tests.unit.alerting import NOON, Ground, Server
from tests.unit.failing import NOW


def test_an_opening_is_told_once_however_often_the_platform_restarts(
    server: Server, ground: Callable[..., Ground]
) -> None:
    """A pager that rings at every restart is soon switched off."""
    platform = ground(server.url)
    one = platform.open()
    assert platform.tick().sent == 1
    for _ in range(3):
        again = AlertLedger(operations_engine(platform.settings))
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
    platform.store.append(one, platform.now, "healer", "escalation", "at its end", {"to": "the data team"})
    platform.tick()
    platform.move(one, State.ACKNOWLEDGED, State.RECOVERING)
    platform.tick()
    platform.move(one, State.VERIFIED, State.RESOLVED)
    platform.tick()
    assert [message["title"].split(" · ")[0] for message in server.heard] == [
        "P2 opened",
        "P1 raised from P2",
        "P1 response overdue",
        "P1 the data team must decide",
        "P1 recovering",
        "P1 resolved",
    ]
    assert [message["type"] for message in server.heard] == ["warning", *["failure"] * 4, "success"]
    assert "detected → acknowledged; acknowledged → recovering" in server.heard[4]["message"]


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


def test_a_symptom_that_nobody_heard_of_stays_quiet(server: Server, ground: Callable[..., Ground]) -> None:
    """Fifty symptoms of one cause are one alert; that they were kept back is on the list."""
    platform = ground(server.url)
    cause, symptom = platform.open(), platform.open()
    platform.store.move(symptom, State.FALSE_ALARM, platform.now, "sensor", "a symptom", linked_to=cause)
    assert platform.tick().sent == 1
    assert cause in server.heard[0]["message"] and symptom not in server.heard[0]["message"]
    kept = [alert for alert in platform.ledger.all() if alert.status is Status.SUPPRESSED]
    assert {alert.incident_id for alert in kept} == {symptom}
    assert kept[0].reason == f"it turned out to be a symptom of {cause}"
