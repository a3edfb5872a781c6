"""A project of one's own, without the shop and without a line of Python: contract, mart and deliveries are files."""

import hashlib
import json
import os
import subprocess
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reliability_platform.errors import ExitCode
from tests.forked import COMMAND_LINE, run

DAYS = (date(2019, 3, 1), date(2019, 3, 2))
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: flights
version: 1.0.0
status: active
team: [{username: ops@example.com, role: owner}]
slaProperties:
  - {property: frequency, value: 1, unit: d}
  - {property: latency, value: 12, unit: h}
customProperties:
  - {property: eventTime, value: scheduled}
  - {property: sourceKind, value: drop}
schema:
  - name: flights
    description: Departures from one airport.
    properties:
      - {name: carrier, physicalType: varchar(2), primaryKey: true, enum: [{value: AA}, {value: UA}, {value: DL}]}
      - {name: flight, physicalType: int4, primaryKey: true, classification: personal}
      - {name: scheduled, physicalType: TIMESTAMPTZ, primaryKey: true}
      - {name: delay, physicalType: DOUBLE, logicalTypeOptions: {minimum: -120}}
      - {name: cancelled, physicalType: bool, required: true}
"""
MART = """\
select
    event_date,
    carrier,
    count(*) as flights,
    count(*) filter (where cancelled) as cancelled
from {{ ref('int_flights__deduplicated') }}
where {{ in_touched_dates() }}
group by event_date, carrier
"""
MART_YML = """\
models:
  - name: agg_daily_flights
    description: "Grain: one event date and carrier. Departures of a day."
    config: {unique_key: [event_date, carrier]}
    columns:
      - {name: event_date, data_type: date, description: The day.}
      - {name: carrier, data_type: varchar, description: Who flew.}
      - {name: flights, data_type: bigint, description: All departures.}
      - {name: cancelled, data_type: bigint, description: Those that did not take off.}
"""


def reliability(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command, typed in the project's folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RELIABILITY_")}
    environment |= {"RELIABILITY_HOME": str(project / "data")}
    return run(COMMAND_LINE, *words, cwd=project, env=environment)


def produce(project: Path, day: date, flights: Sequence[tuple[str, int]], attempt: int = 1) -> None:
    """What a producer does that has never heard of the platform: a Parquet file, and a manifest beside it."""
    rows = pa.table(
        {
            "carrier": [carrier for carrier, _ in flights],
            "flight": pa.array([number for _, number in flights], pa.int64()),
            "scheduled": pa.array(
                [datetime(day.year, day.month, day.day) + timedelta(minutes=number) for _, number in flights],
                pa.timestamp("ms", "UTC"),
            ),
            "delay": pa.array([float(number % 40) for _, number in flights]),
            "cancelled": [number % 50 == 0 for _, number in flights],
        }
    )
    folder = project / "data" / "landing" / "flights" / f"landing_date={day}"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"flights-{day:%Y%m%d}-01" + (f"-a{attempt}" if attempt > 1 else "")
    pq.write_table(rows, folder / f"{name}.parquet")
    columns = [{"name": one.name, "type": str(one.type)} for one in rows.schema]
    sent = f"{day}T23:30:00Z"
    manifest = {
        "batch_id": name,
        "source": "flights",
        "landing_date": str(day),
        "sequence": 1,
        "attempt": attempt,
        "kind": "scheduled" if attempt == 1 else "replacement",
        "expected_rows": rows.num_rows,
        "checksum": hashlib.sha256((folder / f"{name}.parquet").read_bytes()).hexdigest(),
        "columns": columns,
        "schema_fingerprint": hashlib.sha256(json.dumps(columns).encode()).hexdigest()[:16],
        "produced_at": sent,
        "landed_at": sent,
    }
    (folder / f"{name}.manifest.json").write_text(json.dumps(manifest))


def read(project: Path, *words: str) -> Any:
    """What a command prints for programs."""
    done = reliability(project, *words, "--json")
    assert done.returncode in (ExitCode.OK, ExitCode.NOT_HEALED), done.stderr
    return json.loads(done.stdout)


@pytest.mark.exhaustive  # 45 s; `test_csv_deliveries` has a project of its own, `test_pickup` a producer with manifests
def test_a_source_is_declared_landed_broken_and_healed_with_files_alone(tmp_path: Path) -> None:
    """Two days of flights, keys of three columns, in a year of which the shop knows nothing; the second day has a carrier
    that nobody declared. It is held and explained, nobody asks a source that cannot be asked, and what its owner sends
    next ends the incident."""
    project = tmp_path / "airport"
    begun = reliability(tmp_path, "init", str(project))
    assert begun.returncode == ExitCode.OK, begun.stderr
    assert not [path for path in project.rglob("*") if "orders" in path.name]
    none = reliability(project, "run", "--from", str(DAYS[0]), "--to", str(DAYS[0]))
    assert (none.returncode, "declares no source" in none.stderr) == (ExitCode.USAGE, True)

    (project / "contracts" / "flights.yml").write_text(CONTRACT)
    (project / "settings.env").write_text("RELIABILITY_FIRST_DAY=2019-01-01\n")
    marts = project / "dbt_project" / "models" / "marts"
    marts.mkdir()
    (marts / "agg_daily_flights.sql").write_text(MART)
    (marts / "agg_daily_flights.yml").write_text(MART_YML)
    assert read(project, "generate")["written"]

    good = [(carrier, number) for carrier in ("AA", "UA", "DL") for number in range(1, 101)]
    produce(project, DAYS[0], good)
    produce(
        project, DAYS[1], [("XX" if carrier == "DL" and number > 50 else carrier, number) for carrier, number in good]
    )
    ran = read(project, "run", "--from", str(DAYS[0]), "--to", str(DAYS[1]))
    assert list(ran["held"]) == [f"flights/{DAYS[1]}"]
    letters = next((project / "data" / "quarantine").glob(f"flights/landing_date={DAYS[1]}/dead_letters.parquet"))
    keys = [key.split("|") for key in pq.read_table(letters, columns=["record_key"])["record_key"].to_pylist()]
    assert {(key[0], len(key[1])) for key in keys} == {("XX", 64)}, "a key that is personal stands there as a digest"
    [incident] = ran["incidents"]
    assert incident["id"].endswith(f"-unknown_values-flights-{DAYS[1]}")
    approved = reliability(project, "heal", "--incident", incident["id"])
    said = " ".join((approved.stdout + approved.stderr).split())
    assert "ask its owner for flights-20190302-01-a2" in said, said

    produce(project, DAYS[1], good, attempt=2)
    read(project, "run", "--from", str(DAYS[1]), "--to", str(DAYS[1]))
    [incident] = read(project, "incidents", "list")
    assert incident["state"] == "resolved"
    proof = read(project, "verify")
    assert (proof["equal"], proof["rebuilt_from_landing"]) == (True, ["flights"])
    assert proof["tables"]["agg_daily_flights"]["rows"] == 6
