"""Decisions to correct: taken once whoever takes them, about the bytes that lay there, one on what those before have left."""

import json
from dataclasses import replace
from datetime import timedelta

import duckdb
import pytest

from reliability_platform.audit_log import AuditLog
from reliability_platform.errors import UsageError
from reliability_platform.landing.correction import Correction, RowCondition
from reliability_platform.landing.corrections import (
    Corrections,
    Turn,
    corrected_days,
    read_corrections,
    take_in_corrections,
    write_corrections,
)
from reliability_platform.landing.sealed import examine_day
from reliability_platform.remediation.corrections import (
    CorrectionSurvey,
    apply,
    refuse_if_wrong,
    revert,
    survey,
    unbuilt,
)
from reliability_platform.warehouse.corrected import CELLS, corrected, note_corrected
from reliability_platform.warehouse.journal import FAILED, SUCCEEDED, BuildJournal
from reliability_platform.warehouse.marts import Mart
from tests.unit.broken_home import BrokenHome
from tests.unit.failing import NOW, day

CENTS = Correction("orders", "amount", "multiply", ("100",), (RowCondition("currency", ("EUR",)),))
FIRST = f"orders-{BrokenHome.DAY:%Y%m%d}-01"


@pytest.fixture
def home(with_past: BrokenHome) -> BrokenHome:
    """A day of orders has landed; nothing is built."""
    with_past.land()
    return with_past


def look(home: BrokenHome, correction: Correction = CENTS) -> CorrectionSurvey:
    return survey(home.settings, home.engine, correction, [home.day])


def cells(home: BrokenHome) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        note_corrected(home.settings, connection, home.day, home.day)
        return connection.execute(
            f"select batch_id, row_number, column_name, before::decimal(12,2), after::decimal(12,2), correction "
            f"from {CELLS} order by position, batch_id, row_number"
        ).fetchall()


def decide(home: BrokenHome, correction: Correction = CENTS) -> str:
    return apply(home.settings, home.engine, look(home, correction), "cents", "somebody", NOW).id


def test_a_survey_says_what_would_change_and_changes_nothing(home: BrokenHome) -> None:
    found = look(home)
    [one] = found.days
    assert (one.corrected, one.landing_date) == (found.rows, home.day)
    assert 0 < found.rows < one.rows
    assert float(one.after or 0) > float(one.before or 0)
    assert all(change.after == pytest.approx(100 * change.before) for change in found.sample)
    assert cells(home) == []
    assert corrected_days(home.settings, "orders") == []


def test_applied_twice_it_is_applied_once_and_taken_back_it_is_gone(home: BrokenHome) -> None:
    """A second × 100 would be the error that it mends."""
    name = decide(home)
    before = cells(home)
    again = look(home)
    assert (again.rows, again.already) == (0, (name,))
    refuse_if_wrong(again)
    assert not Corrections(home.engine).record(
        Corrections(home.engine).named(name), Turn.APPLIED, "again", "other", NOW
    )
    assert before and cells(home) == before
    assert all(after == 100 * value for _, _, _, value, after, _ in before)
    one = Corrections(home.engine).named(name)
    assert revert(home.settings, home.engine, one, "wrong", "somebody", NOW)
    assert not revert(home.settings, home.engine, one, "wrong", "somebody", NOW)
    assert cells(home) == []
    assert [one.command for one in AuditLog(home.engine).newest([], None)[0]] == [
        "corrections revert",
        "corrections apply",
    ]
    assert decide(home) == name
    assert cells(home) == [(*row[:-1], name) for row in before]
    assert examine_day(home.settings, "orders", home.day) == []


