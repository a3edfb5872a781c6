"""How long incidents take: by hand, from timelines as they are really written."""

import json
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from reliability_platform.cli.main import main
from reliability_platform.errors import ExitCode
from reliability_platform.formats import duration
from reliability_platform.incidents.documents.render import markdown
from reliability_platform.incidents.metrics import (
    MEASURES,
    GroupedBy,
    document,
    metrics,
    page,
    row,
    spread,
)
from reliability_platform.incidents.model import State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings
from tests.unit.failing import NOW, day, later


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return operations_engine(load_settings(tmp_path))


def opened(store: IncidentStore, number: int, severity: str = "P1", failure_class: str = "missing_data") -> str:
    """An incident that is detected ten minutes after the first bad write."""
    data = {
        "partitions": [day(number).isoformat()],
        "signals": [],
        "source": "orders",
        "failure_class": failure_class,
        "root_dataset": "bronze_orders",
        "severity": severity,
        "severity_reason": "by its class",
        "onset": later(-60 * 24 * 300).isoformat(),
        "first_bad_write": later(-10).isoformat(),
    }
    incident_id = store.create(f"{failure_class}-orders-{day(number)}", NOW, "sensor", "because", data, (number,))
    assert incident_id is not None
    return incident_id


def healed(store: IncidentStore, incident_id: str, begun: int, recovered: int, resolved: int) -> None:
    """The rest of its life, in minutes after the detection."""
    store.move(incident_id, State.RECOVERING, later(begun), "remediation", "act")
    store.append(incident_id, later(recovered), "sensor", "recovery", "all passed", {"passed": []})
    store.move(incident_id, State.VERIFIED, later(recovered + 1), "remediation", "proved")
    store.move(incident_id, State.RESOLVED, later(resolved), "remediation", "over")


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def test_the_percentiles_by_hand() -> None:
    """The mean of the two in the middle; the nearest rank, which is a duration that did occur."""
    assert (spread([]).n, spread([]).median, spread([]).p95) == (0, None, None)
    one = spread([minutes(3)])
    assert (one.n, one.median, one.p95, one.is_small) == (1, minutes(3), minutes(3), True)
    assert spread([minutes(4), minutes(1)]).median == minutes(2.5)
    assert spread([minutes(number) for number in range(19, 0, -1)]).p95 == minutes(19)
    twenty = spread([minutes(number) for number in range(1, 21)])
    assert (twenty.median, twenty.p95, twenty.is_small) == (minutes(10.5), minutes(19), False)
    assert spread([minutes(number) for number in range(1, 101)]).p95 == minutes(95)


def test_every_duration_is_taken_from_the_timeline(engine: Engine) -> None:
    """Which R is meant stands in the name; the onset, on the data's clock, enters no duration."""
    store = IncidentStore(engine)
    healed(store, opened(store, 1), begun=5, recovered=20, resolved=30)
    healed(store, opened(store, 3), begun=15, recovered=40, resolved=50)
    [found] = metrics(store.all())
    assert (found.name, found.incidents, found.open) == ("all", 2, 0)
    assert {name: (one.n, one.median, one.p95) for name, one in found.spreads.items()} == {
        "time_to_detect": (2, minutes(10), minutes(10)),
        "time_to_acknowledge": (2, minutes(10), minutes(15)),
        "time_to_recover": (2, minutes(30), minutes(40)),
        "time_to_resolve": (2, minutes(40), minutes(50)),
        "data_downtime": (2, minutes(40), minutes(50)),
    }
    assert row(found)[:3] == ["all", "2", "10 min / max 10 min (2)"]


def test_what_has_not_happened_has_no_length(engine: Engine) -> None:
    """Open incidents are counted beside the numbers, which would be too good without a word."""
    store = IncidentStore(engine)
    healed(store, opened(store, 1), begun=5, recovered=20, resolved=30)
    still_open = opened(store, 3)
    store.move(still_open, State.ACKNOWLEDGED, later(45), "somebody", "seen")
    [found] = metrics(store.all())
    assert (found.incidents, found.open) == (2, 1)
    assert {name: one.n for name, one in found.spreads.items()} == {
        "time_to_detect": 2,
        "time_to_acknowledge": 2,
        "time_to_recover": 1,
        "time_to_resolve": 1,
        "data_downtime": 1,
    }
    assert row(found)[1] == "2, 1 open"


