"""The purge: what it masks and what it leaves, what it refuses, and that it may die anywhere."""

import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reliability_platform.clock import utc_now
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.landing.admission import admit, fingerprint_of
from reliability_platform.landing.bronze import bronze_folder
from reliability_platform.landing.file_quarantine import quarantined_file
from reliability_platform.landing.purged import AS_OBJECT, AS_POISON, MASKED, read_purged, without_personal_data
from reliability_platform.landing.writer import landing_folder, write_batch
from reliability_platform.masking import SOMEBODYS_IN_PAYLOADS
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.actions import ACTIONS, action_named
from reliability_platform.remediation.policy import POLICIES
from reliability_platform.remediation.purge import Survey, finish, purge, survey
from reliability_platform.settings import PROJECT_ROOT, Settings, load_settings
from reliability_platform.sources.batch import Batch
from tests.torture.killing import NEVER, Moment, start
from tests.unit.broken_home import BrokenHome
from tests.unit.failing import NOW

LEAKY = "web_events"
MAIL, CARD = "erika.4711@mail.example.com", "4929 1234 5678 9012"
LEAKS = (f'{{"search": "{MAIL}"}}', f'{{"card": "{CARD}"', f"{'[' * 300}{MAIL}")
"""A payload, one that is cut short, one that no parser may see."""
BATCH = "web_events-20260105-02"
LEAK = "stg_web_events__no_personal_data"


def set_texts(table: pa.Table, column: str, texts: Sequence[str]) -> pa.Table:
    """The table with other texts in its first rows."""
    values = [*texts, *table[column].to_pylist()[len(texts) :]]
    return table.set_column(table.column_names.index(column), column, pa.array(values, table.schema.field(column).type))


def letters(settings: Settings, state: str) -> None:
    """What the warehouse would say of the rows, without dbt."""
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("create or replace table qtn_rows as select * from (values "
                           f"('{LEAKY}', date '2026-01-05', '{BATCH}', 'payload_personal_data', '{state}')) "
                           "as t (source, landing_date, batch_id, reject_reasons, state)")  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> BrokenHome:
    """A leak in one batch, whose clean attempt has come and been admitted."""
    made = BrokenHome(tmp_path / "home", LEAKY)
    made.land(retyped={2: lambda table: set_texts(table, "payload", LEAKS)})
    made.land(without=(1, 3, 4), attempt=2)
    letters(made.settings, "superseded")
    return made


def look(home: BrokenHome) -> Survey:
    """Search the day."""
    return survey(home.settings, home.engine, LEAKY, home.day)


def do(home: BrokenHome) -> None:
    """The whole purge, as the command does it but for the build."""
    purge(home.settings, home.engine, look(home), "because", "test", NOW)
    finish(home.settings, home.engine, LEAKY, home.day, NOW)


def landed(home: BrokenHome) -> Path:
    """The file of the leak."""
    return landing_folder(home.settings, LEAKY, home.day) / f"{BATCH}.parquet"


def test_the_warehouse_and_the_purge_go_by_the_same_rule() -> None:
    """What the one rejects the other must find."""
    macro = (PROJECT_ROOT / "dbt_project" / "macros" / "payloads.sql").read_text()
    holds = macro[macro.index("macro holds_personal_data") :]
    assert tuple(re.findall(r"matches\(column, '(.+?)'\)", holds)) == SOMEBODYS_IN_PAYLOADS
    assert all(re.search(SOMEBODYS_IN_PAYLOADS[0], mask) for mask in (MASKED, AS_OBJECT, AS_POISON))


@pytest.mark.parametrize(
    ("payload", "is_somebodys"),
    [
        ('{"search": "card 4111 1111 1111 1111"}', True),
        ("5500005555555559", True),
        ('{"share": 0.5488135039273248, "low": -0.4236547993389047}', False),
        ('{"clicked": 1735689600000, "seen": "1735689600123456"}', False),
    ],
)
def test_a_fraction_and_a_moment_in_milliseconds_are_no_card_number(payload: str, is_somebodys: bool) -> None:
    """A source with floats in its nested column was a breach of personal data on each day, and no row of it was published."""
    assert (re.search(SOMEBODYS_IN_PAYLOADS[1], payload) is not None) is is_somebodys


def test_a_text_is_masked_whole_and_stays_what_it_was_to_every_rule() -> None:
    """An object stays one, garbage stays garbage: the reasons of a row, and decisions about it, stand."""
    table = pa.table({"payload": [*LEAKS, '{"ok": 1}', None, AS_OBJECT], "event_id": [1, 2, 3, 4, 5, 6]})
    masked, rows = without_personal_data(table, {"event_id"})
    assert masked["payload"].to_pylist() == [AS_OBJECT, MASKED, AS_POISON, '{"ok": 1}', None, AS_OBJECT]
    assert (rows, masked["event_id"]) == (3, table["event_id"])
    assert without_personal_data(masked, {"event_id"}) == (masked, 0)


