"""The backfill guard: what each guard refuses, that a refusal changes nothing, what lets a run through."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from reliability_platform.backfills.approvals import Approvals
from reliability_platform.backfills.decisions import Consent, admit_run
from reliability_platform.backfills.guard import GUARDS, Purpose, Request, objections
from reliability_platform.checks.holds import Holds
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.checks.run_monitor import monitor_builds
from reliability_platform.checks.store import CheckStore
from reliability_platform.contracts import SOURCES
from reliability_platform.errors import HomeBusyError, UsageError
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.simulation.system import scheduled_batches
from reliability_platform.landing.admission import admit
from reliability_platform.landing.inputs import BuildInputs
from reliability_platform.landing.replacement import land_replacement
from reliability_platform.landing.writer import landing_folder
from reliability_platform.operations import operations_engine
from reliability_platform.recovery.rehearsal import rehearse
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.difference import DateChange, TableDifference
from reliability_platform.warehouse.journal import BLOCKED, SUCCEEDED, BuildJournal
from tests.ground import Platform, day

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
EVENTS = 300


@pytest.fixture(scope="module")
def ran(lived: Callable[[Path], Platform], tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A home with three days landed, built and published."""
    made = lived(tmp_path_factory.mktemp("guarded") / "home")
    made.run(day(3), day(3))
    return made


@pytest.fixture
def home(ran: Platform, tmp_path: Path) -> Settings:
    """A copy of it to break."""
    shutil.copytree(ran.settings.home, tmp_path / "home", symlinks=True)
    return load_settings(tmp_path / "home")


def request(purpose: Purpose = Purpose.BACKFILL, first: int = 2, last: int = 3, *, asks: bool = False) -> Request:
    """A run over some days."""
    return Request(day(first), day(last), purpose, asks, NOW)


