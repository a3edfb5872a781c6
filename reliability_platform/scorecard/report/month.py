"""What happened in a home, day by day: volumes, held partitions, strikes, incidents. Plain data for the report."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine

from reliability_platform.faults.truth import load_truths
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_reader
from reliability_platform.warehouse.publication import publications


@dataclass(frozen=True)
class StrikeMark:
    """A fault on the timeline of the month."""

    fault: str
    source: str
    first_day: date
    last_day: date


@dataclass(frozen=True)
class IncidentMark:
    """An incident on the timeline of the month; `seconds_to_recover` is wall-clock time."""

    id: str
    title: str
    source: str
    severity: str
    state: str
    column: str | None
    first_day: date
    last_day: date
    healed: bool
    seconds_to_recover: float | None


@dataclass(frozen=True)
class Month:
    """All of it."""

    days: list[date]
    volumes: dict[str, dict[date, int]]
    """Rows delivered, by source and landing day."""
    held: dict[str, set[date]]
    """Landing days that some version held back, by source."""
    strikes: list[StrikeMark]
    incidents: list[IncidentMark]


def _mark(incident: Incident) -> IncidentMark:
    recovered: datetime | None = incident.recovered_at
    return IncidentMark(
        id=incident.id,
        title=CLASSES[incident.failure_class].title,
        source=incident.source,
        severity=incident.severity.value,
        state=incident.state.value,
        column=incident.column,
        first_day=incident.partitions[0],
        last_day=incident.partitions[-1],
        healed=incident.state in (State.VERIFIED, State.RESOLVED, State.CLOSED),
        seconds_to_recover=round((recovered - incident.detected_at).total_seconds(), 1) if recovered else None,
    )


def month_of(settings: Settings, engine: Engine) -> Month:
    """Read a home. Raises `EnvironmentUnusableError` if it has no warehouse."""
    with warehouse_reader(settings) as connection:
        rows = connection.execute(
            "select source, landing_date, sum(delivered_rows) from rec_batches__conserved "
            "where landing_date > date '1970-01-01' group by all order by all"
        ).fetchall()
    volumes: dict[str, dict[date, int]] = {}
    for source, day, count in rows:
        volumes.setdefault(source, {})[day] = int(count)
    held: dict[str, set[date]] = {}
    for publication in publications(settings):
        for key in publication.held:
            source, day = key.split("/")
            held.setdefault(source, set()).add(date.fromisoformat(day))
    strikes = [
        StrikeMark(truth.fault, truth.source, truth.landing_dates[0], truth.landing_dates[-1])
        for truth in load_truths(settings)
        if truth.landing_dates
    ]
    incidents = [_mark(one) for one in IncidentStore(engine).all() if one.state is not State.FALSE_ALARM]
    days = sorted({day for series in volumes.values() for day in series})
    return Month(days, volumes, held, strikes, incidents)
