"""The whole loop by the command that a newcomer types.

`make test` runs the demo over seven days: a fault of each way of healing, one of them on the running platform. That every
other fault is detected and contained, it proves without an orchestrator (`test_catalogue.py`, `test_live_platform.py`).
`make test-all` heals them all there, and runs the month with all faults that the README shows, and a clean one.
"""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from reliability_platform.errors import ExitCode
from reliability_platform.lab.faults.catalogue import CATALOGUE
from reliability_platform.lab.faults.plan import load_plan
from reliability_platform.remediation.policy import POLICIES
from tests.conventions.test_readme import sample_of_the_demo
from tests.forked import COMMAND_LINE, run
from tests.scenarios.counts import compare
from tests.scenarios.typed import typed


def demo(home: Path, *words: str) -> dict[str, Any]:
    """The demo's JSON document, by a process of its own."""
    done = run(COMMAND_LINE, "demo", "--json", *words, "--home", str(home))
    assert done.returncode == ExitCode.OK, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.mark.exhaustive  # the controls of the catalogue and the campaign's clean worlds hold it in the small
def test_a_clean_run_raises_nothing(tmp_path: Path) -> None:
    """A month with its weekends, late rows and heavy keys is not an incident. Only then do alarms mean something."""
    document = demo(tmp_path / "clean", "--plan", "clean", "--days", "20", "--events", "60000", "--seed", "23")
    assert document["incidents"] == {"opened": 0, "resolved": 0, "without_a_fault": 0}
    assert document["faults"] == []
    assert document["conservation"]["delivered"] == document["conservation"]["accepted"] >= 60_000
    assert document["oracle"]["equal"]


FEW = """
name: few
injections:
  - {fault: too_late_events, source: orders, day: 1}
  - {fault: unknown_enum, source: orders, day: 4}
  - {fault: duplicate_retry_storm, source: payments, day: 3}
  - {fault: orphan_reference, source: payments, day: 5}
  - {fault: late_events, source: web_events, day: 2}
  - {fault: missing_batch, source: shipments, day: 3}
  - {fault: schema_column_missing, source: shipments, day: 5}
  - {fault: accidental_delete, source: web_events, day: 6}
"""
ON_THE_RUNNING_PLATFORM = {("retry", True), ("rebuild", True)}
"""Ways of healing of which `test_live_platform.py` sees each, the first one in `make test-all`."""
Demo = tuple[Path, dict[str, Any], set[str]]


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """One demo of all faults, small."""
    home = tmp_path_factory.mktemp("showcase") / "home"
    return (
        home,
        demo(home, "--days", "30", "--events", "60000", "--seed", "5"),
        {one.fault for one in load_plan("showcase").injections},
    )


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """One demo of few faults, small."""
    home = tmp_path_factory.mktemp("few") / "home"
    document = demo(home, "--plan", FEW, "--days", "7", "--events", "10500", "--seed", "5")
    return home, document, {one.fault for one in load_plan(FEW).injections}


@pytest.fixture(scope="module", params=["week", pytest.param("month", marks=pytest.mark.exhaustive)])
def demonstrated(request: pytest.FixtureRequest) -> Demo:
    """Each of the demos that this session asks for."""
    found: Demo = request.getfixturevalue(request.param)
    return found


def test_the_few_faults_are_one_of_each_way_of_healing() -> None:
    """`make test` heals no others: an action that none of them needs would be tried by `make test-all` alone."""
    classes = {name: CATALOGUE[name].expected_class for name in CATALOGUE}
    ways = {fault: POLICIES[found] for fault, found in classes.items() if found is not None}
    healed = {(ways[one.fault].action, ways[one.fault].automatic) for one in load_plan(FEW).injections}
    assert healed | ON_THE_RUNNING_PLATFORM == {(way.action, way.automatic) for way in ways.values()}
    assert not healed & ON_THE_RUNNING_PLATFORM


def test_every_fault_is_detected_contained_and_healed(demonstrated: Demo) -> None:
    """One incident each; every severity as declared; nothing opened without a fault."""
    _, document, injected = demonstrated
    assert {fault["fault"] for fault in document["faults"]} == injected
    loud = [fault for fault in document["faults"] if not CATALOGUE[fault["fault"]].is_control]
    for fault in loud:
        assert fault["detected"] and fault["contained"] and fault["healed"], fault
        assert fault["severity"] == fault["expected_severity"], fault
        assert fault["detected_by"]
        assert fault["time_to_detect_seconds"] > 0
        assert fault["time_to_recover_seconds"] >= 0
    assert document["incidents"] == {"opened": len(loud), "resolved": len(loud), "without_a_fault": 0}
    assert document["approved"], "some actions wait for a person, and the demo says yes to them where all can see it"


