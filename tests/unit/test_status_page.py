"""What readers of the data are shown of incidents, and how long one is expected to last."""

from collections.abc import Callable
from datetime import timedelta

from reliability_platform.alerts.status_page import keep_status_page, page_of, status_blocks, write_status_page
from reliability_platform.incidents.decisions import give_update
from reliability_platform.incidents.documents import web
from reliability_platform.incidents.model import State
from reliability_platform.incidents.usual_recovery import usual_recovery
from reliability_platform.remediation.documents import render_overview
from tests.unit.alerting import Ground


def test_the_usual_recovery_is_median_and_nine_in_ten_of_the_same_class(ground: Callable[..., Ground]) -> None:
    """Two recoveries are an anecdote; a false alarm recovered from nothing."""
    platform = ground()
    took = [10, 20, 30, 40, 600]
    for number, minutes in enumerate(took):
        one = platform.open("P2")
        platform.pass_by(minutes=minutes)
        platform.move(one, State.RECOVERING, State.VERIFIED)
        platform.move(platform.open("P2"), State.FALSE_ALARM)
        platform.move(platform.open("P2", "schema_break"), State.RECOVERING, State.VERIFIED)
        assert (usual_recovery(platform.store, "missing_data") is None) is (number < 2)
    usual = usual_recovery(platform.store, "missing_data")
    assert usual is not None
    assert (usual.median, usual.p90, usual.of) == (timedelta(minutes=30), timedelta(minutes=600), 5)
    assert usual.in_words == (
        "Of the last 5 incidents of this kind half were over within 30 min, nine in ten within 10 h."
    )
    assert usual_recovery(platform.store, "null_spike") is None
    standing = platform.store.get(platform.open("P2", source="orders", root_dataset="stg_orders"))
    assert usual.in_words in " ".join(render_overview(platform.settings, standing, platform.now).split())


def test_readers_see_what_is_wrong_for_them_and_nothing_of_the_inside(ground: Callable[..., Ground]) -> None:
    """Whoever reads a dashboard asks: is it right, since when, until when."""
    platform = ground()
    over = platform.open("P2", source="web_events", root_dataset="stg_web_events")
    platform.move(over, State.RECOVERING, State.VERIFIED)
    standing = platform.open("P1", source="payments", root_dataset="stg_payments")
    said = "<script>alert(1)</script> The desk is on it, ada@example.org."
    give_update(platform.store, standing, said, platform.now + timedelta(hours=2), platform.now, "grace")
    platform.pass_by(minutes=5)
    page = web.page(status_blocks(platform.engine, platform.now))
    assert "finance dashboard" in page and "numbers may be wrong" in page
    assert "2026-02-01 12:00 UTC" in page and "2026-02-01 14:00 UTC" in page and "not known yet" in page
    assert "Over in the last seven days" in page and "operations report" in page
    inside = ("<script>", "ada@", "grace", "stg_", "missing_data", "INC-", "finance-analytics@example.com", "bronze")
    assert not [one for one in inside if one in page]
    platform.move(standing, State.RESOLVED)
    platform.pass_by(days=8)
    page = web.page(status_blocks(platform.engine, platform.now))
    assert "may be wrong" not in page and "Over in the last" not in page and page.count("as usual") == 3


def test_what_is_the_same_to_a_reader_is_one_row(ground: Callable[..., Ground]) -> None:
    """A wrong model fails on each day that is run, and each is an incident: whoever reads it asks since when and until when."""
    platform = ground()
    first = platform.open("P1", source="payments", root_dataset="stg_payments")
    give_update(platform.store, first, "The desk is on it.", platform.now + timedelta(hours=9), platform.now, "grace")
    for _ in range(4):
        platform.open("P1", source="payments", root_dataset="stg_payments")
        platform.pass_by(minutes=10)
    page = web.page(status_blocks(platform.engine, platform.now))
    rows = [one for one in page.splitlines() if one.startswith("<tr><td>finance dashboard") and "UTC" in one]
    assert len(rows) == 2 and "The desk is on it." in rows[0]
    assert "2026-02-01 12:00 UTC" in rows[1] and "2026-02-01 13:00 UTC" in rows[1] and "not known yet" in rows[1]
    for incident in platform.store.open():
        platform.move(incident.id, State.RECOVERING, State.VERIFIED, State.RESOLVED)
    page = web.page(status_blocks(platform.engine, platform.now))
    rows = [one for one in page.splitlines() if one.startswith("<tr><td>finance dashboard") and "UTC" in one]
    assert len(rows) == 2 and "2026-02-01 12:40 UTC" in rows[1]


def test_the_daemon_keeps_a_page_that_somebody_has_begun_and_begins_none(ground: Callable[..., Ground]) -> None:
    """A page that is out of date is worse than none."""
    platform = ground()
    keep_status_page(platform.settings, platform.engine, platform.now)
    assert not page_of(platform.settings).exists()
    write_status_page(platform.engine, page_of(platform.settings), platform.now)
    platform.open("P1", source="payments", root_dataset="stg_payments")
    keep_status_page(platform.settings, platform.engine, platform.now)
    assert "numbers may be wrong" in page_of(platform.settings).read_text()
