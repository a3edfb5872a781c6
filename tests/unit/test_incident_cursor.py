"""Each check result is judged once: how far they have been read stands in the operations store, beside the incidents."""

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text

from reliability_platform.checks.store import CheckStore
from reliability_platform.incidents import detection, triage
from reliability_platform.incidents.impact import Consumers
from reliability_platform.incidents.model import State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.operations.cursors import advance, cursor_of
from reliability_platform.pipeline import ticks
from reliability_platform.settings import Settings, load_settings
from tests.unit.failing import NOW, later, result

FORK = get_context("fork")
FAILING = tuple(f"bronze_{source}__batch_completeness" for source in ("orders", "payments", "shipments"))


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home with three results that failed, nobody of whose readers is known."""
    monkeypatch.setattr(ticks, "consumers", lambda *_: Consumers({}, frozenset()))
    monkeypatch.setattr(ticks, "ensure_manifest", lambda: None)
    found = load_settings(tmp_path)
    CheckStore(operations_engine(found)).record([result(check, detail=check) for check in FAILING])
    return found


def tick(settings: Settings) -> list[str]:
    """As one process does, that knows of no other."""
    return ticks.notice(settings, operations_engine(settings), lambda: NOW)[0]


def judged(settings: Settings) -> list[tuple[str, int, int]]:
    """Each incident, with its entries and its signals."""
    found = IncidentStore(operations_engine(settings)).all()
    return sorted((one.source, len(one.timeline), len(one.signals)) for one in found)


def is_read_to_the_end(settings: Settings) -> bool:
    engine = operations_engine(settings)
    return cursor_of(engine, ticks.SENSOR) == CheckStore(engine).last_id() > 0


ONCE = [("orders", 2, 1), ("payments", 2, 1), ("shipments", 2, 1)]


def test_the_next_process_reads_what_is_new_alone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command judged all results from the first one again: 43,000 of them after a demo, and more each day."""
    read: list[int] = []
    take_in: Callable[..., object] = detection.take_in

    def counted(engine: Engine, results: list[object], *more: object) -> object:
        read.append(len(results))
        return take_in(engine, results, *more)

    monkeypatch.setattr(ticks, "take_in", counted)
    assert len(tick(settings)) == 3
    assert tick(settings) == []
    CheckStore(operations_engine(settings)).record([result(FAILING[0], 9)])
    assert len(tick(settings)) == 1
    assert read == [3, 1]


def test_of_a_process_that_is_killed_at_any_transaction_no_result_is_lost_and_none_counts_twice(
    settings: Settings,
) -> None:
    """A cursor that was ahead of the incidents would skip failures; one behind them must not repeat any."""

    def tick_and_die(commits: int) -> None:
        left = iter(range(commits))

        def count(_: object) -> None:
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)

        engine = operations_engine(settings)
        event.listen(engine, "commit", count)
        ticks.notice(settings, engine, lambda: NOW)

    killed = 0
    for commits in range(30):
        process = FORK.Process(target=tick_and_die, args=(commits,))
        process.start()
        process.join()
        if process.exitcode == 0:
            break
        killed += 1
    assert process.exitcode == 0
    assert killed >= 2
    tick(settings)
    assert judged(settings) == ONCE
    assert is_read_to_the_end(settings)


