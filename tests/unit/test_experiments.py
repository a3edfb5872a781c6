"""Experiments: what a file may say, what is concluded from what was observed, when one is due, and that nothing leaves the clone."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from reliability_platform.alerts.dispatch import dispatch
from reliability_platform.audit_log import AuditLog
from reliability_platform.cli.main import main
from reliability_platform.clock import utc_now
from reliability_platform.errors import ExitCode, HomeBusyError, UsageError
from reliability_platform.incidents.classes import Severity
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab import calendar as lab_calendar
from reliability_platform.lab.calendar import calendar
from reliability_platform.lab.experiments import experiment as declared
from reliability_platform.lab.experiments.experiment import Expected, Probe, experiment_files, read_experiment
from reliability_platform.lab.experiments.judge import ExperimentStatus, Observed, SeenIncident, judge, status_of
from reliability_platform.lab.experiments.placement import placed, why_not
from reliability_platform.lab.experiments.run import WORKSPACE, run_experiment
from reliability_platform.lab.experiments.steady_state import _asked
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.definitions import defs
from reliability_platform.orchestration.local import QUIET
from reliability_platform.recovery.clone import clone_of
from reliability_platform.recovery.drill_log import DrillLog, due
from reliability_platform.settings import Settings, load_settings
from tests.ground import Platform
from tests.unit.alerting import Server
from tests.unit.lived_in import state

BEGINS = "title: What is tried\nhypothesis: It holds\n"
METHOD = "method:\n  - fault: null_spike\n    source: orders\n"


def written(folder: Path, text: str, name: str = "tried") -> Path:
    """A file of an experiment."""
    path = folder / f"{name}.yml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BEGINS, "line 1: method: Field required"),
        (BEGINS + METHOD + "steady_state: {queries: [{query: select 1, at_least: 5, at_most: 2}]}\n", "must not be above"),
        (BEGINS + "method: []\n", "line 3: method: it must hold 1 or more."),
        (BEGINS + METHOD + "extra: 1\n", "line 6: extra: Extra inputs are not permitted"),
        (BEGINS + "method:\n  - fault: nonsense\n", "line 4: method.0.fault: There is no fault 'nonsense'"),
        (BEGINS + METHOD + "    drill: table-loss\n", "line 4: method.0: name either a fault or a drill"),
        (BEGINS + "method:\n  - drill: nonsense\n", "line 4: method.0.drill: Input should be 'table-loss'"),
        (BEGINS + "method:\n  - drill: home-loss\n    table: x\n", "line 4: method.0: table says what is lost in table-loss"),
        (BEGINS + "method:\n  - drill: home-loss\n    days: 2\n", "line 4: method.0: days is nothing that a drill has"),
        (BEGINS + METHOD + "    magnitude: -3\n", "line 6: method.0.magnitude: use small, medium, large, or a number"),
        (BEGINS + METHOD + "    days_ago: 1\n    date: 2026-01-01\n", "line 4: method.0: give either days_ago or date"),
        (BEGINS + METHOD.replace("orders", "nonsense"), "line 5: method.0.source: there is no source 'nonsense'"),
        (BEGINS + METHOD + "expect: {class: nonsense}\n", "line 6: expect.class: there is no failure class 'nonsense'"),
        (BEGINS + METHOD + "expect: {severity: P7}\n", "line 6: expect.severity: Input should be"),
        (BEGINS + METHOD + "steady_state: {checks_passed: [x]}\n", "line 6: steady_state.checks_passed.0: there is no check 'x'"),
        (BEGINS + METHOD + "steady_state: {queries: [{query: select 1}]}\n", "line 6: steady_state.queries.0: say at_least"),
        (BEGINS + METHOD + "title: Again\n", "line 6: title stands there twice"),
        ("- a\n", "line 1: experiment: it must be a mapping"),
        ("", "it must be a mapping"),
    ],
)  # fmt: skip
def test_a_file_that_says_what_cannot_be_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    """An experiment that is misread is a promise that nobody keeps."""
    with pytest.raises(UsageError) as refused:
        read_experiment(written(tmp_path, text))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_name_that_is_a_drill_or_too_long_is_refused(tmp_path: Path) -> None:
    """Both stand in one log under their names."""
    for name, says in (("table-loss", "is the name of a drill"), ("x" * 41, "40 characters at most")):
        with pytest.raises(UsageError, match=says):
            read_experiment(written(tmp_path, BEGINS + METHOD, name))


def test_those_that_come_with_the_platform_can_be_done_in_the_shop() -> None:
    """And one of the project counts instead of one of the same name."""
    assert len(experiment_files()) >= 4
    assert {name: why_not(read_experiment(path)) for name, path in experiment_files().items()} == dict.fromkeys(
        experiment_files()
    )


SEEN = SeenIncident("INC-1", "null_spike", Severity.P2, 4.0, 1, True, 9.0, "resolved")
GOOD = Observed([SEEN], compared=5)


@pytest.mark.parametrize(
    ("expected", "observed", "refuted"),
    [
        (Expected(), GOOD, []),
        (Expected(), Observed([], compared=5), ["failure class"]),
        (Expected(), replace(GOOD, incidents=[replace(SEEN, failure_class="late_data")]), ["failure class"]),
        (Expected(severity=Severity.P1), GOOD, ["severity"]),
        (Expected(detected_within_seconds=3, recovered_within_seconds=8), GOOD, ["detected after", "recovered after"]),
        (Expected(detected_within_seconds=4, recovered_within_seconds=9, attempts_at_most=1), GOOD, []),
        (Expected(attempts_at_most=1), replace(GOOD, incidents=[replace(SEEN, attempts=2)]), ["attempts"]),
        (Expected(attempts_at_most=1), Observed([], compared=5), ["failure class", "attempts"]),
        (Expected(), replace(GOOD, shown_wrong=["v2/agg/2026-01-02"]), ["contained"]),
        (Expected(contained=False), GOOD, ["contained"]),
        (Expected(), replace(GOOD, incidents=[replace(SEEN, recovered=False)]), ["recovered"]),
        (Expected(recovered=False), replace(GOOD, incidents=[replace(SEEN, recovered=False)], unequal={"a": 3}), []),
        (Expected(recovered=False), GOOD, ["recovered"]),
        (Expected(), replace(GOOD, unequal={"agg": 3}), ["published tables equal"]),
        (Expected(tables_equal=False), replace(GOOD, unequal={"agg": 3}), []),
        (Expected(), replace(GOOD, drills={"table-loss": ["2 rows lost, 0 allowed"]}), ["drill table-loss"]),
    ],
)
def test_a_hypothesis_is_refuted_by_each_claim_that_is_not_so(
    expected: Expected, observed: Observed, refuted: list[str]
) -> None:
    """A judge that cannot say no proves nothing."""
    claims = judge(expected, {"null_spike"}, observed)
    assert [one.claim for one in claims if one.held is False] == refuted
    assert status_of(claims) is (ExperimentStatus.REFUTED if refuted else ExperimentStatus.HELD)


def test_what_nobody_may_notice_is_refuted_by_an_incident_and_nothing_follows_from_no_answer() -> None:
    """Of a control, and of tables that were not compared."""
    assert status_of(judge(Expected(), (), Observed([], compared=1))) is ExperimentStatus.HELD
    assert [one.claim for one in judge(Expected(), (), GOOD) if not one.held] == ["failure class"]
    assert status_of(judge(Expected(), (), Observed([]))) is ExperimentStatus.NOT_EVALUATED
    assert status_of([]) is ExperimentStatus.NOT_EVALUATED


def test_a_question_to_the_published_tables_has_an_answer_or_none(tmp_path: Path) -> None:
    """What is no question is not asked: a file must not write through it."""
    settings = load_settings(tmp_path)
    (settings.published / "current").mkdir(parents=True)
    duckdb.execute(f"copy (from range(3)) to '{settings.published}/current/agg.parquet' (format parquet)")

    def held(query: str) -> bool | None:
        return _asked(settings, Probe(query=query, at_least=3, at_most=3)).held

    assert held("select count(*) from agg") is True
    assert held("select 3.0::decimal(9, 2)") is True
    assert held("select count(*) + 1 from agg") is False
    written = tmp_path / "written"
    for none in (
        "from nothing",
        "from agg",
        "select 'three'",
        "select count(*) + 2 from read_text('/etc/hostname')",
        "select count(*) + 3 from glob('/etc/*') where false",
        "select true",
        f"copy agg to '{written}'",
        "select 3; select 3",
    ):
        assert held(none) is None, none
    assert not written.exists()


def test_each_drill_and_experiment_is_due_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never done is due at once; a home with its snapshots inside is not asked to be lost; 0 days are never."""
    own = tmp_path / "own"
    own.mkdir()
    written(own, BEGINS + "every_days: 6\n" + METHOD, "often")
    written(own, "nonsense", "unreadable")
    monkeypatch.setattr(declared, "OWN", own)
    monkeypatch.setattr(declared, "SHIPPED", tmp_path / "none")
    settings = load_settings(tmp_path / "home").model_copy(update={"snapshot_url": str(tmp_path / "elsewhere")})
    days = {name: limit.days for name, limit in calendar(settings).items()}
    assert days == {
        **dict.fromkeys(("table-loss", "source-outage", "unreadable"), 35),
        "warehouse-loss": 100,
        "home-loss": 100,
        "often": 7,
    }
    inside = settings.model_copy(update={"snapshot_url": None, "rehearsal_days": 0})
    assert set(calendar(inside)) == {"table-loss", "source-outage", "warehouse-loss", "often"}
    engine, now = operations_engine(settings), utc_now()
    assert due(calendar(settings), engine, now) == list(calendar(settings))
    DrillLog(engine).record("often", now, 0, 1.0, True, "")
    DrillLog(engine).record("unreadable", now, 0, 1.0, False, "")
    planned = {name: calendar(settings)[name] for name in ("often", "unreadable")}
    assert due(planned, engine, now + timedelta(days=5.9)) == ["unreadable"]
    assert due(planned, engine, now + timedelta(days=6)) == ["often", "unreadable"]
    lab_calendar._every_days.cache_clear()


