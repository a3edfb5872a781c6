"""Who destroyed what stands in a chain: what is changed in it, or gone from it, is noticed."""

import json
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, text

from reliability_platform.actor import ActsFrom, acting_from
from reliability_platform.audit_log import AuditLog, Changes, Destroys, Phase, note_act
from reliability_platform.checks.holds import Holds
from reliability_platform.cli.main import main
from reliability_platform.clock import utc_now
from reliability_platform.errors import ExitCode
from reliability_platform.incidents.anchor import lost_ends, note_end, recorded
from reliability_platform.operations import operations_engine
from reliability_platform.operations.chain import link
from reliability_platform.operations.tables import audit_log
from reliability_platform.recovery.stores import examine_operations
from reliability_platform.service.queries.acts import ActFilter, act_page
from reliability_platform.service.queries.answer import Window
from reliability_platform.settings import Settings, load_settings

FORK = get_context("fork")


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """A home with four entries, of two purges."""
    settings = load_settings(tmp_path / "home")
    for number in (1, 2):
        for phase in (Phase.BEGUN, Phase.DONE):
            write(settings, f"{number} files", phase)
    return settings


def write(settings: Settings, what: str, phase: Phase = Phase.DONE) -> None:
    """One entry more."""
    AuditLog(operations_engine(settings)).append(Destroys.PURGE, phase, what, "anna", "asked for", utc_now())


def forge(engine: Engine, statement: str) -> None:
    """As somebody with a SQLite shell would."""
    with engine.begin() as connection:
        connection.execute(text(statement))


