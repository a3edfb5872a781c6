"""What happened in a home, day by day: volumes, held days, injections, incidents. Plain data for the report."""

from typing import Any

from sqlalchemy import Engine

from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.faults.truth import load_truths
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_reader
from reliability_platform.warehouse.publication import Partition, publications


def month_of(settings: Settings, engine: Engine) -> dict[str, Any]:
    """Read a home. Raises `EnvironmentUnusableError` if it has no warehouse."""
    volumes = _volumes(settings)
    days = [row["day"] for row in volumes]
    return {
        "first_day": min(days, default=None),
        "last_day": max(days, default=None),
        "volumes": volumes,
        "held": _held(settings),
        "injections": [
            {
                "fault": truth.fault,
                "source": truth.source,
                "first_day": min(truth.landing_dates, default=truth.landing_date),
                "last_day": max(truth.landing_dates, default=truth.landing_date),
                "magnitude": truth.magnitude,
            }
            for truth in load_truths(settings)
        ],
        "incidents": [_incident(one) for one in IncidentStore(engine).all()],
    }


def _volumes(settings: Settings) -> list[dict[str, Any]]:
    """Rows delivered by source and landing day. What came for no day at all stands under the epoch and is left out."""
    with warehouse_reader(settings) as connection:
        rows = connection.execute(
            "select source, landing_date, sum(delivered_rows) from rec_batches__conserved "
            "where landing_date > date '1970-01-01' group by all order by all"
        ).fetchall()
    return [{"source": source, "day": day, "rows": int(count)} for source, day, count in rows]


def _held(settings: Settings) -> list[dict[str, Any]]:
    """Partitions that some version held back: from which publication on, and until which; None while they are."""
    since: dict[Partition, str] = {}
    until: dict[Partition, str] = {}
    for publication in publications(settings):
        held = publication.held_partitions
        for one in held:
            since.setdefault(one, publication.published_at)
            until.pop(one, None)
        for one in since.keys() - held.keys():
            until.setdefault(one, publication.published_at)
    return [
        {"source": source, "day": day, "from": since[source, day], "until": until.get((source, day))}
        for source, day in sorted(since)
    ]


def _incident(incident: Incident) -> dict[str, Any]:
    title = CLASSES[incident.failure_class].title
    return {
        "id": incident.id,
        "source": incident.source,
        "failure_class": incident.failure_class,
        "severity": incident.severity.value,
        "state": incident.state.value,
        "title": f"{title}: {incident.column}" if incident.column else title,
        "first_day": incident.partitions[0] if incident.partitions else None,
        "last_day": incident.partitions[-1] if incident.partitions else None,
        "detected_at": incident.detected_at.isoformat(),
        "recovered_at": incident.recovered_at.isoformat() if incident.recovered_at else None,
    }
