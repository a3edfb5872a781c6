"""What is published stays what was audited: a table, a record or the pointer changed from outside is found and mended."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from reliability_platform.audit_log import AuditLog
from reliability_platform.checks.holds import Holds
from reliability_platform.checks.published import judge_published
from reliability_platform.checks.release import release
from reliability_platform.checks.store import CheckStore
from reliability_platform.cli.main import cli
from reliability_platform.clock import utc_now
from reliability_platform.damage import sha256_of
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.model import State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.operations.identity import identify
from reliability_platform.recovery.damaged import mend
from reliability_platform.recovery.stores import examine_home
from reliability_platform.remediation.heal import act, verify
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.publication import (
    Publication,
    current_version,
    point_to,
    publish,
    read_publication,
    rollback,
    withdraw,
)
from reliability_platform.warehouse.published_integrity import examine_published, open_ledger
from reliability_platform.warehouse.snapshots.take import take_snapshot
from tests.ground import Platform, day
from tests.unit.lived_in import copied_home

REVENUE = "agg_daily_revenue"
FILE = f"{REVENUE}/2026-01.parquet"


@pytest.fixture(scope="module")
def origin(lived: Callable[[Path], Platform], tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Two good days; then the second one is held for all sources, so that the second version keeps its rows."""
    made = lived(tmp_path_factory.mktemp("origin") / "home")
    Holds(made.engine).hold("orders", day(2), "a test", "it is looked at", utc_now())
    again(made.settings)
    return made


@pytest.fixture
def home(origin: Platform, tmp_path: Path) -> Settings:
    """A copy of it."""
    return copied_home(origin.settings.home, tmp_path / "home")


def again(settings: Settings, *held: str) -> Publication:
    """Publish what there is, with landing day 2 of some sources held."""
    partitions = [
        (source, day(number)) for source in ("orders", "payments", "shipments", "web_events") for number in (1, 2)
    ]
    reasons = {(source, day(2)): ["it is looked at"] for source in held or ("orders",)}
    return publish(settings, marts(ensure_manifest()), partitions, reasons, utc_now(), "test")


def rows(settings: Settings, table: str = REVENUE) -> list[tuple[object, ...]]:
    """What a consumer reads."""
    with duckdb.connect() as connection:
        return connection.execute(f"from '{settings.published / 'current' / table}/*.parquet' order by all").fetchall()


def multiply(file: Path, column: str = "orders") -> None:
    """Change a published number, as somebody with a script would."""
    with duckdb.connect() as connection:
        connection.execute(
            f"copy (select * replace ({column} * 1000 as {column}) from '{file}') to '{file}.new' (format parquet)"
        )
    Path(f"{file}.new").replace(file)


