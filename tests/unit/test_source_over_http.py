"""A real source on loopback that misbehaves, and the fetch that must bring the same rows as the well-behaved one."""

import hashlib
import itertools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from reliability_platform.clock import utc_now
from reliability_platform.lab.simulation.misbehaviour import (
    BUSY,
    BUSY_UNTIL,
    CUT,
    FAILING,
    GARBLED,
    MISBEHAVIOURS,
    RESET,
    SLOW,
    UNAVAILABLE,
    Misbehaviour,
    Schedule,
    at_first,
    seeded,
)
from reliability_platform.lab.simulation.server import serving
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import scheduled_batches, simulated_sources
from reliability_platform.landing.breaker import Breaker, BreakerState
from reliability_platform.landing.client import ClientTerms
from reliability_platform.landing.fetch import fetch_day
from reliability_platform.landing.fetch_log import Fetch, FetchLog
from reliability_platform.landing.listing import read_listing
from reliability_platform.landing.spool import Spool
from reliability_platform.landing.writer import landing_folder, write_batch
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings, load_settings
from reliability_platform.sources.endpoint import SourceEndpoint

DAY = date(2026, 1, 5)
WORLD = Simulation(7, 8400)
"""Orders have some 1,000 rows a day: four batches, most of one page. Web events have more pages."""
QUICK = ClientTerms(backoff_seconds=0.01, jitter_seconds=0.01, silence_seconds=3, answer_seconds=0.6)
TRICKLED = replace(SLOW, body_seconds=4)
"""Never silent for long, and yet too slow as a whole."""
EXPECTED = 4


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home of its own."""
    return load_settings(tmp_path / "home")


def landed(settings: Settings, source: str, day: date = DAY) -> dict[str, str]:
    """Every file of a landing day with its digest, manifests too."""
    folder = landing_folder(settings, source, day)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def wanted(tmp_path: Path, source: str, day: date = DAY) -> dict[str, str]:
    """The same from the source in the process: what HTTP must bring, byte for byte."""
    settings = load_settings(tmp_path / "wanted")
    for batch in scheduled_batches(WORLD, source, day):
        write_batch(settings, batch)
    return landed(settings, source, day)


def fetch(settings: Settings, url: str, source: str = "web_events", terms: ClientTerms = QUICK) -> Fetch | None:
    """One fetch of the day."""
    return fetch_day(settings, source, DAY, [SourceEndpoint(url)], EXPECTED, utc_now, terms)


def _at(moment: datetime) -> datetime:
    """A clock that stands still."""
    return moment


@pytest.mark.parametrize(
    "kind", [*(one for one in MISBEHAVIOURS.values() if one is not SLOW), TRICKLED], ids=lambda k: k.name
)
@pytest.mark.parametrize("at", [(0,), (1, 2), (0, 3, 6)], ids=str)
def test_whatever_befalls_single_answers_the_same_bytes_land(
    settings: Settings, tmp_path: Path, kind: Misbehaviour, at: tuple[int, ...]
) -> None:
    """Refused, failed, cut, reset, trickled, garbled: a retry makes each good, and each is counted."""
    schedule = dict.fromkeys(at, replace(kind, retry_after=None))
    with serving(simulated_sources(WORLD), schedule) as server:
        done = fetch(settings, server.url)
    assert done is not None
    assert (done.missing, done.refusals, done.breaker) == (0, len(at), "closed")
    assert landed(settings, "web_events") == wanted(tmp_path, "web_events")
    assert not Spool(settings, "web_events", DAY).folder.exists()


@pytest.mark.parametrize("seed", range(6))
def test_whatever_befalls_many_answers_fetches_end_with_the_same_bytes(
    settings: Settings, tmp_path: Path, seed: int
) -> None:
    """Half of all answers are bad ones; fetch follows fetch, the clock advanced past each cool-down, until all is there."""
    hurried = replace(QUICK, retries=1)
    kinds = [replace(kind, retry_after=None) for kind in (BUSY, FAILING, CUT, RESET, GARBLED)]
    hours = itertools.count(1)
    with serving(simulated_sources(WORLD), seeded(seed, 0.5, kinds)) as server:
        for _ in range(30):
            later = utc_now() + timedelta(hours=next(hours))
            done = fetch_day(
                settings, "web_events", DAY, [SourceEndpoint(server.url)], EXPECTED, partial(_at, later), hurried
            )
            if done is None or not done.missing:
                break
    assert landed(settings, "web_events") == wanted(tmp_path, "web_events")
    assert len(set(server.asked)) < len(server.asked)


def test_seeded_schedules_are_the_same_for_the_same_seed() -> None:
    """A drill can be repeated; another seed is another drill."""
    kinds = list(MISBEHAVIOURS.values())
    assert seeded(3, 0.2, kinds) == seeded(3, 0.2, kinds)
    assert seeded(3, 0.2, kinds) != seeded(4, 0.2, kinds)
    assert 1_800 < len(seeded(3, 0.2, kinds)) < 2_200


@pytest.mark.parametrize("kind", [BUSY, BUSY_UNTIL, UNAVAILABLE], ids=lambda k: k.name)
def test_the_client_waits_as_long_as_it_is_asked_to(settings: Settings, kind: Misbehaviour) -> None:
    """In seconds or as a date; without Retry-After the quick terms would have retried at once."""
    began = time.monotonic()
    with serving(simulated_sources(WORLD), at_first(1, kind)) as server:
        fetch(settings, server.url, "orders")
    assert 0.9 < time.monotonic() - began < 5


def test_between_two_requests_the_client_waits_as_well(settings: Settings) -> None:
    """A source that asks for a second each time gets it after the last attempt of a request, too."""
    with serving(simulated_sources(WORLD), at_first(100)) as server:
        began = time.monotonic()
        done = fetch(settings, server.url, "orders", replace(QUICK, retries=1))
        assert len(server.asked) == 4
    assert done is not None
    assert done.breaker == "open"
    assert 2.9 < time.monotonic() - began < 8


def test_a_wait_beyond_the_budget_is_not_begun_and_the_breaker_keeps_it(settings: Settings) -> None:
    """An hour of Retry-After must not hold a run; nobody asks before the longest cool-down is over."""
    began = time.monotonic()
    with serving(simulated_sources(WORLD), at_first(9, replace(BUSY, retry_after=3600))) as server:
        done = fetch(settings, server.url)
        assert len(server.asked) == 1
    assert done is not None
    assert time.monotonic() - began < 5
    assert (done.missing, done.refusals, done.breaker) == (4, 1, "open")
    view = Breaker(operations_engine(settings), "web_events").view()
    assert view.next_probe_at is not None
    assert view.since is not None
    assert view.next_probe_at - view.since == timedelta(minutes=15)


@pytest.mark.parametrize("header", ["soon", "-1", "1e3", "Wed, 99 Foo 2026 00:00:00 GMT", "", "\x7f"])
def test_a_retry_after_that_says_nothing_is_ignored(settings: Settings, header: str) -> None:
    """The header comes from outside: it must neither crash the client nor hold it."""
    began = time.monotonic()
    with serving(simulated_sources(WORLD), at_first(1, replace(BUSY, retry_after=header))) as server:
        done = fetch(settings, server.url, "orders")
    assert done is not None
    assert (done.missing, done.refusals) == (0, 1)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("kind", [BUSY, FAILING, CUT, RESET, GARBLED, TRICKLED], ids=lambda k: k.name)
def test_the_time_of_a_fetch_is_bounded_whatever_the_source_does(settings: Settings, kind: Misbehaviour) -> None:
    """A source that never answers well costs no more than the budget; then it is left alone."""
    hurried = settings.model_copy(update={"fetch_budget_seconds": 4.0})
    began = time.monotonic()
    with serving(simulated_sources(WORLD), at_first(10_000, kind)) as server:
        done = fetch(hurried, server.url, terms=replace(QUICK, retries=1))
        asked = len(server.asked)
        assert time.monotonic() - began < 6
        again = fetch(hurried, server.url, terms=replace(QUICK, retries=1))
        assert len(server.asked) == asked, "the breaker is open"
    assert done is not None
    assert again is not None
    assert (done.missing, again.missing, again.refusals) == (4, 4, 0)
    assert landed(settings, "web_events") == {}


def test_nobody_listens(settings: Settings) -> None:
    """A refused connection is a refusal like others."""
    with serving(simulated_sources(WORLD)) as server:
        gone = server.url
    done = fetch(settings, gone)
    assert done is not None
    assert (done.missing, done.breaker) == (4, "open")


def test_a_fetch_goes_on_where_the_last_one_stopped(settings: Settings, tmp_path: Path) -> None:
    """Pages that came whole are not asked for again; nor is anything once the day is there."""
    with serving(simulated_sources(WORLD), at_first(0)) as server:
        server.schedule = dict.fromkeys(range(4, 100), FAILING)
        first = fetch(settings, server.url)
        came = server.asked[1:4]
        assert first is not None
        assert first.missing > 0
        server.schedule = {}
        before = len(server.asked)
        later = utc_now() + timedelta(hours=1)
        second = fetch_day(
            settings, "web_events", DAY, [SourceEndpoint(server.url)], EXPECTED, partial(_at, later), QUICK
        )
        assert second is not None
        assert second.missing == 0
        assert not set(came) & set(server.asked[before:])
        before = len(server.asked)
        assert fetch(settings, server.url) is None
        assert len(server.asked) == before
    assert landed(settings, "web_events") == wanted(tmp_path, "web_events")


def test_a_kept_page_that_is_damaged_is_asked_for_again(settings: Settings, tmp_path: Path) -> None:
    """A disk that lies must not put wrong rows into a batch."""
    with serving(simulated_sources(WORLD), {}) as server:
        server.schedule = dict.fromkeys(range(3, 100), FAILING)
        fetch(settings, server.url)
        kept = sorted(Spool(settings, "web_events", DAY).folder.iterdir())
        assert kept
        for page in kept:
            page.write_bytes(page.read_bytes()[:-1])
        server.schedule = {}
        later = utc_now() + timedelta(hours=1)
        fetch_day(settings, "web_events", DAY, [SourceEndpoint(server.url)], EXPECTED, partial(_at, later), QUICK)
    assert landed(settings, "web_events") == wanted(tmp_path, "web_events")


def test_two_fetchers_at_once_land_each_batch_once(settings: Settings, tmp_path: Path) -> None:
    """They take turns; the second one finds the day complete and asks for nothing."""
    with serving(simulated_sources(WORLD), {2: CUT}) as server:
        pair = [threading.Thread(target=fetch, args=(settings, server.url)) for _ in range(2)]
        for one in pair:
            one.start()
        for one in pair:
            one.join()
        assert sum(path.count("/") == 2 for path in server.asked) == 1, "one listing"
    assert landed(settings, "web_events") == wanted(tmp_path, "web_events")
    assert len(FetchLog(operations_engine(settings)).all()) == 1


@pytest.mark.parametrize("answers", [4, *(pytest.param(one, marks=pytest.mark.exhaustive) for one in (2, 6))])
def test_a_fetch_killed_in_its_middle_is_resumed_without_a_lost_or_doubled_row(
    settings: Settings, tmp_path: Path, answers: int
) -> None:
    """SIGKILL while an answer trickles in: what came stays, no half batch lands, the next fetch brings the rest."""
    with serving(simulated_sources(WORLD), {answers: replace(SLOW, body_seconds=60)}) as server:
        words = [sys.executable, "-m", "reliability_platform.landing.fetch"]
        process = subprocess.Popen([*words, str(settings.home), "web_events", DAY.isoformat(), server.url])
        try:
            until = time.monotonic() + 30
            while len(server.asked) <= answers and time.monotonic() < until:
                time.sleep(0.02)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        came = server.asked[1:answers]
        partly = landed(settings, "web_events")
        complete = wanted(tmp_path, "web_events")
        assert partly.items() < complete.items()
        before = len(server.asked)
        done = fetch(settings, server.url)
        assert not set(came) & set(server.asked[before:])
    assert done is not None
    assert done.missing == 0
    assert landed(settings, "web_events") == complete
    rows = sum(
        pq.read_metadata(path).num_rows for path in landing_folder(settings, "web_events", DAY).glob("*.parquet")
    )
    assert rows == sum(batch.table.num_rows for batch in scheduled_batches(WORLD, "web_events", DAY))


def _entry(**changes: object) -> str:
    entry = {
        "batch_id": "orders-20260105-01",
        "sequence": 1,
        "rows": 1,
        "pages": ["0" * 64],
        "produced_at": "2026-01-05T06:05:00",
        "landed_at": "2026-01-05T06:20:00",
    } | changes
    return json.dumps([entry])


@pytest.mark.parametrize(
    "body",
    [
        "not json",
        "{}",
        _entry(batch_id="../../../etc/passwd"),
        _entry(batch_id="orders-20260106-01"),
        _entry(sequence=5, batch_id="orders-20260105-05"),
        _entry(sequence=0),
        _entry(pages=["../../x"]),
        _entry(pages=[]),
        _entry(produced_at="yesterday"),
        _entry()[:-1] + "," + _entry()[1:],
    ],
)
def test_a_listing_that_lies_is_refused(body: str) -> None:
    """Names of batches and pages become names of files."""
    with pytest.raises(ValueError, match="listing"):
        read_listing(body.encode(), "orders", DAY, EXPECTED)


def _enter(home: Path, start: "multiprocessing.synchronize.Event", admitted: "multiprocessing.Queue[bool]") -> None:
    engine = operations_engine(load_settings(home))
    start.wait()
    admitted.put(Breaker(engine, "orders").enter(utc_now() + timedelta(hours=1)) is not None)


@pytest.mark.exhaustive  # 5 s, three processes
def test_exactly_one_of_many_processes_probes_an_open_breaker(settings: Settings) -> None:
    """Half-open lets one request through, however many processes ask at the same moment."""
    breaker = Breaker(operations_engine(settings), "orders")
    for _ in range(2):
        permit = breaker.enter(utc_now())
        assert permit is not None
        breaker.failed(permit, utc_now())
    assert breaker.enter(utc_now()) is None
    context = multiprocessing.get_context("spawn")
    start, admitted = context.Event(), context.Queue()
    processes = [context.Process(target=_enter, args=(settings.home, start, admitted)) for _ in range(3)]
    for process in processes:
        process.start()
    start.set()
    outcomes = [admitted.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sorted(outcomes) == [False, False, True]
    assert breaker.view().state is BreakerState.HALF_OPEN


def test_a_breaker_closes_by_its_probe_and_cools_down_longer_each_time_it_fails(settings: Settings) -> None:
    """Closed, open, half-open, open for twice as long …, bounded; then closed, and all is forgotten."""
    breaker, now = Breaker(operations_engine(settings), "orders"), utc_now()
    seconds = []
    for _ in range(2):
        permit = breaker.enter(now)
        assert permit is not None
        breaker.failed(permit, now)
    for _ in range(8):
        view = breaker.view()
        assert view.state is BreakerState.OPEN
        assert view.since is not None
        assert view.next_probe_at is not None
        seconds.append((view.next_probe_at - view.since).total_seconds())
        assert breaker.enter(now + timedelta(seconds=seconds[-1] - 1)) is None
        now += timedelta(seconds=seconds[-1])
        permit = breaker.enter(now)
        assert permit is not None
        assert permit.is_probe
        assert breaker.enter(now + timedelta(seconds=1)) is None
        breaker.failed(permit, now)
    assert seconds == [30, 60, 120, 240, 480, 900, 900, 900]
    now += timedelta(seconds=900)
    permit = breaker.enter(now)
    assert permit is not None
    breaker.succeeded(permit, now)
    assert breaker.view().state is BreakerState.CLOSED
    assert (breaker.view().failures, breaker.view().trips) == (0, 0)


def test_a_probe_that_died_does_not_keep_the_source_shut(settings: Settings) -> None:
    """Its right ends after two minutes; should it still come back then, its word no longer counts."""
    breaker, now = Breaker(operations_engine(settings), "orders"), utc_now()
    for _ in range(2):
        permit = breaker.enter(now)
        assert permit is not None
        breaker.failed(permit, now)
    now += timedelta(seconds=30)
    lost = breaker.enter(now)
    assert lost is not None
    now += timedelta(minutes=2)
    taken = breaker.enter(now)
    assert taken is not None
    assert taken.is_probe
    breaker.succeeded(lost, now)
    assert breaker.view().state is BreakerState.HALF_OPEN
    breaker.succeeded(taken, now)
    assert breaker.view().state is BreakerState.CLOSED


def test_failures_must_come_in_a_row_to_open_a_breaker(settings: Settings) -> None:
    """An answer between two failures shows that the source is there."""
    breaker, now = Breaker(operations_engine(settings), "orders"), utc_now()
    for outcome in (breaker.failed, breaker.succeeded, breaker.failed):
        permit = breaker.enter(now)
        assert permit is not None
        outcome(permit, now)
    assert breaker.view().state is BreakerState.CLOSED


def test_a_probe_is_one_request_without_retries(settings: Settings) -> None:
    """Half-open lets one request through, and not five."""
    schedule: Schedule = at_first(1_000, FAILING)
    with serving(simulated_sources(WORLD), schedule) as server:
        fetch(settings, server.url)
        asked = len(server.asked)
        later = utc_now() + timedelta(minutes=1)
        fetch_day(settings, "web_events", DAY, [SourceEndpoint(server.url)], EXPECTED, partial(_at, later), QUICK)
        assert len(server.asked) == asked + 1
