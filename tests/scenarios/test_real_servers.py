"""A project whose deliveries lie in an object store and in a PostgreSQL server: the walk from the first run to the proof, with
secrets that must be nowhere afterwards.
"""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from reliability_platform.errors import ExitCode
from tests.object_store import BUCKET, KEY, SECRET, ObjectStore, object_store
from tests.postgresql_server import PASSWORD, PostgresqlServer, postgresql_server
from tests.scenarios.test_own_project import read

DAYS = [date(2026, 1, day) for day in (5, 6, 7)]
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: {name}
version: 1.0.0
status: active
team: [{{username: ops@example.com, role: owner}}]
customProperties:
  - {{property: eventTime, value: left_at}}
{custom}
servers:
{servers}
schema:
  - name: {name}
    properties:
      - {{name: number, physicalType: BIGINT, primaryKey: true}}
      - {{name: left_at, physicalType: TIMESTAMP, required: true}}
      - {{name: cabin, physicalType: VARCHAR, required: true, enum: [{{value: economy}}, {{value: business}}]}}
      - {{name: fare, physicalType: "DECIMAL(12,2)", required: true}}
"""
IN_BUCKET = """\
  - server: bucket
    type: s3
    location: s3://{bucket}/flights-*.csv
    endpointUrl: {url}
    customProperties:
      - {{property: options, value: {{key: env:AIRLINE_KEY, secret: "command:cat {secret}"}}}}
"""
IN_POSTGRESQL = """\
  - server: shop
    type: postgresql
    host: 127.0.0.1
    port: {port}
    database: postgres
    schema: public
    customProperties:
      - {{property: user, value: owner}}
      - {{property: credentials, value: "file:{password}"}}
"""
MART = """\
select event_date, cabin, count(*) as number_of_rows, sum(fare) as fares
from {{{{ ref('int_{name}__deduplicated') }}}}
where {{{{ in_touched_dates() }}}}
group by event_date, cabin
"""
MART_YML = """\
models:
  - name: agg_daily_{name}
    description: "Grain: one event date and cabin."
    config: {{unique_key: [event_date, cabin]}}
    columns:
      - {{name: event_date, data_type: date, description: The day.}}
      - {{name: cabin, data_type: varchar, description: Where.}}
      - {{name: number_of_rows, data_type: bigint, description: How many.}}
      - {{name: fares, data_type: "decimal(38,2)", description: Their sum.}}
