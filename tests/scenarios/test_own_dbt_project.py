"""A dbt project of somebody who has never heard of the platform, with the platform around it: nothing is written into it."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from reliability_platform.errors import ExitCode
from tests.scenarios.bicycles import DAYS, deliver, write_project
from tests.scenarios.test_own_project import read, reliability

RUN = """
import json, sys
from datetime import date
from reliability_platform.checks.catalogue import MODEL_TESTS
from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import utc_now
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.oracle import verify
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.landing.reference import refresh_reference
from reliability_platform.lineage.graph import data_graph, downstream
from reliability_platform.pipeline.run import run_days
from reliability_platform.pipeline.steps import RunContext
from reliability_platform.pipeline.ticks import notice
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.own_lacks import not_compared
from reliability_platform.warehouse.snapshots.soundness import read_through

context, proves = RunContext.of(load_settings(), "test"), sys.argv[1] == "prove"
settings, found = context.settings, []
refresh_reference(settings)
for group in sys.argv[2:]:
    days = [date.fromisoformat(day) for day in group.split(",")]
    publication = run_days(context, days).publication
    notice(settings, context.engine, utc_now)
    results = CheckStore(context.engine).latest([days[-1]], [test.check for test in MODEL_TESTS.values()])
    found.append({
        "tables": {one.name: [one.rows, one.is_kept, sorted(one.dates)] for one in publication.tables},
        "held": sorted(publication.held),
        "tests": {one.check: [one.status.value, one.message] for one in results},
        "incidents": [
            [one.failure_class, one.state.value, one.root_dataset, sorted(one.checks)]
            for one in IncidentStore(context.engine).all()
        ],
        "reached": sorted(downstream(data_graph(ensure_manifest()), ["bronze/ride_log"])),
        "equal": {one.name: one.equal for one in verify(settings, landed_partitions(settings))} if proves else {},
        "not_compared": not_compared(ensure_manifest()),
        "tables_read_through": read_through(settings.warehouse),
    })
print(json.dumps(found))
"""

IN_THE_LAB = """
import json, sys
from dataclasses import asdict
from datetime import date
from pathlib import Path
from reliability_platform.lab.campaign.grid import Scenario, TrialPlan
from reliability_platform.lab.campaign.live import run_live_trial
from reliability_platform.lab.recordings.record import record
from reliability_platform.lab.recordings.recording import Recording
from reliability_platform.operations import operations_engine
from reliability_platform.pipeline.run import reprocess, run_days
from reliability_platform.pipeline.steps import RunContext
from reliability_platform.landing.reference import refresh_reference
from reliability_platform.settings import load_settings

settings, lab, days = load_settings(), load_settings(Path("lab")), [date.fromisoformat(day) for day in sys.argv[1:]]
refresh_reference(settings)
run_days(RunContext.of(settings, "test"), days)
record(settings, operations_engine(settings), days[0], days[-1], lab)
faults = [("silent_transform_bug", "small"), ("downstream_metric_mismatch", "small"), ("accidental_delete", "small")]
scenarios = tuple(Scenario(fault, "ride_log", size, "live", 7, days[1]) for fault, size in faults)
found = run_live_trial(Path("trial"), TrialPlan(1, 7, scenarios, Recording.open(lab.recording)))
print(json.dumps(asdict(found)))
"""

LOAD_ALL = """
import json
from reliability_platform.orchestration.definitions import defs

defs.get_repository_def().load_all_definitions()  # as a webserver does: jobs are resolved, too
print(json.dumps([key.to_user_string() for key in defs.resolve_all_asset_keys()]))
"""


def ran(project: Path, what: str, *runs: Sequence[date]) -> Any:
    """What became of runs over some days, one after the other in a process of the project."""
    return json.loads(run_in(project, RUN, what, *(",".join(map(str, days)) for days in runs)))


def run_in(project: Path, code: str, *words: str) -> str:
    """What Python prints in a process of the project."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RELIABILITY_")}
    environment |= {"RELIABILITY_HOME": str(project / "data")}
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    return done.stdout


