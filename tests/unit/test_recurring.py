"""Causes that come back, and action items that are late."""

from collections.abc import Callable
from datetime import date

import pytest

from reliability_platform.cli.main import main
from reliability_platform.incidents.deadlines import note_missed
from reliability_platform.incidents.decisions import add_action_item, finish_action_item
from reliability_platform.incidents.model import State
from reliability_platform.incidents.recurring import recurrence_of, recurring
from reliability_platform.remediation.documents import render_overview
from tests.unit.alerting import Ground


def test_the_third_time_of_a_cause_is_said_with_the_times_before(ground: Callable[..., Ground]) -> None:
    """Whoever is woken for the third time should not look for the cause as for a new one."""
    platform = ground()
    came = []
    for days in (0, 200, 30, 30):  # the first is too long ago when the last comes
        platform.pass_by(days=days)
        came.append(platform.open("P2", "schema_break", source="payments", root_dataset="stg_payments"))
        platform.open("P2", "schema_break", source="orders", root_dataset="stg_orders")
        false = platform.open("P2", "schema_break", source="payments", root_dataset="stg_payments")
        platform.move(false, State.FALSE_ALARM)
        assert recurrence_of(platform.store, platform.store.get(false)) is None, "it repeats nothing"
    first, second, _, last = (platform.store.get(one) for one in came)
    assert recurrence_of(platform.store, first) is None
    assert recurrence_of(platform.store, second) is None
    found = recurrence_of(platform.store, last)
    assert found is not None
    assert [one.incident for one in found.occurrences] == came[1:]
    screen = " ".join(render_overview(platform.settings, last, platform.now).split())
    assert found.in_words in screen
    assert found.in_words == (
        "Third time within 180 days: schema_break of payments by the same producer (payments@example.com). "
        "Before: INC-0004 (2026-08-20) and INC-0007 (2026-09-19)."
    )
    assert {(one.source, len(one.occurrences)) for one in recurring(platform.store, platform.now)} == {
        ("payments", 3), ("orders", 3),
    }  # fmt: skip


def test_what_came_back_is_listed(ground: Callable[..., Ground], capsys: pytest.CaptureFixture[str]) -> None:
    """The monthly talk with a producer begins with the dates."""
    platform = ground()
    ids = [platform.open("P2", "null_spike"), platform.open("P2", "null_spike")]
    platform.open("P2", "late_data")
    home = str(platform.settings.home)
    main(["incidents", "recurring", "--days", "3660", "--home", home])
    said = capsys.readouterr().out
    assert all(one in said for one in ids)
    assert "late_data" not in said


def test_an_overdue_action_item_is_told_once_and_one_that_is_done_never(ground: Callable[..., Ground]) -> None:
    """An action item that nobody follows is a wish."""
    platform = ground("json://127.0.0.1:1/x", alert_dry_run=True)
    one = platform.open("P2")
    platform.move(one, State.RESOLVED)
    day = platform.now.date()
    for what in ("Agree on a notice", "Add a check", "Later"):
        due = day if what != "Later" else date(2099, 1, 1)
        add_action_item(platform.store, one, what, "ada@example.com", due, platform.now, "Ada")
    finish_action_item(platform.store, one, 2, platform.now, "Ada", "done")
    assert note_missed(platform.settings, platform.engine, platform.now) == [], "due today is not late"
    platform.tick()
    platform.pass_by(days=1)
    assert note_missed(platform.settings, platform.engine, platform.now) == [one]
    assert note_missed(platform.settings, platform.engine, platform.now) == []
    assert platform.store.get(one).missed == {"action item 1"}
    told = platform.store.get(one).timeline[-1]
    assert told.why == f"Action item 1 was due on {day} and is not done: Agree on a notice (ada@example.com)."
    platform.tick()
    assert [alert.summary for alert in platform.ledger.all() if alert.event == "deadline"] == ["action item 1 overdue"]
