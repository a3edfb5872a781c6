"""Dead letters that are files, and the decisions about them: each has one end, whoever acts, however often, and killed."""

import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from reliability_platform.contracts import CONTRACTS
from reliability_platform.landing.admission import admit
from reliability_platform.landing.columns import Reading
from reliability_platform.landing.decisions import approve_shim
from reliability_platform.landing.discards import FILE, Discards, read_discards
from reliability_platform.landing.file_quarantine import quarantined_files
from reliability_platform.landing.manifest import MANIFEST_SUFFIX
from reliability_platform.landing.writer import landing_folder
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.dead_letters.discard import discard
from reliability_platform.remediation.dead_letters.letters import Letter, Selection, waiting_letters
from reliability_platform.remediation.dead_letters.replay import note_tried, offers, perform
from reliability_platform.remediation.evidence import missing_slots, refused_slots
from reliability_platform.remediation.ledger import CONTRACT, REPLACEMENT, SHIM, ReplayLedger
from reliability_platform.settings import Settings, load_settings
from tests.unit.broken_home import BrokenHome
from tests.unit.failing import NOW

RENAMED = {"customer_id": "user_id"}
SECOND, THIRD = "orders-20260105-02", "orders-20260105-03"
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def home(with_past: BrokenHome) -> BrokenHome:
    """Slot 2 came with a column renamed, slot 3 without one; no row was rejected."""
    home = with_past
    home.land(renamed={2: RENAMED}, dropped={3: "channel"})
    with duckdb.connect(str(home.settings.warehouse)) as connection:
        connection.execute(
            "create table qtn_rows (source varchar, landing_date date, batch_id varchar, batch_sequence integer, "
            "row_number bigint, record_key bigint, reject_reasons varchar, state varchar, reading varchar)"
        )
    return home


def letters(home: BrokenHome, batch: str | None = None) -> list[Letter]:
    return waiting_letters(home.settings, Selection(home.day, home.day, source="orders", batch_id=batch))


def states(home: BrokenHome) -> dict[str, str]:
    return {record["batch_id"]: record["state"] for record in quarantined_files(home.settings)}


def give_up(home: BrokenHome, batch: str) -> None:
    discard(home.settings, home.engine, letters(home, batch), "beyond repair", "somebody", NOW)
    home.admit()


def decide(folder: Path, many: list[Letter], barrier: "object") -> None:
    """In a process of its own: take all decisions at the same moment as the others."""
    settings = load_settings(folder)
    barrier.wait()  # type: ignore[attr-defined]
    discard(settings, operations_engine(settings), many, "at once", f"process {os.getpid()}", NOW)


def decide_and_die(folder: Path, many: list[Letter]) -> None:
    """In a process of its own: be killed between the decision and the file that obeys it."""
    from reliability_platform.remediation.dead_letters import discard as module

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    module.write_discards = die
    settings = load_settings(folder)
    discard(settings, operations_engine(settings), many, "killed", "somebody", NOW)


def replay_and_die(folder: Path, many: list[Letter]) -> None:
    """In a process of its own: be killed after the work and before the ledger knows of it."""
    settings = load_settings(folder)
    perform(settings, offers(settings, operations_engine(settings), many), "somebody")
    os.kill(os.getpid(), signal.SIGKILL)


def replay_at_once(folder: Path, many: list[Letter], barrier: "object") -> None:
    """In a process of its own: replay at the same moment as the others."""
    settings = load_settings(folder)
    engine = operations_engine(settings)
    found = offers(settings, engine, many)
    barrier.wait()  # type: ignore[attr-defined]
    perform(settings, found, "somebody")
    note_tried(engine, found, NOW)


def run(target: "object", *arguments: "object", count: int = 1) -> list[int | None]:
    """Real processes; their exit codes."""
    processes = [SPAWN.Process(target=target, args=arguments) for _ in range(count)]  # type: ignore[arg-type]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    return [process.exitcode for process in processes]


