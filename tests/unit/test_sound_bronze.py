"""A build reads bronze as it was admitted, and no other: damage is mended from landing, or the build is refused."""

from pathlib import Path

import duckdb
import pytest

from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.landing.bronze import admissions_file, bronze_folder
from reliability_platform.landing.sealed import examine_day
from reliability_platform.landing.sound_bronze import ensure_sound_bronze
from reliability_platform.landing.writer import landing_folder
from reliability_platform.settings import Settings
from tests.ground import Platform, day


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """Two landing days, admitted."""
    made = Platform(tmp_path / "home", events_per_day=60)
    made.land(day(1), day(2))
    return made.settings


def one_of(home: Settings, source: str, number: int) -> Path:
    """An admitted file with rows."""
    return sorted(bronze_folder(home, source, day(number)).glob("*.parquet"))[-1]  # at night there is nothing


def multiply(file: Path) -> None:
    """Every amount a thousandfold."""
    with duckdb.connect() as connection:
        connection.execute(f"copy (select * replace (quantity * 1000 as quantity) from '{file}') to '{file}.new'")
    Path(f"{file}.new").replace(file)


def test_a_build_does_not_read_what_was_changed_in_bronze(home: Settings) -> None:
    """A thousandfold amount in bronze went through every check that compares layers, for all of them had it."""
    file = one_of(home, "orders", 1)
    before = file.read_bytes()
    multiply(file)
    assert [one.path for one in ensure_sound_bronze(home, {day(1)})] == [str(file.relative_to(home.home))]
    assert file.read_bytes() == before


def test_what_would_break_a_build_of_another_day_is_mended_too(home: Settings) -> None:
    """One file cut short on any day kept every source and every day from being built."""
    records = admissions_file(home, "payments", day(2))
    one_of(home, "shipments", 2).unlink()
    records.write_bytes(records.read_bytes()[:-20])
    stray = bronze_folder(home, "orders", day(2)) / "more.parquet"
    stray.write_bytes(b"PAR1")
    assert len(ensure_sound_bronze(home, {day(1)})) == 3
    assert not stray.exists()
    assert ensure_sound_bronze(home, {day(1), day(2)}) == []


def test_a_build_is_refused_that_landing_cannot_give_any_more(home: Settings) -> None:
    """The line names the file; nothing in bronze or landing is touched."""
    file = one_of(home, "orders", 1)
    multiply(file)
    landed = landing_folder(home, "orders", day(1)) / file.name
    landed.unlink()
    with pytest.raises(EnvironmentUnusableError, match=rf"{file.name} .* landing cannot give it, .*is missing"):
        ensure_sound_bronze(home, {day(1)})
    assert examine_day(home, "payments", day(1)) == []


def test_another_delivery_is_no_damage(home: Settings) -> None:
    """A file and a manifest that agree have landed since, and wait for their admission."""
    folder = landing_folder(home, "orders", day(1))
    names = sorted(path.name for path in landing_folder(home, "orders", day(2)).glob("*.parquet"))
    file = sorted(folder.glob("*.parquet"))[-1]
    manifest = file.with_name(file.name.removesuffix(".parquet") + ".manifest.json")
    new = (landing_folder(home, "orders", day(2)) / names[-1]).read_bytes()
    old = manifest.read_text()
    import hashlib

    before = hashlib.sha256(file.read_bytes()).hexdigest()
    file.write_bytes(new)
    assert [one.path for one in examine_day(home, "orders", day(1))] == [str(file.relative_to(home.home))]
    manifest.write_text(old.replace(before, hashlib.sha256(new).hexdigest()))
    assert examine_day(home, "orders", day(1)) == []
