"""Snapshots: whole, consistent while others work, each content once; what was cut off or damaged is never used."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import fsspec
import pytest
from filelock import FileLock, Timeout
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import utc_now
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.model import State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.landing.admission import admit
from reliability_platform.landing.unchanged import note_inputs
from reliability_platform.operations import operations_engine
from reliability_platform.recovery.damaged import mend
from reliability_platform.recovery.retention import forget_snapshots
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.snapshots.location import SnapshotDamagedError, SnapshotLocation
from reliability_platform.warehouse.snapshots.manifest import (
    WAREHOUSE,
    StoredFile,
    decode,
    encode,
    newest_until,
    read_snapshots,
)
from reliability_platform.warehouse.snapshots.restore import (
    damages,
    gap,
    restore_home,
    restore_warehouse,
    warehouse_aside,
)
from reliability_platform.warehouse.snapshots.retention import kept, prune
from reliability_platform.warehouse.snapshots.take import take_snapshot
from tests.ground import Platform, day
from tests.unit.failing import result
from tests.unit.lived_in import copied_home, state

MADE_ANEW = ("builds", "dbt", "snapshots", "operations.sqlite", "operations.sqlite-wal", "operations.sqlite-shm")


@pytest.fixture(scope="module")
def origin(lived: Callable[[Path], Platform], tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """One home that all tests copy."""
    return lived(tmp_path_factory.mktemp("origin") / "home")


@pytest.fixture
def home(origin: Platform, tmp_path: Path) -> Settings:
    """A copy of it."""
    return copied_home(origin.settings.home, tmp_path / "home")


@pytest.fixture
def memory() -> Iterator[str]:
    """A place in memory, emptied afterwards."""
    place = fsspec.filesystem("memory")
    place.makedirs("/reliability", exist_ok=True)
    yield "memory://reliability/snapshots"
    place.rm("/reliability", recursive=True)


def rows(file: Path, sql: str) -> list[tuple[object, ...]]:
    """Ask a warehouse file."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def damage(settings: Settings, sha256: str) -> Path:
    """Turn one byte in the middle of a stored content."""
    folder = SnapshotLocation.of(settings).folder
    assert folder is not None
    path = folder / "objects" / sha256[:2] / sha256
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    return path


def test_a_snapshot_gives_back_the_whole_home(home: Settings, tmp_path: Path) -> None:
    """Byte for byte, but for what is made anew; the operations store row for row."""
    taken = take_snapshot(home, utc_now)
    restore_home(home, taken, tmp_path / "aside")
    assert state(tmp_path / "aside", MADE_ANEW) == state(home.home, MADE_ANEW)
    for file in (home.home, tmp_path / "aside"):
        with closing(sqlite3.connect(file / "operations.sqlite")) as store:
            found = store.execute("select count(*), max(id) from check_results").fetchone()
            assert found[0] > 100
            assert store.execute("pragma integrity_check").fetchone() == ("ok",)
    assert taken.unsettled_days == ()
    assert (tmp_path / "aside" / "published" / "current").readlink() == Path("v000001")


def test_what_is_no_file_is_left_out_by_name_and_the_rest_is_taken(home: Settings, tmp_path: Path) -> None:
    """Anybody may put anything into landing: a socket ended the snapshot, a link out of it made it unusable."""
    day_folder = next((home.landing / "orders").glob("landing_date=*"))
    os.mkfifo(day_folder / "pipe.parquet")
    (day_folder / "back\\slash.parquet").write_bytes(b"PAR1")
    (day_folder / "out.parquet").symlink_to("/etc/hostname")
    (day_folder / "up.parquet").symlink_to(Path("..") / ".." / "payments")
    taken = take_snapshot(home, utc_now)
    assert sum(path.startswith("landing/orders/") for path in taken.left_out) == 4
    [read, *_], damaged = read_snapshots(SnapshotLocation.of(home))
    assert damaged == []
    restore_home(home, read, tmp_path / "aside")
    assert (tmp_path / "aside" / "landing" / "orders" / day_folder.name).is_dir()


def test_each_content_is_stored_once(home: Settings) -> None:
    """A second snapshot adds what has changed and nothing else."""
    take_snapshot(home, utc_now)
    location = SnapshotLocation.of(home)
    before = set(location.objects())
    take_snapshot(home, utc_now)
    assert set(location.objects()) == before
    (home.decisions / "orders").mkdir(parents=True)
    (home.decisions / "orders" / "orders-20260101-late.json").write_text("{}")
    take_snapshot(home, utc_now)
    assert len(set(location.objects()) - before) == 1
    assert len(read_snapshots(location)[0]) == 3


