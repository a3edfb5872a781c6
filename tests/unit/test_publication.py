"""Consumers see audited data only: held days keep their last good rows, and the gate fails closed."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import delete

from reliability_platform.checks.gate import GateObjection, Why, held
from reliability_platform.checks.results import CheckStatus
from reliability_platform.cli.backfill import Released
from reliability_platform.cli.main import main
from reliability_platform.cli.pipeline import _tell_unjudged
from reliability_platform.clock import utc_now
from reliability_platform.errors import HomeBusyError, UsageError
from reliability_platform.lab.clean import clean_sources
from reliability_platform.lab.faults.landed_again import redeliver
from reliability_platform.lab.faults.plan import Injection
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.operations.tables import check_results
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.lease import warehouse_lease
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.publication import CURRENT, current_version, publish, rollback
from reliability_platform.warehouse.published import encoded, held_lines, record_of
from tests.ground import Platform, day


def published_dates(made: Platform, table: str) -> dict[str, int]:
    """Rows by event date, read as a consumer does."""
    path = made.settings.published / CURRENT / table / "*.parquet"
    with duckdb.connect() as connection:
        rows = connection.execute(f"select event_date, count(*) from read_parquet('{path}') group by all").fetchall()
    return {str(row[0]): row[1] for row in rows}


def test_a_held_day_keeps_its_last_good_rows_and_holds_no_other(
    lived: Callable[[Path], Platform], tmp_path: Path
) -> None:
    """Day 2 of shipments breaks after it was good: its rows stay as they were, day 3 is published anew."""
    made = lived(tmp_path / "home")
    good = published_dates(made, "agg_daily_fulfilment")
    version = current_version(made.settings)
    old = (made.settings.published / CURRENT / "agg_daily_fulfilment" / "2026-01.parquet").read_bytes()

    plan = made.plan.with_injection(Injection("null_spike", "shipments", day(2), "large"))
    plan.save(made.settings)
    redeliver(made.settings, plan, clean_sources(made.settings)["shipments"], day(2))
    publication = made.run(day(2), day(3))
    assert list(publication.held) == [f"shipments/{day(2)}"]
    table = next(one for one in publication.tables if one.name == "agg_daily_fulfilment")
    assert table.kept_dates == [str(day(2))]
    assert str(day(2)) not in table.lacks, "the rows that were rejected since are none that its good rows lack"
    now = published_dates(made, "agg_daily_fulfilment")
    assert {key: now[key] for key in good} == good
    assert str(day(3)) in now
    assert str(day(2)) in published_dates(made, "agg_daily_revenue")  # orders of the day are not concerned

    assert rollback(made.settings).version == version
    assert (made.settings.published / CURRENT / "agg_daily_fulfilment" / "2026-01.parquet").read_bytes() == old
    with pytest.raises(UsageError, match="no version before"):
        rollback(made.settings)


@pytest.mark.exhaustive  # 6 s; the catalogue holds it for each fault that holds a day
def test_a_day_that_was_never_good_is_absent(platform: Callable[..., Platform]) -> None:
    """Better no number than a wrong one."""
    made = platform(events_per_day=900, injections=[Injection("null_spike", "payments", day(2), "large")])
    publication = made.run(day(1), day(3))
    assert list(publication.held) == [f"payments/{day(2)}"]
    assert str(day(2)) not in published_dates(made, "agg_daily_payments")
    assert str(day(2)) in published_dates(made, "agg_daily_funnel")


def test_the_gate_fails_closed(
    lived: Callable[[Path], Platform], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A blocking result that is missing, stale or not evaluated holds; so does a day that nobody judged."""
    made = lived(tmp_path / "home")
    partition = ("orders", day(1))
    assert held(made.checks, [partition]) == {}
    made.checks.invalidate(["orders"], [day(1)])
    assert len(held(made.checks, [partition])[partition]) > 10
    made.check(day(1), day(1), made.build(day(1), day(1)))
    assert held(made.checks, [partition]) == {}
    with made.engine.begin() as connection:
        connection.execute(delete(check_results).where(check_results.c.check_name == "stg_orders__row_count"))
    assert held(made.checks, [partition]) == {partition: [GateObjection("stg_orders__row_count", Why.UNJUDGED)]}
    _tell_unjudged(made.settings, [partition])
    assert f"reliability run --from {day(1)} --to {day(1)}" in capsys.readouterr().out


def test_a_crashing_check_is_not_evaluated_and_the_others_judge_on(
    lived: Callable[[Path], Platform], tmp_path: Path
) -> None:
    """A column that SodaCL asks for is gone: one scan's SQL fails, no result turns into passed or failed by that."""
    made = lived(tmp_path / "home")
    with duckdb.connect(str(made.settings.warehouse)) as connection:
        connection.execute("alter table stg_orders drop column channel")
    results = {result.check: result for result in made.check(day(1), day(1))}
    crashed = results["stg_orders__missing_channel"]
    assert crashed.status is CheckStatus.NOT_EVALUATED
    assert crashed.reason == "error"
    assert results["stg_orders__schema"].status is CheckStatus.FAILED
    assert results["stg_payments__missing_customer_id"].status is CheckStatus.PASSED
    assert results["agg_daily_revenue__possible_measures"].status is CheckStatus.PASSED
    partition = ("orders", day(1))
    assert GateObjection("stg_orders__missing_channel", Why.BROKE_OFF) in held(made.checks, [partition])[partition]


