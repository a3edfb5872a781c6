"""The timeline: appended, chained, folded; never changed, never doubled."""

import json
import threading
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.incidents.model import ENDED, TRANSITIONS, State, check_transition
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings
from tests.unit.failing import NOW, day, later

OPENED = {
    "partitions": [day(5).isoformat()],
    "signals": [],
    "source": "orders",
    "failure_class": "missing_data",
    "root_dataset": "bronze_orders",
    "severity": "P1",
    "severity_reason": "P1 by its class",
}


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return operations_engine(load_settings(tmp_path))


def opened(store: IncidentStore, results: tuple[int, ...] = (1,)) -> str:
    incident_id = store.create("missing_data-orders-2026-01-05", NOW, "sensor", "because", OPENED, results)
    assert incident_id is not None
    return incident_id


def test_ids_are_short_readable_and_safe_as_file_names(engine: Engine) -> None:
    """They become Dagster partition keys, file names and words in a chat."""
    store = IncidentStore(engine)
    assert opened(store) == "INC-0001-missing_data-orders-2026-01-05"
    assert opened(store, (2,)).startswith("INC-0002-")


def test_the_state_is_a_fold_over_the_timeline(engine: Engine) -> None:
    """Nothing but the timeline is stored, so nothing can disagree with it."""
    store = IncidentStore(engine)
    one = opened(store)
    for minute, target in enumerate((State.ACKNOWLEDGED, State.RECOVERING, State.VERIFIED, State.RESOLVED), start=1):
        store.move(one, target, later(minute), "somebody", "so it went")
    incident = store.get("INC-0001")
    assert incident.state is State.RESOLVED
    assert incident.detected_at == NOW
    assert incident.recovered_at == later(3)
    assert [entry.at - NOW for entry in incident.timeline] == [timedelta(minutes=minute) for minute in range(5)]


@pytest.mark.parametrize("state", list(State))
def test_a_transition_that_the_table_does_not_allow_is_refused_in_words(engine: Engine, state: State) -> None:
    """An incident must not become resolved, or verified, by accident."""
    incident = IncidentStore(engine)
    one = incident.get(opened(incident))
    one.state = state
    for target in set(State) - TRANSITIONS[state]:
        with pytest.raises(UsageError, match="from here"):
            check_transition(one, target)


def test_the_table_of_transitions_leaves_no_incident_stuck() -> None:
    """From every open state there is a way to resolution, and every end can be reopened."""
    assert set(TRANSITIONS) == set(State)
    for state in State:
        target = State.REOPENED if state in ENDED else State.RESOLVED
        assert target in TRANSITIONS[state], state
    assert State.VERIFIED in TRANSITIONS[State.RECOVERING]
    assert not any(State.VERIFIED in TRANSITIONS[state] for state in State if state is not State.RECOVERING)


def test_of_two_that_move_at_once_the_second_is_refused(engine: Engine) -> None:
    """Two healers that both begin would ask the source twice."""
    store = IncidentStore(engine)
    one = opened(store)
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def begin() -> None:
        start.wait()
        try:
            IncidentStore(engine).move(one, State.RECOVERING, NOW, "healer", "begin")
            outcomes.append("moved")
        except UsageError:
            outcomes.append("refused")

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["moved", "refused", "refused", "refused"]


def test_several_steps_are_taken_together_or_not_at_all(engine: Engine) -> None:
    """A crash between verified and resolved would leave an incident that nobody looks at any more."""
    store = IncidentStore(engine)
    one = opened(store)
    with pytest.raises(UsageError):
        store.move_through(one, [(State.RECOVERING, "begin"), (State.CLOSED, "too far")], NOW, "somebody")
    assert store.get(one).state is State.DETECTED


