"""Grades one run of the loop: each planned fault against the incidents, the publications and the oracle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine

from reliability_platform.faults.truth import Truth, load_truths
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.landing.file_quarantine import quarantined_files
from reliability_platform.scorecard.containment import wrong_dates
from reliability_platform.settings import Settings
from reliability_platform.warehouse.comparison import TableComparison
from reliability_platform.warehouse.lease import warehouse_reader
from reliability_platform.warehouse.marts import Mart
from reliability_platform.warehouse.publication import CURRENT, publications

HEALED = (State.VERIFIED, State.RESOLVED, State.CLOSED)


@dataclass(frozen=True)
class FaultScore:
    """What became of one planned fault."""

    fault: str
    source: str
    partition: str
    magnitude: str
    expected_severity: str | None
    detected: bool
    detected_by: list[str]
    incident: str | None
    severity: str | None
    contained: bool
    healed: bool
    time_to_detect_seconds: float | None
    """From the landing of the first bad row to the opening of the incident, on the wall clock of the run."""
    time_to_recover_seconds: float | None
    """From the opening of the incident to its verified recovery."""
    shown_wrong: list[str] = field(default_factory=list)
    """`version/table/event date` that consumers saw differ from the oracle; empty if contained by holding."""


@dataclass(frozen=True)
class Conservation:
    """Where every delivered row ended. `unaccounted` must be zero."""

    delivered: int
    accepted: int
    duplicate: int
    quarantined: int
    held_late: int
    unaccounted: int


@dataclass(frozen=True)
class Scorecard:
    """The whole verdict of a run."""

    faults: list[FaultScore]
    incidents: dict[str, int]
    conservation: Conservation
    oracle: list[TableComparison]

    @property
    def failures(self) -> list[str]:
        """Everything that keeps the run from being proved, in words; empty if it is."""
        found = []
        for score in self.faults:
            name = f"{score.fault} on {score.source} {score.partition}"
            for property_name in ("detected", "contained", "healed"):
                if not getattr(score, property_name):
                    found.append(f"{name} was not {property_name}")
        if self.incidents["without_a_fault"]:
            found.append(f"{self.incidents['without_a_fault']} incidents have no fault behind them")
        if self.incidents["opened"] != self.incidents["resolved"]:
            found.append(f"{self.incidents['opened'] - self.incidents['resolved']} incidents are not resolved")
        if self.conservation.unaccounted:
            found.append(f"{self.conservation.unaccounted} delivered rows are unaccounted for")
        found += [f"{table.name} differs from the oracle" for table in self.oracle if not table.equal]
        return found


def incident_of(truth: Truth, incidents: Sequence[Incident]) -> Incident | None:
    """The incident that names this fault's source, class and days; None if nobody noticed."""
    days = {day.isoformat() for day in truth.landing_dates}
    for incident in incidents:
        covered = {day.isoformat() for day in incident.partitions}
        if (
            incident.source == truth.source
            and incident.failure_class == truth.expected_class
            and incident.state is not State.FALSE_ALARM
            and days & covered
        ):
            return incident
    return None


def conservation(settings: Settings) -> Conservation:
    """Sum of the batch reconciliation over everything ever landed."""
    with warehouse_reader(settings) as connection:
        row = connection.execute(
            "select sum(delivered_rows), sum(accepted_rows), sum(duplicate_rows), sum(quarantined_rows), "
            "sum(held_late_rows), sum(abs(unaccounted_rows)) from rec_batches__conserved"
        ).fetchone()
    assert row is not None
    return Conservation(*(int(value or 0) for value in row))


def _all_in_quarantine(settings: Settings, truth: Truth) -> bool:
    """Whether each bad row of the fault sits in the row quarantine, or in a file that was refused whole."""
    if truth.rows.num_rows == 0:
        return False
    refused = [record["batch_id"] for record in quarantined_files(settings)]
    with warehouse_reader(settings) as connection:
        connection.register("bad_rows", truth.rows)
        row = connection.execute(
            """
            select count(*) from bad_rows
            where not list_contains(?::varchar[], batch_id) and not exists (
                select 1 from qtn_rows
                where qtn_rows.batch_id = bad_rows.batch_id
                    and qtn_rows.record_key is not distinct from bad_rows.record_key
            )
            """,
            [refused],
        ).fetchone()
    return row is not None and row[0] == 0


def _score(
    settings: Settings, truth: Truth, incidents: Sequence[Incident], marts: Sequence[Mart]
) -> tuple[FaultScore, Incident | None]:
    incident = incident_of(truth, incidents)
    versions = [settings.published / publication.version for publication in publications(settings)]
    tables = [mart.name for mart in marts if truth.source in mart.sources]
    oracle = settings.oracle / "published" / CURRENT
    shown = wrong_dates(versions, oracle, tables, truth.event_dates)
    recovered = incident.recovered_at if incident else None
    return (
        FaultScore(
            fault=truth.fault,
            source=truth.source,
            partition=truth.landing_date.isoformat(),
            magnitude=truth.magnitude,
            expected_severity=truth.expected_severity,
            detected=incident is not None,
            detected_by=sorted(incident.checks) if incident else [],
            incident=incident.id if incident else None,
            severity=str(incident.severity) if incident else None,
            contained=not shown or _all_in_quarantine(settings, truth),
            healed=incident is not None and incident.state in HEALED,
            time_to_detect_seconds=seconds_between(truth.struck_at, incident.detected_at if incident else None),
            time_to_recover_seconds=seconds_between(incident.detected_at if incident else None, recovered),
            shown_wrong=shown,
        ),
        incident,
    )


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Seconds from one moment to another; None if one of them is not known."""
    return round((end - start).total_seconds(), 3) if start is not None and end is not None else None


def score(settings: Settings, engine: Engine, marts: Sequence[Mart], oracle: Sequence[TableComparison]) -> Scorecard:
    """Join the truth of every strike with what the platform noticed, held and healed."""
    incidents = IncidentStore(engine).all()
    scores, matched = [], set()
    for truth in load_truths(settings):
        fault_score, incident = _score(settings, truth, incidents, marts)
        scores.append(fault_score)
        if incident is not None:
            matched.add(incident.id)
    real = [incident for incident in incidents if incident.state is not State.FALSE_ALARM]
    counts: Mapping[str, int] = {
        "opened": len(incidents),
        "resolved": sum(incident.state in (*HEALED, State.FALSE_ALARM) for incident in incidents),
        "without_a_fault": sum(incident.id not in matched for incident in real),
    }
    return Scorecard(scores, dict(counts), conservation(settings), list(oracle))