def fingerprint(settings: Settings) -> dict[str, str]:
    """Every file that a run writes, the warehouse too."""
    files = [settings.warehouse]
    for folder in (settings.landing, settings.bronze, settings.published, settings.quarantine):
        files += [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(settings.home)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def open_incident(settings: Settings, number: int) -> str:
    """An incident about the orders of a day."""
    engine = operations_engine(settings)
    failed = CheckResult(
        check="stg_orders__missing_customer_id",
        dataset="stg_orders",
        source="orders",
        partition=day(number),
        status=CheckStatus.FAILED,
        value=1.0,
        threshold="< 1 %",
        message="null values",
        run_id="test",
        evaluated_at=NOW,
    )
    observe(engine, [(1_000_000, failed)], NOW)
    [incident] = IncidentStore(engine).open()
    return incident.id


def _hold(settings: Settings) -> None:
    Holds(operations_engine(settings)).hold("orders", day(2), "ann", "the books are audited", NOW)


def _bind(settings: Settings) -> None:
    open_incident(settings, 2)


def _go_back(settings: Settings) -> None:
    """As after an old copy of landing: the replacement that was built is gone."""
    folder = landing_folder(settings, "orders", day(2))
    manifest = folder / "orders-20260102-01.manifest.json"
    newer = json.loads(manifest.read_text()) | {"batch_id": "orders-20260102-01-a2", "attempt": 2}
    inputs = BuildInputs(operations_engine(settings))
    (folder / "orders-20260102-01-a2.manifest.json").write_text(json.dumps(newer | {"kind": "replacement"}))
    shutil.copy(folder / "orders-20260102-01.parquet", folder / "orders-20260102-01-a2.parquet")
    admit(settings, "orders", day(2))
    inputs.record(settings, [day(2), day(3)])
    for path in folder.glob("*-a2.*"):
        path.unlink()


def _build_beside(settings: Settings) -> None:
    BuildJournal(operations_engine(settings), settings.builds).begin(day(3), day(4), NOW)


def _nothing(settings: Settings) -> None:
    del settings


CLOSED = TableDifference("agg_daily_revenue", [DateChange(day(1), 0, 1, 2), DateChange(day(3), 1, 0, 0)], [], [], [])


@pytest.mark.parametrize(
    ("guard", "spoil", "words"),
    [
        ("overlap", _build_beside, r"overlap the build of 2026-01-03 to 2026-01-04 .* wait until it has ended"),
        ("older data", _go_back, r"orders of 2026-01-02, batch 1: attempt 2 was built, now attempt 1 is the last one"),
        ("held days", _hold, r"somebody holds orders 2026-01-02 \(held by ann: the books are audited\)"),
        ("open incidents", _bind, r"bound by INC-0001-null_spike-orders-2026-01-02"),
        ("closed periods", _nothing, r"change 3 published rows of event dates before 2026-01-02, which are closed"),
        ("older models", _nothing, r"models 0\.0\.1\+\w+ are of an older release than \d"),
    ],
)
def test_each_guard_refuses_and_changes_nothing(
    home: Settings, tmp_path: Path, guard: str, spoil: object, words: str
) -> None:
    """The message says what to do; the refusal is in the journal, and becomes an incident; nothing is written."""
    changes: list[TableDifference] = []
    if guard == "closed periods":
        home, changes = home.model_copy(update={"closed_before": day(2)}), [CLOSED]
    if guard == "older models":
        project = tmp_path / "older"
        project.mkdir()
        (project / "dbt_project.yml").write_text('version: "0.0.1"\n')
        home = home.model_copy(update={"dbt_project": project})
    spoil(home)  # type: ignore[operator]
    engine, before = operations_engine(home), fingerprint(home)
    found = objections(home, engine, request(), lambda: changes)
    assert list(found) == [guard]
    for _ in range(2):  # two steps of one run
        with pytest.raises(GUARDS[guard].error, match=words) as refused:
            admit_run(home, engine, request(), "run-1", lambda: changes)
        assert ("--dry-run" in str(refused.value)) == GUARDS[guard].approvable
    assert fingerprint(home) == before
    [blocked] = [one for one in BuildJournal(engine, home.builds).troubled() if one.outcome == BLOCKED]
    assert (blocked.first_day, blocked.last_day) == (day(2), day(3))
    assert {one.check for one in monitor_builds(home, engine, NOW)} == {"dbt_build__alone"}
    if GUARDS[guard].approvable:
        admit_run(home, engine, request(), "run-2", lambda: changes, Consent("ben", "the auditor asked for it"))
        admit_run(home, engine, request(), "run-3", lambda: changes)  # within the hour
        later = replace(request(), now=NOW + timedelta(hours=2))
        with pytest.raises(GUARDS[guard].error):
            admit_run(home, engine, later, "run-4", lambda: changes)
        with pytest.raises(GUARDS[guard].error):  # other days than those that were approved
            admit_run(home, engine, request(first=1), "run-5", lambda: changes)
        [approval] = Approvals(engine).all()
        assert (approval.guards, approval.actor, approval.why) == ((guard,), "ben", "the auditor asked for it")
    else:
        with pytest.raises(GUARDS[guard].error):
            admit_run(home, engine, request(), "run-2", lambda: changes, Consent("ben", "I want it"))
        assert Approvals(engine).all() == []


def test_days_as_they_are_run_again_without_a_word(ran: Platform) -> None:
    """No friction: neither for a second run, nor for first ones."""
    for purpose in Purpose:
        assert objections(ran.settings, ran.engine, request(purpose)) == {}
        assert objections(ran.settings, ran.engine, request(purpose, 4, 5, asks=True)) == {}


def test_what_is_routine_or_heals_passes_held_and_bound_days(home: Settings) -> None:
    """The gate keeps them; healing must not be stopped by the incident that it heals."""
    _hold(home)
    _bind(home)
    engine = operations_engine(home)
    assert list(objections(home, engine, request())) == ["held days", "open incidents"]
    assert objections(home, engine, request(Purpose.ROUTINE)) == {}
    assert objections(home, engine, request(Purpose.REMEDIATION)) == {}
    assert objections(home, engine, request(first=3)) == {}  # another day


def test_an_approval_stands_on_the_timeline(home: Settings) -> None:
    """Of the incident that it overrules, once, with who and why; what looks like anybody's data stays out."""
    incident = open_incident(home, 2)
    engine = operations_engine(home)
    admit_run(home, engine, request(), "run-1", consent=Consent("ben", "ann@example.com wants it anew"))
    [note] = [one for one in IncidentStore(engine).get(incident).timeline if one.kind == "note"]
    assert note.actor == "ben"
    assert "approved against open incidents" in note.why
    assert "ann@example.com" not in note.why + Approvals(engine).all()[0].why
    with pytest.raises(UsageError, match="reason is empty"):
        admit_run(home, engine, request(), "run-2", consent=Consent("ben", "  "))


def test_what_the_source_sends_again_is_not_missed(home: Settings) -> None:
    """A first attempt that is gone from landing comes back by itself if the source is asked, and only then."""
    for path in landing_folder(home, "payments", day(3)).glob("*-02.*"):
        path.unlink()
    engine = operations_engine(home)
    assert objections(home, engine, request(asks=True)) == {}
    assert "payments of 2026-01-03, batch 2: attempt 1 was built, now none" in str(objections(home, engine, request()))
    BuildInputs(engine).forget("payments", day(3))  # delivered anew on purpose, as by `reliability inject`
    assert objections(home, engine, request()) == {}


def test_another_content_is_older_unless_it_landed_later(home: Settings) -> None:
    """Which of two contents is the newer one only their times can say."""
    engine = operations_engine(home)
    manifest = landing_folder(home, "orders", day(2)) / "orders-20260102-01.manifest.json"
    told = json.loads(manifest.read_text()) | {"checksum": "0" * 64}
    manifest.write_text(json.dumps(told))
    assert list(objections(home, engine, request())) == ["older data"]
    manifest.write_text(json.dumps(told | {"landed_at": "2026-01-09T00:00:00"}))
    assert objections(home, engine, request()) == {}


def test_a_build_remembers_what_it_was_built_from(ran: Platform) -> None:
    """Every slot of every source, or the guard would be blind for some."""
    with ran.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "select source, landing_date, count(*), max(attempt) from build_inputs group by 1, 2"
        )
        found = {(row[0], row[1]): row[2:] for row in rows}
    assert len(found) == 4 * 3
    assert {attempts for _, attempts in found.values()} == {1}