def test_a_discarded_file_has_its_end_and_its_slot_is_not_asked_for_again(home: BrokenHome) -> None:
    """Else the platform would ask for ever for what a person has given up."""
    give_up(home, SECOND)
    assert states(home) == {SECOND: "discarded", THIRD: "quarantined"}
    assert refused_slots(home.settings, "orders", home.day, schema=True) == {3}
    assert missing_slots(home.settings, "orders", home.day) == set()
    assert [one.batch_id for one in letters(home)] == [THIRD]


def test_a_discarded_file_does_not_come_back_through_a_shim(home: BrokenHome) -> None:
    """An end is an end: what was given up must not turn up in published numbers later."""
    give_up(home, SECOND)
    approve_shim(home.settings, "orders", SECOND, Reading({"user_id": "customer_id"}), "test", "too late")
    records = {one.batch_id: one for one in admit(home.settings, "orders", home.day)}
    assert (records[SECOND].status, records[SECOND].reason, records[SECOND].admitted_rows) == (
        "refused",
        "discarded",
        0,
    )
    assert states(home)[SECOND] == "discarded"


def test_a_decision_is_about_the_bytes_that_lay_there(home: BrokenHome) -> None:
    """The producer writes the file anew: nobody has decided about that one."""
    give_up(home, THIRD)
    (landing_folder(home.settings, "orders", home.day) / f"{THIRD}.parquet").write_bytes(b"PAR1 something else")
    home.admit()
    assert states(home)[THIRD] == "quarantined"


def test_the_reason_of_a_person_is_kept_without_somebodys_data(home: BrokenHome) -> None:
    """The journal is read by many."""
    discard(home.settings, home.engine, letters(home, SECOND), "ask erika@example.org", "me", NOW)
    [one] = Discards(home.engine).of("orders", [home.day])
    assert one.why == "ask •••"
    assert (one.who, one.what, one.discarded_at) == ("me", FILE, NOW)


def test_many_who_decide_at_once_decide_once(home: BrokenHome) -> None:
    """Two people at two consoles; neither sees an error, and there is one decision about each dead letter."""
    many = letters(home)
    barrier = SPAWN.Barrier(2)
    assert run(decide, home.settings.home, many, barrier, count=2) == [0] * 2
    assert sorted(one.batch_id for one in Discards(home.engine).of("orders", [home.day])) == [SECOND, THIRD]
    home.admit()
    assert set(states(home).values()) == {"discarded"}


def test_a_decision_survives_a_kill_before_it_is_obeyed(home: BrokenHome) -> None:
    """The table is the truth: deciding again changes nothing in it, and writes the file that is missing."""
    many = letters(home, SECOND)
    assert run(decide_and_die, home.settings.home, many) == [-signal.SIGKILL]
    before = Discards(home.engine).of("orders", [home.day])
    assert len(before) == 1
    assert not read_discards(home.settings, "orders", home.day).files
    discard(home.settings, home.engine, many, "again", "somebody else", NOW)
    home.admit()
    assert Discards(home.engine).of("orders", [home.day]) == before
    assert states(home)[SECOND] == "discarded"


def test_a_file_that_came_whole_at_last_is_superseded_and_one_whose_manifest_came_late_is_replayed(
    home: BrokenHome,
) -> None:
    """Other bytes were sent again; the same bytes were read after all."""
    folder = landing_folder(home.settings, "orders", home.day)
    whole, manifest = (folder / "orders-20260105-01.parquet"), (folder / f"orders-20260105-04{MANIFEST_SUFFIX}")
    content, announced = whole.read_bytes(), manifest.read_bytes()
    whole.write_bytes(content[:200])
    manifest.unlink()
    home.admit()
    assert states(home)["orders-20260105-01"] == states(home)["orders-20260105-04"] == "quarantined"
    whole.write_bytes(content)
    manifest.write_bytes(announced)
    home.admit()
    assert states(home)["orders-20260105-01"] == "superseded"
    assert states(home)["orders-20260105-04"] == "replayed"


