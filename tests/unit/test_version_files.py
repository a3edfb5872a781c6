"""A version writes the months that changed and shares all other files with the version before; each stays whole by itself."""

import json
import shutil
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from reliability_platform.clock import utc_now
from reliability_platform.damage import Damage, sha256_of
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse import publication as publishing
from reliability_platform.warehouse.comparison import compare_tables
from reliability_platform.warehouse.ledger import digest_of
from reliability_platform.warehouse.marts import Mart
from reliability_platform.warehouse.publication import CURRENT, RECORD, Publication, current_version, publish, rollback
from reliability_platform.warehouse.published import record_of, table_files
from reliability_platform.warehouse.published_integrity import examine_published, open_ledger
from reliability_platform.warehouse.snapshots.restore import restore_home
from reliability_platform.warehouse.snapshots.take import take_snapshot

NOW = datetime(2026, 4, 4, 6, 30, tzinfo=UTC)
FIRST, DAYS = date(2026, 1, 30), 34
DAILY = Mart("daily", ("orders",), place=("serve", "daily"))
LANDED = [("orders", FIRST + timedelta(days=number)) for number in range(DAYS)]
KINDS = "amount hugeint, channel enum ('web', 'shop')"


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """A home with three months of a table: two days of January, February, five days of March."""
    settings = load_settings(tmp_path / "home")
    settings.home.mkdir()
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("create schema serve")
        connection.execute(f"create table serve.daily (event_date date, {KINDS})")
        connection.execute(
            f"insert into serve.daily select date '{FIRST}' + number::int, number, "
            f"case when number % 2 = 0 then 'web' else 'shop' end from range({DAYS}) as days (number), range(3)"
        )
        connection.execute(
            "create table stg_orders as select event_date, event_date as landing_date, 'valid' as disposition, "
            "false as is_superseded from serve.daily"
        )
    return settings


def changed(settings: Settings, sql: str) -> None:
    """Change what is built."""
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute(sql)


def published(settings: Settings, *held: date) -> Publication:
    """A publication of what is built, with some landing days held."""
    return publish(settings, [DAILY], LANDED, {("orders", day): ["looked at"] for day in held}, NOW, "run")


def inodes(settings: Settings, version: str) -> Mapping[str, int]:
    """The files of the table in a version, by month."""
    return {path.stem: path.stat().st_ino for path in table_files(settings.published / version, "daily")}


def shown(settings: Settings, version: str = CURRENT) -> list[tuple[object, ...]]:
    """What a consumer reads."""
    with duckdb.connect() as connection:
        return connection.execute(f"from '{settings.published}/{version}/daily/*.parquet' order by all").fetchall()


def test_a_version_writes_the_month_that_changed_and_shares_the_others(home: Settings) -> None:
    """Every version held all rows of all days: 484 of the 783 MB of a home of 301 days."""
    first = published(home)
    before = shown(home)
    assert list(inodes(home, first.version)) == ["2026-01", "2026-02", "2026-03"]
    changed(home, "update serve.daily set amount = amount + 1 where event_date = '2026-02-14'")
    second = published(home)
    old, new = inodes(home, first.version), inodes(home, second.version)
    assert {month for month in new if new[month] != old[month]} == {"2026-02"}
    assert shown(home, first.version) == before
    assert shown(home) == [
        (day, amount + 1 if day == date(2026, 2, 14) else amount, channel) for day, amount, channel in before
    ]
    table = second.table("daily")
    assert table is not None
    assert {day for day, one in table.dates.items() if one.since == second.version} == {"2026-02-14"}
    assert table.rows == len(before)
    assert examine_published(home, open_ledger(home)) == []
    assert published(home).version == second.version, "the same again is no new version"
    assert rollback(home).version == first.version
    assert shown(home) == before


def test_a_day_that_is_held_stays_in_the_file_of_its_month(home: Settings) -> None:
    """Types that a file does not know, as an enumeration and a number of 128 bits, are no change."""
    first = published(home)
    before, day = shown(home), date(2026, 2, 14)
    changed(home, f"update serve.daily set amount = 999 where event_date = '{day}'")
    second = published(home, day)
    assert second.version != first.version
    assert inodes(home, second.version) == inodes(home, first.version)
    assert shown(home) == before
    table = second.table("daily")
    assert table is not None and table.kept_dates == [str(day)]
    changed(home, "update serve.daily set amount = 7 where event_date = '2026-02-15'")
    third = published(home, day)
    assert {row[1] for row in shown(home) if row[0] == day} == {row[1] for row in before if row[0] == day}
    assert {row[1] for row in shown(home) if row[0] == date(2026, 2, 15)} == {7}
    assert inodes(home, third.version)["2026-03"] == inodes(home, first.version)["2026-03"]


def test_a_new_column_is_in_every_month(home: Settings) -> None:
    """Consumers who read all months at once would meet files of two shapes."""
    first = published(home)
    changed(home, "alter table serve.daily add column note varchar")
    second = published(home)
    assert not set(inodes(home, first.version).values()) & set(inodes(home, second.version).values())
    assert {len(row) for row in shown(home)} == {4}


def test_a_month_that_has_no_rows_any_more_is_gone(home: Settings) -> None:
    published(home)
    changed(home, "delete from serve.daily where event_date < '2026-02-01'")
    assert list(inodes(home, published(home).version)) == ["2026-02", "2026-03"]
    changed(home, "delete from serve.daily")
    empty = published(home)
    assert list(inodes(home, empty.version)) == ["all"]
    assert shown(home) == []
    assert examine_published(home, open_ledger(home)) == []


