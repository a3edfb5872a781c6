"""What is known of a source's past: numbers that were told are not learned from, until a person says that they are right."""

from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine

from reliability_platform.checks.facts import Deviating, Facts
from reliability_platform.checks.profile import experience
from reliability_platform.checks.results import CheckResult
from reliability_platform.checks.store import CheckStore
from reliability_platform.incidents.decisions import Decision, decide
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.profiles.metrics import Metric, MetricKind
from reliability_platform.settings import load_settings
from tests.unit.failing import NOW, day, later, result

CHECK = "int_orders__deduplicated__profile"
APP = Metric(MetricKind.LABEL, "channel", "app")
DECLINED = Metric(MetricKind.LABEL, "channel", "store")


def _told(number: int, *metrics: Metric) -> CheckResult:
    facts = Facts(deviations=(Deviating("label", "channel", "app", "", 0.35, 0.0, 1, 0.35),))
    unlike = [[one.kind.value, one.column, one.part, one.within] for one in metrics]
    return replace(result(CHECK, number), details={"detail": facts.text, "facts": facts.kept(), "unlike": unlike})


def _experience(engine: Engine) -> tuple[dict[object, object], dict[object, object]]:
    store = CheckStore(engine)
    found = experience(store, engine, "orders", (), (), store.failing(day(1), day(30)))
    return dict(found.unlike), dict(found.normal_since)


def test_told_numbers_are_forgotten_until_a_person_calls_them_normal(tmp_path: Path) -> None:
    """A promotion that goes on would be told for ever, and a wrong unit must never become the usual one by itself."""
    engine = operations_engine(load_settings(tmp_path))
    store = CheckStore(engine)
    store.record([_told(5, APP), _told(6, APP, DECLINED)])
    [one] = observe(engine, store.after(0, 100), NOW)
    incident = IncidentStore(engine).get(one)
    assert (incident.failure_class, incident.column) == ("profile_anomaly", "channel")
    assert Facts.read(incident.signals[0].facts).text == "channel is app in 0 % of the rows, usual 35.0 %"
    assert _experience(engine) == ({day(5): {APP}, day(6): {APP, DECLINED}}, {})

    decide(IncidentStore(engine), one, Decision.FALSE_ALARM, later(5), "Ada", "we closed the app")
    assert _experience(engine) == ({}, {APP: day(5), DECLINED: day(5)})

    store.invalidate(["orders"], [day(5), day(6)])  # the days are built again, and pass: what was said stays said
    decide(IncidentStore(engine), one, Decision.CLOSE, later(9), "Ada", "nothing left")
    assert _experience(engine) == ({}, {APP: day(5), DECLINED: day(5)})


def test_whatever_the_incident_is_known_by_a_person_speaks_of_all_its_day_and_a_merged_symptom_of_nothing(
    tmp_path: Path,
) -> None:
    """A blizzard was known by a scale, a more specific check: called a false alarm, its day stayed held for ever. A profile
    that was merged into its cause ended as a false alarm too, and taught what was wrong as usual.
    """
    engine = operations_engine(load_settings(tmp_path))
    store, incidents = CheckStore(engine), IncidentStore(engine)
    store.record([_told(5, APP)])
    [symptom] = observe(engine, store.after(0, 100), NOW)
    last = store.last_id()
    store.record([result("int_orders__deduplicated__amount_scale", 5)])
    observe(engine, store.after(last, 100), later(1))
    [scale] = [one.id for one in incidents.all() if one.failure_class == "distribution_shift"]
    assert incidents.get(symptom).linked_to == scale
    assert _experience(engine) == ({day(5): {APP}}, {})
    decide(incidents, scale, Decision.FALSE_ALARM, later(5), "Ada", "it snowed")
    assert _experience(engine) == ({}, {APP: day(5)})
