"""What looks at the admissions of all days reads one file, and sees what their own files say."""

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from reliability_platform.checks.as_built import admitted_versions
from reliability_platform.checks.native import evaluate_native
from reliability_platform.checks.results import CheckStatus
from reliability_platform.clock import utc_now
from reliability_platform.landing.all_admissions import COLUMNS, all_admissions_file, gather_admissions
from reliability_platform.landing.bronze_files import admissions_file
from reliability_platform.parquet import literal, scan, scan_days
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_reader
from tests.ground import Platform, day
from tests.unit.lived_in import copied_home

DUPLICATES = "bronze_orders__duplicate_batches"


@pytest.fixture(scope="module")
def origin(lived: Callable[[Path], Platform], tmp_path_factory: pytest.TempPathFactory) -> Platform:
    return lived(tmp_path_factory.mktemp("origin") / "home")


@pytest.fixture
def home(origin: Platform, tmp_path: Path) -> Settings:
    return copied_home(origin.settings.home, tmp_path / "home")


def rows(relation: str) -> list[tuple[Any, ...]]:
    """All rows, in one order."""
    columns = ", ".join((*COLUMNS, "landing_date"))
    return duckdb.sql(f"select {columns} from {relation} order by all").fetchall()


def of_each_day(settings: Settings) -> list[tuple[Any, ...]]:
    """What the files of the days say."""
    return rows(scan_days(settings.admissions / "orders"))


def gathered(settings: Settings) -> list[tuple[Any, ...]]:
    """What the one file says."""
    return rows(scan(gather_admissions(settings, "orders")))


def rewrite(settings: Settings, landing_date: date, change: str) -> None:
    """Change the records of a day, as an admission does: by a new file."""
    file = admissions_file(settings, "orders", landing_date)
    draft = file.with_suffix(".new")
    duckdb.sql(f"copy (select * replace ({change}) from {scan(file)}) to {literal(draft)} (format parquet)")
    draft.replace(file)


def test_the_one_file_says_what_the_files_of_the_days_say(home: Settings) -> None:
    """From nothing, after a day was admitted again, after one has gone, and after the file itself was damaged."""
    assert gathered(home) == of_each_day(home) != []
    rewrite(home, day(1), "'refused' as status")
    assert gathered(home) == of_each_day(home)
    assert {row[COLUMNS.index("status")] for row in gathered(home) if row[-1] == day(1)} == {"refused"}
    admissions_file(home, "orders", day(1)).unlink()
    assert gathered(home) == of_each_day(home)
    assert {row[-1] for row in gathered(home)} == {day(2)}
    all_admissions_file(home, "orders").write_bytes(b"PAR1")
    assert gathered(home) == of_each_day(home)
    made = all_admissions_file(home, "orders").read_bytes()
    all_admissions_file(home, "orders").write_bytes(made[:4] + bytes(200) + made[204:])  # its end says that it is whole
    rewrite(home, day(2), "'held' as status")
    assert gathered(home) == of_each_day(home)


def test_only_days_that_changed_are_read_again(home: Settings) -> None:
    """A day whose file has the size and the time that it had is not opened: what is in it cannot be read here."""
    before = gathered(home)
    file = admissions_file(home, "orders", day(1))
    about = file.stat()
    file.write_bytes(bytes(about.st_size))
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    rewrite(home, day(2), "'refused' as status")
    assert [row for row in gathered(home) if row[-1] == day(1)] == [row for row in before if row[-1] == day(1)]


def test_records_of_an_earlier_release_lack_columns(home: Settings) -> None:
    """Which version of a contract a day was read by, for one, and from which server it came."""
    file = admissions_file(home, "orders", day(1))
    draft = file.with_suffix(".new")
    lacking = "select * exclude (contract_version, fallback)"
    duckdb.sql(f"copy ({lacking} from {scan(file)}) to {literal(draft)} (format parquet)")
    draft.replace(file)
    versions = admitted_versions(home)
    assert ("orders", day(1)) not in versions
    assert ("orders", day(2)) in versions


def test_a_batch_with_the_bytes_of_one_of_another_day_is_noticed_and_damaged_records_are_not_taken_for_good(
    home: Settings,
) -> None:
    def status() -> tuple[CheckStatus, float | None]:
        with warehouse_reader(home) as connection:
            [result] = evaluate_native(home, connection, [day(2)], {DUPLICATES}, "run", utc_now())
        return result.status, result.value

    assert status() == (CheckStatus.PASSED, 0)
    first = next(row for row in gathered(home) if row[-1] == day(1))
    rewrite(home, day(2), f"'{first[COLUMNS.index('checksum')]}' as checksum")
    assert status()[0] is CheckStatus.FAILED
    admissions_file(home, "orders", day(1)).write_bytes(b"PAR1")
    assert status() == (CheckStatus.NOT_EVALUATED, None)