def test_columns_that_no_contract_knows_are_searched_and_long_keys_are_no_cards() -> None:
    """Texts of any kind, nested values too; a key that came as text must still be read as one."""
    table = pa.table(
        {
            "session_id": ["4929123456789012", "4929123456789013"],
            "label": pa.array([MAIL, "x"]).dictionary_encode(),
            "large": pa.array(["x", CARD], pa.large_string()),
            "nested": [{"a": [MAIL]}, {"a": ["x"]}],
            "bytes": [b"x", MAIL.encode()],
        }
    )
    masked, rows = without_personal_data(table, {"session_id"})
    assert rows == 2
    assert masked.schema.equals(table.schema)
    assert masked["session_id"].equals(table["session_id"])
    assert MAIL not in str(masked.to_pylist())
    assert CARD not in str(masked.to_pylist())
    assert (masked["nested"][1].as_py(), masked["label"][1].as_py(), masked["large"][0].as_py()) == (
        {"a": ["x"]},
        "x",
        "x",
    )


def test_what_was_purged_is_admitted_as_what_had_landed(home: BrokenHome) -> None:
    """Same rows, same order, same manifest, same identity for whoever has decided about it."""
    manifest = landed(home).with_name(f"{BATCH}.manifest.json")
    identity, before = fingerprint_of(home.settings, LEAKY, landed(home)), manifest.read_bytes()
    records = admit(home.settings, LEAKY, home.day)
    assert {(one.layer, one.rows) for one in look(home).files} == {("landing", 3), ("bronze", 3)}
    do(home)
    assert look(home).is_clean
    assert admit(home.settings, LEAKY, home.day) == records
    assert fingerprint_of(home.settings, LEAKY, landed(home)) == identity
    assert manifest.read_bytes() == before
    bronze = pq.read_table(bronze_folder(home.settings, LEAKY, home.day) / f"{BATCH}.parquet")
    assert bronze["payload"].to_pylist()[:3] == [AS_OBJECT, MASKED, AS_POISON]


def test_admission_takes_the_purged_content_and_no_other(home: BrokenHome) -> None:
    """A purge is no licence to change a file."""
    do(home)
    table = pq.read_table(landed(home), partitioning=None)
    pq.write_table(table.slice(1), landed(home))
    assert home.admit()[BATCH] == "superseded"
    record = next((home.settings.decisions / LEAKY).glob("*-purged-*.json"))
    record.write_text("{}")
    with pytest.raises(EnvironmentUnusableError, match="no record of a purge"):
        home.admit()


def test_a_second_delivery_of_the_leak_does_not_bring_it_back_but_other_content_lands(home: BrokenHome) -> None:
    """A re-run lands the day again; a corrected file must still be able to come."""
    [leaky] = [
        one for one in home.land(retyped={2: lambda table: set_texts(table, "payload", LEAKS)}) if one.sequence == 2
    ]
    do(home)
    write_batch(home.settings, leaky)
    assert look(home).is_clean
    write_batch(home.settings, Batch(**{**vars(leaky), "table": leaky.table.slice(3)}))
    assert home.admit()[BATCH] == "admitted"
    assert pq.read_metadata(landed(home)).num_rows == leaky.table.num_rows - 3


def test_a_refused_file_is_purged_in_landing_and_in_quarantine_once_it_was_replaced(tmp_path: Path) -> None:
    """Whoever refuses a file keeps a copy of it."""
    home = BrokenHome(tmp_path / "home", LEAKY)
    home.land(retyped={2: lambda table: set_texts(table, "payload", LEAKS).drop_columns(["event_type"])})
    letters(home.settings, "superseded")
    with pytest.raises(UsageError, match="nothing has come in its place"):
        do(home)
    home.land(without=(1, 3, 4), attempt=2)
    assert {one.layer for one in look(home).files} == {"landing", "quarantine"}
    do(home)
    assert home.admit()[BATCH] == "superseded"
    copy = quarantined_file(home.settings, LEAKY, home.day, BATCH)
    assert copy.read_bytes() == landed(home).read_bytes()
    assert pq.read_metadata(copy).num_rows > 3
    assert look(home).is_clean


@pytest.mark.parametrize("prepare", [lambda home: letters(home.settings, "quarantined"), lambda home: drop(home)])
def test_nothing_is_purged_while_a_row_waits_or_nobody_has_judged_it(
    home: BrokenHome, prepare: Callable[[BrokenHome], object]
) -> None:
    """And the refusal says what to do."""
    prepare(home)
    before = home.landing_bytes()
    with pytest.raises(UsageError, match="reliability quarantine replay"):
        do(home)
    assert home.landing_bytes() == before
    assert not home.settings.decisions.exists()


