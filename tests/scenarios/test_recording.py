"""The lab on a source that nobody simulates: landed, audited days are recorded, broken, healed and proved."""

import json
import os
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from reliability_platform.errors import ExitCode
from reliability_platform.settings import PROJECT_ROOT
from tests.forked import run
from tests.scenarios.airport_in_the_lab import HIT
from tests.scenarios.test_own_project import CONTRACT, MART, MART_YML, produce, read, reliability

pytestmark = pytest.mark.exhaustive
"""70 s. `test_recordings` has the parts, and a project of files is in `test_csv_deliveries`."""

DAYS = [date(2019, 3, 1) + timedelta(days=number) for number in range(5)]
FIRST, LAST = str(DAYS[0]), str(DAYS[-1])
ROWS = [(carrier, number) for carrier in ("AA", "UA", "DL") for number in range(1, 101)]
MEASURED = CONTRACT.replace(
    "logicalTypeOptions: {minimum: -120}}",
    "logicalTypeOptions: {minimum: -120}, customProperties: [{property: role, value: measure}]}",
)


@pytest.fixture(scope="module")
def airport(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of one's own with five days of one source, none of which has run yet."""
    project = tmp_path_factory.mktemp("own") / "airport"
    assert reliability(project.parent, "init", str(project)).returncode == ExitCode.OK
    (project / "contracts" / "flights.yml").write_text(MEASURED)
    (project / "settings.env").write_text("RELIABILITY_FIRST_DAY=2019-01-01\n")
    marts = project / "dbt_project" / "models" / "marts"
    marts.mkdir()
    (marts / "agg_daily_flights.sql").write_text(MART)
    (marts / "agg_daily_flights.yml").write_text(MART_YML)
    read(project, "generate")
    for day in DAYS:
        produce(project, day, ROWS)
    return project


@pytest.fixture(scope="module")
def graded(airport: Path) -> Any:
    """The days run, recorded into `lab`, and a trial on them with a fault on each day but the first."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RELIABILITY_")}
    environment |= {"RELIABILITY_HOME": str(airport / "data")}
    done = run("tests.scenarios.airport_in_the_lab", str(airport / "lab"), FIRST, LAST, cwd=airport, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_faults_on_a_recording_are_noticed_contained_and_healed(graded: Any) -> None:
    """Columns were listed by source name: 11 of 34 faults did not apply to flights, and `inject` ended in a KeyError."""
    assert [one["fault"] for one in graded["scenarios"]] == list(HIT)
    for one in graded["scenarios"]:
        good = {key: one[key] for key in ("detected", "root_cause_right", "severity_right", "contained", "healed")}
        assert all(good.values()), one
        assert one["quarantine"]["precision"] in (None, 1.0)
        assert one["quarantine"]["recall"] in (None, 1.0)
    assert graded["unexplained_differences"] == []
    assert graded["false_alarms_elsewhere"] == []


def test_what_is_real_is_never_broken(airport: Path, graded: Any) -> None:
    """Injected into a home with real deliveries, a fault would have deleted what nobody can send again."""
    for fault in ("unknown_enum", "accidental_delete"):
        refused = reliability(airport, "inject", fault, "--source", "flights", "--date", FIRST)
        assert (refused.returncode, "flights is a real source" in refused.stderr) == (ExitCode.USAGE, True), (
            refused.stderr
        )
        assert refused.stderr.count("\n") == 1
    done = reliability(airport, "inject", "unknown_enum", "--source", "flights", "--date", FIRST, "--home", "lab")
    assert done.returncode == ExitCode.OK, done.stderr
    landed = sorted((airport / "lab" / "landing" / "flights").rglob("*.parquet"))
    assert [path.name for path in landed] == ["flights-20190301-01.parquet"]
    (airport / "bad.yml").write_text("name: bad\ninjections: [{fault: schema_column_added, source: flights, day: 1}]\n")
    done = reliability(airport, "plan", "bad.yml", "--from", FIRST, "--to", LAST, "--home", "lab")
    assert done.returncode == ExitCode.OK, done.stderr
    assert "utm_campaign" in pq.read_schema(landed[0]).names


def test_a_demo_of_real_sources_needs_a_recording(airport: Path, graded: Any) -> None:
    """It asked for `payments` in a project that has no such source. A recording has the events and the days that it has."""
    for words, said in (
        ((), "reliability lab record"),
        (("--home", "lab", "--events", "9"), "leave out --events"),
        (("--home", "lab", "--days", "6"), "give --days 5 or fewer"),
    ):
        refused = reliability(airport, "demo", *words)
        assert (refused.returncode, said in refused.stderr) == (ExitCode.USAGE, True), refused.stderr
        assert refused.stderr.count("\n") == 1


def test_a_recording_is_demonstrated_killed_and_lost(airport: Path, graded: Any) -> None:
    """The demo, the drills and the kills assumed the simulation. The recording stays what it is through all of them."""
    reliability(airport, "lab", "record", "--from", FIRST, "--to", LAST, "--into", "demonstrated")
    shown = read(airport, "demo", "--home", "demonstrated")
    assert shown["proved"], shown["failures"]
    assert shown["window"] == {"from": FIRST, "to": LAST}
    assert {one["source"] for one in shown["faults"]} == {"flights"}
    assert "no room" in shown["left_out"]["volume_drop"]
    again = reliability(airport, "demo", "--home", "demonstrated", "--json")
    assert again.returncode == ExitCode.OK, again.stderr
    for drill in ("table-loss", "warehouse-loss", "source-outage"):
        done = reliability(airport, "drill", drill, "--home", "demonstrated", "--json")
        assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    # No fork: processes that are killed are started anew, and import what the first one was started with.
    outside = {name: value for name, value in os.environ.items() if not name.startswith("RELIABILITY_")}
    outside |= {"RELIABILITY_HOME": str(airport / "data"), "PYTHONPATH": str(PROJECT_ROOT)}
    words = [sys.executable, "-m", "tests.scenarios.lost_on_purpose", str(airport / "demonstrated")]
    done = subprocess.run(words, cwd=airport, env=outside, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lost = json.loads(done.stdout.splitlines()[-1])
    assert (lost["kills"]["survived"], lost["drills"]["met"]) == (1, 4), lost


def test_days_that_are_no_truth_are_not_recorded(airport: Path, graded: Any) -> None:
    """A day that nobody audited would make every comparison with it worthless. The home that is there stays as it is."""
    later = str(DAYS[-1] + timedelta(days=1))
    for words, said in (
        (("--from", FIRST, "--to", later, "--into", "other"), f"Nothing of flights was run on {later}"),
        (("--from", FIRST, "--to", LAST, "--into", "lab"), "is not empty"),
        (("--from", FIRST, "--to", LAST, "--into", "data/lab"), "lies in the home that is recorded"),
    ):
        refused = reliability(airport, "lab", "record", *words)
        assert (refused.returncode, said in refused.stderr) == (ExitCode.USAGE, True), refused.stderr
        assert refused.stderr.count("\n") == 1
    assert not (airport / "other").exists()


def test_a_recording_that_was_altered_is_refused(airport: Path, graded: Any, tmp_path: Path) -> None:
    """What somebody changed is no truth; neither is what another contract reads otherwise."""
    words = ("inject", "null_spike", "--source", "flights", "--date", FIRST, "--home", str(tmp_path / "lab"))

    def refused(said: str) -> None:
        done = reliability(airport, *words)
        assert (done.returncode, said in done.stderr) == (ExitCode.USAGE, True), done.stderr
        assert done.stderr.count("\n") == 1
        shutil.rmtree(tmp_path / "lab")

    def copy() -> Path:
        return Path(shutil.copytree(airport / "lab" / "recording", tmp_path / "lab" / "recording"))

    batch = next((copy() / "batches").rglob("*.parquet"))
    batch.write_bytes(batch.read_bytes() + b"x")
    refused("is not what was recorded")
    copy().joinpath("recording.json").write_text("{}")
    refused("is not what was recorded")
    copy().joinpath("recording.json").unlink()
    refused("is no recording")
    copy()
    contract = airport / "contracts" / "flights.yml"
    try:
        contract.write_text(MEASURED.replace("minimum: -120", "minimum: -60"))
        refused("recorded under another contract of flights")
    finally:
        contract.write_text(MEASURED)