def test_the_rehearsal_tells_the_difference_and_touches_nothing(home: Settings, ran: Platform) -> None:
    """One captured payment of day 2 turns out to have been declined: counted by hand."""
    replacement = None
    for batch in scheduled_batches(ran.simulation, "payments", day(2)):
        table = batch.table
        captured = pc.and_(pc.equal(table["status"], "captured"), pc.greater(pc.cast(table["amount"], pa.float64()), 0))
        rows = pc.indices_nonzero(captured).to_pylist()
        if rows:
            status = table["status"].to_pylist()
            status[rows[0]] = "declined"
            column = table.column_names.index("status")
            altered = table.set_column(column, table.schema.field("status"), pa.array(status, table["status"].type))
            replacement = replace(batch, table=altered, attempt=2, kind="replacement", batch_id=f"{batch.batch_id}-a2")
            break
    assert replacement is not None
    land_replacement(home, replacement)
    before = fingerprint(home)
    rehearsal = rehearse(home, day(2), day(2))
    assert fingerprint(home) == before
    assert not (home.home / ".rehearsal").exists()
    changed = {table.name: table for table in rehearsal.tables if not table.is_empty}
    payments = changed["agg_daily_payments"]
    [date_change] = payments.dates
    assert (date_change.added, date_change.removed, date_change.changed) == (0, 0, 1)
    measures = {one.name: one.change for one in payments.measures}
    assert (measures["captured"], measures["declined"]) == (Decimal(-1), Decimal(1))
    assert measures["captured_amount_eur"] < 0
    assert "attempts" not in measures
    closed = home.model_copy(update={"closed_before": date_change.event_date + timedelta(days=1)})
    engine = operations_engine(home)
    asked = request(Purpose.REMEDIATION, 2, 2)
    assert list(objections(closed, engine, asked, lambda: rehearsal.tables)) == ["closed periods"]
    still_open = home.model_copy(update={"closed_before": date_change.event_date})
    assert objections(still_open, engine, asked, lambda: rehearsal.tables) == {}


