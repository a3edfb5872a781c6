"""The life of an incident: its raw times, its deadlines, what people decide."""

import multiprocessing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, text

from reliability_platform.checks.store import CheckStore
from reliability_platform.errors import UsageError
from reliability_platform.incidents.classes import Severity
from reliability_platform.incidents.deadlines import note_missed
from reliability_platform.incidents.decisions import (
    Decision,
    IncidentRole,
    add_action_item,
    decide,
    finish_action_item,
    finish_postmortem,
)
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.model import State
from reliability_platform.incidents.onset import first_bad_write
from reliability_platform.incidents.response import in_words, overdue, postmortem_due, read_policy, response_due
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.operations.tables import incident_heads, incident_timeline
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.journal import SUCCEEDED, BuildJournal
from tests.unit.failing import NOW, Numbers, day, later, passed, result

GAP = "bronze_shipments__batch_completeness"
LATE = "stg_orders__late_share"
POLICY = read_policy(Settings().response_policy)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path)


@pytest.fixture
def engine(settings: Settings) -> Engine:
    return operations_engine(settings)


def opened(engine: Engine, check: str = GAP, number: int = 5, at: datetime = NOW) -> str:
    numbers = CheckStore(engine)
    numbers.record([result(check, number, at=at)])
    (one,) = observe(engine, numbers.after(0, 1000), at)
    return one


def test_raw_times_are_kept_and_durations_follow_from_them(engine: Engine) -> None:
    """Means of durations that nobody can trace back convince nobody."""
    store = IncidentStore(engine)
    number = Numbers()
    (one,) = observe(engine, number(result(GAP)), NOW)
    store.append(one, later(1), "alerts", "alert", "told", {"phase": "sent", "channel": "mail"})
    decide(store, one, Decision.ACKNOWLEDGE, later(3), "Ada", "seen")
    store.move(one, State.RECOVERING, later(5), "healer", "act", phase="begun")
    observe(engine, number(passed(GAP)), later(8))
    store.move_through(one, [(State.VERIFIED, "passes"), (State.RESOLVED, "done")], later(9), "healer")
    decide(store, one, Decision.CLOSE, later(90), "Ada", "nothing left")
    times = store.get(one).times
    kept = {name: moment and int((moment - NOW).total_seconds() / 60) for name, moment in vars(times).items()}
    assert kept == {
        "onset": None, "first_bad_write": None, "detected": 0, "alerted": 1, "acknowledged": 3, "contained": 0,
        "recovery_started": 5, "recovered": 8, "verified": 9, "resolved": 9, "closed": 90,
    }  # fmt: skip
    assert times.time_to_acknowledge == timedelta(minutes=3)
    assert times.time_to_recover == timedelta(minutes=8)
    assert times.time_to_resolve == timedelta(minutes=9)
    assert times.data_downtime == timedelta(minutes=8), "from the detection, where the first write is not known"


def test_what_comes_back_had_not_recovered(engine: Engine) -> None:
    """A mean time to recover that counts only the first try flatters."""
    store = IncidentStore(engine)
    one = opened(engine)
    store.move(one, State.RECOVERING, later(1), "healer", "act")
    store.move_through(one, [(State.VERIFIED, ""), (State.RESOLVED, "")], later(2), "healer")
    decide(store, one, Decision.REOPEN, later(60), "Ada", "it is still wrong")
    times = store.get(one).times
    assert (times.recovered, times.verified, times.resolved) == (None, None, None)
    assert times.detected == NOW
    assert store.get(one).lives == 2


def test_the_first_bad_write_is_the_first_build_after_the_check_last_passed(settings: Settings, engine: Engine) -> None:
    """A build of before it was broken did no harm, and an edit by hand is no build."""
    journal = BuildJournal(engine, settings.builds)
    for minute in (-60, -30, -10):
        number = journal.begin(day(4), day(6), later(minute))
        journal.end(number, later(minute + 1), SUCCEEDED)
    failed = {(GAP, day(5))}
    assert first_bad_write(engine, failed, NOW) == later(-60)
    CheckStore(engine).record([passed(GAP, at=later(-40))])
    assert first_bad_write(engine, failed, NOW) == later(-30)
    CheckStore(engine).record([passed(GAP, at=later(-5))])
    assert first_bad_write(engine, failed, NOW) is None
    assert first_bad_write(engine, {(GAP, day(9))}, NOW) is None