def test_what_failed_again_is_not_offered_before_something_changes(
    home: BrokenHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A poison file: asking for it for ever changes nothing. A changed contract is a change."""
    [offer] = offers(home.settings, home.engine, letters(home, THIRD))
    assert (offer.how, offer.refusal) == (REPLACEMENT, "")
    note_tried(home.engine, [offer], NOW)
    [again] = offers(home.settings, home.engine, letters(home, THIRD))
    assert "failed again with the same content under the same contract" in again.words
    contract = CONTRACTS["orders"]
    shorter = replace(contract, columns=tuple(one for one in contract.columns if one.name != "channel"))
    monkeypatch.setitem(CONTRACTS, "orders", shorter)  # type: ignore[misc]
    [changed] = offers(home.settings, home.engine, letters(home, THIRD))
    assert (changed.how, changed.refusal) == (CONTRACT, "")
    before = home.landing_bytes()
    assert perform(home.settings, [changed], "me")[1] == [home.day]
    assert home.landing_bytes() == before
    home.admit()
    assert states(home)[THIRD] == "replayed"


def test_a_shim_that_did_not_help_gives_way_to_asking_the_source(home: BrokenHome) -> None:
    """The same shim a second time is the same replay."""
    [offer] = offers(home.settings, home.engine, letters(home, SECOND))
    assert offer.how == SHIM
    note_tried(home.engine, [offer], NOW)
    [other] = offers(home.settings, home.engine, letters(home, SECOND))
    assert (other.how, other.refusal) == (REPLACEMENT, "")


def test_a_file_that_fits_no_slot_is_not_offered(home: BrokenHome) -> None:
    """No source can be asked for a stray file; it says what to do."""
    home.write_stray_file("holiday.jpg")
    [stray] = [one for one in offers(home.settings, home.engine, letters(home)) if one.letter.slot is None]
    assert "fits no slot" in stray.refusal


def test_a_replay_that_was_killed_is_done_once(home: BrokenHome) -> None:
    """Whoever comes next finds the work done, and does not land a third attempt."""
    many = letters(home)
    assert run(replay_and_die, home.settings.home, many) == [-signal.SIGKILL]
    landed = home.landing_bytes()
    assert "orders-20260105-03-a2.parquet" in landed
    assert ReplayLedger(home.engine).all() == []
    found = offers(home.settings, home.engine, letters(home))
    assert perform(home.settings, found, "somebody")[1] == [home.day]
    note_tried(home.engine, found, NOW)
    assert home.landing_bytes() == landed
    home.admit()
    assert states(home) == {SECOND: "replayed", THIRD: "superseded"}
    assert [(one.batch_id, one.how) for one in ReplayLedger(home.engine).all()] == [
        (SECOND, SHIM),
        (THIRD, REPLACEMENT),
    ]
    assert letters(home) == []


@pytest.mark.exhaustive
def test_many_who_replay_at_once_replay_once(home: BrokenHome) -> None:
    """The same bytes land under the same name, and the ledger has each replay once."""
    many = letters(home)
    barrier = SPAWN.Barrier(3)
    assert run(replay_at_once, home.settings.home, many, barrier, count=3) == [0] * 3
    assert len(ReplayLedger(home.engine).all()) == 2
    assert {name for name in home.landed() if "-a" in name} == {"orders-20260105-03-a2"}
    home.admit()
    assert states(home) == {SECOND: "replayed", THIRD: "superseded"}


def test_a_broken_list_of_discards_says_what_to_do(home: BrokenHome) -> None:
    """It is made anew from the table."""
    from reliability_platform.errors import EnvironmentUnusableError

    give_up(home, SECOND)
    [path] = _lists(home.settings)
    path.write_text("[{}]")
    with pytest.raises(EnvironmentUnusableError, match="delete it and run the day again"):
        read_discards(home.settings, "orders", home.day)


def _lists(settings: Settings) -> list[Path]:
    return list(settings.decisions.rglob("*-discarded.json"))
