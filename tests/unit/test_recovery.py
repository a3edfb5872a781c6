"""After a loss: what is put back and built again equals, row for row, a home that never lost anything."""

import json
import os
import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from unittest.mock import Mock

import duckdb
import pytest

from reliability_platform.checks.gate import Why, held
from reliability_platform.checks.store import CheckStore
from reliability_platform.cli.main import main
from reliability_platform.clock import spans, utc_now
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.lab.clean import clean_sources
from reliability_platform.lab.faults.landed_again import redeliver
from reliability_platform.lab.faults.plan import ActivePlan, Injection
from reliability_platform.lab.oracle import verify
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.operations import operations_engine
from reliability_platform.recovery import restore
from reliability_platform.recovery.restore import recover_home, recover_warehouse
from reliability_platform.settings import RESTORING, Settings
from reliability_platform.warehouse.comparison import compare_tables
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.publication import CURRENT, current_version, publications
from reliability_platform.warehouse.snapshots.location import SnapshotLocation
from reliability_platform.warehouse.snapshots.manifest import Snapshot, read_snapshots
from reliability_platform.warehouse.snapshots.restore import gap, restore_home
from reliability_platform.warehouse.snapshots.take import take_snapshot
from tests.ground import EVENTS, Platform, day
from tests.unit.lived_in import copied_home, state


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Day 1 is good, day 2 lacks a batch, a snapshot is taken; then day 2 comes again, whole, and day 3 lands."""
    made = Platform(
        tmp_path_factory.mktemp("origin") / "home",
        events_per_day=EVENTS,
        injections=[Injection("missing_batch", "orders", day(2), "large")],
    )
    made.run(day(1), day(2))
    take_snapshot(made.settings, utc_now)
    made.plan = ActivePlan(7, ())
    made.plan.save(made.settings)
    redeliver(made.settings, made.plan, clean_sources(made.settings)["orders"], day(2))
    made.run(day(2), day(3))
    assert publications(made.settings)[-1].held == {}
    assert all(table.equal for table in verify(made.settings, landed_partitions(made.settings)))
    return made


@pytest.fixture
def home(origin: Platform, tmp_path: Path) -> Settings:
    """A copy of it."""
    return copied_home(origin.settings.home, tmp_path / "home")


def only_snapshot(settings: Settings) -> Snapshot:
    """The one that there is."""
    [snapshot], _ = read_snapshots(SnapshotLocation.of(settings))
    return snapshot


def assert_equals_the_oracle(settings: Settings) -> None:
    """Every published row, against the run without failures over the same days that lies in each copy."""
    names = [mart.name for mart in marts(ensure_manifest())]
    compared = compare_tables(names, settings.published / CURRENT, settings.oracle / "published" / CURRENT)
    unequal = [table for table in compared if not table.equal]
    assert len(compared) == len(names) > 0 and not unequal, unequal


def gold(settings: Settings, tables: Sequence[str] = ("agg_daily_revenue", "fct_customer_days")) -> list[object]:
    """Rows of gold in the warehouse."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return [connection.execute(f"from {table} order by all").fetchall() for table in tables]


@pytest.mark.exhaustive  # 14 s
def test_the_gap_is_what_changed_since_and_nothing_else(home: Settings) -> None:
    """Day 1 has not changed; a new approval for it is a change."""
    engine, snapshot = operations_engine(home), only_snapshot(home)
    assert snapshot.landing_days == (day(1), day(2))
    assert gap(home, engine, snapshot) == [day(2), day(3)]
    (home.decisions / "orders").mkdir(parents=True, exist_ok=True)
    (home.decisions / "orders" / "orders-20260101-late.json").write_text("{}")
    assert gap(home, engine, snapshot) == [day(1), day(2), day(3)]
    (home.decisions / "orders" / "orders-20260101-late.json").unlink()
    rates = home.reference / "currency_rates.parquet"
    rates.write_bytes(rates.read_bytes() + b" ")
    assert gap(home, engine, snapshot) == [day(1), day(2), day(3)]


class Killed(BaseException):
    """Nothing in the platform catches it; `make torture` kills the process itself."""