def content(folder: Path) -> dict[str, str]:
    """Every file below a folder, and its digest."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def around(tmp_path: Path) -> Path:
    """A project around the bicycles, whose contract feeds their rides."""
    write_project(tmp_path / "theirs")
    deliver(tmp_path / "deliveries")
    made = reliability(tmp_path, "init", "around", "--dbt-project", "theirs")
    assert made.returncode == ExitCode.OK, made.stderr
    assert "depot.bikes, depot.never_read, depot.rides, depot.weather" in made.stdout
    project = tmp_path / "around"
    rides, bikes = f"{tmp_path}/deliveries/rides-*.csv", f"{tmp_path}/deliveries/bikes.csv"
    said = ("--feeds", "depot.rides", "--key", "ride", "--event-time", "started", "--yes")
    added = read(project, "sources", "add", "ride_log", "--from", rides, "--reference", bikes, *said)
    assert (added["feeds"], added["mart"]) == ("depot.rides", [])
    assert read(project, "generate")["written"]
    return project


@pytest.mark.exhaustive  # 35 s; what is read of a manifest, and which tests become checks, is held by unit tests
def test_their_models_are_built_their_tests_judge_and_what_they_mark_is_published_and_proved(around: Path) -> None:
    """Own layers, schemas, aliases and packages; rides from a station that nobody has listed fail a test of theirs: its day
    is held, with an incident that names the table, until its owner lists the station. That day comes after the others: an
    incremental model that asks for newer days alone would never have it."""
    theirs = around.parent / "theirs"
    before = content(theirs)
    first, second = ran(around, "run", DAYS[1:], DAYS[:1])
    assert first["held"] == []
    assert first["tables"] == {
        "bikes_over_time": [7, False, []],
        "daily": [4, False, [str(day) for day in DAYS[1:]]],
        "stations_served": [2, False, []],
    }
    assert set(first["tests"]) == {
        "by-district__not_null_rides",
        "rides_clean__accepted_values_minutes",
        "rides_clean__no_ride_ends_before_it_begins",
        "rides_clean__not_null_station",
        "rides_clean__relationships_station",
        "src_ride_log__unique_ride",
        "stations_served__unique_station",
    }
    assert first["tests"]["rides_clean__accepted_values_minutes"][0] == "failed", "it warns, and holds nothing"
    assert {"daily", "stations_served", "exposure/city_hall", "bike_use", "by-district"} <= set(first["reached"])
    assert {"published/daily", "published/bikes_over_time"} <= set(first["reached"])

    assert second["held"] == [f"ride_log/{DAYS[0]}"]
    status, message = second["tests"]["rides_clean__relationships_station"]
    assert status == "failed"
    assert message.startswith("20 failing rows, kept in ")
    assert second["tests"]["stations_served__unique_station"][0] == "passed", "what comes after a failed test is judged"
    assert second["tables"]["daily"] == [4, False, [str(day) for day in DAYS[1:]]]
    assert second["tables"]["stations_served"] == [2, True, []]
    [incident] = second["incidents"]
    assert incident[:3] == ["failed_test", "contained", "rides_clean"]
    assert "rides_clean__relationships_station" in incident[3]
    assert content(theirs) == before

    with (theirs / "lists" / "stations.csv").open("a") as file:
        file.write("market,inner\n")
    [third] = ran(around, "prove", DAYS[:1])
    assert third["held"] == []
    assert third["tests"]["rides_clean__relationships_station"][0] == "passed"
    assert third["tables"]["daily"] == [7, False, [str(day) for day in DAYS]]
    assert third["tables"]["stations_served"] == [3, False, []]
    assert third["equal"] == {"daily": True, "stations_served": True}
    assert list(third["not_compared"]) == ["bikes_over_time"]
    assert "bike_use is a snapshot" in third["not_compared"]["bikes_over_time"]
    assert third["tables_read_through"] > len(third["tables"])

    with duckdb.connect(str(around / "data" / "warehouse.duckdb")) as connection:
        [(schema,)] = connection.execute(
            "select schema_name from duckdb_tables() where table_name = 'stations_served'"
        ).fetchall()
        connection.execute(f"update {schema}.stations_served set station = 'nowhere' where station = 'market'")
    changed = read(around, "publish")
    assert set(map(tuple, changed["held"].values())) == {("stations_served was changed after it was built",)}
    [fourth] = ran(around, "prove", DAYS[:1])
    assert fourth["held"] == []
    assert fourth["equal"] == {"daily": True, "stations_served": True}


def refused(project: Path) -> str:
    """What `run` says instead of running; nothing lands."""
    done = reliability(project, "run", "--from", str(DAYS[0]), "--to", str(DAYS[0]))
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert not (project / "data" / "landing" / "ride_log").exists()
    [line] = done.stderr.splitlines()
    return line


@pytest.mark.exhaustive  # each parses the project anew
def test_what_their_project_lacks_is_said_in_one_line_before_anything_lands(around: Path) -> None:
    """A configuration for all models would make the platform's own tables other ones; microbatches would lose late rows."""
    theirs = around.parent / "theirs"
    reads = theirs / "layers" / "clean" / "unfed.sql"
    reads.write_text("select * from {{ source('depot', 'never_read') }}\n")
    assert "the source depot.never_read has no contract, and unfed reads it: `reliability sources add" in refused(
        around
    )
    reads.unlink()

    taken = theirs / "layers" / "clean" / "stg_ride_log.sql"
    taken.write_text("select 1 as one\n")
    assert "the contract ride_log would make a model stg_ride_log, and bicycles has one, too" in refused(around)
    taken.unlink()

    declared = (theirs / "dbt_project.yml").read_text()
    (theirs / "dbt_project.yml").write_text(declared.replace("models:\n", "models:\n  +materialized: table\n"))
    assert (
        "configures all models, the platform's among them: put what it says there below `models: bicycles:`"
        in refused(around)
    )
    (theirs / "dbt_project.yml").write_text(declared)

    model = theirs / "layers" / "clean" / "batches.sql"
    model.write_text(
        "{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='ridden_on', "
        "batch_size='day', begin='2024-01-01') }}\nselect * from {{ ref('rides_clean') }}\n"
    )
    assert "batches is built in microbatches" in refused(around)
    model.unlink()


