"""Deliveries that appear somewhere are landed as they are, once, under the slot that their name says; what a producer changes
is another attempt, what he is still writing is left alone, and a day is taken out of a file that holds several.
"""

import hashlib
import json
import os
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Cadence, Column, Contract
from reliability_platform.contracts.file_format import PARQUET, FileFormat
from reliability_platform.contracts.named_days import Named, named_days
from reliability_platform.contracts.servers import FILES, Server
from reliability_platform.contracts.versions import objection, together
from reliability_platform.landing import pickup
from reliability_platform.landing.admission import Admission, admit
from reliability_platform.landing.bronze import bronze_folder
from reliability_platform.landing.deliveries import unreachable
from reliability_platform.landing.pickup import pick_up, pick_up_late
from reliability_platform.landing.writer import landing_folder
from reliability_platform.settings import Settings, load_settings
from reliability_platform.sources import location

DAY, NEXT = date(2026, 1, 5), date(2026, 1, 6)
SOURCE = "orders"
"""Another contract under its name: sources are known by name in all of the platform."""
HEADER = "flight,at,fare\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where CSV files of a source appear."""
    folder = tmp_path / "deliveries"
    folder.mkdir()
    declare(monkeypatch, str(folder / "*"))
    return folder


def declare(monkeypatch: pytest.MonkeyPatch, where: str, batches: int = 1, **more: Any) -> None:
    """Let the source deliver there."""
    contract = Contract(
        source=SOURCE,
        key=("flight",),
        event_time="at",
        columns=(
            Column("flight", "VARCHAR", required=True),
            Column("at", "TIMESTAMP", required=True),
            Column("fare", "DECIMAL(12,2)", required=False),
        ),
        cadence=Cadence(batches),
        deadline_minutes=60,
        owner="ops@example.com",
        critical=False,
        kind="drop",
        file_format=FileFormat("csv"),
        servers=(Server(FILES, where),),
    )
    monkeypatch.setitem(CONTRACTS, SOURCE, replace(contract, **more))


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """Where it lands."""
    return load_settings(tmp_path / "home")