def test_publishing_the_same_again_makes_no_version_and_readers_never_wait(
    lived: Callable[[Path], Platform], tmp_path: Path
) -> None:
    """Idempotent; and a consumer reads while somebody holds the warehouse."""
    made = lived(tmp_path / "home")
    assert made.publish().version == current_version(made.settings)
    with warehouse_lease(made.settings):
        assert published_dates(made, "agg_daily_funnel")


def test_a_second_process_waits_for_the_lease_and_says_so(lived: Callable[[Path], Platform], tmp_path: Path) -> None:
    """No lock error: a wait, then words."""
    made = lived(tmp_path / "home")
    code = (
        "from pathlib import Path; from reliability_platform.settings import load_settings;"
        "from reliability_platform.warehouse.lease import warehouse_lease\n"
        f"with warehouse_lease(load_settings(Path({str(made.settings.home)!r}))):\n"
        "    print('held', flush=True); input()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == b"held\n"
        impatient = made.settings.model_copy(update={"lease_timeout_seconds": 0.5})
        with pytest.raises(HomeBusyError, match="try again when it has ended"), warehouse_lease(impatient):
            pass
        other.kill()  # the kernel frees the lease of a process that dies
        other.wait()
    made.build(day(1), day(1))


def test_a_person_holds_a_day_that_all_checks_like_and_lets_it_go_again(
    lived: Callable[[Path], Platform], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody may know what no check does; the reason stands beside the day, and saying it twice is saying it once."""
    made = lived(tmp_path / "home")
    home = ["--home", str(made.settings.home)]
    words = ["--source", "shipments", "--date", str(day(2)), *home]
    for expected in (True, False):
        main(["hold", *words, "--why", "the depot counts again", "--json"])
        assert json.loads(capsys.readouterr().out)["changed"] is expected
    publication = made.publish()
    ((key, reasons),) = publication.held.items()
    assert key == f"shipments/{day(2)}"
    assert reasons[0].endswith(": the depot counts again")
    assert reasons[0].startswith("held by ")
    ((held_by, person),) = publication.held_by_people.items()
    assert (held_by, person["why"]) == (("shipments", day(2)), "the depot counts again")
    old = json.loads(encoded(publication))
    del old["held_by"]  # a record of 0.3.0 says it in the reasons alone
    assert record_of(json.dumps(old)) == publication
    main(["release", *words])
    assert "is not held by anybody any more" in capsys.readouterr().out
    assert made.publish().held == {}
    with pytest.raises(SystemExit):
        main(["hold", *words, "--why", " "])


def test_a_run_that_published_nothing_does_not_say_that_it_has(
    lived: Callable[[Path], Platform], tmp_path: Path
) -> None:
    """`run` named the newest version there was, whoever had published it, and `backfill` too."""
    made = lived(tmp_path / "home")
    before = current_version(made.settings)
    made.publish()
    same = Released.since(before, made.settings)
    assert str(same) == f"Nothing new was published: consumers read {before}; 0 landing partitions are held."
    assert same.document == {"published": None, "consumers_read": before, "held": {}, "kept": []}
    new = Released.since(None, made.settings)
    assert str(new).startswith(f"Published {before}; ")
    assert new.document["published"] == before
    assert "Nothing is published" in str(Released.since(None, load_settings(tmp_path / "empty")))


def test_a_publication_by_hand_loads_no_orchestrator(lived: Callable[[Path], Platform], tmp_path: Path) -> None:
    """The command took 5 s, of which 3 were Dagster and dbt, for the incident of a publication that dies."""
    home = lived(tmp_path / "home").settings.home
    program = "import sys; from reliability_platform.cli.main import main; main(sys.argv[1:]); print('dagster' in sys.modules)"
    command = [sys.executable, "-c", program, "publish", "--home", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "Consumers read v000001; 0 landing partitions are held.\nFalse\n"


def test_days_in_a_row_that_are_held_for_one_reason_are_one_line() -> None:
    """One table that somebody had altered was told in 82 lines."""
    held = {f"orders/{day(one)}": ["[red]it was changed[/red]", "more"] for one in (1, 2, 3, 7)}
    held[f"orders/{day(4)}"] = held[f"payments/{day(1)}"] = ["no batch came"]
    assert held_lines(held) == [
        "orders 2026-01-01 to 2026-01-03: [red]it was changed[/red]",
        "orders 2026-01-07: [red]it was changed[/red]",
        "orders 2026-01-04: no batch came",
        "payments 2026-01-01: no batch came",
    ]


def test_a_version_says_which_of_its_days_came_from_another_server_than_the_first(
    lived: Callable[[Path], Platform], tmp_path: Path
) -> None:
    """A replica or a last good copy may be older than the truth: a reader of the version is to see it. Held days are not in it."""
    made = lived(tmp_path / "home")
    partitions, tables = landed_partitions(made.settings), marts(ensure_manifest())
    used = {("orders", day(1)): ["copy"], ("payments", day(2)): ["copy"]}
    held = {("payments", day(2)): ["for the test"]}
    first = publish(made.settings, tables, partitions, held, utc_now(), "test", fallbacks=used)
    assert first.from_fallback == {f"orders/{day(1)}": ["copy"]}
    assert record_of(encoded(first)) == first
    again = publish(made.settings, tables, partitions, held, utc_now(), "test", fallbacks=used)
    assert again.version == first.version
    truth = publish(made.settings, tables, partitions, held, utc_now(), "test")
    assert (truth.from_fallback, truth.previous) == ({}, first.version)