def test_terms_are_settings_and_their_file_is_read_strictly(tmp_path: Path) -> None:
    """A policy with a slip in it must not silently be another policy."""
    assert [in_words(severity, POLICY) for severity in Severity] == [
        "answer within 15 minutes, postmortem within 48 hours of its end",
        "answer within 1 hour, postmortem within 7 days of its end",
        "answer within 4 hours, no postmortem asked for",
        "answer within 1 business day, no postmortem asked for",
    ]
    own = tmp_path / "terms.yml"
    good = "P0: {respond_within_hours: 0.1, notify: x}\nP1: {respond_within_hours: 1, notify: x}\n"
    good += "P2: {respond_within_hours: 2, notify: x}\n"
    own.write_text(good)
    with pytest.raises(UsageError, match="says nothing of P3"):
        read_policy(own)
    own.write_text(good + "P3: {respond_within_hours: -1, notify: x}\n")
    with pytest.raises(UsageError, match="respond_within_hours"):
        read_policy(own)
    own.write_text(": {")
    with pytest.raises(UsageError, match="line 1 is not YAML"):
        read_policy(own)
    with pytest.raises(UsageError, match="cannot be read"):
        read_policy(tmp_path / "none.yml")


@pytest.mark.parametrize(
    ("detected", "due"),
    [
        (datetime(2026, 2, 2, 9, tzinfo=UTC), datetime(2026, 2, 3, 9, tzinfo=UTC)),  # Monday
        (datetime(2026, 2, 6, 15, tzinfo=UTC), datetime(2026, 2, 9, 15, tzinfo=UTC)),  # Friday afternoon
        (datetime(2026, 2, 7, 12, tzinfo=UTC), datetime(2026, 2, 10, 0, tzinfo=UTC)),  # Saturday
    ],
)
def test_one_business_day_skips_the_weekend(engine: Engine, detected: datetime, due: datetime) -> None:
    """Nobody is late for a ticket of Saturday on Sunday."""
    incident = IncidentStore(engine).get(opened(engine, LATE, at=detected))
    assert response_due(incident, POLICY) == due


def test_a_missed_deadline_is_noted_once_and_stays_visible(settings: Settings, engine: Engine) -> None:
    """Nobody must have to compute that an answer is late."""
    store = IncidentStore(engine)
    one = opened(engine)
    assert note_missed(settings, engine, later(59)) == []
    assert note_missed(settings, engine, later(61)) == [one]
    assert note_missed(settings, engine, later(62)) == []
    decide(store, one, Decision.RESOLVE, later(120), "Ada", "by hand")
    incident = store.get(one)
    assert [entry.data for entry in incident.timeline if entry.kind == "deadline"] == [{"deadline": "response"}]
    assert "response" in overdue(incident, POLICY, later(10_000)), "late for good"
    due = postmortem_due(incident, POLICY)
    assert due == later(120) + timedelta(days=7)
    assert note_missed(settings, engine, due + timedelta(minutes=1)) == [one]
    assert store.get(one).missed == {"response", "postmortem"}


def test_what_is_answered_or_written_in_time_is_never_noted(settings: Settings, engine: Engine) -> None:
    """A false note is as bad as a missing one."""
    store = IncidentStore(engine)
    one = opened(engine)
    decide(store, one, Decision.ACKNOWLEDGE, later(10), "Ada", "seen")
    decide(store, one, Decision.RESOLVE, later(20), "Ada", "mended")
    finish_postmortem(store, one, later(30), "Ada", "in the wiki")
    assert note_missed(settings, engine, later(100_000)) == []
    assert overdue(store.get(one), POLICY, later(100_000)) == {}