def put(path: Path, *rows: str, age: float = 3_600) -> None:
    """A file that nobody has written to for so many seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    os.utime(path, (time.time() - age, time.time() - age))


def landed(home: Settings, day: date = DAY) -> list[str]:
    """The files of a landing day, without their manifests."""
    return sorted(path.name for path in landing_folder(home, SOURCE, day).glob("*") if not path.name.endswith(".json"))


def said(home: Settings, batch: str, day: date = DAY) -> dict[str, Any]:
    """What the manifest of a batch says."""
    found: dict[str, Any] = json.loads((landing_folder(home, SOURCE, day) / f"{batch}.manifest.json").read_text())
    return found


def rows_in_bronze(home: Settings, batch: str, day: date = DAY) -> list[dict[str, Any]]:
    """The rows of a batch as admitted."""
    return pq.read_table(bronze_folder(home, SOURCE, day) / f"{batch}.parquet", partitioning=None).to_pylist()


def by_batch(records: list[Admission]) -> dict[str, tuple[str, str | None]]:
    """Status and reason of each admission."""
    return {one.batch_id: (one.status, one.reason) for one in records}


def test_a_file_lands_as_it_is_with_a_manifest_that_vouches_for_nothing(place: Path, home: Settings) -> None:
    """Nobody has said how many rows there should be: that must not look as if somebody had."""
    put(place / "flights-2026-01-05.csv", "UA1,2026-01-05 10:00:00,12.50", "UA2,2026-01-05 11:00:00,")
    pick_up(home, SOURCE, [DAY])
    assert landed(home) == ["orders-20260105-01.csv"]
    manifest = said(home, "orders-20260105-01")
    assert (manifest["expected_rows"], manifest["vouched_for"], manifest["delivered_as"]) == (
        2,
        False,
        "flights-2026-01-05.csv",
    )
    assert by_batch(admit(home, SOURCE, DAY)) == {"orders-20260105-01": ("admitted", None)}
    assert [row["flight"] for row in rows_in_bronze(home, "orders-20260105-01")] == ["UA1", "UA2"]


def test_picking_up_again_changes_nothing_and_a_changed_file_is_another_attempt(place: Path, home: Settings) -> None:
    """A producer mends a file by writing over it: what had landed must stay, and what is right must count."""
    put(place / "flights-2026-01-05.csv", "UA1,2026-01-05 10:00:00,1,2")
    pick_up(home, SOURCE, [DAY])
    before = {path.name: path.stat().st_mtime_ns for path in landing_folder(home, SOURCE, DAY).glob("*")}
    pick_up(home, SOURCE, [DAY])
    assert {path.name: path.stat().st_mtime_ns for path in landing_folder(home, SOURCE, DAY).glob("*")} == before
    assert by_batch(admit(home, SOURCE, DAY)) == {"orders-20260105-01": ("refused", "unreadable_file")}
    put(place / "flights-2026-01-05.csv", "UA1,2026-01-05 10:00:00,1")
    pick_up(home, SOURCE, [DAY])
    assert landed(home) == ["orders-20260105-01-a2.csv", "orders-20260105-01.csv"]
    assert by_batch(admit(home, SOURCE, DAY))["orders-20260105-01-a2"] == ("admitted", None)


def test_each_day_is_read_in_the_format_of_its_own_version(
    place: Path, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CSV until a day, Parquet from it on: the change was refused, and the source had to begin anew under another name."""
    first = replace(CONTRACTS[SOURCE], version="1.0.0")
    second = replace(first, version="2.0.0", holds_from=NEXT, file_format=PARQUET)
    assert objection([first, second]) is None
    several = [replace(one, several_days=True) for one in (first, second)]
    assert "files of several days" in str(objection(several))
    monkeypatch.setitem(CONTRACTS, SOURCE, together([second, first]))
    put(place / "flights-2026-01-05.csv", "UA1,2026-01-05 10:00:00,twelve", "UA2,2026-01-05 11:00:00,2.50")
    rows = {"flight": ["UA3"], "at": [datetime(2026, 1, 6, 9)], "fare": [Decimal("3.50")]}
    columns = pa.schema([("flight", pa.string()), ("at", pa.timestamp("us")), ("fare", pa.decimal128(12, 2))])
    pq.write_table(pa.table(rows, columns), place / "flights-2026-01-06.parquet")
    os.utime(place / "flights-2026-01-06.parquet", (time.time() - 3_600,) * 2)
    pick_up(home, SOURCE, [DAY, NEXT])
    assert [one.rpartition(".")[2] for one in landed(home) if "manifest" not in one] == ["csv"]
    assert [one.rpartition(".")[2] for one in landed(home, NEXT) if "manifest" not in one] == ["parquet"]
    for day, fares in ((DAY, [None, Decimal("2.50")]), (NEXT, [Decimal("3.50")])):
        [record] = admit(home, SOURCE, day)
        assert (record.status, record.reason) == ("admitted", None)
        assert [row["fare"] for row in rows_in_bronze(home, record.batch_id, day)] == fares
    (place / "flights-2026-01-06.parquet").unlink()
    put(place / "flights-2026-01-06.csv", "UA3,2026-01-06 09:00:00,3.50")  # as if nothing had been announced
    pick_up(home, SOURCE, [NEXT])
    assert by_batch(admit(home, SOURCE, NEXT))["orders-20260106-02"] == ("refused", "unreadable_file")