def test_a_decision_whose_build_was_cut_off_says_which_days_wait(home: BrokenHome) -> None:
    """A command that was killed after its decision left one that was "applied" and had changed nothing, for ever."""
    journal, known = BuildJournal(home.engine, home.settings.builds), Corrections(home.engine)

    def build(hours: int, outcome: str) -> None:
        number = journal.begin(home.day, home.day, NOW + timedelta(hours=hours))
        journal.end(number, NOW + timedelta(hours=hours, minutes=1), outcome)

    build(-1, SUCCEEDED)
    name = decide(home)
    build(1, FAILED)
    assert unbuilt(home.settings, home.engine, known.named(name)) == [home.day]
    build(2, SUCCEEDED)
    assert unbuilt(home.settings, home.engine, known.named(name)) == []
    revert(home.settings, home.engine, known.named(name), "wrong", "somebody", NOW + timedelta(hours=3))
    assert unbuilt(home.settings, home.engine, known.named(name)) == [home.day]


def test_a_correction_is_about_the_bytes_that_lay_there(home: BrokenHome) -> None:
    """The source sends the right numbers after all: they must not be multiplied, too."""
    decide(home)
    files = {row[0] for row in cells(home)}
    assert FIRST in files
    home.land(without=(2, 3, 4), retyped={1: lambda table: table.slice(1)})  # other bytes under the same name
    assert {row[0] for row in cells(home)} == files - {FIRST}


def test_a_later_correction_sees_what_those_before_have_left(home: BrokenHome) -> None:
    """Taken back from below, it would be about values that it has never seen."""
    first = decide(home)
    second = decide(
        home, replace(CENTS, operation="set", arguments=("1.00",), where=(RowCondition("amount", low="2000"),))
    )
    steps = cells(home)
    of_first = {row[:3]: row[4] for row in steps if row[-1] == first}
    of_second = {row[:3]: row for row in steps if row[-1] == second}
    assert of_second
    assert all(one[3] >= 2000 and one[4] == 1 for one in of_second.values())
    assert all(of_second[key][3] == of_first[key] for key in of_second.keys() & of_first.keys())
    with pytest.raises(UsageError, match=f"{second} was applied to what {first} has made"):
        revert(home.settings, home.engine, Corrections(home.engine).named(first), "wrong", "somebody", NOW)
    assert revert(home.settings, home.engine, Corrections(home.engine).named(second), "wrong", "somebody", NOW)
    assert [row for row in steps if row[-1] == first] == cells(home)


def test_what_changes_no_row_or_none_exactly_is_refused(home: BrokenHome) -> None:
    """Nobody wants to find out a week later that it did nothing."""
    nobody = replace(CENTS, where=(RowCondition("merchant_id", ("-5",)),))
    with pytest.raises(UsageError, match="no row of orders on these days is changed by it"):
        refuse_if_wrong(look(home, nobody))
    with pytest.raises(UsageError, match=r"does not hold exactly; mean other rows, or let them be rounded"):
        refuse_if_wrong(look(home, replace(CENTS, operation="divide", arguments=("1000",))))
    assert look(home, replace(CENTS, operation="set", arguments=("0.00",))).outside > 0
    with pytest.raises(UsageError, match=f"nothing of orders has been admitted on {day(300)}"):
        survey(home.settings, home.engine, CENTS, [day(300)])


def test_the_file_that_a_build_obeys_follows_the_table(home: BrokenHome) -> None:
    """Whoever dies between the two loses nothing; what was written by hand is put right, or refused where it says nothing."""
    name = decide(home)
    [path] = (home.settings.decisions / "orders").glob("*-corrected.json")
    content = path.read_text()
    path.unlink()
    write_corrections(home.settings, home.engine, "orders", [home.day])
    assert path.read_text() == content
    path.write_text(json.dumps([{"id": name, "place": 1, "batches": {}, "correction": {"operation": "drop table"}}]))
    with pytest.raises(Exception, match="is no list of corrections: delete it"):
        read_corrections(home.settings, "orders", home.day)
    write_corrections(home.settings, home.engine, "orders", [home.day])
    assert [one.id for one in read_corrections(home.settings, "orders", home.day)] == [name]