def test_two_processes_that_read_at_once_open_each_incident_once(settings: Settings) -> None:
    """The sensor of the UI and a command share the cursor."""
    barrier = FORK.Barrier(3)

    def tick_with_the_others(start: Barrier) -> None:
        engine = operations_engine(settings)
        start.wait()
        ticks.notice(settings, engine, lambda: NOW)

    processes = [FORK.Process(target=tick_with_the_others, args=(barrier,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert judged(settings) == ONCE
    assert is_read_to_the_end(settings)


def test_the_cursor_never_goes_back(settings: Settings) -> None:
    """The slower of two processes had read less."""
    engine = operations_engine(settings)
    advance(engine, "one", 7)
    advance(engine, "one", 3)
    advance(engine, "another", 1)
    assert (cursor_of(engine, "one"), cursor_of(engine, "another"), cursor_of(engine, "none")) == (7, 1, 0)


@pytest.mark.sqlite
def test_a_home_of_before_there_were_cursors_opens_no_incident_again(settings: Settings) -> None:
    """Its results are read once more from the first; those that have incidents are known."""
    tick(settings)
    engine = operations_engine(settings)
    store = IncidentStore(engine)
    for one in store.all():
        store.move(one.id, State.FALSE_ALARM, later(1), "a person", "It was a test.")
    before = judged(settings)
    with engine.begin() as connection:
        for later_table in (
            "sensor_cursors",
            "corrections",
            "quarantine_counts",
            "quarantine_copies",
            "api_tokens",
            "requested_runs",
            "pauses",
            "stage_durations",
            "row_counts",
            "build_fingerprints",
            "fingerprints",
            "leases",
        ):
            connection.execute(text(f"drop table {later_table}"))
        for table, later_column in (("audit_log", "acted_from"),):
            connection.execute(text(f"alter table {table} drop column {later_column}"))
        for later_index in ("check_results_by_run", "check_results_by_name"):
            connection.execute(text(f"drop index {later_index}"))
        connection.execute(text("update operations_version set version_num = '0004'"))
    assert tick(settings) == []
    assert judged(settings) == before
    assert is_read_to_the_end(settings)


def test_killed_while_an_incident_comes_back_it_is_reopened_by_the_next_reader(settings: Settings) -> None:
    """Its results were attached in one transaction and it was reopened in the next: killed between, it stayed resolved."""
    checks = CheckStore(operations_engine(settings))
    incident_id = tick(settings)[0]
    store = IncidentStore(operations_engine(settings))
    store.move(incident_id, State.RECOVERING, later(1), "healer", "act")
    store.move_through(incident_id, [(State.VERIFIED, "passes"), (State.RESOLVED, "done")], later(2), "healer")
    checks.record([result(FAILING[0], at=later(3)), result(FAILING[1]), result(FAILING[2])])
    killed_at(State.REOPENED, settings)
    tick(settings)
    incident = store.get(incident_id)
    assert (incident.state, incident.lives) == (State.CONTAINED, 2)


@pytest.mark.parametrize(("on", "opens"), [(12, True), (6, False)])
def test_killed_while_a_cause_takes_its_symptom_over_the_next_reader_does_it(
    settings: Settings, on: int, opens: bool
) -> None:
    """The cause was opened, or grew by a day, in one transaction, and the symptom ended in the next: killed between, one
    failure stayed open under two names, and was healed twice.
    """
    checks, store = CheckStore(operations_engine(settings)), IncidentStore(operations_engine(settings))
    before = tick(settings)
    checks.record([result("int_orders__deduplicated__volume", on)])
    [symptom] = tick(settings)
    checks.record([result(FAILING[0], on, at=later(1))])
    killed_at(State.FALSE_ALARM, settings)
    tick(settings)
    ended = store.get(symptom)
    assert ended.state is State.FALSE_ALARM
    cause = store.get(str(ended.linked_to))
    assert (cause.failure_class, cause.is_open, cause.id in before) == ("missing_data", True, not opens)


def killed_at(state: State, settings: Settings) -> None:
    """Let a process be killed before the entry of the timeline that brings an incident into a state."""
    process = FORK.Process(target=die_at, args=(state, settings))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def die_at(state: State, settings: Settings) -> None:
    """In a process of its own."""

    def look(_c: object, _u: object, statement: str, parameters: object, *_: object) -> None:
        if "INTO incident_timeline" in statement and f'"{state.value}"' in str(parameters):
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", look)
    tick(settings)


def test_a_cause_that_fails_waits_however_much_comes_after_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was given up once more results had come since than one reading takes."""
    checks = CheckStore(operations_engine(settings))
    monkeypatch.setattr(ticks, "RESULTS_PER_READING", 2)
    assess: Callable[..., object] = triage.triage

    def poisoned(*arguments: object, **more: object) -> object:
        if "orders" in str(more["messages"]):
            raise RuntimeError("poisoned")
        return assess(*arguments, **more)

    checks.record([result(FAILING[0], 12, detail="orders")])
    with monkeypatch.context() as broken:
        broken.setattr(detection, "triage", poisoned)
        tick(settings)
        checks.record([result(check, 20) for check in FAILING])
        tick(settings)
    tick(settings)
    tick(settings)  # what the tick before it said of itself
    found = IncidentStore(operations_engine(settings)).all()
    assert [one.source for one in found if one.failure_class == "missing_data"].count("orders") == 3
    assert is_read_to_the_end(settings)


def test_a_store_that_lost_its_last_results_is_read_anew(settings: Settings) -> None:
    """SQLite gives the numbers of deleted rows again: results below the position would never be read."""
    engine = operations_engine(settings)
    advance(engine, ticks.SENSOR, 500)
    tick(settings)
    assert judged(settings) == ONCE
