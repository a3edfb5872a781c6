"""Every command that destroys is refused without a person and a reason, can be looked at first, and is on record."""

import io
import shutil
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from reliability_platform.audit_log import AuditEntry, AuditLog, Destroys
from reliability_platform.checks.holds import Holds
from reliability_platform.cli.main import main
from reliability_platform.clock import utc_now
from reliability_platform.errors import ExitCode
from reliability_platform.incidents.anchor import recorded
from reliability_platform.lab.faults.plan import Injection
from reliability_platform.operations import operations_engine
from reliability_platform.recovery.retention import BY_THE_RULE
from reliability_platform.settings import Settings
from reliability_platform.warehouse.snapshots.take import take_snapshot
from tests.ground import EVENTS, Platform, day
from tests.unit.lived_in import copied_home, state

WHY = "ticket 812"
LEAK = ("--source", "web_events", "--date", str(day(2)))
LINES = {
    Destroys.RESTORE: ("restore", "--table", "int_orders__deduplicated"),
    Destroys.PRUNE: ("snapshot", "prune"),
    Destroys.PURGE: ("quarantine", "purge", *LEAK),
    Destroys.DISCARD: ("quarantine", "discard", *LEAK),
    Destroys.ROLLBACK: ("publish", "--rollback"),
    Destroys.WITHDRAW: ("withdraw", "v000001"),
}
BUILDS = (Destroys.RESTORE, Destroys.PURGE, Destroys.DISCARD)
"""They build days again, which takes seconds."""
OURS = ("dagster", "operations.sqlite", "operations.sqlite-shm", "operations.sqlite-wal")
"""Opened by whoever looks; what stands in the store is compared by its lines."""


def destroyed(home: Settings) -> list[AuditEntry]:
    """What stands in the audit log of what destroys something."""
    return [one for one in AuditLog(operations_engine(home)).all() if one.command in set(Destroys)]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions, two snapshots, and a leak of personal data that waits."""
    leak = Injection("pii_leak", "web_events", day(2), "medium")
    made = Platform(tmp_path_factory.mktemp("lived") / "home", events_per_day=EVENTS, injections=[leak])
    made.run(day(1), day(2))
    take_snapshot(made.settings, utc_now)
    Holds(made.engine).hold("orders", day(1), "test", "somebody looks", utc_now())
    made.publish()
    take_snapshot(made.settings, utc_now)
    return made.settings.home


@pytest.fixture
def home(lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of it, at a place where nobody can be asked."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setenv("RELIABILITY_SNAPSHOT_KEEP_LAST", "1")
    monkeypatch.setenv("RELIABILITY_SNAPSHOT_KEEP_WEEKLY", "0")
    return copied_home(lived, tmp_path / "home")


def call(settings: Settings, *words: str) -> int:
    try:
        return int(main([*words, "--home", str(settings.home)]) or 0)
    except SystemExit as stop:
        return int(stop.code or 0)


def nothing_waits(settings: Settings) -> None:
    """Let the rows of the leak be given up, as far as the purge can see: it may begin then."""
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("update qtn_rows set state = 'discarded' where source = 'web_events'")


def ready(settings: Settings, command: Destroys) -> Sequence[str]:
    if command is Destroys.PURGE:
        nothing_waits(settings)
    if command is Destroys.WITHDRAW:  # nothing can bring the old version back
        shutil.rmtree(settings.home / "snapshots")
        (settings.published / "v000001" / "agg_daily_revenue" / "2026-01.parquet").unlink()
    return LINES[command]


@pytest.mark.parametrize("command", Destroys)
def test_without_a_person_a_yes_and_a_reason_nothing_is_destroyed(
    home: Settings, command: Destroys, capsys: pytest.CaptureFixture[str]
) -> None:
    """Restore, prune and rollback did their work for whoever called them, and nobody could tell afterwards who and why."""
    line = ready(home, command)
    before = state(home.home, OURS)
    for words in ((), ("--yes",), ("--why", WHY), ("--yes", "--why", " ")):
        assert call(home, *line, *words) == ExitCode.USAGE, words
        assert "Nothing was changed" in capsys.readouterr().err
    assert call(home, *line, "--dry-run") == ExitCode.OK
    assert state(home.home, OURS) == before
    assert destroyed(home) == []


@pytest.mark.parametrize(
    "command", [pytest.param(one, marks=[pytest.mark.exhaustive] if one in BUILDS else []) for one in Destroys]
)
def test_what_was_destroyed_is_on_record_with_who_why_and_when(
    home: Settings, command: Destroys, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And shown where the proof of the timelines is."""
    monkeypatch.setenv("LOGNAME", "anna")
    began, line = utc_now(), ready(home, command)
    before = state(home.home, OURS)
    assert call(home, *line, "--yes", "--why", WHY) in (ExitCode.OK, ExitCode.NOT_HEALED)
    assert state(home.home, OURS) != before
    entries = destroyed(home)
    assert [(one.command, one.phase) for one in entries] == [(command, "begun"), (command, "done")]
    assert all(one.who == "anna" and one.why == WHY and began <= one.at <= utc_now() for one in entries)
    capsys.readouterr()
    assert call(home, "incidents", "audit") == ExitCode.OK
    assert f"{command} done by anna: {entries[-1].what} ({WHY})" in capsys.readouterr().out


def test_what_the_rule_forgets_is_on_record(home: Settings) -> None:
    """A snapshot that is gone was forgotten by somebody, or by the rule."""
    assert call(home, "snapshot", "create") == ExitCode.OK
    entries = destroyed(home)
    assert {(one.command, one.why) for one in entries} == {(Destroys.PRUNE, BY_THE_RULE)}


def test_what_breaks_off_is_on_record_as_failed(home: Settings) -> None:
    """Half of it may be gone."""
    engine = operations_engine(home)
    with (
        pytest.raises(OSError, match="full"),
        recorded(home, engine, Destroys.PURGE, "2 files", "anna", WHY, utc_now),
    ):
        raise OSError("full")
    assert [one.phase for one in destroyed(home)] == ["begun", "failed"]
