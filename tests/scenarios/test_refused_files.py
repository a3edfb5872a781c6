"""Files that are refused for their types, and a leak of personal data: healed to the oracle, and the leak purged for good.

One day on the real pipeline. The order of the tests is that of the night: heal, purge, rebuild.
"""

import json
import re
import shutil
from pathlib import Path

import duckdb
import pytest

from reliability_platform.cli.main import main
from reliability_platform.clock import utc_now
from reliability_platform.errors import ExitCode
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.model import State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.faults.plan import Injection
from reliability_platform.landing.writer import landing_folder
from reliability_platform.pipeline.run import reprocess
from reliability_platform.pipeline.steps import RunContext
from reliability_platform.remediation.heal import act, verify
from reliability_platform.remediation.ledger import ReplayLedger
from tests.ground import Platform, day
from tests.scenarios.planted import texts_of

pytestmark = pytest.mark.exhaustive  # 28 s; healing and purging each have unit tests

ONE = day(1)
RETYPED = ("orders", "payments", "shipments")
LEAKY = "web_events"
PERSONAL = re.compile(r"card 4\d{3} \d{4} \d{4} \d{4}|[a-z]+\.\d{4}@mail\.example")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A day without any fault."""
    made = Platform(tmp_path_factory.mktemp("clean") / "home")
    made.run(ONE, ONE)
    return made


@pytest.fixture(scope="module")
def injected(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """The same day with types changed in three sources, and personal data in the fourth; incidents are open."""
    injections = [Injection("schema_type_changed", source, ONE, "medium") for source in RETYPED]
    made = Platform(
        tmp_path_factory.mktemp("injected") / "home",
        injections=[*injections, Injection("pii_leak", LEAKY, ONE, "medium")],
    )
    made.run(ONE, ONE)
    observe(made.engine, made.checks.after(0, 10_000), utc_now())
    return made


def betrayed(platform: Platform) -> dict[str, set[str]]:
    """The files of a home in which somebody's data can be read, in any form; the plan of faults makes them up anew."""
    found = {}
    for path in platform.settings.home.rglob("*"):
        if path.is_file():
            seen = {match for text in texts_of(path) for match in PERSONAL.findall(text)}
            if seen:
                found[str(path.relative_to(platform.settings.home))] = seen
    return found


def command(platform: Platform, *words: str) -> int:
    """`reliability quarantine purge` on the leak."""
    where = ["--source", LEAKY, "--date", str(ONE), "--home", str(platform.settings.home)]
    try:
        return int(main(["quarantine", "purge", *where, "--yes", *words]))
    except SystemExit as stop:
        assert isinstance(stop.code, int)
        return stop.code


