"""Somebody sees something wrong: an incident as any other, that no check closes and that holds nothing."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.errors import UsageError
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.decisions import Decision, decide
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.documents import web
from reliability_platform.incidents.documents.action_items import propose_action_items
from reliability_platform.incidents.documents.facts import facts_of
from reliability_platform.incidents.documents.postmortem import postmortem
from reliability_platform.incidents.documents.render import markdown
from reliability_platform.incidents.documents.runbook import runbook
from reliability_platform.incidents.impact import is_contained
from reliability_platform.incidents.model import State
from reliability_platform.incidents.reports import REPORTABLE, PersonReport, report
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.heal import UNCONFIRMED, act, end_if_recovered, verify
from reliability_platform.settings import Settings, load_settings
from tests.unit.broken_home import BrokenHome
from tests.unit.documented import situation
from tests.unit.failing import NOW, day, later, passed

CLASS = "reported_by_people"
HOSTILE = "[x](javascript:1) | <b>half</b> `rm` {{ x }}\n# of ada@example.org's orders"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path)


@pytest.fixture
def engine(settings: Settings) -> Engine:
    return operations_engine(settings)


def seen(dataset: str = "orders", number: int = 5, words: str = "half is missing", **what: str) -> PersonReport:
    return PersonReport(dataset, day(number), day(number), words, what.pop("who", "ada"), **what)


def test_a_report_is_an_incident_with_all_that_incidents_have(settings: Settings, engine: Engine) -> None:
    incident = report(settings, engine, PersonReport("orders", day(5), day(6), HOSTILE, "ada"), NOW)
    assert incident.id == f"INC-0001-{CLASS}-orders-2026-01-05"
    assert (incident.state, incident.severity) == (State.DETECTED, "P2")
    assert not is_contained(incident)  # nobody keeps consumers from it
    note = incident.timeline[-1]
    assert (note.actor, note.kind) == ("ada", "note")
    assert "ada@example.org" not in json.dumps([vars(one) for one in incident.timeline], default=str)
    around = situation(incident)
    blocks = [*runbook(incident, around), *postmortem(incident, around)]
    for text, active in ((markdown(blocks), " [x](javascript:1)"), (web.page(blocks), '<a href="javascript')):
        assert "half" in text
        assert not [one for one in ("<b>", active, "ada@example.org", "\n# of") if one in text]
    proposed = propose_action_items(incident, facts_of(incident, around))
    assert {one.what for one in CLASSES[CLASS].texts.prevention} <= {one.what for one in proposed}


def test_a_table_made_of_several_sources_concerns_all_of_them(settings: Settings, engine: Engine) -> None:
    several = next(name for name in REPORTABLE if len(CHECKS[REPORTABLE[name]].sources) > 1)
    incident = report(settings, engine, seen(several), NOW)
    assert set(incident.sources) == set(CHECKS[REPORTABLE[several]].sources)
    assert incident.root_dataset == several


def test_a_report_that_is_sent_again_is_the_same_one(settings: Settings, engine: Engine) -> None:
    first = report(settings, engine, seen(key="k"), NOW)
    again = report(settings, engine, seen(key="k"), later(1))
    assert again == first
    with pytest.raises(UsageError, match="used for another report"):
        report(settings, engine, seen(words="something else", key="k"), later(2))
    assert report(settings, engine, seen(who="grace", key="k"), later(3)).id == first.id  # hers, on the same day
    assert len(IncidentStore(engine).get(first.id).signals) == 2


def test_what_cannot_be_is_refused_in_one_line(settings: Settings, engine: Engine) -> None:
    long = PersonReport("orders", day(1), day(1) + timedelta(days=200), "x", "ada")
    for said, told in (
        (seen("ordres"), "choose one of agg_"),
        (PersonReport("orders", day(5), day(4), "x", "ada"), "before the first"),
        (long, "too many for one report"),
        (PersonReport("orders", NOW.date(), NOW.date(), "x", "ada"), "not over yet"),
        (seen(words=" \n"), "not said what is wrong"),
        (seen(words="x" * 2001), "2000 is the most"),
    ):
        with pytest.raises(UsageError, match=told):
            report(settings, engine, said, NOW)
    assert IncidentStore(engine).all() == []


def test_no_check_closes_it_and_a_person_does(settings: Settings, engine: Engine) -> None:
    """The next good build says nothing about what no check can see."""
    one, checks = report(settings, engine, seen(), NOW).id, CheckStore(engine)
    good = [passed(name) for name, spec in CHECKS.items() if spec.engine != "run" and "orders" in spec.sources]
    checks.record(good)
    observe(engine, checks.after(0, 10_000), later(1))
    assert not end_if_recovered(settings, engine, one, later(2), "incident sensor")
    store = IncidentStore(engine)
    assert store.get(one).is_open
    assert decide(store, one, Decision.FALSE_ALARM, later(3), "grace", "it was the filter").still_failing == {}
    [last] = checks.latest([day(5)], [REPORTABLE["orders"]])
    assert last.status is CheckStatus.PASSED
    observe(engine, checks.after(0, 10_000), later(4))
    assert store.get(one).state is State.FALSE_ALARM
    again = report(settings, engine, seen(words="it still is"), later(5))  # no repetition of what was a false alarm
    assert (again.id, again.state) == (one, State.REOPENED)


@pytest.mark.parametrize("lacks", [(2,), ()])
def test_after_healing_a_person_says_whether_that_was_it(tmp_path: Path, lacks: tuple[int, ...]) -> None:
    """Also where the source sends the same again."""
    home = BrokenHome(tmp_path)
    home.land(without=lacks)
    home.judge()
    one = report(home.settings, home.engine, seen(), NOW).id
    assert act(home.settings, home.engine, one, later(1), "grace").reruns == [home.day] * len(lacks)
    home.admit()
    home.judge(at=later(3))
    assert not verify(home.settings, home.engine, one, later(4), "sensor")
    incident = home.incidents.get(one)
    assert incident.is_open
    assert UNCONFIRMED in [entry.data.get("outcome") for entry in incident.timeline]
    assert incident.timeline[-1].kind == "escalation"
    assert ("landed" if lacks else "same content again") in incident.timeline[-1].why
    assert decide(home.incidents, one, Decision.RESOLVE, later(5), "ada", "right now").state is State.RESOLVED