@pytest.mark.parametrize("place", ["folder", "file", "memory"])
def test_any_place_that_fsspec_reaches_will_do(home: Settings, tmp_path: Path, memory: str, place: str) -> None:
    """Local folders, URLs, and places that are no file system at all."""
    url = {"folder": str(tmp_path / "there"), "file": (tmp_path / "there").as_uri(), "memory": memory}[place]
    settings = home.model_copy(update={"snapshot_url": url})
    taken = take_snapshot(settings, utc_now)
    location = SnapshotLocation.of(settings)
    assert damages(location, [taken]) == {taken.id: {}}
    restored = warehouse_aside(settings, newest_until(location, utc_now()), None, tmp_path / "aside")
    assert restored.read_bytes() == settings.warehouse.read_bytes()
    assert prune(settings).contents == 0
    assert not (home.home / "snapshots").exists()


def test_secrets_of_a_location_are_not_shown() -> None:
    """User, password and query of a URL may be secrets, and go into no message."""
    location = SnapshotLocation("memory://user:geheim@bucket/way?token=geheim")
    assert "geheim" not in location.shown
    with pytest.raises(UsageError) as error:
        SnapshotLocation("nosuchprotocol://user:geheim@bucket/way")
    assert "geheim" not in str(error.value)


@pytest.mark.exhaustive  # 10 s
def test_a_snapshot_waits_for_the_build_and_is_whole(home: Settings, tmp_path: Path) -> None:
    """A real build in another process writes meanwhile: what is taken is the state before or after it, never between."""
    tables = [name for (name,) in rows(home.warehouse, "select table_name from duckdb_tables() order by 1")]
    counts = " union all ".join(
        f"select '{name}', count(*) from {name}" for name in tables if name != "touched_event_dates"
    )
    before = rows(home.warehouse, counts)
    command = [sys.executable, "-m", "reliability_platform.warehouse", str(home.home), str(day(1)), str(day(2))]
    with subprocess.Popen(command) as build:
        waited = time.monotonic() + 60
        while time.monotonic() < waited:  # until the build holds the lease
            try:
                FileLock(home.lease).acquire(timeout=0).lock.release()
            except Timeout:
                break
            time.sleep(0.01)
        else:
            pytest.fail("the build never took the lease")
        taken = take_snapshot(home, utc_now)
        assert build.wait(60) == 0
    file = warehouse_aside(home, taken, None, tmp_path / "aside")
    assert rows(file, counts) == before
    assert {day(1), day(2)} >= set(gap(home, operations_engine(home), taken)) >= {day(2)}


def test_landing_days_that_change_meanwhile_are_noted(home: Settings, tmp_path: Path) -> None:
    """Bronze is swapped under the reader's eyes: every file that is taken is whole, the day is built again afterwards."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            note_inputs(home, "orders", day(1), None)  # of a day that is as it was, nothing is written
            admit(home, "orders", day(1))

    worker = threading.Thread(target=work)
    worker.start()
    try:
        taken = take_snapshot(home, utc_now)
    finally:
        stop.set()
        worker.join()
    assert taken.unsettled_days == (day(1),)
    assert damages(SnapshotLocation.of(home), [taken]) == {taken.id: {}}
    assert day(1) in gap(home, operations_engine(home), taken)
    restore_home(home, taken, tmp_path / "aside")
    files = list((tmp_path / "aside" / "bronze").rglob("*.parquet"))
    with duckdb.connect() as connection:
        for file in files:
            connection.execute(f"select count(*) from read_parquet('{file}')")


KILLED = """
import os, sys
from pathlib import Path
from reliability_platform.clock import utc_now
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.snapshots.location import SnapshotLocation
from reliability_platform.warehouse.snapshots.take import take_snapshot
left = int(sys.argv[2])
for name in ("adopt", "put", "write_manifest"):
    def step(self, *arguments, whole=getattr(SnapshotLocation, name)):
        global left
        if left == 0:
            open(Path(sys.argv[1]) / "snapshots" / ".partial-killed", "wb").write(b"half")
            os._exit(9)
        left -= 1
        whole(self, *arguments)
    setattr(SnapshotLocation, name, step)