def test_a_value_that_is_not_of_its_type_costs_its_row_and_may_be_mended_without_leave(
    place: Path, home: Settings
) -> None:
    """One `n/a` among 900 amounts had refused the day; and the mended file was held, for it contradicted the bad row."""
    rows = [f"UA{number},2026-01-05 10:00:00,{number}.00" for number in range(1, 9)]
    put(place / "flights-2026-01-05.csv", *rows, "UA9,2026-01-05 10:00:00,n/a")
    pick_up(home, SOURCE, [DAY])
    assert by_batch(admit(home, SOURCE, DAY)) == {"orders-20260105-01": ("admitted", None)}
    kept = [row["_rescued"] for row in rows_in_bronze(home, "orders-20260105-01")]
    assert kept == [None] * 8 + ['{"fare": "n/a"}']
    put(place / "flights-2026-01-05.csv", *rows, "UA9,2026-01-05 10:00:00,9.00")
    pick_up(home, SOURCE, [DAY])
    assert by_batch(admit(home, SOURCE, DAY))["orders-20260105-01-a2"] == ("admitted", None)


def test_a_changed_file_that_loses_good_rows_waits_for_a_person(place: Path, home: Settings) -> None:
    """Half a file written over a whole one must not take its place."""
    put(place / "flights-2026-01-05.csv", "UA1,2026-01-05 10:00:00,1", "UA2,2026-01-05 10:00:00,2")
    pick_up(home, SOURCE, [DAY])
    put(place / "flights-2026-01-05.csv", "UA1,2026-01-05 10:00:00,1")
    pick_up(home, SOURCE, [DAY])
    assert by_batch(admit(home, SOURCE, DAY)) == {
        "orders-20260105-01": ("admitted", None),
        "orders-20260105-01-a2": ("held", "unasked_attempt"),
    }


