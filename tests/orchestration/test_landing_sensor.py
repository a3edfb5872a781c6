"""What lands by itself after its day's run is noticed, and its day run again, without anybody running anything."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from reliability_platform.contracts import SOURCES
from reliability_platform.day_clock import scheduled_at
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import scheduled_batches
from reliability_platform.landing.arrivals import came_from_us, look
from reliability_platform.landing.watch import SETTLED_AFTER, Watch, changed_folders
from reliability_platform.landing.writer import landing_folder, write_batch
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.backfill_guard import LANDED_TAG, _purpose
from reliability_platform.orchestration.definitions import defs
from reliability_platform.orchestration.landing_sensor import DAYS_PER_TICK, collect
from reliability_platform.orchestration.partitions import range_tags
from reliability_platform.settings import Settings, load_settings
from reliability_platform.sources.batch import Batch
from reliability_platform.warehouse.journal import SUCCEEDED, BuildJournal

TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=2)
"""A day whose turn has come at any hour at which this test runs."""


class Home:
    """A home whose days have been built, and a watcher that remembers."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.settings, self.instance, self.engine = settings, instance, operations_engine(settings)
        self.remembered: str | None = None

    def build(self, first: date, last: date, at: datetime | None = None) -> None:
        at = at or datetime.now(UTC)
        for source in SOURCES:
            look(self.settings, self.engine, source, [first], at - timedelta(seconds=1))
        journal = BuildJournal(self.engine, self.settings.builds)
        journal.end(journal.begin(first, last, at), at, SUCCEEDED)

    def land(self, day: date, position: int = 0) -> Batch:
        batch = scheduled_batches(Simulation(7, 50), "shipments", day)[position]
        write_batch(self.settings, batch)
        return batch

    def tick(self, later: timedelta = SETTLED_AFTER * 2) -> list[date]:
        """What a look that much later finds."""
        now = datetime.now(UTC) + later
        days, self.remembered = collect(self.settings, self.engine, self.instance, self.remembered, now)
        return days


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with dg.instance_for_test() as instance:
        yield Home(load_settings(tmp_path / "home"), instance)


def test_a_file_that_comes_by_itself_has_its_day_run_once(home: Home) -> None:
    """Not while it is being written, and not again while the folder stays as it is."""
    home.land(YESTERDAY)
    home.build(YESTERDAY, YESTERDAY)
    assert home.tick() == []  # what was there before its run
    home.land(YESTERDAY, 1)
    assert home.tick(timedelta()) == []
    assert home.tick() == [YESTERDAY]
    home.build(YESTERDAY, YESTERDAY, datetime.now(UTC) + SETTLED_AFTER * 3)
    assert home.tick(SETTLED_AFTER * 4) == []


def test_a_manifest_that_is_written_over_in_place_is_noticed(home: Home) -> None:
    """`cp` keeps the entry of the folder: only the file itself changes, and nobody sends a right manifest otherwise."""
    batch = home.land(YESTERDAY)
    home.build(YESTERDAY, YESTERDAY)
    assert home.tick() == []
    assert home.remembered is not None
    home.remembered = json.dumps(json.loads(home.remembered) | {"after_ns": time.time_ns()})  # ticks here run ahead
    time.sleep(0.05)  # a file system's clock is coarser than ours
    manifest = landing_folder(home.settings, "shipments", YESTERDAY) / f"{batch.batch_id}.manifest.json"
    with manifest.open("r+") as file:
        file.write("{ ")
    assert home.tick() == [YESTERDAY]


def test_a_tick_that_died_before_it_asked_asks_again(home: Home) -> None:
    """Arrivals are written down before the daemon has the request: what decides is that no build has begun since."""
    home.build(YESTERDAY, YESTERDAY)
    home.land(YESTERDAY)
    before = home.remembered
    assert home.tick() == [YESTERDAY]
    home.remembered = before
    assert home.tick() == [YESTERDAY]


def test_days_that_somebody_has_in_hand_wait(home: Home) -> None:
    """A queued run will take the file in; if it did not, the file is still there afterwards."""
    home.build(YESTERDAY, YESTERDAY)
    home.land(YESTERDAY)
    job = defs.resolve_job_def("reprocess")
    tags = range_tags(YESTERDAY - timedelta(days=1), YESTERDAY)
    run = home.instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.STARTED)
    assert home.tick() == []
    home.instance.report_run_canceled(run)
    assert home.tick() == [YESTERDAY]


def test_deliveries_of_our_own_and_of_days_to_come_ask_for_nothing(home: Home) -> None:
    """The simulation's batches came when it says; a day that is not over has its own run; a backfill is a decision."""
    home.build(YESTERDAY, YESTERDAY)
    came_from_us(home.settings, home.engine, [home.land(YESTERDAY)])
    home.build(TODAY, TODAY)
    home.land(TODAY)
    home.land(date(2026, 1, 5))  # never built
    assert scheduled_at(TODAY) > datetime.now(UTC)
    assert home.tick() == []


def test_many_days_come_a_few_at_a_time(home: Home) -> None:
    """A month that is copied in is a month of runs: none is lost, and no tick asks for all of them."""
    days = [YESTERDAY - timedelta(days=number) for number in range(DAYS_PER_TICK + 3)]
    for day in days:
        home.build(day, day)
        home.land(day)
    first, second = home.tick(), home.tick()
    assert len(first) == DAYS_PER_TICK and sorted(set(first) | set(second)) == sorted(days)


def test_ten_years_of_folders_cost_a_moment(tmp_path: Path) -> None:
    """One stat for each folder, and no listing of those that have not changed."""
    settings = load_settings(tmp_path / "home")
    for source in SOURCES:
        for number in range(3650):
            landing_folder(settings, source, date(2016, 1, 1) + timedelta(days=number)).mkdir(parents=True)
    after = time.time_ns()
    began = time.perf_counter()
    assert changed_folders(settings, after) == []
    assert time.perf_counter() - began < 2


def test_whoever_was_away_has_not_watched(home: Home) -> None:
    """After a day without a daemon nobody can say when in that day something came."""
    now = datetime.now(UTC)
    told = json.dumps({"since": (now - timedelta(days=9)).isoformat(), "until": "", "after_ns": 1})
    for gap, since in ((timedelta(minutes=1), now - timedelta(days=9)), (timedelta(hours=20), now)):
        remembered = json.dumps(json.loads(told) | {"until": (now - gap).isoformat()})
        watch = Watch.resumed(remembered, now)
        assert (watch.since, watch.after_ns) == (since, 1)


def test_the_guard_takes_such_a_run_for_routine(home: Home) -> None:
    """An open incident binds its days against backfills: the file that would mend it must not be kept out by it."""
    assert _purpose(home.engine, {LANDED_TAG: "x"}, YESTERDAY, YESTERDAY).value == "routine"
    assert "landing_sensor" in {sensor.name for sensor in defs.sensors or []}