def flip(file: Path) -> None:
    """Turn one bit in the middle."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "multiplied": multiply,
    "bit flip": flip,
    "truncated": lambda file: file.write_bytes(file.read_bytes()[:-50]),
    "empty": lambda file: file.write_bytes(b""),
    "deleted": lambda file: file.unlink(),
    "another table": lambda file: shutil.copyfile(file.parents[1] / "agg_daily_funnel/2026-01.parquet", file),
    "a folder": lambda file: _replace_by_folder(file),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_kept_dates_are_never_copied_out_of_a_damaged_table(home: Settings, kind: str) -> None:
    """`orders` × 1000 went into the next version under a new checksum; a deleted table lost its held dates."""
    good, before = rows(home), current_version(home)
    DAMAGES[kind](home.published / "current" / FILE)
    found = examine_published(home, open_ledger(home))
    assert [one.path for one in found] == [f"published/{before}/{FILE}"]
    publication = again(home, "orders", "payments")
    assert publication.version > str(before)
    assert rows(home) == good  # the held date comes out of the first version, which holds the same rows
    table = publication.table(REVENUE)
    assert table is not None and table.kept_dates == [str(day(2))]
    assert table.dates[str(day(2))].since == "v000001"


def test_what_no_version_holds_any_more_comes_from_a_snapshot_or_is_not_published(home: Settings) -> None:
    """Both versions are damaged: with a snapshot the file comes back as it was, without one nothing is published."""
    good = rows(home)
    take_snapshot(home, utc_now)
    files = [home.published / version / FILE for version in ("v000001", "v000002")]
    before = [sha256_of(file) for file in files]
    for file in files:
        multiply(file)
    snapshots = home.home / "snapshots"
    aside = snapshots.rename(home.home / ".snapshots-aside")
    with pytest.raises(EnvironmentUnusableError, match=f"{REVENUE} of v000002 is not what was published"):
        again(home)
    assert current_version(home) == "v000002"
    aside.rename(snapshots)
    again(home)
    assert rows(home) == good
    assert sha256_of(files[1]) == before[1]


def test_a_damaged_table_of_which_nothing_is_kept_is_published_anew(home: Settings) -> None:
    """A rebuild is a source too: all its dates are fresh."""
    multiply(home.published / "current" / FILE)
    publication = again(home, "shipments")
    table = publication.table(REVENUE)
    assert table is not None and table.kept_dates == []
    assert examine_published(home, open_ledger(home))[0].path == f"published/v000002/{FILE}"


def _forge(settings: Settings) -> None:
    folder = settings.published / "v000002"
    multiply(folder / FILE)
    record = json.loads((folder / "publication.json").read_text())
    for table in record["tables"]:
        if table["name"] == REVENUE:
            table["files"][FILE]["sha256"] = sha256_of(folder / FILE)
    (folder / "publication.json").write_text(json.dumps(record, indent=2) + "\n")


def _copied(settings: Settings) -> None:
    (settings.published / "current").unlink()
    shutil.copytree(settings.published / "v000001", settings.published / "current")


def _lead(settings: Settings, target: str) -> None:
    (settings.published / "current").unlink()
    (settings.published / "current").symlink_to(target)


def _replace_by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


POINTERS: dict[str, Callable[[Settings], object]] = {
    "record and table": _forge,
    "record": lambda home: (home.published / "v000002" / "publication.json").write_text("{}"),
    "no record": lambda home: (home.published / "v000002" / "publication.json").unlink(),
    "no pointer": lambda home: (home.published / "current").unlink(),
    "a pointer to an older version": lambda home: _lead(home, "v000001"),
    "a pointer to nowhere": lambda home: _lead(home, "v000009"),
    "a folder instead of the pointer": _copied,
    "no version": lambda home: shutil.rmtree(home.published / "v000002"),
}


@pytest.mark.parametrize("kind", POINTERS)
def test_a_changed_record_or_pointer_is_found_and_mended(home: Settings, kind: str) -> None:
    """A version whose checksums were changed along with its table passed; a pointer could lead anywhere."""
    good = rows(home)
    POINTERS[kind](home)
    assert examine_published(home, open_ledger(home))
    again(home)
    assert rows(home) == good
    assert read_publication(home, str(current_version(home))).table(REVENUE) is not None


def test_what_lies_beside_the_versions_is_named(home: Settings) -> None:
    """A second pointer, a folder that was never published, a file that is in no record."""
    (home.published / "current2").symlink_to("v000001")
    shutil.copytree(home.published / "v000001", home.published / "v000009")
    (home.published / "v000002" / "agg_more.parquet").write_bytes(b"PAR1")
    assert {one.path for one in examine_published(home, open_ledger(home))} == {
        "published/current2",
        "published/v000009",
        "published/v000002/agg_more.parquet",
    }
    assert again(home).version == "v000002"


def test_consumers_are_not_led_back_to_a_damaged_version(home: Settings) -> None:
    """A rollback after an incident would have shown the numbers that somebody had changed."""
    multiply(home.published / "v000001" / FILE)
    with pytest.raises(UsageError, match="must not read it"):
        point_to(home, "v000001")
    assert current_version(home) == "v000002"


def test_a_version_says_which_dates_it_holds(home: Settings) -> None:
    """Rows per date, and since which version they are what they are."""
    for table in read_publication(home, "v000002").tables:
        held = {
            str(date): count
            for date, count in duckdb.sql(
                f"select event_date, count(*) from '{home.published}/v000002/{table.name}/*.parquet' group by all"
            ).fetchall()
        }
        assert {date: one.rows for date, one in table.dates.items()} == held
        assert {one.since for one in table.dates.values()} == {"v000001"}


def test_the_store_of_another_home_an_older_one_and_none_at_all_publish_nothing(home: Settings, tmp_path: Path) -> None:
    """Results of another home, or of last week, would release days that are held."""
    store = home.home / "operations.sqlite"
    operations_engine(home).dispose()
    for suffix in ("-wal", "-shm"):
        store.with_name(store.name + suffix).unlink(missing_ok=True)
    older = store.read_bytes()
    again(home, "orders", "payments")
    assert current_version(home) == "v000003"
    operations_engine(home).dispose()
    for suffix in ("-wal", "-shm"):
        store.with_name(store.name + suffix).unlink(missing_ok=True)
    store.write_bytes(older)
    with pytest.raises(EnvironmentUnusableError, match="older than what is published"):
        again(home)
    another = load_settings(tmp_path / "another")
    identify(another, engine := operations_engine(another))
    engine.dispose()  # all of it in the file
    shutil.copyfile(another.home / "operations.sqlite", store)
    with pytest.raises(EnvironmentUnusableError, match="of another home"):
        again(home)
    store.unlink()
    operations_engine(home, begin=True).dispose()
    with pytest.raises(EnvironmentUnusableError, match="is gone"):
        again(home)
    assert current_version(home) == "v000003"


def test_what_nothing_has_as_it_was_is_not_promised_again(home: Settings) -> None:
    """`restore --damaged` said of what it could not put back that `restore --damaged` puts it back."""
    multiply(home.published / "v000001" / FILE)
    [left] = mend(home, utc_now).left
    assert left.path == f"published/v000001/{FILE}"
    assert "restore --damaged" not in left.mend
    assert "no snapshot has it" in left.mend


def _say(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, list(words), standalone_mode=False)
    return int(done.return_value or 0) if done.exception is None else -1, str(done.exception or done.output)


def test_a_version_that_nothing_can_bring_back_is_withdrawn_by_a_person(home: Settings) -> None:
    """One old table that no snapshot had kept doctor at 3 and verify at 1 for ever, and no command ended it."""
    (home.published / "v000001" / FILE).unlink()
    good = rows(home)
    [found] = examine_home(home)
    assert "reliability withdraw v000001" in found.mend
    place = ["--home", str(home.home)]
    assert "needs" not in _say("restore", "--damaged", "--dry-run", *place)[1]
    assert _say("withdraw", "v000001", "--dry-run", *place)[0] == 0
    assert [one.path for one in examine_home(home)] == [found.path]  # a dry run changes nothing
    assert "--why" in _say("withdraw", "v000001", "--yes", *place)[1]
    assert _say("withdraw", "v000001", "--yes", "--why", "the disk of March", *place)[0] == 0
    assert examine_home(home) == []
    assert rows(home) == good
    told = json.loads((home.published / "v000001" / "withdrawn.json").read_text())
    assert (told["why"], bool(told["by"]), told["damaged"][0].split()[0]) == ("the disk of March", True, found.path)
    assert [one.phase for one in AuditLog(operations_engine(home)).all() if one.command == "withdraw"] == [
        "begun",
        "done",
    ]
    assert again(home, "orders", "payments").version == "v000003"
    assert rollback(home).version == "v000002"
    with pytest.raises(UsageError, match="first version kept"):
        rollback(home)  # and not "there is no v000001"
    assert again(home, "shipments").version == "v000004"
    assert examine_home(home) == []


def test_only_what_is_damaged_for_good_and_read_by_nobody_is_withdrawn(home: Settings) -> None:
    """What is whole, what a snapshot has and what consumers read stay; a withdrawal that was killed is finished."""
    now = utc_now()
    with pytest.raises(UsageError, match="no reason to withdraw"):
        withdraw(home, "v000001", "Ada", "a test", now)
    multiply(home.published / "v000002" / FILE)
    with pytest.raises(UsageError, match="Consumers read v000002"):
        withdraw(home, "v000002", "Ada", "a test", now)
    with pytest.raises(UsageError, match="no version 'v9'"):
        withdraw(home, "v9", "Ada", "a test", now)
    assert again(home, "orders", "payments").version == "v000003"
    table = home.published / "v000002" / "agg_daily_funnel" / "2026-01.parquet"
    content = table.read_bytes()
    withdraw(home, "v000002", "Ada", "a test", now)
    table.parent.mkdir()
    table.write_bytes(content)  # as if it had been killed before the last file was gone
    assert [one.what for one in examine_home(home)] == ["is of a version that was withdrawn"]
    withdraw(home, "v000002", "Ada", "a test", now)
    assert examine_home(home) == []
    assert rollback(home).version == "v000001"  # the one before is not to be had any more
    point_to(home, "v000003")
    take_snapshot(home, utc_now)
    (home.published / "v000001" / FILE).unlink()
    with pytest.raises(UsageError, match="can be had as it was published"):
        withdraw(home, "v000001", "Ada", "a test", now)
    assert mend(home, utc_now).left == []


@pytest.mark.exhaustive  # 6 s
def test_a_store_of_before_takes_a_withdrawal_in_again(home: Settings) -> None:
    """A store that was put back, or begun anew, asked for the tables of the version again."""
    (home.published / "v000001" / FILE).unlink()
    withdraw(home, "v000001", "Ada", "a test", utc_now())
    for file in home.home.glob("operations.sqlite*"):
        file.unlink()
    assert mend(home, utc_now).left == []
    ledger = open_ledger(home)
    assert (ledger.withdrawn(), ledger.current()) == (["v000001"], current_version(home))


# A store of length zero is one of the damages of `test_damage_matrix.py`, too.
@pytest.mark.parametrize("what", ["is missing", pytest.param("is empty", marks=pytest.mark.exhaustive)])
def test_no_command_begins_a_new_store_where_the_one_of_the_home_is_lost(home: Settings, what: str) -> None:
    """`reliability incidents list` made an empty store and said "There are no incidents" of a home that had lost its own."""
    store = home.home / "operations.sqlite"
    for file in home.home.glob("operations.sqlite*"):
        file.unlink()
    if what == "is empty":
        store.touch()
    with pytest.raises(EnvironmentUnusableError, match=f"operations.sqlite {what}.*restore --damaged"):
        operations_engine(home)
    assert not store.exists() or store.stat().st_size == 0
    found = [one for one in examine_home(home) if one.store == "operations store"]
    assert [(one.path, one.what) for one in found] == [("operations.sqlite", what)]
    assert mend(home, utc_now).left == []


def test_a_change_of_what_is_published_is_an_incident(home: Settings) -> None:
    """Consumers had read a thousandfold revenue, and nobody was told."""
    engine = operations_engine(home)
    checks, incidents = CheckStore(engine), IncidentStore(engine)
    last = checks.last_id()
    multiply(home.published / "current" / FILE)
    shutil.rmtree(home.published / "v000001")  # nor is there an older version to take rows from
    with pytest.raises(EnvironmentUnusableError, match="Nothing is published"):
        release(home, marts(ensure_manifest()), utc_now(), "a run")
    assert current_version(home) == "v000002"
    [incident] = [incidents.get(one) for one in observe(engine, checks.after(last, 100), utc_now())]
    assert incident.failure_class == "published_damage"
    assert f"published/v000002/{FILE}" in incident.signals[0].message


def test_what_a_snapshot_has_is_put_back_by_healing(home: Settings) -> None:
    """The file is byte for byte the one that was audited, and the incident ends because its check passes."""
    engine = operations_engine(home)
    checks, incidents = CheckStore(engine), IncidentStore(engine)
    take_snapshot(home, utc_now)
    file = home.published / "v000002" / FILE
    before, last = sha256_of(file), checks.last_id()
    multiply(file)
    judge_published(home, engine, utc_now(), "a look")
    [incident] = observe(engine, checks.after(last, 100), utc_now())
    done = act(home, engine, incident, utc_now(), "a test")
    assert (sha256_of(file), done.reruns) == (before, [])
    verify(home, engine, incident, utc_now(), "a test")
    assert incidents.get(incident).state is State.RESOLVED
