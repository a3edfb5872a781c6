"""A project whose source is a topic on a real broker: landed, judged, published, and said in one line where the broker is gone."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from reliability_platform.errors import ExitCode
from tests.kafka_broker import Broker, running_broker
from tests.scenarios.test_own_project import MART, MART_YML, reliability

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: flights
version: 1.0.0
status: active
team: [{username: ops@example.com, role: owner}]
slaProperties:
  - {property: latency, value: 2, unit: d}
servers:
  - {server: cluster, type: kafka, host: "%s"}
customProperties:
  - {property: eventTime, value: scheduled}
schema:
  - name: flights
    physicalName: airport.flights
    properties:
      - {name: carrier, physicalType: varchar(2), primaryKey: true, enum: [{value: AA}, {value: UA}]}
      - {name: flight, physicalType: int4, primaryKey: true}
      - {name: scheduled, physicalType: TIMESTAMP, primaryKey: true}
      - {name: cancelled, physicalType: bool, required: true}
"""
TODAY = datetime.now(UTC).date()
DAYS = (TODAY - timedelta(days=2), TODAY - timedelta(days=1))
FLIGHTS = 300


def fly(broker: Broker, day: date, broken: int = 0) -> None:
    """The records of a day, some of which cannot be decoded."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    moments = [begin + timedelta(minutes=4 * number) for number in range(FLIGHTS)]
    values = [
        json.dumps({"carrier": "UA", "flight": number, "scheduled": moment.isoformat(), "cancelled": number % 10 == 0})
        for number, moment in enumerate(moments)
    ]
    told = [b"{broken" if number < broken else value.encode() for number, value in enumerate(values)]
    records = [
        (n % 3, value, int(moment.timestamp() * 1000))
        for n, (value, moment) in enumerate(zip(told, moments, strict=True))
    ]
    broker.send("airport.flights", records)


@pytest.mark.exhaustive  # a minute: four commands with dbt; landing and admission are held by tests/unit/test_stream_source.py
def test_a_topic_is_published_by_day_and_what_cannot_be_decoded_is_quarantined(tmp_path: Path) -> None:
    project = tmp_path / "project"
    assert reliability(tmp_path, "init", str(project)).returncode == ExitCode.OK
    with running_broker() as broker:
        broker.make("airport.flights")
        (project / "contracts" / "flights.yml").write_text(CONTRACT % broker.address)
        marts = project / "dbt_project" / "models" / "marts"
        marts.mkdir(parents=True, exist_ok=True)
        (marts / "agg_daily_flights.sql").write_text(MART)
        (marts / "agg_daily_flights.yml").write_text(MART_YML)
        assert reliability(project, "generate").returncode == ExitCode.OK
        fly(broker, DAYS[0])
        fly(broker, DAYS[1], broken=2)
        ran = reliability(project, "run", "--from", str(DAYS[0]), "--to", str(DAYS[1]))
        assert ran.returncode == ExitCode.OK, ran.stdout + ran.stderr
        read = sorted((project / "data" / "published" / "current").glob("agg_daily_flights*"))
        rows = pq.read_table(read[0], partitioning=None).to_pylist()
        assert sorted((one["event_date"], one["flights"]) for one in rows) == [
            (DAYS[0], FLIGHTS),
            (DAYS[1], FLIGHTS - 2),
        ]
        waiting = json.loads(reliability(project, "quarantine", "list", "--json").stdout)
        assert "scheduled_unreadable" in json.dumps(waiting)
        lags = reliability(project, "metrics").stdout
        assert 'reliability_stream_lag_records{source="flights"} 0.0' in lags
    doctor = reliability(project, "doctor")
    assert f"The Kafka cluster at {broker.address} does not answer" in doctor.stdout + doctor.stderr
