"""The landing assets over HTTP, and a source that goes away in the middle of a month and comes back."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner
from sqlalchemy import update

from reliability_platform.cli.main import cli
from reliability_platform.clock import utc_now
from reliability_platform.contracts import SOURCES
from reliability_platform.errors import UsageError
from reliability_platform.lab.faults.landed_again import follow
from reliability_platform.lab.faults.plan import ActivePlan, Injection
from reliability_platform.lab.oracle import build_oracle
from reliability_platform.lab.scorecard.containment import differences
from reliability_platform.lab.simulation.misbehaviour import FAILING, at_first
from reliability_platform.lab.simulation.server import serving
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import simulated_sources
from reliability_platform.landing.writer import landing_folder
from reliability_platform.operations import operations_engine
from reliability_platform.operations.tables import breakers
from reliability_platform.orchestration.definitions import defs
from reliability_platform.orchestration.landing_assets import landing_assets
from reliability_platform.orchestration.local import QUIET
from reliability_platform.orchestration.resources import RESOURCES
from reliability_platform.orchestration.schedules import early_fetch
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.publication import CURRENT
from tests.ground import Platform, day

WORLD = Simulation(7, 600)


def land(source: str, number: int) -> dict[str, object]:
    """Materialize a landing asset on its n-th day; the metadata that its page shows."""
    asset = landing_assets[SOURCES.index(source)]
    key = day(number).isoformat()
    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize([asset], instance=instance, partition_key=key, resources=RESOURCES)
    [event] = done.asset_materializations_for_node(asset.op.name)
    return {name: value.value for name, value in event.metadata.items()}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that Dagster's assets find by the environment, and a client without long waits."""
    monkeypatch.setenv("RELIABILITY_HOME", str(tmp_path / "home"))
    WORLD.save(load_settings())
    return tmp_path / "home"


@pytest.mark.exhaustive  # 20 s; the unit tests of the client and the breaker hold each half
def test_a_source_that_is_away_leaves_the_day_incomplete_and_what_is_published_alone(
    home: Path, platform: Callable[..., Platform], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fetch, hold, keep the last good rows; once it answers again, end equal to a month in which nothing failed."""
    ours = platform(home.name)
    with serving(simulated_sources(WORLD)) as server:
        monkeypatch.setenv("RELIABILITY_SOURCE_URL", server.url)
        for source in SOURCES:
            assert land(source, 1)["batches_missing"] == 0
        assert land("orders", 1)["refusals"] == 0, "what has landed is not asked for again"
        ours.admit(day(1), day(1))
        ours.check(day(1), day(1), ours.build(day(1), day(1)))
        before = ours.publish()
        assert before.held == {}
        good = [path.read_bytes() for path in sorted((ours.settings.published / CURRENT).glob("*revenue/*.parquet"))]

        for source in SOURCES[1:]:
            land(source, 2)
        server.schedule = at_first(1_000_000, FAILING)
        shown = land("orders", 2)
        assert (shown["batches"], shown["batches_missing"], shown["breaker"]) == (0, 4, "open")
        asked = len(server.asked)
        assert land("orders", 2)["refusals"] == 0
        assert len(server.asked) == asked, "the breaker is open"
        ours.admit(day(2), day(2))
        ours.check(day(2), day(2), ours.build(day(2), day(2)))
        held = ours.publish().held
        assert any(key.startswith("orders") for key in map(str, held)), held
        current = [path.read_bytes() for path in sorted((ours.settings.published / CURRENT).glob("*revenue/*.parquet"))]
        assert good
        assert current == good

        server.schedule = {}
        with operations_engine(ours.settings).begin() as connection:  # the cool-down is over
            connection.execute(update(breakers).values(next_probe_at=utc_now() - timedelta(1)))
        assert land("orders", 2)["breaker"] == "closed"
        ours.admit(day(2), day(2))
        ours.check(day(2), day(2), ours.build(day(2), day(2)))
        assert ours.publish().held == {}
    build_oracle(ours.settings, [(source, day(number)) for source in SOURCES for number in (1, 2)])
    oracle = ours.settings.oracle / "published" / CURRENT
    tables = marts(ensure_manifest(ours.settings.dbt_project))
    assert len(tables) >= 5
    assert differences([ours.settings.published / CURRENT], oracle, tables) == []


def test_a_plan_cannot_break_deliveries_that_come_over_http(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drill that silently hits nothing would be believed to have been passed. It was refused by the asset of that
    source alone: the others had landed and were admitted by then, and their day was held.
    """
    settings = load_settings(home)
    ActivePlan(7, (Injection("null_spike", "payments", day(3), "medium"),)).save(settings)
    monkeypatch.setenv("RELIABILITY_SOURCE_URLS", '{"payments": "http://127.0.0.1:9"}')
    before = sorted(home.rglob("*"))
    refused = CliRunner().invoke(cli, ["run", "--from", str(day(3)), "--to", str(day(3)), "--home", str(home)])
    assert isinstance(refused.exception, UsageError)
    assert "null_spike" in str(refused.exception)
    assert "RELIABILITY_SOURCE_URLS" in str(refused.exception)
    assert sorted(home.rglob("*")) == before
    words = ["inject", "null_spike", "--source", "payments", "--date", str(day(4)), "--home", str(home)]
    assert isinstance(CliRunner().invoke(cli, words).exception, UsageError)
    with pytest.raises(UsageError):
        follow(load_settings(home), ActivePlan(7, (Injection("null_spike", "payments", day(4), "medium"),)))
    assert ActivePlan.load(settings).injections[0].landing_date == day(3)

    with dg.instance_for_test() as instance:
        done = defs.resolve_job_def("pipeline").execute_in_process(
            instance=instance, partition_key=str(day(3)), run_config=QUIET, raise_on_error=False
        )
    assert not done.success
    assert not [source for source in SOURCES if landing_folder(settings, source, day(3)).exists()]
    land("orders", 3)  # by itself it has no part in it
    assert landing_folder(settings, "orders", day(3)).exists()


def test_sources_over_http_are_asked_early_and_others_are_not(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the deadline of the landing day that has just ended; simulated sources have nothing to be asked for."""
    del home
    moment = (utc_now() - timedelta(days=2)).replace(hour=0, minute=25)
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(instance, scheduled_execution_time=moment, resources=RESOURCES)
        assert isinstance(early_fetch(context), dg.SkipReason)
        monkeypatch.setenv("RELIABILITY_SOURCE_URL", "http://127.0.0.1:9")
        request = early_fetch(context)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == (moment.date() - timedelta(days=1)).isoformat()