def test_a_day_is_taken_out_of_a_file_that_holds_several_by_the_calendar_of_its_zone(
    place: Path, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A year in one file; by UTC, 11 % of its flights were of the next day, and would have been rejected as future."""
    declare(monkeypatch, str(place / "*"), day_zone="America/New_York")
    put(
        place / "all flights.csv",
        "UA1,2026-01-05T10:00:00Z,1",
        "UA2,2026-01-06T04:59:00Z,2",
        "UA3,2026-01-06T05:00:00Z,3",
        "UA4,none,4",
    )
    pick_up(home, SOURCE, [DAY, NEXT])
    admit(home, SOURCE, DAY), admit(home, SOURCE, NEXT)
    assert [row["flight"] for row in rows_in_bronze(home, "orders-20260105-01")] == ["UA1", "UA2", "UA4"]
    assert [row["flight"] for row in rows_in_bronze(home, "orders-20260106-01", NEXT)] == ["UA3"]
    assert said(home, "orders-20260105-01")["landed_at"] == "2026-01-06T05:00:00"


def test_hours_in_names_are_slots_and_a_late_hour_moves_no_other(
    place: Path, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of six o'clock came after that of eighteen: counted by their order, each would have become another one."""
    declare(monkeypatch, str(place / "*"), batches=4)
    for hour in (0, 12, 18):
        put(place / f"flights_20260105T{hour:02d}.csv", f"UA{hour},2026-01-05 {hour:02d}:30:00,1")
    pick_up(home, SOURCE, [DAY])
    put(place / "flights_20260105T06.csv", "UA6,2026-01-05 06:30:00,1")
    pick_up(home, SOURCE, [DAY])
    names = {said(home, f"orders-20260105-0{slot}")["delivered_as"] for slot in (1, 2, 3, 4)}
    assert names == {f"flights_20260105T{hour:02d}.csv" for hour in (0, 6, 12, 18)}
    assert said(home, "orders-20260105-02")["delivered_as"] == "flights_20260105T06.csv"


def test_drafts_and_other_days_are_left_and_a_file_that_is_being_written_is_waited_for(
    place: Path, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a CSV file looks whole: it was taken, and the other half came as another attempt."""
    monkeypatch.setattr(location, "SETTLED_AFTER_SECONDS", 0.4)
    put(place / "flights-2026-01-06.csv", "UA1,2026-01-06 10:00:00,1")
    put(place / "flights-2026-01-05.csv.part", "UA1,2026-01-05 10:00:00,1")
    put(place / "flights-2026-01-05.csv", "UA1,2026-01-05 10:00:00,1", age=0)
    writing = place / "flights-2026-01-05.csv"
    waited = time.sleep

    def goes_on_writing(seconds: float) -> None:
        waited(seconds)
        put(writing, "UA1,2026-01-05 10:00:00,1", "UA2,2026-01-05 10:00:00,1", age=0)

    monkeypatch.setattr(location.time, "sleep", goes_on_writing)
    pick_up(home, SOURCE, [DAY])
    assert landed(home) == []
    monkeypatch.setattr(location.time, "sleep", waited)
    pick_up(home, SOURCE, [DAY])
    assert said(home, "orders-20260105-01")["expected_rows"] == 2


def test_the_manifest_of_a_producer_is_landed_with_its_file_and_judged(place: Path, home: Settings) -> None:
    """A producer who says how many rows he sent is believed, and held to it."""
    put(place / "flights-2026-01-05.csv", "UA1,2026-01-05 10:00:00,1")
    content = (place / "flights-2026-01-05.csv").read_bytes()
    manifest = {
        "batch_id": "orders-20260105-01",
        "source": SOURCE,
        "landing_date": "2026-01-05",
        "sequence": 1,
        "attempt": 1,
        "kind": "scheduled",
        "expected_rows": 2,
        "checksum": hashlib.sha256(content).hexdigest(),
        "columns": [],
        "schema_fingerprint": "",
        "produced_at": "2026-01-05T23:00:00Z",
        "landed_at": "2026-01-05T23:00:00Z",
    }
    (place / "flights-2026-01-05.manifest.json").write_text(json.dumps(manifest))
    os.utime(place / "flights-2026-01-05.manifest.json", (1, 1))
    pick_up(home, SOURCE, [DAY])
    assert by_batch(admit(home, SOURCE, DAY)) == {"orders-20260105-01": ("refused", "row_count_mismatch")}
    evil = manifest | {"batch_id": "../../../../evil"}
    (place / "flights-2026-01-05.manifest.json").write_text(json.dumps(evil))
    pick_up(home, SOURCE, [DAY])
    assert not list(home.home.parent.rglob("evil*"))


def test_deliveries_in_an_object_store_are_picked_up_by_their_url(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of one producer is a bucket; credentials are those of its driver, never part of a message."""
    store = fsspec.filesystem("memory")
    store.pipe("/airline/2026/01/05/flights.csv", (HEADER + "UA1,2026-01-05 10:00:00,1\n").encode())
    declare(monkeypatch, "memory://airline/*/*/*/flights.csv")
    monkeypatch.setattr(location, "SETTLED_AFTER_SECONDS", 0.1)
    pick_up(home, SOURCE, [DAY])
    assert by_batch(admit(home, SOURCE, DAY)) == {"orders-20260105-01": ("admitted", None)}
    store.rm("/airline", recursive=True)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/in/flights-2025-03-01.csv.gz", Named(date(2025, 3, 1), date(2025, 3, 1))),
        ("/in/flights_20250301.csv", Named(date(2025, 3, 1), date(2025, 3, 1))),
        ("/in/flights_20250301T05.csv", Named(date(2025, 3, 1), date(2025, 3, 1), 5)),
        ("/in/flights-20250301-02.parquet", Named(date(2025, 3, 1), date(2025, 3, 1), 2)),
        ("/in/dt=2025-03-01/hour=7/part-0.csv", Named(date(2025, 3, 1), date(2025, 3, 1), 7)),
        ("/in/2025/03/01/flights.csv", Named(date(2025, 3, 1), date(2025, 3, 1))),
        ("/in/flights-2025-03.csv", Named(date(2025, 3, 1), date(2025, 3, 31))),
        ("/in/flights-2025-02-31.csv", None),
        ("/in/flights.csv", None),
        ("/in/123456789012.csv", None),
    ],
)
def test_names_of_files_say_their_days(path: str, found: Named | None) -> None:
    """Dates stand in names in many ways; a number that is none must not become one."""
    assert named_days(path) == found