def test_decisions_stand_on_the_timeline_and_the_table_refuses_the_rest(engine: Engine) -> None:
    """Who decided what, and why, is the first question afterwards."""
    store = IncidentStore(engine)
    one = opened(engine)
    assert decide(store, one, Decision.ACKNOWLEDGE, NOW, "Ada", "on it").assignee == "Ada"
    assert decide(store, one, Decision.ASSIGN, NOW, "Ada", "knows it best", "Grace").assignee == "Grace"
    decide(store, one, Decision.NOTE, NOW, "Grace", "the producer is told")
    with pytest.raises(UsageError, match="cannot become closed"):
        decide(store, one, Decision.CLOSE, NOW, "Grace", "done")
    with pytest.raises(UsageError, match="cannot become acknowledged"):
        decide(store, one, Decision.ACKNOWLEDGE, NOW, "Grace", "again")
    for wrong in ({"why": "  "}, {"why": "x" * 3000}, {"actor": ""}):
        with pytest.raises(UsageError):
            decide(store, one, Decision.NOTE, NOW, **{"actor": "Ada", "why": "x", **wrong})
    with pytest.raises(UsageError, match="The person is empty"):
        decide(store, one, Decision.ASSIGN, NOW, "Ada", "x", "")
    assert decide(store, one, Decision.FALSE_ALARM, NOW, "Grace", "a rehearsal").state is State.FALSE_ALARM
    kinds = [(entry.kind, entry.actor) for entry in store.get(one).timeline]
    assert kinds[2:] == [
        ("transition", "Ada"), ("assigned", "Ada"), ("assigned", "Ada"), ("note", "Grace"), ("transition", "Grace"),
    ]  # fmt: skip


def test_action_items_are_tracked_until_done_and_keep_an_incident_from_being_closed(engine: Engine) -> None:
    """A postmortem whose action items nobody follows repeats itself."""
    store = IncidentStore(engine)
    one = opened(engine)
    decide(store, one, Decision.RESOLVE, NOW, "Ada", "by hand")
    assert add_action_item(store, one, "Confirm each batch", "logistics", date(2026, 3, 1), NOW, "Ada") == 1
    assert add_action_item(store, one, "Alert before the deadline", "us", date(2026, 3, 2), NOW, "Ada") == 2
    with pytest.raises(UsageError, match=r"action items to do \(1, 2\)"):
        decide(store, one, Decision.CLOSE, NOW, "Ada", "done")
    finish_action_item(store, one, 1, later(1), "Ada", "deployed")
    finish_action_item(store, one, 1, later(2), "Ada", "deployed again")
    with pytest.raises(UsageError, match="no action item 7; it has 1, 2"):
        finish_action_item(store, one, 7, NOW, "Ada", "x")
    first, second = store.get(one).action_items
    assert (first.done_at, second.done_at) == (later(1), None)
    finish_action_item(store, one, 2, later(3), "Ada", "deployed")
    assert decide(store, one, Decision.CLOSE, later(4), "Ada", "all done").state is State.CLOSED


def test_a_postmortem_is_a_draft_until_the_incident_is_over(engine: Engine) -> None:
    """What is not over cannot be summed up."""
    with pytest.raises(UsageError, match="draft until it is over"):
        finish_postmortem(IncidentStore(engine), opened(engine), NOW, "Ada", "x")


def test_heads_answer_what_the_timelines_add_up_to(engine: Engine) -> None:
    """They are a shortcut, never another truth."""
    store = IncidentStore(engine)
    number = Numbers()
    observe(engine, number(*(result(GAP, one) for one in (1, 5, 9)), result(LATE, 3)), NOW)
    first, *_ = store.all()
    decide(store, first.id, Decision.ACKNOWLEDGE, NOW, "Ada", "x")
    decide(store, first.id, Decision.RESOLVE, NOW, "Ada", "x")
    assert [one.id for one in store.open()] == [one.id for one in store.all() if one.is_open]
    assert {one.partitions[0] for one in store.open_around(day(5), day(8))} == {day(5)}
    assert [one.id for one in store.find(incident_heads.c.assignee == "Ada")] == [first.id]