take_snapshot(load_settings(Path(sys.argv[1])), utc_now)
"""


@pytest.mark.parametrize("step", [1, 7, -1], ids=["before the store", "among the files", "before the manifest"])
def test_a_snapshot_that_was_killed_is_never_used_and_is_cleaned_up(home: Settings, step: int) -> None:
    """The process dies between two steps: there is no snapshot, the next one is whole, and nothing is left over."""
    if step < 0:
        contents = {path.read_bytes() for path in home.home.rglob("*.parquet")}
        contents |= {path.read_bytes() for path in home.home.rglob("*.json") if not {"dbt", "builds"} & {*path.parts}}
        step = 2 + len(contents)
    dead = subprocess.run([sys.executable, "-c", KILLED, str(home.home), str(step)], check=False)
    assert dead.returncode == 9
    location = SnapshotLocation.of(home)
    assert location.objects()
    assert location.manifests() == []
    with pytest.raises(UsageError, match="no snapshot"):
        newest_until(location, utc_now())
    taken = take_snapshot(home, utc_now)
    assert damages(location, [taken]) == {taken.id: {}}
    pruned = prune(home)
    assert set(location.objects()) == {file.sha256 for file in taken.files}
    assert pruned.damaged == []
    assert not list((home.home / "snapshots").glob(".partial-*"))
    assert not (home.home / ".snapshot-staging").exists()


def test_a_damaged_content_is_refused_before_anything_is_touched(home: Settings) -> None:
    """One byte is other: verify names the file, restore refuses, the warehouse stays as it is."""
    taken = take_snapshot(home, utc_now)
    stored = taken.file(WAREHOUSE)
    assert stored is not None
    damaged = damage(home, stored.sha256)
    before = home.warehouse.read_bytes()
    assert damages(SnapshotLocation.of(home), [taken]) == {taken.id: {WAREHOUSE: "damaged"}}
    with pytest.raises(SnapshotDamagedError, match="checksum differs"):
        restore_warehouse(home, operations_engine(home), taken)
    assert home.warehouse.read_bytes() == before
    damaged.unlink()
    with pytest.raises(SnapshotDamagedError, match="missing"):
        restore_warehouse(home, operations_engine(home), taken)
    assert home.warehouse.read_bytes() == before


def test_a_damaged_manifest_is_told_and_costs_no_content(home: Settings) -> None:
    """Nobody knows what it needs: nothing is removed while it is there. The snapshot before is used."""
    first, second = take_snapshot(home, utc_now), take_snapshot(home, utc_now)
    path = home.home / "snapshots" / "manifests" / f"{second.id}.json"
    path.write_bytes(path.read_bytes().replace(b"sequence", b"sequense", 1).replace(b"2026-", b"2027-", 1))
    location = SnapshotLocation.of(home)
    assert newest_until(location, utc_now()) == first
    assert len(read_snapshots(location)[1]) == 1
    stray = home.home / "snapshots" / "objects" / "ab" / ("ab" * 32)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"of whom?")
    pruned = prune(home)
    assert pruned.contents == 0
    assert len(pruned.damaged) == 1
    path.unlink()
    assert prune(home).contents == 1


@pytest.mark.parametrize("path", ["../outside", "/etc/x", "a/../../x", ""])
def test_a_manifest_cannot_lead_out_of_the_home(home: Settings, path: str) -> None:
    """Whoever can write to the location must not write to the machine."""
    taken = take_snapshot(home, utc_now)
    hostile = StoredFile(path, 1, 1, "0" * 64)
    content = encode(type(taken)(**{**vars(taken), "files": (*taken.files, hostile)}))
    with pytest.raises(SnapshotDamagedError, match="leads out"):
        decode(taken.id, content)


def test_a_warehouse_that_is_no_database_is_not_taken(home: Settings) -> None:
    """A snapshot of garbage would push a good one out."""
    home.warehouse.write_bytes(os.urandom(100_000))
    with pytest.raises(EnvironmentUnusableError, match="cannot be read"):
        take_snapshot(home, utc_now)
    assert SnapshotLocation.of(home).manifests() == []
    with pytest.raises(UsageError, match="no warehouse"):
        take_snapshot(load_settings(home.home / "elsewhere"), utc_now)


def test_a_warehouse_with_a_bad_block_is_not_taken(home: Settings) -> None:
    """The file opens and a copy would be like it: only who reads every block sees it. The snapshot before stays."""
    taken = take_snapshot(home, utc_now)
    content = bytearray(home.warehouse.read_bytes())
    content[len(content) // 2] ^= 1
    home.warehouse.write_bytes(bytes(content))
    with pytest.raises(SnapshotDamagedError, match="blocks that cannot be read"):
        take_snapshot(home, utc_now)
    assert newest_until(SnapshotLocation.of(home), utc_now()) == taken


def test_a_home_with_data_is_not_overwritten(home: Settings) -> None:
    """What landed since would be gone."""
    taken = take_snapshot(home, utc_now)
    with pytest.raises(UsageError, match="landing, bronze"):
        restore_home(home, taken, home.home)


NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)


def test_the_rule_keeps_the_newest_and_one_of_each_week_before() -> None:
    """Daily snapshots over ten weeks: seven days, then the Sundays of four weeks."""
    daily = [NOON - timedelta(days=age) for age in range(70)]
    keep = sorted(kept(daily, last=7, weekly=4), reverse=True)
    assert keep[:7] == daily[:7]
    assert [moment.date().isoformat() for moment in keep[7:]] == [
        "2026-03-24",
        "2026-03-22",
        "2026-03-15",
        "2026-03-08",
    ]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a machine with other work
@given(st.sets(st.integers(0, 500), min_size=1, max_size=60), st.integers(1, 9), st.integers(0, 9))
def test_the_rule_never_loses_the_newest_and_settles(ages: set[int], last: int, weekly: int) -> None:
    """Pruning twice keeps the same as pruning once, and never more than it says."""
    moments = [NOON - timedelta(hours=7 * age) for age in ages]
    keep = kept(moments, last, weekly)
    assert max(moments) in keep
    assert len(keep) == min(len(moments), last) + min(weekly, len(keep) - min(len(moments), last))
    assert kept(list(keep), last, weekly) == keep


def test_pruning_forgets_contents_that_nobody_needs(home: Settings) -> None:
    """And the snapshots that stay can still be given back."""
    settings = home.model_copy(update={"snapshot_keep_last": 1, "snapshot_keep_weekly": 0})
    first = take_snapshot(settings, utc_now)
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("create table more as select range as x from range(1000)")
    second = take_snapshot(settings, utc_now)
    pruned = prune(settings)
    assert pruned.snapshots == [first.id]
    assert pruned.contents >= 1
    location = SnapshotLocation.of(settings)
    assert damages(location, [second]) == {second.id: {}}
    assert json.loads(json.dumps(second.summary()))["landing_days"] == 2


def test_the_last_whole_snapshot_is_never_forgotten(home: Settings) -> None:
    """The rule kept the newest one, whose contents were damaged, and removed the only one that could be restored."""
    settings = home.model_copy(update={"snapshot_keep_last": 1, "snapshot_keep_weekly": 0})
    first = take_snapshot(settings, utc_now)
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("create table more as select 1 as one")
    second = take_snapshot(settings, utc_now)
    stored = second.file(WAREHOUSE)
    assert stored is not None
    damage(settings, stored.sha256)
    assert prune(settings).snapshots == []
    with pytest.raises(SnapshotDamagedError, match=f"Snapshot {first.id} is older and has it whole"):
        restore_warehouse(settings, operations_engine(settings), second)
    third = take_snapshot(settings, utc_now)
    assert damages(SnapshotLocation.of(settings), [third])[third.id] != {}  # the same warehouse is not stored twice
    mend(settings, utc_now)
    fourth = take_snapshot(settings, utc_now)
    assert damages(SnapshotLocation.of(settings), [fourth]) == {fourth.id: {}}
    assert first.id in prune(settings).snapshots


def test_no_snapshot_is_forgotten_while_a_loss_is_open(home: Settings) -> None:
    """The day on which a loss is noticed is not the day on which it happened: an old snapshot may be the one to go back to."""
    settings = home.model_copy(update={"snapshot_keep_last": 1, "snapshot_keep_weekly": 0})
    first = take_snapshot(settings, utc_now)
    take_snapshot(settings, utc_now)
    engine = operations_engine(settings)
    checks = CheckStore(engine)
    last = checks.last_id()
    checks.record([result("int_orders__deduplicated__no_rows_lost", 1)])
    [incident] = observe(engine, checks.after(last, 100), utc_now())
    kept_now = forget_snapshots(settings, "somebody", utc_now)
    assert (kept_now.snapshots, kept_now.kept_for) == ([], [incident])
    IncidentStore(engine).move(incident, State.FALSE_ALARM, utc_now(), "a test", "it was none")
    assert forget_snapshots(settings, "somebody", utc_now).snapshots == [first.id]


def test_a_place_that_holds_snapshots_of_another_home_is_refused(home: Settings, tmp_path: Path) -> None:
    """Two homes with one RELIABILITY_SNAPSHOT_URL: each would have restored the other's newest, and pruned it."""
    place = {"snapshot_url": str(tmp_path / "place")}
    ours = home.model_copy(update=place)
    other = copied_home(home.home, tmp_path / "other").model_copy(update=place)
    other.identity.write_text('{"id": "another"}')
    take_snapshot(ours, utc_now)
    before = sorted((tmp_path / "place").rglob("*"))
    with pytest.raises(UsageError, match="Another home keeps its snapshots"):
        take_snapshot(other, utc_now)
    with pytest.raises(UsageError, match="Another home keeps its snapshots"):
        prune(other)
    assert sorted((tmp_path / "place").rglob("*")) == before
    take_snapshot(ours, utc_now)