def test_nothing_is_purged_before_clean_rows_have_come(injected: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    """Else the rows would be gone for good."""
    before = betrayed(injected)
    assert {name.split("/")[0] for name in before} == {"landing", "bronze"}
    assert command(injected, "--why", "the form wrote it") == ExitCode.USAGE
    assert "wait for clean ones" in capsys.readouterr().err
    assert betrayed(injected) == before


def test_types_and_the_leak_heal_through_clean_rows(clean: Platform, injected: Platform) -> None:
    """Row for row. On its first day no source has a past that says what a cast makes of its values: each is asked again
    (that casts heal where there is one, `tests/unit/test_remediation_actions.py` holds)."""
    assert injected.gold() != clean.gold()
    store = IncidentStore(injected.engine)
    expected = {(source, "schema_break") for source in RETYPED} | {(LEAKY, "pii_leak")}
    assert {(one.source, one.failure_class) for one in store.all()} == expected
    for incident in store.all():
        act(injected.settings, injected.engine, incident.id, utc_now(), "test")
    replays = {(one.source, one.how) for one in ReplayLedger(injected.engine).all()}
    assert replays == {(source, "replacement") for source in (*RETYPED, LEAKY)}
    last = injected.checks.after(0, 10_000)[-1][0]
    injected.admit(ONE, ONE)
    injected.check(ONE, ONE, injected.build(ONE, ONE))
    injected.publish()
    observe(injected.engine, injected.checks.after(last, 10_000), utc_now())
    assert all(verify(injected.settings, injected.engine, one.id, utc_now(), "test") for one in store.all())
    assert {one.state for one in store.all()} == {State.RESOLVED}
    assert injected.gold() == clean.gold()
    for source in RETYPED:
        rows = f"select * exclude (landed_at, batch_id, batch_attempt) from stg_{source} where not is_superseded order by all"
        assert injected.query(rows) == clean.query(rows)


def test_a_dry_run_names_the_files_and_changes_nothing(injected: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    """Exactly those files, and no row more."""
    before = betrayed(injected)
    assert command(injected, "--why", "the form wrote it", "--dry-run", "--json") == ExitCode.OK
    told = json.loads(capsys.readouterr().out)
    assert {one["file"] for one in told["files"]} == set(before)
    [(rows,)] = injected.query("select count(*) from qtn_rows where reject_reasons = 'payload_personal_data'")
    assert sum(one["rows"] for one in told["files"] if one["layer"] == "landing") == rows
    assert betrayed(injected) == before


def test_after_the_purge_nobody_can_read_it_anywhere_and_all_else_is_as_it_was(
    clean: Platform, injected: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every file, table and page; and every row is still accounted for, even after everything is built anew."""
    leave_pages_of_a_copy(injected)
    assert "warehouse.duckdb" in betrayed(injected)  # in its freed pages
    staged = injected.query(f"from stg_{LEAKY} order by all")
    letters = injected.query("select * exclude (reading) from qtn_rows order by all")
    manifests = {path.name: path.read_bytes() for path in _landed(injected).glob("*.manifest.json")}
    assert command(injected, "--why", "the form wrote it; ask anna.1234@mail.example.com") == ExitCode.OK
    assert betrayed(injected) == {}
    assert injected.query(f"from stg_{LEAKY} order by all") == staged
    assert injected.query("select * exclude (reading) from qtn_rows order by all") == letters
    assert {path.name: path.read_bytes() for path in _landed(injected).glob("*.manifest.json")} == manifests
    assert injected.query("select * from rec_batches__conserved where unaccounted_rows <> 0") == []
    assert injected.gold() == clean.gold()
    [leak] = [one for one in IncidentStore(injected.engine).all() if one.failure_class == "pii_leak"]
    assert "purged" in leak.timeline[-1].why
    capsys.readouterr()
    assert command(injected, "--why", "again") == ExitCode.OK
    assert "No file" in capsys.readouterr().out


def test_a_rebuild_from_landing_and_a_second_delivery_bring_nothing_back(clean: Platform, injected: Platform) -> None:
    """The source is asked for the day once more and sends the leak again: the file stays as it is."""
    injected.deliver(LEAKY, ONE)
    injected.settings.warehouse.unlink()
    shutil.rmtree(injected.settings.bronze)
    reprocess(RunContext(injected.settings, injected.engine, utc_now, "test"), [ONE])
    assert betrayed(injected) == {}
    assert injected.gold() == clean.gold()
    assert not injected.publish().held


def leave_pages_of_a_copy(platform: Platform) -> None:
    """What somebody's forgotten table leaves in the warehouse."""
    files = str(platform.settings.bronze / LEAKY / "*" / f"{LEAKY}-*.parquet")
    with duckdb.connect(str(platform.settings.warehouse)) as connection:
        connection.execute("create table somebodys_copy as select * from read_parquet(?)", [files])
        connection.execute("checkpoint")
        connection.execute("drop table somebodys_copy")
        connection.execute("checkpoint")


def _landed(platform: Platform) -> Path:
    return landing_folder(platform.settings, LEAKY, ONE)
