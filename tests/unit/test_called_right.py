"""A day that somebody has called right is run again by nobody: once, and only where that can let it go."""

from pathlib import Path

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.store import CheckStore
from reliability_platform.incidents.decisions import Decision, decide
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.called_right import REMEMBERED, called_right
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.journal import BuildJournal
from tests.unit.failing import day, later, passed, result

VOLUME, COMPLETE = "int_orders__deduplicated__volume", "bronze_orders__batch_completeness"


def test_days_that_a_person_called_right_are_run_again_once(tmp_path: Path) -> None:
    """The word alone let no day go: consumers waited until somebody thought of running it."""
    settings = load_settings(tmp_path / "home")
    engine = operations_engine(settings)
    store, incidents, journal = CheckStore(engine), IncidentStore(engine), BuildJournal(engine, settings.builds)
    blocking = [name for name, spec in CHECKS.items() if spec.blocking and "orders" in spec.sources]
    store.record([passed(name) for name in blocking if name != VOLUME] + [result(VOLUME, value=0.4)])
    observe(engine, store.after(0, 1000), later(0))
    [incident] = incidents.all()
    journal.begin(day(5), day(5), later(-5))
    assert called_right(settings, engine, later(1)) == []
    decide(incidents, incident.id, Decision.FALSE_ALARM, later(1), "ada", "a blizzard")
    [(found, days)] = called_right(settings, engine, later(2))
    assert (found.id, days) == (incident.id, [day(5)])
    assert called_right(settings, engine, later(2) + REMEMBERED) == []
    store.record([result(COMPLETE, at=later(2))])
    assert called_right(settings, engine, later(2)) == [], "a run would not let it go"
    store.record([passed(COMPLETE, at=later(3))])
    assert called_right(settings, engine, later(3)) != []
    journal.begin(day(5), day(5), later(4))
    assert called_right(settings, engine, later(5)) == []
    decide(incidents, incident.id, Decision.REOPEN, later(6), "ada", "it was not")
    assert called_right(settings, engine, later(7)) == []