@pytest.mark.exhaustive  # two runs through Dagster, 40 s
def test_the_commands_and_dagster_take_their_project_as_they_take_any(around: Path) -> None:
    """A failed test is a check that holds, not an asset that stops the audit of everything else; and what is held is shown."""
    good = read(around, "run", "--from", str(DAYS[1]), "--to", str(DAYS[2]))
    assert not good["held"]
    bad = read(around, "run", "--from", str(DAYS[0]), "--to", str(DAYS[0]))
    assert list(bad["held"]) == [f"ride_log/{DAYS[0]}"]
    doctor = {one["what"]: one for one in read(around, "doctor")}
    assert (doctor["own project"]["ok"], doctor["warehouse"]["ok"], doctor["checks"]["ok"]) == (True, True, True)
    assert "`reliability verify` cannot compare bikes_over_time" in doctor["own project"]["says"]
    served = run_in(around, LOAD_ALL)
    assert {"published/daily", "src_ride_log", "bike_use", "stations", "by-district"} <= set(json.loads(served))
    lineage = read(around, "lineage", "--dataset", "src_ride_log", "--column", "station")
    assert "station" in json.dumps(lineage)


BIKES_RIDDEN = """\
{{ config(meta={'published': true}) }}
select bike, count(*) as rides from {{ ref('rides_kept') }} group by bike
"""
ADDS_UP = "config: {meta: {adds_up: {of: ride_log, value: count(*)}}}"


@pytest.mark.exhaustive  # 2 min: a trial with a build for each fault and each healing
def test_the_lab_breaks_their_models_and_their_tables_and_each_is_noticed_held_and_healed(around: Path) -> None:
    """Nothing of an own project could be broken but what lands. A number that nobody's test knows is wrong in a table by days
    and in one that is published whole: a wrong model, rows that somebody alters, rows that somebody deletes."""
    layers = around.parent / "theirs" / "layers"
    (layers / "serve" / "bikes_ridden.sql").write_text(BIKES_RIDDEN)
    declared = (layers / "models.yml").read_text()
    said = "".join(
        f"  - name: {model}\n    columns:\n      - {{name: rides, {ADDS_UP}}}\n" for model in ("daily", "bikes_ridden")
    )
    declared = declared.replace("values: [5, 10]", "values: [60]")  # a clean day fails no test of theirs
    (layers / "models.yml").write_text(declared.replace("models:\n", f"models:\n{said}", 1))
    assert "dbt_project/models/reconciliation/rec_silver__vs__gold.sql" in json.dumps(read(around, "generate"))
    before = content(around.parent / "theirs")
    applies = {one["name"]: one for one in read(around, "faults", "list", "--source", "ride_log")}
    assert applies["accidental_delete"]["why_not"] is None
    found = json.loads(run_in(around, IN_THE_LAB, *map(str, DAYS[1:])).splitlines()[-1])
    for one in found["scenarios"]:
        assert all(one[what] for what in ("detected", "root_cause_right", "contained", "healed")), one
        assert one["incidents"] == 1, one
        named = True if one["fault"] == "silent_transform_bug" else None
        assert one["changed_file_first"] is named, one["changed_first"]
    assert (found["false_alarms_elsewhere"], found["unexplained_differences"]) == ([], [])
    assert content(around.parent / "theirs") == before
