"""Deadlines at risk are said while they lie ahead, once, and never of old days; `reliability sources` shows them."""

import hashlib
import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner
from pydantic import SecretStr
from sqlalchemy import update

from reliability_platform.alerts.dispatch import dispatch
from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import CheckStatus
from reliability_platform.checks.run_monitor import monitor_deadlines, monitor_runs
from reliability_platform.cli import doctor
from reliability_platform.cli.main import cli
from reliability_platform.errors import SourceUnavailableError, UsageError
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.simulation.misbehaviour import FAILING, at_first
from reliability_platform.lab.simulation.server import serving
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import simulated_sources
from reliability_platform.landing.admission import admit
from reliability_platform.landing.breaker import BreakerState, BreakerView
from reliability_platform.landing.client import ClientTerms
from reliability_platform.landing.deadline import TO_SPARE, days_ahead, outlook
from reliability_platform.landing.fetch import fetch_day
from reliability_platform.landing.writer import landing_folder
from reliability_platform.operations import operations_engine
from reliability_platform.operations.tables import breakers
from reliability_platform.remediation.actions import action_named
from reliability_platform.remediation.due import obstacle
from reliability_platform.settings import Settings, load_settings
from reliability_platform.sources.endpoint import SourceEndpoint
from tests.unit.alerting import Server, in_process

DAY = date(2026, 1, 5)
DEADLINE = datetime(2026, 1, 6, 1, 0, tzinfo=UTC)
WORLD = Simulation(7, 600)
QUICK = ClientTerms(retries=1, backoff_seconds=0.01, jitter_seconds=0.01)


def at(hour: int, minute: int = 0, day: int = 6) -> datetime:
    """A moment around the end of the landing day."""
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home whose orders come over HTTP, from where nobody listens yet."""
    monkeypatch.setenv("RELIABILITY_SOURCE_URLS", '{"orders": "http://127.0.0.1:9"}')
    found = load_settings(tmp_path / "home")
    WORLD.save(found)
    return found


def pointed_at(settings: Settings, url: str) -> Settings:
    """The same home, its orders served somewhere."""
    return settings.model_copy(update={"source_urls": {"orders": url}})


def digests(settings: Settings) -> dict[str, str]:
    """The files that have landed, each with its digest."""
    files = sorted(landing_folder(settings, "orders", DAY).glob("*.parquet"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


CLOSED = BreakerView("orders")
OPEN_UNTIL_HALF_PAST = BreakerView("orders", BreakerState.OPEN, at(0, 20), 2, trips=2, next_probe_at=at(0, 30))


@pytest.mark.parametrize(
    ("now", "missing", "breaker", "minutes", "at_risk"),
    [
        (at(0, 20), 4, CLOSED, 10, False),
        (at(0, 36), 4, CLOSED, 10, True),
        (at(0, 36), 0, CLOSED, 10, False),
        (at(0, 20), 1, OPEN_UNTIL_HALF_PAST, 1, False),
        (at(0, 20), 1, OPEN_UNTIL_HALF_PAST, 14, True),
        (at(0, 44), 1, OPEN_UNTIL_HALF_PAST, 0, True),
    ],
)
def test_the_outlook_weighs_what_is_missing_against_the_time_that_is_left(
    now: datetime, missing: int, breaker: BreakerView, minutes: int, at_risk: bool
) -> None:
    """Time now or the next probe, its failure and one more cool-down, the usual duration, a quarter of an hour."""
    found = outlook("orders", DAY, now, missing, breaker, timedelta(minutes=minutes))
    assert found.deadline == DEADLINE
    assert found.at_risk is at_risk


def test_only_deadlines_ahead_are_looked_at() -> None:
    """At 00:59 yesterday's deadline lies ahead; at 01:00 it has passed."""
    assert days_ahead("orders", at(0, 59)) == [DAY, DAY + timedelta(days=1)]
    assert days_ahead("orders", at(1)) == [DAY + timedelta(days=1)]


