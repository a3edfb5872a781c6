"""A store that is full, out of inodes, read-only or without rights is told in one line that says which, and where."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from reliability_platform.causes import NO_RIGHTS, NO_ROOM, Cause, cause_in
from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import utc_now
from reliability_platform.errors import ExitCode
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import scheduled_batches
from reliability_platform.landing.admission import admit
from reliability_platform.landing.unchanged import note_inputs
from reliability_platform.landing.writer import write_batch
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.home import platform_instance
from reliability_platform.settings import Settings
from reliability_platform.system_errors import foreseen
from reliability_platform.warehouse.lease import open_when_free, warehouse_lease
from reliability_platform.warehouse.snapshots.take import take_snapshot
from tests.unit.broken_home import BrokenHome
from tests.unit.failing import day, passed

NOBODY = 65_534


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    target = tmp_path / "disk"
    target.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=16m,nr_inodes=200", "tmpfs", str(target)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount")
    yield target
    subprocess.run(["umount", "--lazy", str(target)], check=True)


def full(disk: Path) -> None:
    """No byte is left."""
    room = os.statvfs(disk)
    (disk / "filling").write_bytes(bytes(room.f_bavail * room.f_frsize))


def out_of_inodes(disk: Path) -> None:
    """One file more, and no second one."""
    while (left := os.statvfs(disk).f_ffree) > 1:
        (disk / f"filling-{left}").touch()


def read_only(disk: Path) -> None:
    """As a kernel makes it that finds an error."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


def without_rights(disk: Path) -> None:
    """Somebody else's."""
    disk.chmod(0o755)
    os.seteuid(NOBODY)


def operations(home: Settings) -> None:
    """Results of checks."""
    CheckStore(operations_engine(home)).record([passed("orders__row_count", number) for number in range(1, 30)])


def warehouse(home: Settings) -> None:
    """A table."""
    with warehouse_lease(home), open_when_free(home, read_only=False) as connection:
        connection.execute("create table more as select range as a, random() as b from range(2_000_000)")


def landing(home: Settings) -> None:
    """A delivery."""
    for batch in scheduled_batches(Simulation.load(home), "orders", day(7)):
        write_batch(home, batch)


def bronze(home: Settings) -> None:
    """An admission."""
    note_inputs(home, "orders", BrokenHome.DAY, None)  # of a day that is as it was, nothing is written
    admit(home, "orders", BrokenHome.DAY)


def snapshots(home: Settings) -> None:
    """A copy of everything."""
    take_snapshot(home, utc_now)


def dagster(home: Settings) -> None:
    """A run."""

    @dg.op
    def work() -> None: ...

    @dg.job
    def working() -> None:
        work()

    with platform_instance(home) as instance:
        instance.create_run_for_job(working)


KINDS: dict[Callable[[Path], None], tuple[Cause, str]] = {
    full: (NO_ROOM, "has 0.0 MiB left"),
    out_of_inodes: (NO_ROOM, "out of inodes"),
    read_only: (NO_RIGHTS, "Read-only file system"),
    without_rights: (NO_RIGHTS, "Permission denied"),
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda one: one.__name__)
@pytest.mark.parametrize(
    "store", [operations, warehouse, landing, bronze, snapshots, dagster], ids=lambda one: one.__name__
)
def test_each_store_says_what_keeps_it_from_being_written_and_where(
    disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    store: Callable[[Settings], None],
    kind: Callable[[Path], None],
) -> None:
    """A full operations store said "(•••) database or disk is full", one out of inodes was called damaged."""
    made = BrokenHome(disk / "home", events_per_day=100)
    made.land()
    duckdb.connect(str(made.settings.warehouse)).close()
    monkeypatch.setenv("DAGSTER_HOME", str(made.settings.dagster_home))
    kind(disk)
    try:
        with pytest.raises(Exception) as raised:
            store(made.settings)
    finally:
        os.seteuid(0)
    error = foreseen(raised.value, made.settings.dagster_home)
    cause, words = KINDS[kind]
    assert error is not None
    assert (error.exit_code, cause_in(str(error))) == (ExitCode.ENVIRONMENT, cause), error
    assert words in str(error)
    assert str(disk / "home") in str(error)
    assert "•••" not in str(error)
    assert cause.remedy in str(error)
