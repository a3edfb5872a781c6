"""Of large files a part is read that is the same every time, spread over all of them, and quickly found."""

from pathlib import Path

import duckdb
import pytest

from reliability_platform.contracts.inference import sample as sampling
from reliability_platform.contracts.inference.sample import take_sample

ROWS = 60_000


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet", "jsonl"])
def test_of_many_rows_a_part_is_drawn_from_the_whole_file(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reservoir took 31 s of CPU for 1 GB. What is drawn must be no beginning of the file, and the same again."""
    monkeypatch.setattr(sampling, "MAX_CELLS", 4_000)
    file = tmp_path / f"trips.{ending}"
    with duckdb.connect() as connection:
        told = {"parquet": "format parquet", "jsonl": "format json"}.get(ending, "format csv, header")
        connection.execute(f"copy (select i as trip, i % 7 as zone from range({ROWS}) as t(i)) to '{file}' ({told})")
        found = []
        for full in (False, False, True):
            one = take_sample(connection, [str(file)], full)
            [spread] = connection.execute(
                "select min(trip::int), max(trip::int), sum(trip::int) from sample"
            ).fetchall()
            found.append((one.rows, one.whole, spread))
    drawn, again, everything = found
    assert drawn == again
    rows, whole, (lowest, highest, _) = drawn
    assert not whole and 1_600 < rows < 2_400
    assert lowest < ROWS // 100 and highest > ROWS * 99 // 100
    assert everything == (ROWS, True, (0, ROWS - 1, ROWS * (ROWS - 1) // 2))
