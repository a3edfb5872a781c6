"""What fails for one alert, one cause, one channel or one document costs only itself, and is on record."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reliability_platform.alerts import dispatch as dispatching
from reliability_platform.alerts import message
from reliability_platform.checks.steps import ALERTS_TOLD, INCIDENTS_NOTICED
from reliability_platform.checks.store import CheckStore
from reliability_platform.incidents import deadlines, detection
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.scorecard import run as scorecards
from reliability_platform.operations import operations_engine
from reliability_platform.pipeline import ticks
from reliability_platform.settings import Settings, load_settings
from tests.unit.alerting import Ground
from tests.unit.failing import NOW, later, result

GAPS = tuple(f"bronze_{source}__batch_completeness" for source in ("orders", "payments", "shipments"))


def but_for(whole: Callable[..., Any], poisoned: Callable[..., bool]) -> Callable[..., Any]:
    """A function that breaks on one of its inputs."""

    def call(*args: Any, **more: Any) -> Any:
        if poisoned(*args, **more):
            raise RuntimeError("poisoned")
        return whole(*args, **more)

    return call


def home_says(settings: Settings, check: str) -> str:
    """What the home's check fails for; empty if it does not."""
    found = CheckStore(operations_engine(settings)).latest(checks=[check])
    return found[-1].message if found and found[-1].status == "failed" else ""


def notes(incident: Incident) -> list[str]:
    return [entry.why for entry in incident.timeline if entry.kind == "note"]


@pytest.mark.parametrize(
    ("module", "name", "poisoned", "said"),
    [
        (detection, "triage", lambda *_, **more: "payments" in str(more["messages"]), "missing_data of payments"),
        (detection, "onset", lambda _, source, __: source == "payments", "when a failure began"),
        (detection, "first_bad_write", lambda *_: True, "when a failure began"),
        (ticks, "consumers", lambda *_: True, "who reads the data"),
        (ticks, "note_missed", lambda *_: True, "deadlines"),
        (ticks, "ensure_manifest", lambda *_: True, "who reads the data"),
    ],
)
def test_a_poisoned_cause_keeps_no_other_from_its_incident_and_gets_its_own_once_it_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, poisoned: Callable[..., bool], said: str
) -> None:
    """An error in one cause, or in what is asked about it, ended the tick: no failed check became an incident."""
    settings = load_settings(tmp_path)
    engine = operations_engine(settings)
    CheckStore(engine).record([result(check, detail=check) for check in GAPS])
    if module is ticks or name == "triage":
        monkeypatch.setattr(ticks, "consumers", lambda *_: detection.Consumers({}, frozenset()))
        monkeypatch.setattr(ticks, "ensure_manifest", lambda: None)
    with monkeypatch.context() as broken:
        broken.setattr(module, name, but_for(getattr(module, name), poisoned))
        ticks.notice(settings, engine, lambda: NOW)
    found = {one.source for one in IncidentStore(engine).all() if one.failure_class == "missing_data"}
    assert found >= {"orders", "shipments"}
    assert said in home_says(settings, INCIDENTS_NOTICED)
    for minute in (1, 2):
        ticks.notice(settings, engine, lambda: later(minute))  # noqa: B023 - called at once
    found = {one.source for one in IncidentStore(engine).all() if one.failure_class == "missing_data"}
    assert found == {"orders", "payments", "shipments"}
    assert home_says(settings, INCIDENTS_NOTICED) == ""


def test_a_monitor_that_fails_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal that could not be read kept failed checks from becoming incidents, at every tick."""
    settings = load_settings(tmp_path)
    engine = operations_engine(settings)
    CheckStore(engine).record([result(GAPS[0])])
    monkeypatch.setattr("reliability_platform.checks.run_monitor.BuildJournal", but_for(lambda *_: 0, lambda *_: True))
    ticks.notice(settings, engine, lambda: NOW)
    assert [one.source for one in IncidentStore(engine).all()] == ["orders"]
    assert "what is new about builds could not be found out: " in home_says(settings, INCIDENTS_NOTICED)


def test_deadlines_of_one_incident_that_cannot_be_read_are_noted_on_it_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`note_missed` stood outside: an error in one incident's times ended the tick."""
    home = Ground(tmp_path)
    one, two = home.open(), home.open()
    monkeypatch.setattr(deadlines, "overdue", but_for(deadlines.overdue, lambda incident, *_: incident.id == one))
    home.pass_by(days=3)
    assert deadlines.note_missed(home.settings, home.engine, home.now) == [two]
    assert any("deadlines" in note for note in notes(home.store.get(one)))


def test_a_poisoned_alert_keeps_no_other_from_being_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One incident of which no message could be made silenced every channel, at every tick, for good."""
    home = Ground(tmp_path, "json://127.0.0.1:1/x", alert_dry_run=True)
    one, two = home.open(), home.open()
    monkeypatch.setattr(message, "headline", but_for(message.headline, lambda incident, _: incident.id == one))
    done = home.tick()
    assert (done.sent, done.retried) == (1, 1)
    assert [alert.incident_id for alert in home.ledger.all() if alert.sent_at] == [two]
    assert any("No message could be made" in note for note in notes(home.store.get(one)))
    monkeypatch.undo()
    home.pass_by(hours=2)
    assert home.tick().sent == 1


@pytest.mark.parametrize(("step", "said"), [("collect", "could not be read"), ("serve", "could not be served")])
def test_a_channel_that_fails_keeps_no_other_from_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, said: str
) -> None:
    """Channels were served side by side, and the first that raised took the outcome of all with it."""
    home = Ground(tmp_path, "json://127.0.0.1:1/x", "xml://127.0.0.1:1/y", alert_dry_run=True)
    first, *_ = dispatching.channels_of_settings(home.settings)
    home.open()
    if step == "collect":
        collector = dispatching.Collector
        monkeypatch.setattr(collector, "collect", but_for(collector.collect, lambda _, channel: channel == first))
    else:
        tick = dispatching._Tick
        monkeypatch.setattr(tick, "serve", but_for(tick.serve, lambda _, channel, __: channel == first))
    done = home.tick()
    assert done.sent == 1
    assert said in done.trouble[0]
    assert said in home_says(home.settings, ALERTS_TOLD)
    monkeypatch.undo()
    assert home.tick().sent == 1
    assert home_says(home.settings, ALERTS_TOLD) == ""


def test_a_page_that_cannot_be_written_keeps_no_other_from_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One incident whose page could not be made left the whole evidence of a run unwritten."""
    home = Ground(tmp_path)
    one, two = home.open(), home.open()
    written: list[str] = []
    page = but_for(lambda _, __, incident, *___: written.append(incident.id), lambda _, __, who, *___: who.id == one)
    monkeypatch.setattr(scorecards, "write_page", page)
    scorecards.write_pages(home.settings, home.engine, NOW)
    assert written == [two]
    assert any("Its page could not be written" in note for note in notes(home.store.get(one)))