def test_concurrent_writers_lose_nothing_and_break_no_link(engine: Engine) -> None:
    """A sensor, a person and a run may all write at the same moment."""
    one = opened(IncidentStore(engine))

    def write(name: str) -> None:
        for number in range(10):
            IncidentStore(engine).append(one, NOW, name, "note", f"{name} {number}")

    threads = [threading.Thread(target=write, args=(f"writer {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = IncidentStore(engine)
    timeline = store.get(one).timeline
    assert [entry.number for entry in timeline] == list(range(1, 42))
    assert len({entry.why for entry in timeline}) == 41
    assert all(before.hash == after.previous_hash for before, after in pairwise(timeline))
    assert store.broken_links() == []


@pytest.mark.parametrize(
    "forgery",
    [
        "update incident_timeline set why = 'nothing happened' where number = 2",
        "update incident_timeline set at = '2026-01-01 00:00:00.000000' where number = 2",
        "update incident_timeline set actor = 'somebody else' where number = 2",
        "delete from incident_timeline where number = 2",
    ],
)
def test_an_edited_timeline_is_found_out(engine: Engine, forgery: str) -> None:
    """A history that can be rewritten in silence is no evidence."""
    store = IncidentStore(engine)
    one = opened(store)
    store.append(one, NOW, "somebody", "note", "second")
    store.append(one, NOW, "somebody", "note", "third")
    assert store.broken_links() == []
    with engine.begin() as connection:
        connection.execute(text(forgery))
    assert len(store.broken_links()) == 1


def test_a_result_belongs_to_one_incident_once(engine: Engine) -> None:
    """A sensor that restarts reads the same results again."""
    store = IncidentStore(engine)
    one = opened(store, (1, 2))
    assert store.create("missing_data-orders-2026-01-05", NOW, "sensor", "again", OPENED, (1, 2)) is None
    assert not store.append(one, NOW, "sensor", "signals", "again", {}, results=(2,))
    assert store.append(one, NOW, "sensor", "signals", "new", {}, results=(3,))
    assert store.known_results(list(range(2000))) == {1, 2, 3}
    assert len(store.all()) == 1


def test_an_entry_with_a_key_is_made_once(engine: Engine) -> None:
    """Whoever tells the same thing twice tells it once."""
    store = IncidentStore(engine)
    one = opened(store)
    assert store.append(one, NOW, "somebody", "note", "told", key="told-once")
    assert not store.append(one, NOW, "somebody", "note", "told", key="told-once")
    assert len(store.get(one).timeline) == 2


@pytest.mark.parametrize("asked", ["", "INC-9", "INC-0001-missing_data-payments", "%", "INC-0001' or 1=1"])
def test_asking_for_an_incident_that_does_not_exist_says_where_to_look(engine: Engine, asked: str) -> None:
    """An empty or garbled id must not find the first one that there is."""
    store = IncidentStore(engine)
    opened(store)
    with pytest.raises(UsageError, match="reliability incidents list"):
        store.get(asked)


def test_an_ambiguous_beginning_is_refused(engine: Engine) -> None:
    """Acknowledging the wrong one of two is worse than asking again."""
    store = IncidentStore(engine)
    opened(store)
    opened(store, (2,))
    with pytest.raises(UsageError, match="2 incidents begin with"):
        store.get("INC-000")


def test_any_text_survives_the_store(engine: Engine) -> None:
    """Reasons and samples may hold what a hostile producer sent."""
    store = IncidentStore(engine)
    one = opened(store)
    hostile = "'; drop table incident_timeline; --\n\u202e\u0000 {{x}} \U0001f4a5"
    store.append(one, NOW, hostile, "note", hostile, {"sample": [hostile]})
    entry = store.get(one).timeline[-1]
    assert (entry.actor, entry.why, entry.data) == (hostile, hostile, json.loads(json.dumps({"sample": [hostile]})))
    assert store.broken_links() == []


def test_the_timeline_does_not_run_backwards_though_the_clock_does(engine: Engine) -> None:
    """Durations are differences of its times; a clock set back must not make one negative."""
    store = IncidentStore(engine)
    one = opened(store)
    store.move(one, State.ACKNOWLEDGED, later(-1440), "somebody", "seen")
    incident = store.get(one)
    assert [entry.at for entry in incident.timeline] == [NOW, NOW]
    assert incident.times.time_to_acknowledge == timedelta(0)
    assert store.broken_links() == []


@pytest.mark.parametrize("damage", ["data = 'no json'", """data = '{"to": "no such state"}'""", "data = '{}'"])
def test_a_timeline_that_cannot_be_read_costs_only_itself(engine: Engine, damage: str) -> None:
    """One unreadable entry ended `incidents list`, every sensor and every run, for all other incidents too."""
    store = IncidentStore(engine)
    one, two = opened(store), opened(store, (7,))
    store.move(one, State.ACKNOWLEDGED, later(1), "somebody", "so it went")
    with engine.begin() as connection:
        connection.execute(
            text(f"update incident_timeline set {damage} where incident_id = :one and number = 2"), {"one": one}
        )
    assert [incident.id for incident in store.open()] == [two]
    assert [incident.id for incident in store.all()] == [two]
    assert store.get(two).state is State.DETECTED
    store.move(two, State.ACKNOWLEDGED, later(2), "somebody", "so it went")
    with pytest.raises(EnvironmentUnusableError, match=one):
        store.get(one)
    assert f"{one} entry 2" in store.broken_links()