FORGERIES = {
    "another name": "update audit_log set who = 'ben' where id = 2",
    "another time": "update audit_log set at = '2020-01-01 00:00:00.000000' where id = 3",
    "the first is gone": "delete from audit_log where id = 1",
    "one in the middle is gone": "delete from audit_log where id = 3",
    "no hash": "update audit_log set hash = '' where id = 2",
    "one is added": "insert into audit_log select 5, command, what, phase, who, why, at, hash, acted_from from audit_log where id = 4",
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_an_edited_audit_log_is_found_out(home: Settings, forgery: str) -> None:
    """Whoever purged rows could take his name out of the log, and nobody noticed."""
    engine = operations_engine(home)
    assert AuditLog(engine).broken_links() == []
    assert examine_operations(home) == []
    forge(engine, FORGERIES[forgery])
    assert len(AuditLog(engine).broken_links()) >= 1
    [damage] = examine_operations(home)
    assert "an audit log that was edited: quarantine purge of" in str(damage)


def test_entries_that_are_gone_from_the_end_are_missed(home: Settings) -> None:
    """A chain alone does not show what follows upon its last entry."""
    engine = operations_engine(home)
    note_end(home, engine)
    assert lost_ends(home, engine) == []
    forge(engine, "delete from audit_log where id > 2")
    assert AuditLog(engine).broken_links() == []
    assert lost_ends(home, engine) == ["lacks the end of the audit log: it had 4 entries, and has 2"]
    write(home, "later")
    note_end(home, engine)
    assert lost_ends(home, engine) != []


LOST = {
    "delete from audit_log where id > 2": "lacks the end of the audit log: it had 4 entries, and has 2",
    "delete from audit_log": "lacks the end of the audit log: it had 4 entries, and has 0",
    "update audit_log set hash = ''": "has an audit log of which 4 entries lost the link to the one before",
    "update audit_log set who = 'ben' where id = 2": "has an audit log that was edited: quarantine purge of",
}


@pytest.mark.parametrize("damage", LOST)
@pytest.mark.parametrize("later", [False, True])
def test_the_audit_and_the_doctor_say_the_same_of_the_audit_log(
    home: Settings, damage: str, later: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """The audit called a log whole of which all entries were gone."""
    engine = operations_engine(home)
    note_end(home, engine)
    assert main(["incidents", "audit", "--home", str(home.home)]) == ExitCode.OK
    assert "The audit log is whole, with 4 entries." in capsys.readouterr().out
    forge(engine, damage)
    if later and "delete" not in damage:
        write(home, "later")
    assert main(["incidents", "audit", "--home", str(home.home)]) == ExitCode.NOT_HEALED
    said = capsys.readouterr().err
    [found] = examine_operations(home)
    assert LOST[damage] in found.what
    assert found.what in said


@pytest.mark.parametrize("damage", list(LOST)[1:3])
def test_what_destroys_notes_the_end_of_the_log_at_once(home: Settings, damage: str) -> None:
    """Until the next publication a log could be emptied, or its hashes blanked, and nobody missed anything."""
    engine = operations_engine(home)
    with recorded(home, engine, Destroys.PURGE, "5 files", "anna", "asked for", utc_now):
        pass
    forge(engine, damage)
    [found] = examine_operations(home)
    assert "audit log" in found.what


@pytest.mark.parametrize("content", [b"{not json", b"\xff", b"[]", b"{}", b'{"entries": "x", "head": ""}'])
def test_a_note_of_the_ends_that_says_nothing_is_named_and_made_anew(
    home: Settings, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was taken for none, by `doctor` and the audit, and one that was no text broke the next publication."""
    engine = operations_engine(home)
    note_end(home, engine)
    home.timeline_end.write_bytes(content)
    [found] = examine_operations(home)
    assert (found.path, "`reliability publish`" in found.mend) == ("timeline.json", True)
    assert main(["incidents", "audit", "--home", str(home.home)]) == ExitCode.NOT_HEALED
    assert "timeline.json" in capsys.readouterr().err
    note_end(home, engine)
    assert examine_operations(home) == []


def test_entries_that_are_older_than_the_chain_are_no_forgery(home: Settings) -> None:
    """A log that was begun before its entries had hashes goes on."""
    engine = operations_engine(home)
    forge(engine, "update audit_log set hash = ''")
    write(home, "later")
    assert AuditLog(engine).broken_links() == []
    forge(engine, "update audit_log set what = 'nothing' where id = 5")
    assert len(AuditLog(engine).broken_links()) == 1


@pytest.mark.sqlite
def test_check_results_that_are_gone_are_counted(home: Settings) -> None:
    """Without its results a check looks like one that is new, and is evaluated on what is there now."""
    engine = operations_engine(home)
    row = "'c', 'd', 's', '2026-01-01', 'failed', '', '', '[]', '{}', 'run', '2026-01-01 00:00:00.000000', 0"
    columns = "check_name, dataset, source, partition_date, status, threshold, message, sample, details, run_id"
    for _ in range(5):
        forge(engine, f"insert into check_results ({columns}, evaluated_at, stale) values ({row})")
    assert examine_operations(home) == []
    forge(engine, "delete from check_results where id in (1, 3)")
    [damage] = examine_operations(home)
    assert "lacks 2 check results of those that it had" in str(damage)


def write_many(settings: Settings) -> None:
    """In a process of its own."""
    for number in range(10):
        write(settings, f"{number} files")


def test_writers_at_the_same_time_follow_one_another(home: Settings) -> None:
    """The rule forgets snapshots while a person purges."""
    writers = [FORK.Process(target=write_many, args=(home,)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    log = AuditLog(operations_engine(home))
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert len(log.all()) == 24
    assert log.broken_links() == []


def test_each_act_says_who_from_where_and_whether_a_reason_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A day that somebody let go looked afterwards as if nobody had."""
    settings = load_settings(tmp_path / "home")
    engine, day = operations_engine(settings), utc_now().date() - timedelta(days=3)
    holds = Holds(engine)
    with acting_from(ActsFrom.DASHBOARD):
        assert holds.hold("orders", day, "wall", "<b>odd</b> ada@example.org", utc_now())
        assert not holds.hold("orders", day, "wall", "again", utc_now())
    monkeypatch.setenv("RELIABILITY_ACTING_FROM", "api")
    assert holds.release("orders", day, "robot", "fine", utc_now())
    monkeypatch.delenv("RELIABILITY_ACTING_FROM")
    monkeypatch.setenv("RELIABILITY_SERVED", "true")
    note_act(engine, Changes.PUBLISH, "v000001", "anna", "", utc_now())
    monkeypatch.delenv("RELIABILITY_SERVED")
    found = act_page(engine)
    assert [(one.command, one.who, one.acted_from, one.why) for one in found.items] == [
        ("publish", "anna", "daemon", None),
        ("release", "robot", "api", "fine"),
        ("hold", "wall", "dashboard", "<b>odd</b> \u2022\u2022\u2022"),
    ]
    assert act_page(engine, ActFilter("hold", "wall", day), Window(1)).total == 1
    assert act_page(engine, ActFilter(who="ben")).items == []
    assert AuditLog(engine).broken_links() == []
    main(["audit-log", "--home", str(settings.home), "--command", "publish"])
    told = capsys.readouterr().out
    assert "anna, daemon: publish done, v000001" in told
    assert "no reason was asked for" in told
    main(["audit-log", "--home", str(settings.home), "--json", "--limit", "1"])
    assert json.loads(capsys.readouterr().out)["next_offset"] == 1


def test_entries_of_before_places_were_noted_keep_their_hashes(home: Settings) -> None:
    """An update of the platform must not look like a forgery."""
    engine = operations_engine(home)
    place, last = AuditLog(engine).end()
    old = {"command": "quarantine purge", "what": "x", "phase": "done", "who": "anna", "why": "y", "at": utc_now()}
    with engine.begin() as connection:
        connection.execute(insert(audit_log).values(**old, id=place + 1, hash=link(last, old)))
    write(home, "after it")
    assert AuditLog(engine).broken_links() == []
    forge(engine, "update audit_log set acted_from = 'api' where acted_from = ''")
    assert len(AuditLog(engine).broken_links()) == 1