"""


def rows(day: date, cabin: str = "business") -> list[tuple[int, str, str, str]]:
    """A day of either source."""
    return [
        (
            day.day * 1_000 + number,
            f"{day} {number % 24:02d}:30:00",
            cabin if number % 3 == 0 else "economy",
            f"{number}.50",
        )
        for number in range(60)
    ]


def text(found: list[tuple[int, str, str, str]]) -> str:
    """The same as CSV."""
    return "".join(["number,left_at,cabin,fare\n", *(",".join(map(str, one)) + "\n" for one in found)])


def write(project: Path, store: ObjectStore, postgresql: PostgresqlServer, secrets: Path) -> None:
    """Contracts and marts of the two sources."""
    bucket = IN_BUCKET.format(bucket=BUCKET, url=store.url, secret=secrets / "secret")
    database = IN_POSTGRESQL.format(port=postgresql.port, password=secrets / "password")
    csv = "  - {property: fileFormat, value: {format: csv}}"
    marts = project / "dbt_project" / "models" / "marts"
    marts.mkdir(parents=True, exist_ok=True)
    for name, custom, servers in (("flights", csv, bucket), ("bookings", "", database)):
        contract = CONTRACT.format(name=name, custom=custom, servers=servers)
        (project / "contracts" / f"{name}.yml").write_text(contract)
        (marts / f"agg_daily_{name}.sql").write_text(MART.format(name=name))
        (marts / f"agg_daily_{name}.yml").write_text(MART_YML.format(name=name))


SAID: list[str] = []
"""Everything that commands have printed."""


def reliability(project: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A command, typed in the project's folder, with the key of the bucket in its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RELIABILITY_")}
    environment |= {"RELIABILITY_HOME": str(project / "data"), "AIRLINE_KEY": KEY} | more
    command = [sys.executable, "-m", "reliability_platform.cli", *words]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=900)
    SAID.extend([done.stdout, done.stderr])
    return done


def incidents(project: Path) -> dict[tuple[str, str], str]:
    """The state of each incident, by source and failure class."""
    found: list[dict[str, Any]] = read(project, "incidents", "list")
    return {(one["source"], one["failure_class"]): one["state"] for one in found}


@pytest.mark.exhaustive  # three minutes; what each kind of source does alone is in `test_bucket` and `test_postgresql_source`
def test_a_bucket_and_a_database_are_landed_broken_mended_and_proved_and_no_secret_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A label that nobody declared comes from both: the owner of the bucket puts another object in its place, the database
    is asked again by itself; while its password is wrong a day is late, and nothing else."""
    monkeypatch.setenv("AIRLINE_KEY", KEY)
    secrets, project = tmp_path / "secrets", tmp_path / "airline"
    secrets.mkdir()
    (secrets / "secret").write_text(SECRET)
    (secrets / "password").write_text(PASSWORD)
    with object_store() as store, postgresql_server() as postgresql:
        postgresql.execute("create table bookings (number int, left_at timestamptz, cabin text, fare numeric)")

        def book(found: list[tuple[int, str, str, str]]) -> None:
            for one in found:
                postgresql.execute("insert into bookings values (%s, %s::timestamp at time zone 'UTC', %s, %s)", one)

        assert reliability(tmp_path, "init", str(project)).returncode == ExitCode.OK
        write(project, store, postgresql, secrets)
        assert reliability(project, "generate").returncode == ExitCode.OK
        for day in DAYS[:2]:
            unknown = "royal" if day == DAYS[1] else "business"
            store.put(f"flights-{day}.csv", text(rows(day, unknown)))
            book(rows(day, unknown))
        ran = reliability(project, "run", "--from", str(DAYS[0]), "--to", str(DAYS[1]))
        assert ran.returncode == ExitCode.NOT_HEALED, ran.stdout + ran.stderr
        assert set(incidents(project)) == {("bookings", "unknown_values"), ("flights", "unknown_values")}

        postgresql.execute("update bookings set cabin = 'business' where cabin = 'royal'")
        for incident in read(project, "incidents", "list"):  # an action on labels waits for a person's approval
            asked = reliability(project, "heal", "--incident", incident["id"])
        assert "ask its owner for flights-20260106-01-a2" in " ".join((asked.stdout + asked.stderr).split())
        assert incidents(project)[("bookings", "unknown_values")] == "resolved"
        store.put(f"flights-{DAYS[1]}.csv", text(rows(DAYS[1])))
        healed = reliability(project, "heal")
        assert healed.returncode == ExitCode.OK, healed.stdout + healed.stderr
        assert set(incidents(project).values()) == {"resolved"}
        admitted = {
            path.name for path in (project / "data" / "landing").glob("*/landing_date=2026-01-06/*.manifest.json")
        }
        assert {"flights-20260106-01-a2.manifest.json", "bookings-20260106-01-a2.manifest.json"} <= admitted

        (secrets / "password").write_text("another")
        store.put(f"flights-{DAYS[2]}.csv", text(rows(DAYS[2])))
        book(rows(DAYS[2]))
        ran = reliability(project, "run", "--from", str(DAYS[2]), "--to", str(DAYS[2]))
        assert ran.returncode == ExitCode.NOT_HEALED, ran.stdout + ran.stderr
        assert "refuses the user, or the credentials" in ran.stdout
        assert "refuses the user, or the credentials" in reliability(project, "doctor").stdout
        late = {one for one, state in incidents(project).items() if state != "resolved"}
        assert {source for source, _ in late} == {"bookings"}
        (secrets / "password").write_text(PASSWORD)
        reliability(project, "heal")
        ran = reliability(project, "run", "--from", str(DAYS[2]), "--to", str(DAYS[2]))
        assert ran.returncode == ExitCode.OK, ran.stdout + ran.stderr
        assert set(incidents(project).values()) == {"resolved"}
        proof = read(project, "verify")
        assert (proof["equal"], proof["rebuilt_from_landing"]) == (True, ["bookings", "flights"])
        assert {table: one["rows"] for table, one in proof["tables"].items() if table.startswith("agg_")} == {
            "agg_daily_bookings": 6, "agg_daily_flights": 6,
        }  # fmt: skip
        reliability(project, "sources")
        reliability(project, "snapshot", "create")

    left = [path for path in project.rglob("*") if path.is_file()]
    assert len(left) > 100
    for hidden in (PASSWORD, SECRET, KEY):
        assert [one for one in SAID if hidden in one] == []
        assert [str(path.relative_to(project)) for path in left if hidden.encode() in path.read_bytes()] == []