def drop(home: BrokenHome) -> None:
    """A warehouse that has not seen the batch."""
    with duckdb.connect(str(home.settings.warehouse)) as connection:
        connection.execute("delete from qtn_rows")


def test_rows_that_were_given_up_may_go(home: BrokenHome) -> None:
    """Nobody waits for them any more."""
    letters(home.settings, "discarded")
    do(home)
    assert look(home).is_clean


def test_the_action_is_a_persons_and_says_beforehand_what_it_would_do(home: BrokenHome) -> None:
    """No class takes it by itself."""
    assert "purge_personal_data" not in {policy.action for policy in POLICIES.values()}
    incident, action = home.incident(LEAK), action_named("purge_personal_data")
    before = home.landing_bytes()
    assert f"landing/{BATCH} (3 rows)" in action.describe(home.settings, incident)
    assert home.landing_bytes() == before
    done = action.perform(home.settings, incident, "somebody")
    assert (BATCH in done.summary, done.reruns) == (True, [home.day])
    assert look(home).is_clean
    assert "purged" in home.incidents.get(incident.id).timeline[-1].why
    again = ACTIONS["purge_personal_data"].perform(home.settings, incident, "somebody")
    assert "any more" in again.summary
    assert sum("purged" in entry.why for entry in home.incidents.get(incident.id).timeline) == 1


# Killed


def _state(home: Path) -> dict[str, Any]:
    settings = load_settings(home)
    files = {
        str(path.relative_to(home)): path.read_bytes()
        for layer in ("landing", "bronze", "quarantine", "decisions")
        for path in sorted((home / layer).rglob("*"))
        if path.is_file() and "draft" not in path.name
    }
    found = survey(settings, operations_engine(settings), LEAKY, BrokenHome.DAY)
    with operations_engine(settings).connect() as connection:
        journal = connection.exec_driver_sql("select batch_id, landed, now, phase from purges order by id").fetchall()
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        rows = connection.execute("from qtn_rows").fetchall()
    return {"files": files, "clean": found.is_clean, "journal": [tuple(one) for one in journal], "rows": rows}


def _purge(home: Path) -> None:
    settings = load_settings(home)
    engine = operations_engine(settings)
    found = survey(settings, engine, LEAKY, BrokenHome.DAY)
    if not found.is_clean:
        purge(settings, engine, found, "because", "test", NOW)
        finish(settings, engine, LEAKY, BrokenHome.DAY, NOW)


def _killed_everywhere(home: BrokenHome, tmp_path: Path, every: int) -> int:
    """Kill a purge at each n-th thing that it does, run it again, compare with one that nobody killed."""
    template, log = home.settings.home, tmp_path / "log"
    twin = Path(shutil.copytree(template, tmp_path / "twin"))
    whole = start(lambda: _purge(twin), log, NEVER).wait()
    assert whole.error is None, whole.error
    expected = _state(twin)
    assert expected["clean"]
    for point in range(1, whole.points + 1, every):
        copy = Path(shutil.copytree(template, tmp_path / "copy"))
        killed = start(lambda copy=copy: _purge(copy), log, Moment(point=point)).wait()  # type: ignore[misc]
        assert killed.killed, (point, killed.error)
        again = start(lambda copy=copy: _purge(copy), log, NEVER).wait()  # type: ignore[misc]
        assert again.error is None, (point, again.error)
        assert _state(copy) == expected, point
        shutil.rmtree(copy)
    return whole.points


def test_a_purge_that_was_killed_is_finished_by_the_next_one(home: BrokenHome, tmp_path: Path) -> None:
    """Some of the moments; `make test-all` has them all."""
    assert _killed_everywhere(home, tmp_path, every=25) > 50


@pytest.mark.exhaustive
def test_a_purge_that_was_killed_at_any_moment_is_finished_by_the_next_one(home: BrokenHome, tmp_path: Path) -> None:
    """Between any two things that it does to the world."""
    _killed_everywhere(home, tmp_path, every=1)


def test_the_record_tells_both_contents_and_who_wanted_it(home: BrokenHome) -> None:
    """And nothing that was in the file."""
    identity = fingerprint_of(home.settings, LEAKY, landed(home))
    purge(home.settings, home.engine, look(home), f"ask {MAIL}", "test", utc_now())
    record = read_purged(home.settings, LEAKY, home.day, BATCH)
    assert record is not None
    assert (record.landed, record.rows, record.purged_by) == (identity, 3, "test")
    assert MAIL not in json.dumps(vars(record))
    assert look(home).unfinished