def test_a_store_from_before_the_heads_is_read_whole(engine: Engine) -> None:
    """An upgrade must not make incidents disappear."""
    store = IncidentStore(engine)
    observe(engine, Numbers()(result(GAP, 1), result(LATE, 3)), NOW)
    before = store.all()
    with engine.begin() as connection:
        connection.execute(delete(incident_heads))
    assert IncidentStore(engine).all() == before
    with engine.begin() as connection:
        connection.execute(delete(incident_heads))
    decide(store, before[0].id, Decision.NOTE, NOW, "Ada", "x")
    assert len(IncidentStore(engine).open()) == 2


@pytest.mark.parametrize("lost", ["the last entry", "a whole incident in the middle", "the last incident"])
def test_an_entry_or_an_incident_that_is_gone_is_missed(engine: Engine, lost: str) -> None:
    """A chain for each incident would not notice that one of them is gone, nor that its end is."""
    store = IncidentStore(engine)
    observe(engine, Numbers()(result(GAP, 1), result(GAP, 5), result(GAP, 9)), NOW)
    one, two, three = (incident.id for incident in store.all())
    store.append(one, NOW, "Ada", "note", "the last entry")
    assert store.broken_links() == []
    noted = store.head()
    wanted = {
        "the last entry": incident_timeline.c.why == "the last entry",
        "a whole incident in the middle": incident_timeline.c.incident_id == two,
        "the last incident": incident_timeline.c.incident_id == three,
    }[lost]
    with engine.begin() as connection:
        connection.execute(delete(incident_timeline).where(wanted))
    assert store.broken_links()
    with engine.begin() as connection:  # whoever knows of the heads deletes their line too
        connection.execute(
            text("delete from incident_heads where incident_id not in (select incident_id from incident_timeline)")
        )
        connection.execute(text("update incident_heads set position = 1"))
    assert store.broken_links() or not store.has_hash(noted)


def _watch(home: Path, first: int, last: int) -> None:
    engine = operations_engine(load_settings(home))
    results = [one for one in CheckStore(engine).after(0, 10_000) if first <= one[0] <= last]
    observe(engine, results, NOW)


@pytest.mark.exhaustive  # 7 s, two processes
def test_two_sensors_that_read_overlapping_results_at_once_open_each_incident_once_and_drop_nothing(
    tmp_path: Path, engine: Engine
) -> None:
    """One daemon began a little earlier and saw fewer results; what it missed must not be lost with the race."""
    CheckStore(engine).record(
        [result(GAP, one) for one in range(1, 41, 4)] + [result(LATE, one) for one in range(1, 31)]
    )
    context = multiprocessing.get_context("spawn")
    watchers = [context.Process(target=_watch, args=(tmp_path, *span)) for span in ((1, 25), (5, 40), (1, 40))]
    for watcher in watchers:
        watcher.start()
    for watcher in watchers:
        watcher.join(120)
        assert watcher.exitcode == 0
    store = IncidentStore(engine)
    assert store.known_results(list(range(1, 41))) == set(range(1, 41))
    gaps = [one for one in store.all() if one.failure_class == "missing_data"]
    assert sorted(one.partitions[0] for one in gaps) == [day(one) for one in range(1, 41, 4)]
    held_by = [(one.check, one.partition) for incident in store.all() for one in incident.signals]
    assert len(held_by) == len(set(held_by)) == 40
    assert store.broken_links() == []


def test_who_acknowledges_leads_and_others_join_in_a_channel(engine: Engine) -> None:
    """One leads; who joins, and where they talk, takes it from nobody."""
    store, one = IncidentStore(engine), opened(engine)
    decide(store, one, Decision.ACKNOWLEDGE, later(1), "Ada", "seen")
    for role, to in (("responder", "Bob"), ("responder", "Eve"), ("responder", "Bob"), ("channel", "#inc-1")):
        decide(store, one, Decision.ASSIGN, later(2), "Ada", "to help", to, IncidentRole(role))
    found = store.get(one)
    assert (found.assignee, found.responders, found.channel) == ("Ada", ["Bob", "Eve"], "#inc-1")
    decide(store, one, Decision.ASSIGN, later(3), "Ada", "off duty", "Bob")
    assert store.get(one).assignee == "Bob"