def test_a_deadline_at_risk_is_an_incident_before_it_breaks_and_ends_when_all_is_there(settings: Settings) -> None:
    """Said once, at a quarter of an hour to go at the latest; passed when the batches have been admitted."""
    engine = operations_engine(settings)
    assert monitor_deadlines(settings, engine, at(0, 25)) == []
    [said] = monitor_deadlines(settings, engine, at(0, 45))
    assert at(0, 45) + TO_SPARE <= DEADLINE
    assert (said.check, said.partition, said.status) == (
        "bronze_orders__deadline_within_reach",
        DAY,
        CheckStatus.FAILED,
    )
    assert "4 batches have not come" in said.message
    assert not CHECKS[said.check].blocking
    assert monitor_deadlines(settings, engine, at(0, 46)) == []
    observe(engine, [(1, said)], at(0, 46))
    [incident] = IncidentStore(engine).all()
    assert (incident.failure_class, incident.source, incident.partitions) == ("upstream_unavailable", "orders", [DAY])
    with serving(simulated_sources(WORLD)) as server:
        fetch_day(settings, "orders", DAY, [SourceEndpoint(server.url)], 4, lambda: at(0, 50), QUICK)
    assert monitor_deadlines(settings, engine, at(0, 51)) == [], "landed, but not admitted yet"
    admit(settings, "orders", DAY)
    [passed] = monitor_deadlines(settings, engine, at(0, 52))
    assert passed.status is CheckStatus.PASSED
    assert monitor_deadlines(settings, engine, at(0, 53)) == []


def test_a_deadline_at_risk_is_told_before_it_breaks(settings: Settings, server: Server) -> None:
    """An incident that nobody hears of in time is a report. Its timeline says who was told, and when."""
    told = settings.model_copy(update={"alert_urls": (SecretStr(server.url),), "alert_dry_run": False})
    engine = operations_engine(told)
    dispatch(told, engine, at(0, 44), random=Random(7), delivery=in_process)  # the channel is known from here on
    [said] = monitor_deadlines(settings, engine, at(0, 45))
    observe(engine, [(1, said)], at(0, 45))
    dispatch(told, engine, at(0, 46), random=Random(7), delivery=in_process)
    [heard] = server.heard
    [incident] = IncidentStore(engine).all()
    assert incident.id in json.dumps(heard)
    [alert] = [entry for entry in incident.timeline if entry.kind == "alert"]
    assert alert.at < DEADLINE


@pytest.mark.parametrize("now", [at(1, 0), at(12, 0), at(0, 45, day=7)])
def test_days_past_their_deadline_and_simulated_sources_alarm_nobody(settings: Settings, now: datetime) -> None:
    """A backfill, a campaign, a home that fetches nothing: what has passed is for the other checks to say."""
    engine = operations_engine(settings)
    found = monitor_deadlines(settings, engine, now)
    assert DAY not in {one.partition for one in found}
    simulated = settings.model_copy(update={"source_urls": {}})
    assert monitor_runs(simulated, engine, at(0, 59)) == []


def test_healing_waits_for_the_next_probe_and_then_asks_the_same_source(settings: Settings) -> None:
    """Not the simulation behind it: what HTTP does not bring does not come."""
    engine = operations_engine(settings)
    with serving(simulated_sources(WORLD), at_first(1_000, FAILING)) as server:
        here = pointed_at(settings, server.url)
        fetched = fetch_day(here, "orders", DAY, [SourceEndpoint(server.url)], 4, lambda: at(2), QUICK)
        assert fetched is not None
        assert fetched.missing == 4
        assert fetched.breaker == "open"
        admit(here, "orders", DAY)
        observe(engine, list(enumerate(monitor_runs(here, engine, at(2)), start=1)), at(2))
        [incident] = IncidentStore(engine).all()
        assert "left alone" in str(obstacle(here, engine, incident, at(2)))
        assert obstacle(here, engine, incident, at(2, 1)) is None
        heal = action_named("re_request_batches").perform
        with pytest.raises(SourceUnavailableError, match="did not send batch 1 of 2026-01-05 again"):
            heal(here, incident, "test")
        assert digests(here) == {}
        server.schedule = {}
        with engine.begin() as connection:  # the cool-down is over
            connection.execute(update(breakers).values(next_probe_at=at(0)))
        done = heal(here, incident, "test")
    assert len(done.replays) == 4
    over_http = digests(here)
    assert set(over_http) == {f"orders-20260105-{slot:02d}-a2.parquet" for slot in range(1, 5)}
    shutil.rmtree(landing_folder(settings, "orders", DAY))
    heal(settings.model_copy(update={"source_urls": {}}), incident, "test")
    assert digests(settings) == over_http


