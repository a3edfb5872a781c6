"""Reference data stay what was loaded: what was changed or deleted from outside is named, and no build uses it."""

import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from reliability_platform.clock import utc_now
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.landing.reference import REFERENCE_TABLES, load_reference, refresh_reference
from reliability_platform.landing.sound_reference import ensure_sound_reference, examine_reference
from reliability_platform.recovery.damaged import mend
from reliability_platform.recovery.stores import examine_home
from reliability_platform.settings import Settings, load_settings
from reliability_platform.sources.source import reference_files

RATES = "currency_rates"


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """A home into which reference data have just been loaded."""
    settings = load_settings(tmp_path / "home")
    refresh_reference(settings)
    return settings


def file(home: Settings, table: str = RATES) -> Path:
    """Where a table is."""
    return home.reference / f"{table}.parquet"


def _tenfold(path: Path) -> None:
    table = pq.read_table(path)
    rates = pc.multiply(table["rate_to_eur"], pa.scalar(Decimal(10))).cast(table["rate_to_eur"].type)
    pq.write_table(table.set_column(table.column_names.index("rate_to_eur"), "rate_to_eur", rates), path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "part-0.parquet").write_bytes(b"PAR1")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "was changed": _tenfold,
    "is missing": lambda path: path.unlink(),
    "is empty": lambda path: path.write_bytes(b""),
    "is cut short": lambda path: path.write_bytes(path.read_bytes()[:-50]),
    "is no file": _folder,
    "has the content of customers.parquet": lambda path: shutil.copyfile(path.with_name("customers.parquet"), path),
}


@pytest.mark.parametrize("words", DAMAGES)
def test_reference_data_that_are_not_what_was_loaded_are_named_and_loaded_again_before_a_build(
    home: Settings, words: str
) -> None:
    """Rates × 10 and a deleted table went into the next build, and doctor and verify said that all was well."""
    good = file(home).read_bytes()
    DAMAGES[words](file(home))
    [found] = examine_home(home)
    assert (found.path, found.what.startswith(words)) == (f"reference/{RATES}.parquet", True)
    assert [one.path for one in ensure_sound_reference(home)] == [f"reference/{RATES}.parquet"]
    assert file(home).read_bytes() == good
    assert examine_reference(home) == []


def test_all_of_it_gone_is_missed_and_put_back(home: Settings) -> None:
    """The seal does not lie beside what it seals: whoever deletes the folder does not delete the memory of it."""
    before = {table: file(home, table).read_bytes() for table in REFERENCE_TABLES}
    shutil.rmtree(home.reference)
    assert {one.what for one in examine_reference(home)} == {"is missing"}
    assert mend(home, utc_now).left == []
    assert {table: file(home, table).read_bytes() for table in REFERENCE_TABLES} == before


def test_what_an_earlier_release_has_loaded_is_missed_where_it_was_built_from(home: Settings) -> None:
    """Without a seal nobody knows the content, but a warehouse had one: its builds died of "No files found"."""
    [seal] = home.admissions.rglob("seal.json")
    seal.unlink()
    shutil.rmtree(home.reference)
    assert examine_reference(home) == []
    home.warehouse.touch()
    assert {one.what for one in examine_reference(home)} == {"is missing"}
    ensure_sound_reference(home)
    assert examine_reference(home) == []
    assert file(home).exists()


def test_what_the_source_does_not_give_any_more_is_not_built_from(home: Settings) -> None:
    """Another content under the old name would change the numbers of days that nobody runs again."""
    load_reference(home, {**reference_files(home), RATES: file(home, "customers").read_bytes()})
    assert examine_reference(home) == []  # what is loaded is what it is
    file(home).unlink()
    with pytest.raises(EnvironmentUnusableError, match=rf"Nothing was built: reference/{RATES}.parquet is missing"):
        ensure_sound_reference(home)
    refresh_reference(home)  # as each run does
    assert ensure_sound_reference(home) == []


def test_a_damaged_seal_is_named_and_made_anew_from_what_the_source_gives(home: Settings) -> None:
    """A seal is a stored file, too."""
    [seal] = home.admissions.rglob("seal.json")
    seal.write_bytes(seal.read_bytes()[:-40])
    assert [one.what for one in examine_reference(home)] == ["is not what was written"]
    good = file(home).read_bytes()
    _tenfold(file(home))
    ensure_sound_reference(home)
    assert examine_reference(home) == []
    assert file(home).read_bytes() == good


def test_a_load_that_was_killed_after_its_seal_is_finished_by_the_next_build(home: Settings) -> None:
    """The seal comes first: what it names and is not there yet is what the source gives."""
    file(home).write_bytes(b"what was loaded before")
    assert len(ensure_sound_reference(home)) == 1
    assert examine_reference(home) == []
