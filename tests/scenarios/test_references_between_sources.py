"""Two sources of which one refers to the other: proposed by what has landed, held where it leads nowhere, mended by what comes late."""

import os
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from reliability_platform.errors import ExitCode
from tests.scenarios.test_own_project import read, reliability

FIRST = date(2024, 5, 1)
TOURS = 60
LATE = 6
"""Tours of the second day that come with the third."""
KNOWN = "int_fares__deduplicated__known_tour_id"


def deliver(folder: Path) -> None:
    """Three days of tours and of their fares, a file a day; on the fourth day fares are of tours that there never were."""
    folder.mkdir()
    late: list[str] = []
    for number in range(4):
        day = FIRST + timedelta(days=number)
        ids = range(1 + number * TOURS, 1 + (number + 1) * TOURS)
        tours = [f"{one},{day}T{6 + one % 14:02}:{one % 60:02}:00Z,{('north', 'south')[one % 2]}" for one in ids]
        fares = [f"{one * 10},{one + (9_000 if number == 3 else 0)},{day}T21:{one % 60:02}:00Z" for one in ids]
        if number == 1:
            late, tours = tours[:LATE], tours[LATE:]
        elif number == 2:
            tours += late
        for name, header, rows in (("tours", "tour_id,at,depot", tours), ("fares", "fare_id,tour_id,paid_at", fares)):
            path = folder / f"{name}-{day}.csv"
            path.write_text("\n".join([header, *rows]) + "\n")
            os.utime(path, (time.time() - 3_600,) * 2)


def ran(project: Path, number: int) -> dict[str, Any]:
    """The incidents about references after the run of a day, by landing day: their state."""
    day = str(FIRST + timedelta(days=number))
    assert reliability(project, "run", "--from", day, "--to", day).returncode in (ExitCode.OK, ExitCode.NOT_HEALED)
    found = read(project, "incidents", "list")
    return {one["landing_days"][0]: one["state"] for one in found if KNOWN in one["checks"]}


@pytest.mark.exhaustive  # 60 s; the SQL of the check and the search for references are held by unit tests
def test_what_leads_to_another_source_waits_for_it_and_is_held_where_it_leads_nowhere(tmp_path: Path) -> None:
    """A contract whose relationships led to another source was read, and no check followed from it."""
    deliver(tmp_path / "deliveries")
    assert reliability(tmp_path, "init", "city").returncode == ExitCode.OK
    city = tmp_path / "city"
    for name, key in (("tours", "tour_id"), ("fares", "fare_id")):
        files = f"{tmp_path}/deliveries/{name}-*.csv"
        if name == "fares":  # the sample of four days would not hold: proved on the first
            files = f"{tmp_path}/deliveries/fares-{FIRST}.csv"
        read(city, "sources", "add", name, "--from", files, "--key", key, "--yes")
    contract = city / "contracts" / "fares.yml"
    assert "relationships: [{to: tours.tour_id}]  # 60 of 60 distinct values are there" in contract.read_text()
    contract.write_text(contract.read_text().replace(f"fares-{FIRST}.csv", "fares-*.csv"))
    read(city, "generate")
    assert ran(city, 0) == {}
    second = str(FIRST + timedelta(days=1))
    assert ran(city, 1) == {second: "contained"}
    ran(city, 2)
    reliability(city, "heal")
    after = ran(city, 3)
    assert after == {second: "contained"}  # what was under watch came back
