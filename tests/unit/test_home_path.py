"""A home lies anywhere that its stores can be opened at, or is refused in one line before anything is written."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from click.testing import CliRunner

from reliability_platform.atomic import parquet_bytes, write_atomically
from reliability_platform.cli.main import cli
from reliability_platform.errors import UsageError
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.home import platform_instance
from reliability_platform.parquet import read_table, scan, scan_below, scan_days
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.snapshots.location import SnapshotLocation

ODD = "source=shop/landing_date=2020-01-01/batch_id=7/lake [prod] *{a,b}::x \"q' 100%; $HOME ~ {{ x }} ü　"


@pytest.mark.parametrize(
    "name", ["what?", "a#b", "%41", "back\\slash", "two\nlines", "\x07", "\udcff", "x" * 256, "/".join(["x" * 90] * 5)]
)
def test_a_home_that_no_store_can_open_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    """Under `what?` SQLite opened another file, and a run ended in a traceback with half of a home on the disk."""
    with pytest.raises(UsageError, match="cannot lie there") as refused:
        load_settings(tmp_path / name)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_every_store_opens_in_an_odd_place_and_there_alone(tmp_path: Path) -> None:
    """Dagster, SQLite and fsspec read paths as URLs; what they took for a sign of those made another file."""
    settings = load_settings(tmp_path / ODD / "home")
    with operations_engine(settings).connect(), platform_instance(settings) as instance:
        instance.get_runs_count()
    SnapshotLocation.of(settings).write_manifest("one", b"{}")
    assert [path.name for path in tmp_path.iterdir()] == ["source=shop"]
    assert (settings.home / "operations.sqlite").exists()


def test_files_are_read_by_their_exact_path(tmp_path: Path) -> None:
    """Under `source=shop/` admissions were read as of a source `shop`, and 1,033 orders counted where 983 were right."""
    table = pa.table({"source": ["orders"], "batch_id": ["b"]})
    folder = tmp_path / ODD / "bronze"
    for day in ("2026-01-02", "2026-01-03"):
        write_atomically(folder / f"landing_date={day}" / "x.parquet", parquet_bytes(table))
    file = folder / "landing_date=2026-01-02" / "x.parquet"
    assert read_table(file).equals(table)
    with duckdb.connect() as connection:
        assert connection.execute(f"from {scan(file)}").fetchall() == [("orders", "b")]
        assert connection.execute(f"select count(*) from {scan_below(folder, '*/*.parquet')}").fetchall() == [(2,)]
        days = f"from {scan_days(folder)} where landing_date = date '2026-01-03'"
        assert len(connection.execute(days).fetchall()) == 1
        plan = str(connection.execute(f"explain analyze {days}").fetchall())
        assert "Total Files Read: 1 " in plan, "other days are not even opened"


def test_doctor_shows_the_home_as_it_is(tmp_path: Path) -> None:
    """`lake [prod]/home` was shown as `lake /home`."""
    home = tmp_path / "lake [prod]" / "home"
    said = CliRunner().invoke(cli, ["doctor", "--home", str(home)]).output
    assert f"no home in {home}:" in said
    (home / "landing").mkdir(parents=True)
    said = CliRunner().invoke(cli, ["doctor", "--home", str(home)]).output
    assert f"{home} can be written" in said