def test_symptoms_are_no_incidents_and_false_alarms_have_no_times(engine: Engine) -> None:
    """A symptom merged in a second would make every median look good."""
    store = IncidentStore(engine)
    cause = opened(store, 1)
    healed(store, cause, begun=5, recovered=20, resolved=30)
    store.move(opened(store, 3), State.FALSE_ALARM, later(1), "sensor", "a symptom", linked_to=cause)
    store.move(opened(store, 5), State.FALSE_ALARM, later(1), "somebody", "nothing wrong")
    [found] = metrics(store.all())
    assert (found.incidents, found.false_alarms) == (1, 1)
    assert found.spreads["time_to_resolve"].median == minutes(30)
    assert row(found)[1] == "1, 1 false"


def test_groups_come_in_the_order_of_severity_or_class(engine: Engine) -> None:
    """Worst first, all of them last; nobody reads lines without incidents."""
    store = IncidentStore(engine)
    for number, (severity, failure_class) in enumerate((("P2", "null_spike"), ("P0", "pii_leak"), ("P2", "pii_leak"))):
        healed(store, opened(store, 1 + 2 * number, severity, failure_class), 1, 2, 10 * (number + 1))
    by_severity = metrics(store.all(), GroupedBy.SEVERITY)
    assert [(one.name, one.incidents, one.spreads["time_to_resolve"].median) for one in by_severity] == [
        ("P0", 1, minutes(20)),
        ("P2", 2, minutes(20)),
        ("all", 3, minutes(20)),
    ]
    by_class = metrics(store.all(), GroupedBy.CLASS)
    assert [(one.name, one.incidents) for one in by_class] == [("pii_leak", 2), ("null_spike", 1), ("all", 3)]
    assert markdown(page(by_class)).count("\n| ") == 5


def test_no_incident_at_all(engine: Engine) -> None:
    """Nothing has a length, and nothing divides by nothing."""
    [found] = metrics(IncidentStore(engine).all(), GroupedBy.CLASS)
    assert row(found) == ["all", "0", *["–"] * len(MEASURES)]


@pytest.mark.parametrize(
    ("span", "words"),
    [(None, "–"), (0, "0 s"), (90, "90 s"), (150, "2.5 min"), (3 * 3600, "3 h"), (86_400 * 10, "10 d")],
)
def test_durations_for_people(span: float | None, words: str) -> None:
    """Nobody reads 864000 seconds."""
    assert duration(None if span is None else timedelta(seconds=span)) == words


def test_the_command_prints_a_table_or_a_document(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The document has seconds, and says what each measure means."""
    home = ["--home", str(tmp_path)]
    assert main(["incidents", "metrics", *home]) == ExitCode.OK
    assert "no incidents" in capsys.readouterr().out
    store = IncidentStore(engine)
    healed(store, opened(store, 1), begun=5, recovered=20, resolved=30)
    assert main(["incidents", "metrics", *home, "--by", "severity"]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert "P1" in shown and "30 min" in shown
    assert main(["incidents", "metrics", *home, "--json"]) == ExitCode.OK
    printed = json.loads(capsys.readouterr().out)
    assert printed == document(metrics(store.all()))
    assert printed["groups"][0]["time_to_recover"] == {"n": 1, "median_seconds": 1200.0, "p95_seconds": 1200.0}
    assert set(printed["measures"]) == {measure.name for measure in MEASURES}
    with pytest.raises(SystemExit) as stopped:
        main(["incidents", "metrics", *home, "--by", "colour"])
    assert stopped.value.code == ExitCode.USAGE


def test_thousands_of_incidents_are_summed_up_in_a_moment(engine: Engine) -> None:
    """The sums are pure: what takes time is reading the timelines."""
    store = IncidentStore(engine)
    healed(store, opened(store, 1), begun=5, recovered=20, resolved=30)
    incidents = store.all() * 10_000
    began = time.perf_counter()
    found = metrics(incidents, GroupedBy.CLASS)
    assert found[-1].spreads["time_to_recover"].n == 10_000
    assert time.perf_counter() - began < 3