def test_closed_dates_roll_with_the_calendar(home: Settings) -> None:
    """A fixed date, a number of days, or whichever closes more."""
    today = date(2026, 2, 1)
    rolling = home.model_copy(update={"closed_after_days": 10})
    assert home.first_open_date(today) is None
    assert rolling.first_open_date(today) == date(2026, 1, 22)
    assert rolling.model_copy(update={"closed_before": date(2026, 1, 25)}).first_open_date(today) == date(2026, 1, 25)


def test_a_refused_build_is_never_taken_for_one_at_work(home: Settings) -> None:
    """Or it would refuse others in turn."""
    journal = BuildJournal(operations_engine(home), home.builds)
    number = journal.refused(day(2), day(3), NOW, "for a reason")
    assert journal.at_work(day(1), day(9)) is None
    assert journal.built(day(1), day(9)) == {day(1), day(2), day(3)}
    assert [one.id for one in journal.troubled()] == [number]
    journal.end(journal.begin(day(2), day(3), NOW), NOW, SUCCEEDED)


@pytest.fixture
def raced(tmp_path: Path) -> Iterator[Platform]:
    """An empty warehouse on which two processes have built a day each, at once."""
    made = Platform(tmp_path / "raced", events_per_day=EVENTS)
    made.land(day(1), day(2))
    command = [sys.executable, "-m", "reliability_platform.warehouse", str(made.settings.home)]
    both = [subprocess.Popen([*command, str(day(one)), str(day(one))]) for one in (1, 2)]
    assert [one.wait(300) for one in both] == [0, 0]
    yield made


@pytest.mark.exhaustive
def test_two_first_builds_at_once_both_count(raced: Platform, ran: Platform) -> None:
    """Neither takes the tables of the other for its own first ones: gold is that of one build after the other."""
    engine = operations_engine(raced.settings)
    assert BuildJournal(engine, raced.settings.builds).built(day(1), day(3)) == {day(1), day(2)}
    marts = raced.gold()
    raced.build(day(1), day(2))
    assert raced.gold() == marts
    assert all(marts.values())
    days_there = raced.query("select distinct landing_date from stg_orders order by 1")
    assert days_there == [(day(1),), (day(2),)]
    with pq.ParquetFile(ran.settings.published / "current" / "agg_daily_funnel" / "2026-01.parquet") as published:
        sessions = {row["event_date"]: row["sessions"] for row in published.read().to_pylist()}
    assert raced.query("select sessions from agg_daily_funnel where event_date = '2026-01-01'") == [(sessions[day(1)],)]


def test_a_result_on_a_run_outlives_the_next_run(home: Settings) -> None:
    """What a later build has mended stays mended, or no incident of a refused build could be healed after it."""
    engine = operations_engine(home)
    journal, checks = BuildJournal(engine, home.builds), CheckStore(engine)
    journal.refused(day(2), day(3), NOW, "for a reason")
    monitor_builds(home, engine, NOW)
    journal.end(journal.begin(day(2), day(3), NOW), NOW, SUCCEEDED)
    monitor_builds(home, engine, NOW)
    checks.invalidate(SOURCES, [day(2), day(3)])
    assert {(one.check, one.status) for one in checks.latest([day(2), day(3)])} == {
        ("dbt_build__alone", CheckStatus.PASSED)
    }


def test_busy_is_busy() -> None:
    """Two who want the same days: the exit code says that waiting helps; elsewhere it does not."""
    assert {name for name, guard in GUARDS.items() if guard.error is HomeBusyError} == {"overlap"}
    assert {name for name, guard in GUARDS.items() if not guard.approvable} == {"overlap", "older models"}


def test_a_name_that_was_decided_about_for_other_days_is_refused(tmp_path: Path) -> None:
    """The decision was looked for under its days and kept under its name: the command asked itself until Python gave up."""
    settings = load_settings(tmp_path)
    engine = operations_engine(settings)
    admit_run(settings, engine, request(), "nightly")
    admit_run(settings, engine, request(), "nightly")
    with pytest.raises(UsageError, match="give this one a name of its own"):
        admit_run(settings, engine, request(first=1), "nightly")