@pytest.mark.parametrize("loss", [pytest.param("gone", marks=pytest.mark.exhaustive), "garbage"])
def test_a_lost_or_corrupt_warehouse_comes_back_and_equals_the_oracle(
    home: Settings, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a snapshot in which a day was broken and another one missing. First the process dies with the old warehouse in
    place: its days are held, consumers keep what they have, and it can be run again.
    """
    before, version = gold(home), current_version(home)
    if loss == "gone":
        home.warehouse.unlink()
    else:
        with home.warehouse.open("r+b") as file:
            file.write(os.urandom(20_000))
        home.warehouse.with_suffix(".duckdb.wal").write_bytes(os.urandom(1000))
    with monkeypatch.context() as dying, pytest.raises(Killed):
        dying.setattr(restore, "reprocess", Mock(side_effect=Killed))
        recover_warehouse(home, only_snapshot(home), utc_now)
    objections = held(CheckStore(operations_engine(home)), landed_partitions(home))
    assert {one for _, one in objections} == {day(2), day(3)}
    assert all(found[0].why is Why.UNJUDGED for found in objections.values())
    assert current_version(home) == version
    done = recover_warehouse(home, only_snapshot(home), utc_now)
    assert done.landing_days == [day(2), day(3)]
    assert done.publication.held == {}
    assert gold(home) == before
    assert current_version(home) == version  # the same rows make no new version
    assert_equals_the_oracle(home)


@pytest.mark.exhaustive  # 8 s; in `make test` the demo and the runbooks restore what a DELETE took
def test_one_table_comes_back_without_the_others(home: Settings) -> None:
    """A dropped table of silver, from a snapshot that lacks a day of it."""
    before = gold(home, ("int_payments__deduplicated", "agg_daily_payments", "fct_customer_days"))
    with duckdb.connect(str(home.warehouse)) as connection:
        connection.execute("drop table int_payments__deduplicated")
    done = recover_warehouse(home, only_snapshot(home), utc_now, "int_payments__deduplicated")
    assert done.publication.held == {}
    assert gold(home, ("int_payments__deduplicated", "agg_daily_payments", "fct_customer_days")) == before
    assert_equals_the_oracle(home)


def test_what_does_not_fit_is_refused_and_nothing_is_touched(home: Settings, tmp_path: Path) -> None:
    """Other models, an unknown table, other columns: each with words, before anything is written."""
    before = state(home.home, ("operations.sqlite", "operations.sqlite-wal", "operations.sqlite-shm"))
    snapshot = only_snapshot(home)
    newer = tmp_path / "models"
    newer.mkdir()
    (newer / "dbt_project.yml").write_text("version: 99.0.0\n")
    with pytest.raises(UsageError, match=r"built by models .* deployed are 99"):
        recover_warehouse(home.model_copy(update={"dbt_project": newer}), snapshot, utc_now)
    with pytest.raises(UsageError, match=r"no table .nothing"):
        recover_warehouse(home, snapshot, utc_now, "nothing'; drop table stg_orders; --")
    assert state(home.home, ("operations.sqlite", "operations.sqlite-wal", "operations.sqlite-shm")) == before
    with duckdb.connect(str(home.warehouse)) as connection:
        connection.execute("alter table agg_daily_funnel add column more integer")
    with pytest.raises(UsageError, match="other columns"):
        recover_warehouse(home, snapshot, utc_now, "agg_daily_funnel")


def test_a_lost_home_comes_back_as_far_as_the_snapshot_goes(home: Settings, tmp_path: Path) -> None:
    """Killed half-way, it is not taken for whole; run again, it is the home of the snapshot, judged as it was then."""
    elsewhere = home.model_copy(update={"snapshot_url": str(tmp_path / "elsewhere")})
    shutil.copytree(home.home / "snapshots", tmp_path / "elsewhere")
    snapshot = only_snapshot(elsewhere)
    shutil.rmtree(home.home)
    with pytest.raises(RuntimeError, match="killed"):
        restore_home(elsewhere, snapshot, home.home, lambda: (_ for _ in ()).throw(RuntimeError("killed")))
    assert (home.home / RESTORING).exists()
    with pytest.raises(SystemExit) as stop:
        main(["publish", "--home", str(home.home)])
    assert stop.value.code == ExitCode.ENVIRONMENT
    done = recover_home(elsewhere, snapshot, utc_now)
    assert not (home.home / RESTORING).exists()
    assert done.landing_days == [day(2)]
    assert f"orders/{day(2)}" in done.publication.held  # as it was then
    assert done.publication == publications(home)[0]
    assert {one for _, one in landed_partitions(home)} == {day(1), day(2)}


@pytest.mark.exhaustive  # 7 s
def test_people_look_back_and_go_on(home: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The commands: list, verify, look at a table as it was, put the warehouse back, and the errors of their options."""

    def asked(*words: str) -> dict[str, object]:
        code = main([*words, "--home", str(home.home), "--json"])
        assert code == ExitCode.OK, (words, code)
        document: dict[str, object] = json.loads(capsys.readouterr().out)
        return document

    def refused(*words: str) -> str:
        with pytest.raises(SystemExit) as stop:
            main([*words, "--home", str(home.home)])
        assert stop.value.code == ExitCode.USAGE
        return capsys.readouterr().err

    taken = only_snapshot(home).taken_at
    assert asked("snapshot", "verify")["whole"] is True
    aside = tmp_path / "aside"
    written = asked("restore", "--aside", str(aside), "--table", "agg_daily_funnel", "--as-of", taken.isoformat())
    with duckdb.connect() as connection:
        newest = connection.execute(f"select max(event_date) from '{written['written']}'").fetchone()
    assert newest == (day(2),)
    assert "is there already" in refused("restore", "--aside", str(aside), "--table", "agg_daily_funnel")
    assert "no time" in refused("restore", "--as-of", "yesterday")
    assert "No snapshot is as old" in refused("restore", "--as-of", (taken - timedelta(seconds=1)).isoformat())
    assert "leave out" in refused("restore", "--everything", "--table", "agg_daily_funnel")
    assert "has no table 'nonsense'" in refused("restore", "--table", "nonsense", "--dry-run")
    assert "still holds" in refused("restore", "--everything", "--yes", "--why", "lost")
    home.warehouse.unlink()
    assert asked("restore", "--dry-run")["would_replace"] == "the warehouse"
    assert "add --yes and --why" in refused("restore")
    assert asked("restore", "--yes", "--why", "lost")["held"] == {}
    created = asked("snapshot", "create")
    assert created["landing_days"] == 3
    assert len(asked("snapshot", "list")["snapshots"]) == 2  # type: ignore[arg-type]
    assert asked("snapshot", "prune")["snapshots"] == []


def test_days_are_built_in_unbroken_rows() -> None:
    """One build for each."""
    assert list(spans([day(5), day(1), day(2), day(2), day(9)])) == [
        (day(1), day(2)),
        (day(5), day(5)),
        (day(9), day(9)),
    ]
    assert list(spans([])) == []