@pytest.mark.parametrize("spoilt", [{"why": "by hand", "id": "COR-00000000"}, {"number": "two"}, {"decided_at": None}])
def test_what_a_file_says_beyond_its_digest_is_not_taken_in(home: BrokenHome, spoilt: dict[str, str | None]) -> None:
    """What was spoilt is nobody's decision; an earlier release did not say when it was made."""
    name = decide(home)
    [path] = (home.settings.decisions / "orders").glob("*-corrected.json")
    [said] = json.loads(path.read_text())
    path.write_text(json.dumps([said | {"number": 3, "who": "nobody"} | spoilt]))
    write_corrections(home.settings, home.engine, "orders", [home.day])
    assert [(one.id, one.who, one.number) for one in Corrections(home.engine).all()] == [(name, "somebody", 1)]


def test_a_version_says_which_of_its_rows_were_corrected() -> None:
    """By event date; a date that keeps the rows of before keeps what was said of them; rows that count nowhere do not."""
    with duckdb.connect() as connection:
        connection.execute(
            f"create table {CELLS} as select * from (values "
            "('COR-1', 'orders', date '2026-01-02', 'b', 1), ('COR-1', 'orders', date '2026-01-02', 'b', 2), "
            "('COR-2', 'orders', date '2026-01-02', 'b', 1), ('COR-1', 'orders', date '2026-01-02', 'b', 3)) "
            "as found(correction, source, landing_date, batch_id, row_number)"
        )
        connection.execute(
            "create table stg_orders as select * from (values "
            "(date '2026-01-01', 'valid', 1), (date '2026-01-02', 'valid', 2), (date '2026-01-02', 'rejected', 3)) "
            "as found(event_date, disposition, row_number)"
        )
        connection.execute("alter table stg_orders add column landing_date date default '2026-01-02'")
        connection.execute("alter table stg_orders add column batch_id varchar default 'b'")
        mart, first, second = Mart("agg", ("orders",)), day(1), day(2)
        both = corrected(connection, mart, [first, second], {}, [])
        kept = corrected(connection, mart, [second], {"2026-01-01": {"COR-0": 5}}, [first])
        whole = corrected(connection, mart, None, {}, [])
    assert both == {"2026-01-01": {"COR-1": 1, "COR-2": 1}, "2026-01-02": {"COR-1": 1}}
    assert kept == {"2026-01-01": {"COR-0": 5}, "2026-01-02": {"COR-1": 1}}
    assert whole == {"whole": {"COR-1": 2, "COR-2": 1}}


@pytest.mark.parametrize(
    "said",
    [
        {"number": 10**30},
        {"place": -1},
        {"rows": {FIRST: 10**40}},
        {"decided_at": "2026-01-01"},
        {"decided_at": "0001-01-01T00:00:00+14:00"},
        {"turn": "perhaps"},
        {"correction": []},
        {"batches": None},
    ],
    ids=repr,
)
def test_a_file_that_came_with_nonsense_is_taken_in_by_nobody(home: BrokenHome, said: dict[str, object]) -> None:
    """It lies in a bucket, where others may write. A number without end stopped the admission of its source with an error."""
    decide(home)
    [path] = (home.settings.decisions / "orders").glob("*-corrected.json")
    [one] = json.loads(path.read_text())
    path.write_text(json.dumps([{**one, "number": 2, "turn": "reverted", **said}]))
    for name in ("orders-99999999-corrected.json", "orders-2026-corrected.json"):
        path.with_name(name).write_text("[]")
    take_in_corrections(home.settings, home.engine, "orders")
    [known] = Corrections(home.engine).all("orders")
    assert known.number == 1


def test_words_that_came_are_shown_without_signs_that_do_something(home: BrokenHome) -> None:
    """A surrogate cannot be stored, a control sign not be shown, and a million letters fit into no page."""
    decide(home)
    [path] = (home.settings.decisions / "orders").glob("*-corrected.json")
    [one] = json.loads(path.read_text())
    hostile = {"who": "\ud800x", "why": "\0a\u202e\n" + "A" * 1_000_000, "incident_id": "\ud800\n[b]"}
    path.write_text(json.dumps([{**one, "number": 2, "turn": "reverted", **hostile}]))
    take_in_corrections(home.settings, home.engine, "orders")
    [known] = Corrections(home.engine).all("orders")
    assert (known.number, known.who.strip(), known.incident_id) == (2, "x", "  [b]")
    assert known.why.startswith(" a  AAA") and len(known.why) <= 500