def test_the_loop_takes_no_more_runs_and_events_than_it_did(week: Demo) -> None:
    """What Dagster has to do for a week with eight faults, healed and proved; and what stays of it."""
    home, _, _ = week
    found = Counter[str]()
    for database, sql in (
        ("history/runs", "select 'runs_of_' || pipeline_name, count(*) from runs group by pipeline_name"),
        (
            "event_log",
            "select 'events_of_checks', count(*) from event_logs where dagster_event_type like 'ASSET_CHECK%'",
        ),
        (
            "event_log",
            "select 'other_events', count(*) from event_logs where dagster_event_type not like 'ASSET_CHECK%'",
        ),
    ):
        with closing(sqlite3.connect(home / "dagster" / f"{database}.db")) as connection:
            found.update(dict(connection.execute(sql).fetchall()))
    kept = [path for path in home.rglob("*") if path.is_file() and "dbt" not in path.relative_to(home).parts]
    compare("a_week_of_faults", {**found, "kilobytes_of_the_home": sum(path.stat().st_size for path in kept) // 1000})


@pytest.mark.exhaustive  # on each `make test`, tests/conventions/test_readme.py compares the sample with the catalogue
def test_the_sample_of_the_readme_is_what_the_demo_prints(month: Demo) -> None:
    """`stale_source` was shown with another check than the one that the demo names first."""
    _, document, _ = month
    printed = {fault["fault"]: fault for fault in document["faults"]}
    for name, source, day, caught_by, severity in sample_of_the_demo():
        fault = printed[name]
        assert (fault["source"], str(fault["partition"])) == (source, day), name
        assert (fault["severity"] or "–") == severity, name
        assert ([*fault["detected_by"], "nothing to notice"][0]) == caught_by.split(" +")[0], name


def test_no_row_is_lost_and_recovery_is_proved(demonstrated: Demo) -> None:
    """Delivered is the sum of where rows ended; the published tables equal those of a month without failure."""
    _, document, _ = demonstrated
    rows = document["conservation"]
    assert rows["unaccounted"] == 0
    assert rows["delivered"] == sum(rows[name] for name in ("accepted", "duplicate", "quarantined", "held_late"))
    assert rows["duplicate"] > 0
    assert rows["quarantined"] > 0
    assert document["oracle"]["equal"]
    assert len(document["oracle"]["tables"]) == 5
    assert all(table["rows"] > 0 and table["equal"] for table in document["oracle"]["tables"].values())
    assert document["proved"]


def test_the_proof_can_fail(demonstrated: Demo) -> None:
    """One published cell changed by hand: verify names the table and the row, and says so by its exit code."""
    home, *_ = demonstrated
    table = home / "published" / "current" / "agg_daily_funnel" / "2026-01.parquet"
    original = table.read_bytes()
    with duckdb.connect() as connection:
        connection.execute(f"create table t as select * from '{table}'")
        connection.execute("update t set sessions = sessions + 1 where event_date = date '2026-01-04'")
        connection.execute(f"copy (from t) to '{table}' (format parquet)")
    try:
        printed = typed("verify", "--json", home=home, expect=ExitCode.NOT_HEALED)
    finally:
        table.write_bytes(original)
    document = json.loads(printed)
    assert not document["equal"]
    wrong = {name for name, found in document["tables"].items() if not found["equal"]}
    assert wrong == {"agg_daily_funnel"}
    assert "2026-01-04" in json.dumps(document["tables"]["agg_daily_funnel"]["first_differences"])


def test_a_second_heal_changes_nothing(demonstrated: Demo) -> None:
    """Nothing is open: no run, no new version, no new entry."""
    home, *_ = demonstrated
    before = typed("incidents", "list", "--json", home=home)
    version = (home / "published" / "current").readlink()
    typed("heal", home=home)
    assert typed("incidents", "list", "--json", home=home) == before
    assert (home / "published" / "current").readlink() == version