def test_files_that_only_look_like_a_slot_of_text_formats_stay_apart(place: Path, home: Settings) -> None:
    """`x.csv` beside `x.parquet` would be two files of one batch: the second has a record of its own."""
    put(place / "flights-2026-01-05.csv", "UA1,2026-01-05 10:00:00,1")
    pick_up(home, SOURCE, [DAY])
    stray = landing_folder(home, SOURCE, DAY) / "orders-20260105-01.parquet"
    pq.write_table(pa.table({"flight": ["x"], "at": [datetime(2026, 1, 5)], "fare": [None]}), stray)
    found = by_batch(admit(home, SOURCE, DAY))
    assert found.pop("orders-20260105-01") == ("admitted", None)
    assert [reason for _, reason in found.values()] == ["no_manifest"]


def test_a_file_without_days_that_cannot_be_taken_apart_ends_in_a_record(place: Path, home: Settings) -> None:
    """It lands on the day on which it was written, and is refused there."""
    put(place / "flights.csv", "UA1,2026-01-05 10:00:00,1,2,3")
    day = datetime.fromtimestamp((place / "flights.csv").stat().st_mtime, UTC).date()
    pick_up(home, SOURCE, [day])
    assert by_batch(admit(home, SOURCE, day)) == {f"orders-{day:%Y%m%d}-01": ("refused", "unreadable_file")}


def test_a_place_that_is_gone_is_named_and_stops_nobody(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder was moved: the source was silent, and nobody could see why; a bucket that did not answer ended every run."""
    declare(monkeypatch, str(tmp_path / "moved" / "flights-*.csv"))
    landed_there = pick_up(home, SOURCE, [DAY])
    assert (landed_there.batches, "is no folder" in landed_there.trouble) == (0, True)
    [said] = [one for one in unreachable(home) if one.startswith(SOURCE)]
    assert str(tmp_path / "moved") in said
    declare(monkeypatch, "nosuchscheme://bucket/flights-*.csv")
    assert "its driver is missing" in pick_up(home, SOURCE, [DAY]).trouble


def test_what_is_put_back_as_it_was_is_another_attempt_and_ends_the_trouble(place: Path, home: Settings) -> None:
    """A good file was cut in half and put back: its bytes were known, so nothing landed, and the incident stayed for ever."""
    good = ["UA1,2026-01-05 10:00:00,1", "UA2,2026-01-05 10:00:00,2"]
    put(place / "flights-2026-01-05.csv", *good)
    pick_up(home, SOURCE, [DAY])
    put(place / "flights-2026-01-05.csv", "UA1,2026-01-05 10:00:00,1,2")
    pick_up(home, SOURCE, [DAY])
    put(place / "flights-2026-01-05.csv", *good)
    pick_up(home, SOURCE, [DAY])
    pick_up(home, SOURCE, [DAY])
    assert landed(home) == [f"orders-20260105-01{suffix}.csv" for suffix in ("-a2", "-a3", "")]
    found = by_batch(admit(home, SOURCE, DAY))
    assert (found["orders-20260105-01-a2"][0], found["orders-20260105-01-a3"]) == ("refused", ("admitted", None))


def test_a_look_that_finds_nothing_new_reads_no_landing_day(
    place: Path, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sensor looks every half minute: it had read the manifests of all landing days each time."""
    put(place / "flights-2026-01-05.csv", "UA1,2026-01-05 10:00:00,1,2")
    pick_up(home, SOURCE, [DAY])
    picked: list[str] = []
    pick_up_as_it_is = pickup.pick_up
    monkeypatch.setattr(pickup, "pick_up", lambda *said: (picked.append(said[1]), pick_up_as_it_is(*said)))
    pick_up_late(home)
    pick_up_late(home)
    assert picked == [SOURCE]
    put(place / "flights-2026-01-05.csv", "UA1,2026-01-05 10:00:00,1", age=3_000)
    pick_up_late(home)
    assert landed(home) == ["orders-20260105-01-a2.csv", "orders-20260105-01.csv"]