def test_sources_are_shown_as_they_stand(settings: Settings) -> None:
    """For a person and for a program: the open breaker, the last fetch, the next deadline."""
    with serving(simulated_sources(WORLD), at_first(1_000, FAILING)) as server:
        fetch_day(settings, "orders", DAY, [SourceEndpoint(server.url)], 4, lambda: at(2), QUICK)
    shown = CliRunner().invoke(cli, ["sources", "--json", "--home", str(settings.home)])
    assert shown.exit_code == 0, shown.output
    by_source = {one["source"]: one for one in json.loads(shown.output)}
    orders, payments = by_source["orders"], by_source["payments"]
    assert (orders["comes_by"], orders["breaker"], orders["failures_in_a_row"]) == ("HTTP", "open", 2)
    assert orders["last_fetch"]["missing"] == 4
    assert orders["next_probe_at"] == "2026-01-06T02:00:30+00:00"
    assert (payments["comes_by"], payments["breaker"], payments["at_risk"]) == ("simulation", "closed", False)
    listed = CliRunner().invoke(cli, ["sources", "list", "--json", "--home", str(settings.home)])
    assert {one["source"]: one["breaker"] for one in json.loads(listed.output)} == {
        name: one["breaker"] for name, one in by_source.items()
    }
    table = CliRunner().invoke(cli, ["sources", "--home", str(settings.home)])
    assert "open" in table.output
    with pytest.raises(doctor._WrongError, match="the breaker of orders is open since 2026-01-06 02:00:00 UTC"):
        doctor.EXAMINATIONS["sources"](settings)
    assert "closed" in doctor.EXAMINATIONS["sources"](load_settings(settings.home.with_name("another")))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/",
        "nonsense",
        "http://",
        "http://me:secret@127.0.0.1/",
        "http://127.0.0.1/?key=secret",
        "http://[::1",
        "http://x:y",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_being_repeated(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """A password in an address would end up in logs."""
    monkeypatch.setenv("RELIABILITY_SOURCE_URL", url)
    with pytest.raises(UsageError, match="RELIABILITY_SOURCE_URL") as refused:
        load_settings()
    assert "secret" not in str(refused.value)


def test_an_address_for_a_source_that_does_not_exist_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A slip would leave the source simulated, and the drill would prove nothing."""
    monkeypatch.setenv("RELIABILITY_SOURCE_URLS", '{"ordres": "http://127.0.0.1:9"}')
    with pytest.raises(UsageError, match="'ordres' that does not exist"):
        cli.main(["sources", "--home", str(tmp_path)], standalone_mode=False)


@pytest.mark.parametrize(
    ("words", "says"),
    [(("--misbehave", "rude"), "There is no misbehaviour 'rude'"), (("--share", "2"), "--share")],
)
def test_a_drill_that_cannot_be_is_refused(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    """In words that say what can."""
    operations_engine(load_settings(tmp_path))  # a home
    done = CliRunner().invoke(cli, ["sources", "serve", *words, "--home", str(tmp_path)])
    assert done.exit_code != 0
    assert says in done.output + str(done.exception)