def test_a_file_damaged_in_place_is_damaged_in_every_version_that_shares_it(home: Settings) -> None:
    """Its rows are built: it is written anew, and what only it had is not published from anywhere else."""
    first = published(home)
    changed(home, "update serve.daily set amount = amount + 1 where event_date = '2026-02-14'")
    second = published(home)
    good = shown(home)
    shared = home.published / second.version / "daily" / "2026-03.parquet"
    shared.write_bytes(b"PAR1")
    found: list[Damage] = []
    assert {one.path for one in examine_published(home, open_ledger(home))} == {
        f"published/{version}/daily/2026-03.parquet" for version in (first.version, second.version)
    }
    held = {("orders", date(2026, 3, 2)): ["looked at"]}
    with pytest.raises(EnvironmentUnusableError, match=f"daily of {second.version} is not what was published"):
        publish(home, [DAILY], LANDED, held, NOW, "run", found.extend)
    assert [one.path for one in found] == [f"published/{second.version}/daily/2026-03.parquet"]
    third = published(home)
    assert shown(home) == good
    assert inodes(home, third.version)["2026-02"] == inodes(home, second.version)["2026-02"]


def test_what_was_laid_among_the_files_of_a_table_is_not_read_for_longer_than_a_publication(home: Settings) -> None:
    """Whoever reads all files of a table reads it, too."""
    first = published(home)
    good = shown(home)
    shutil.copyfile(table_files(home.published / CURRENT, "daily")[0], home.published / CURRENT / "daily" / "x.parquet")
    assert len(shown(home)) > len(good)
    found: list[Damage] = []
    second = publish(home, [DAILY], LANDED, {}, NOW, "run", found.extend)
    assert [one.path for one in found] == [f"published/{first.version}/daily/x.parquet"]
    assert second.version != first.version
    assert shown(home) == good


def test_a_home_of_an_earlier_release_goes_over_to_months(home: Settings) -> None:
    """There a table was one file, whose checksum stood with the table; what is held keeps the rows of that file."""
    first = published(home)
    before, day = shown(home), date(2026, 3, 2)
    _as_before(home, first.version)
    assert examine_published(home, open_ledger(home)) == []
    changed(home, f"update serve.daily set amount = 999 where event_date = '{day}'")
    second = published(home, day)
    assert list(inodes(home, second.version)) == ["2026-01", "2026-02", "2026-03"]
    assert shown(home) == before
    table = second.table("daily")
    assert table is not None and {one.since for one in table.dates.values()} == {first.version}
    [compared] = compare_tables(["daily"], home.published / first.version, home.published / second.version)
    assert compared.equal and compared.rows == len(before)
    assert rollback(home).version == first.version
    assert examine_published(home, open_ledger(home)) == []


def _as_before(settings: Settings, version: str) -> None:
    """Lay a version as 0.3.0 did."""
    folder = settings.published / version
    file = folder / "daily.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"copy (from '{folder}/daily/*.parquet' order by all) to '{file}' (format parquet)")
    shutil.rmtree(folder / "daily")
    record = json.loads((folder / RECORD).read_text())
    [table] = record["tables"]
    del table["files"]
    table |= {"checksum": sha256_of(file), "bytes": file.stat().st_size}
    text = json.dumps(record, indent=2) + "\n"
    (folder / RECORD).write_text(text)
    ledger = open_ledger(settings)
    ledger.write(version, text)
    ledger.point_to(version)
    assert digest_of(ledger.record(version)) == digest_of(text)
    assert list(record_of(text).tables[0].files) == ["daily.parquet"]


class Died(BaseException):
    """Stands for a death that no `except Exception` sees."""


@pytest.mark.parametrize("dies_in", ["write_files", "_sync", "_point_to", "_link"])
def test_killed_anywhere_the_version_before_stays_whole_and_the_next_run_finishes(
    home: Settings, monkeypatch: pytest.MonkeyPatch, dies_in: str
) -> None:
    """Before, between and after its files: what it shared with the version before is as it was."""
    first = published(home)
    before, files = shown(home), inodes(home, first.version)
    changed(home, "update serve.daily set amount = amount + 1 where event_date = '2026-02-14'")

    def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setattr(publishing, dies_in, die)
        published(home)
    assert current_version(home) == first.version
    assert shown(home) == before
    second = published(home)
    assert current_version(home) == second.version != first.version
    assert inodes(home, first.version) == files
    assert shown(home, first.version) == before != shown(home)
    assert examine_published(home, open_ledger(home)) == []
    assert not list(home.published.glob(".*.draft"))


def test_a_restored_home_shares_again(home: Settings, tmp_path: Path) -> None:
    """A version takes the room of what it changes after a restore, too."""
    first = published(home)
    changed(home, "update serve.daily set amount = amount + 1 where event_date = '2026-02-14'")
    second = published(home)
    taken = take_snapshot(home, utc_now)
    restore_home(home, taken, tmp_path / "aside")
    aside = load_settings(tmp_path / "aside")
    old, new = inodes(aside, first.version), inodes(aside, second.version)
    assert {month for month in new if new[month] != old[month]} == {"2026-02"}
    assert shown(aside) == shown(home)