@pytest.fixture
def home(lived: Callable[[Path], Platform], tmp_path: Path) -> Settings:
    """Two clean days, published."""
    return lived(tmp_path / "home").settings


def test_faults_are_placed_on_what_has_landed(home: Settings, tmp_path: Path) -> None:
    """The newest day by default, counted back from there; what a fault touches beyond it must have landed as well."""

    def day_of(more: str) -> str:
        [one] = placed(home, read_experiment(written(tmp_path, BEGINS + METHOD + more)))
        return one.landing_date.isoformat()

    assert (day_of(""), day_of("    days_ago: 1\n"), day_of("    days: 2\n")) == (
        "2026-01-02",
        "2026-01-01",
        "2026-01-01",
    )
    for more, says in (
        ("    days_ago: 2\n", "nothing that old has landed"),
        ("    date: 2025-01-01\n", "outside the window"),
    ):
        with pytest.raises(UsageError, match=says):
            day_of(more)


def test_a_home_that_is_not_steady_is_left_alone_and_nothing_is_concluded(
    home: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An experiment on a home that is broken already would be refuted by what it did not do."""
    probe = "steady_state: {queries: [{query: select count(*) from agg_daily_revenue, at_most: 0}]}\n"
    before = state(home.home)
    words = ["rehearse", str(written(tmp_path, BEGINS + METHOD + probe)), "--json", "--home", str(home.home)]
    assert main(words) == ExitCode.NOT_HEALED
    document = json.loads(capsys.readouterr().out)
    assert (document["status"], document["was_steady"], document["injections"]) == ("not evaluated", False, [])
    assert state(home.home) == before
    with clone_of(home, WORKSPACE), pytest.raises(HomeBusyError, match="Another experiment is at work"):
        run_experiment(home, "tried", read_experiment(tmp_path / "tried.yml"), utc_now)


@pytest.mark.exhaustive  # 60 s
def test_an_experiment_breaks_a_clone_and_nobody_hears_of_it(
    home: Settings, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Channels, a tracker, a dead man's switch and lineage are configured, and hear of the home, but not of its clone. The home is
    the same to the byte but for the record of the result.
    """
    http = f"http://127.0.0.1:{server.port}"
    routing = tmp_path / "routing.yml"
    routing.write_text(
        "recipients: {team: {channels: ['env:TEAM']}}\notherwise: [team]\n"
        f"trackers: {{ours: {{kind: github, url: {http}, project: a/b, token: 'env:TOKEN'}}}}\n"
    )
    monkeypatch.setenv("TEAM", server.url)
    monkeypatch.setenv("TOKEN", "secret")
    for name, value in {
        "ALERT_URLS": server.url,
        "ALERT_DRY_RUN": "false",
        "DEAD_MAN_URL": f"{http}/dead-man",
        "OPENLINEAGE_URL": http,
        "ROUTING_FILE": str(routing),
    }.items():
        monkeypatch.setenv(f"RELIABILITY_{name}", value)
    store = ("operations.sqlite", "operations.sqlite-wal", "operations.sqlite-shm")
    before = state(home.home, (*store, "drills"))
    held = written(tmp_path, BEGINS + METHOD + "expect: {class: null_spike, severity: P2}\n", "holds")
    refuted = written(tmp_path, BEGINS + METHOD + "expect: {severity: P0}\n", "does-not")
    assert main(["rehearse", str(held), "--home", str(home.home)]) == ExitCode.OK
    assert "held" in capsys.readouterr().out
    assert main(["rehearse", str(refuted), "--home", str(home.home)]) == ExitCode.NOT_HEALED
    assert "severity" in capsys.readouterr().out
    assert state(home.home, (*store, "drills")) == before
    assert (server.heard, server.paths) == ([], [])
    engine = operations_engine(home)
    assert IncidentStore(engine).all() == []
    assert [(one.drill, one.met) for one in DrillLog(engine).all()] == [("holds", True), ("does-not", False)]
    assert [one.what for one in AuditLog(engine).all()][-2:] == ["holds: held", "does-not: refuted"]
    ground = load_settings(home.home)  # the same settings do reach the server for an incident of the home
    dispatch(ground, engine, utc_now())
    made = IncidentStore(engine).create("k", utc_now(), "test", "because", {
        "partitions": ["2026-01-02"], "signals": [], "source": "orders", "failure_class": "missing_data",
        "root_dataset": "bronze_orders", "severity": "P1", "severity_reason": "P1",
    }, [1])  # fmt: skip
    assert made
    dispatch(ground, engine, utc_now())
    assert server.paths


@pytest.mark.exhaustive  # 60 s
def test_dagster_does_all_that_is_due_and_says_what_was_refuted(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that cannot be done stops no other."""
    own = tmp_path / "own"
    own.mkdir()
    written(own, BEGINS + METHOD, "holds")
    written(own, "nonsense", "unreadable")
    monkeypatch.setattr(declared, "OWN", own)
    monkeypatch.setenv("RELIABILITY_HOME", str(home.home))
    with dg.instance_for_test() as instance:
        config = {**QUIET, "ops": {"rehearse": {"config": {"names": ["unreadable", "holds"]}}}}
        done = defs.resolve_job_def("rehearsals").execute_in_process(
            instance=instance, run_config=config, raise_on_error=False
        )
    assert not done.success
    assert [(one.drill, one.met) for one in DrillLog(operations_engine(home)).all()] == [("holds", True)]
