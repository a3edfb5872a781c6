"""What arrives has our own time beside the producer's word, wherever somebody watched."""

import json
import os
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from reliability_platform.checks.native import evaluate_native
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import scheduled_batches
from reliability_platform.landing.admission import admit
from reliability_platform.landing.arrivals import arrivals_of, came_from_us, look
from reliability_platform.landing.writer import landing_folder, write_batch
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings, load_settings
from reliability_platform.sources.batch import Batch

DAY = date(2026, 1, 5)
LATE, AGREES = "bronze_shipments__landed_on_time", "bronze_shipments__arrival_agrees"


def at(hour: int, minute: int = 0, day: int = 6) -> datetime:
    """A moment around the end of the landing day; its deadline is three hours later."""
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC)


class Landing:
    """One day of shipments in a home, with looks and results at chosen moments."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.engine = settings, operations_engine(settings)
        self.batches = scheduled_batches(Simulation(7, 300), "shipments", DAY)

    def land(self, batch: Batch, **claims: Any) -> Path:
        path = write_batch(self.settings, batch)
        if claims:
            manifest = path.with_name(f"{batch.batch_id}.manifest.json")
            manifest.write_text(json.dumps(json.loads(manifest.read_text()) | claims))
        return path

    def look(self, now: datetime, **watch: datetime) -> int:
        return len(look(self.settings, self.engine, "shipments", [DAY], now, **watch).get(DAY, []))

    def result(self, check: str) -> tuple[float | None, str]:
        admit(self.settings, "shipments", DAY)
        [found] = evaluate_native(self.settings, duckdb.connect(), [DAY], {check}, "test", at(12))
        return found.value, found.message


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(load_settings(tmp_path / "home"))


def deadline_passed() -> datetime:
    from reliability_platform.landing.deadline import deadline_of

    return deadline_of("shipments", DAY) + timedelta(minutes=1)


def test_a_batch_that_a_look_after_the_deadline_did_not_find_is_late_whatever_it_says(landing: Landing) -> None:
    """The manifest says that it landed in time, and the copy tool has kept the time of the file."""
    first, *_, last = landing.batches
    landing.land(first)
    landing.look(at(0, 30))
    landing.look(deadline_passed() + timedelta(hours=1))
    path = landing.land(last)
    os.utime(path, (0, last.landed_at.replace(tzinfo=UTC).timestamp()))
    assert landing.look(at(9)) == 2  # its file and its manifest
    assert landing.result(LATE) == (1.0, f"1 batch after its deadline ({last.batch_id})")
    value, message = landing.result(AGREES)
    assert value == 1.0 and "long before a look that did not find it" in message


def test_between_two_looks_the_producers_word_counts(landing: Landing) -> None:
    """It came at some moment after midnight and before nine: nobody but the producer knows which."""
    landing.look(at(0, 30))
    landing.land(landing.batches[-1])
    landing.look(at(9))
    assert landing.result(LATE)[0] == landing.result(AGREES)[0] == 0


def test_a_backfill_of_what_nobody_watched_is_not_late(landing: Landing) -> None:
    """Looked into for the first time a month later, and again after a second delivery."""
    landing.land(landing.batches[0])
    landing.look(at(9, day=5) + timedelta(days=30))
    landing.land(landing.batches[-1])
    landing.look(at(9, day=5) + timedelta(days=31))
    assert landing.result(LATE)[0] == landing.result(AGREES)[0] == 0


def test_whoever_looks_all_the_time_needs_no_earlier_look_into_the_folder(landing: Landing) -> None:
    """The first file of a day that comes six days late finds no folder, and a sensor that saw none every minute."""
    landing.land(landing.batches[-1])
    landing.look(at(9, day=12), watched_since=at(9, day=4), watched_until=at(8, 59, day=12))
    assert landing.result(LATE)[0] == 1


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"produced_at": "2026-01-06T00:40:00", "landed_at": "2026-01-06T00:20:00"}, "before it was made"),
        ({"landed_at": "2026-01-06T11:00:00"}, "after we saw it"),
    ],
)
def test_claims_that_cannot_be_are_noted(landing: Landing, claims: dict[str, str], said: str) -> None:
    """Made after it landed; landed after it was seen."""
    landing.land(landing.batches[-1], **claims)
    landing.look(at(0, 50))
    value, message = landing.result(AGREES)
    assert value == 1.0 and said in message
    assert landing.result(LATE)[0] == 0  # it was here before the deadline, whatever it says


def test_the_same_bytes_once_more_came_before_and_others_come_now(landing: Landing) -> None:
    """A copy that is touched or written once more is no new arrival; a new manifest makes the batch complete anew."""
    batch = landing.batches[-1]
    path = landing.land(batch)
    landing.look(at(0, 50))
    copy = path.read_bytes()
    path.unlink()
    path.write_bytes(copy)
    assert landing.look(at(9)) == 0
    [row] = arrivals_of(landing.engine, "shipments", DAY, DAY).to_pylist()
    assert (row["seen_at"], row["absent_at"]) == (at(0, 50).replace(tzinfo=None), None)
    landing.land(batch, kind="scheduled", produced_at="2026-01-05T23:00:00")
    assert landing.look(at(10)) == 1
    [row] = arrivals_of(landing.engine, "shipments", DAY, DAY).to_pylist()
    assert (row["seen_at"].hour, row["absent_at"].hour) == (10, 9)


def test_what_the_simulation_delivers_came_when_it_says(landing: Landing) -> None:
    """A month that is landed within a second, and landed again under another plan, is late only where a fault says so."""
    landing.look(deadline_passed())
    for batch in landing.batches:
        landing.land(batch)
    came_from_us(landing.settings, landing.engine, landing.batches)
    assert landing.look(at(9)) == 0
    assert landing.result(LATE)[0] == landing.result(AGREES)[0] == 0
    shutil.rmtree(landing_folder(landing.settings, "shipments", DAY))
    assert landing.look(at(10)) == 0


def test_a_name_that_nobody_expected_is_not_kept(landing: Landing) -> None:
    """A producer may call a file after somebody; what is written down shows a digest."""
    folder = landing_folder(landing.settings, "shipments", DAY)
    folder.mkdir(parents=True)
    (folder / "ada.lovelace@example.com.parquet").write_bytes(b"x")
    assert landing.look(at(1)) == 1
    assert b"lovelace" not in Path(landing.settings.home / "operations.sqlite").read_bytes()
