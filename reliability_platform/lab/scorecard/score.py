"""Grades one run of the loop: each planned fault against the incidents, the publications and the oracle."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine

from reliability_platform.counted import counted
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.faults.catalogue import fault_named
from reliability_platform.lab.faults.fault import Containment, Stage
from reliability_platform.lab.faults.truth import Truth, load_truths
from reliability_platform.lab.scorecard.containment import Difference, differences, own_dates, was_told
from reliability_platform.lab.scorecard.quarantined import quarantined_rows
from reliability_platform.lab.scorecard.severity import expected_severity
from reliability_platform.settings import Settings
from reliability_platform.warehouse.comparison import TableComparison
from reliability_platform.warehouse.lease import warehouse_reader
from reliability_platform.warehouse.marts import Mart
from reliability_platform.warehouse.publication import CURRENT, Publication, publications

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
    """Whether nothing wrong was ever published."""
    healed: bool
    time_to_detect_seconds: float | None
    """From the landing of the first bad row to the opening of the incident, on the wall clock of the run."""
    time_to_recover_seconds: float | None
    """From the opening of the incident to its verified recovery."""
    shown_wrong: list[str] = field(default_factory=list)
    """`version/table/event date` that consumers saw differ from the oracle; empty if contained by holding."""
    told: bool = False
    """Whether something wrong was published where the catalogue allows it, and an incident said so."""


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
    """The whole result of a run."""

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
            # What nothing may notice has no expected severity; an incident of it would be one without a fault.
            wanted = ("contained",) if score.expected_severity is None else ("detected", "contained", "healed")
            for property_name in wanted:
                if not getattr(score, property_name) and not (property_name == "contained" and score.told):
                    found.append(f"{name} was not {property_name}")
        if self.incidents["without_a_fault"]:
            found.append(
                f"{counted(self.incidents['without_a_fault'], 'incident has', 'incidents have')} no fault behind them"
            )
        if self.incidents["opened"] != self.incidents["resolved"]:
            found.append(
                f"{counted(self.incidents['opened'] - self.incidents['resolved'], 'incident is', 'incidents are')} not resolved"
            )
        if self.conservation.unaccounted:
            found.append(
                f"{counted(self.conservation.unaccounted, 'delivered row is', 'delivered rows are')} unaccounted for"
            )
        found += [f"{table.name} differs from the oracle" for table in self.oracle if not table.equal]
        return found


def incident_of(truth: Truth, incidents: Sequence[Incident]) -> Incident | None:
    """The incident that names this fault's source, class and days; None if nobody noticed.

    Another class by which it may be known is filed under one of the sources that disagree.
    """
    days = {day.isoformat() for day in truth.landing_dates}
    of_its_days = [
        one
        for one in incidents
        if one.state is not State.FALSE_ALARM and days & {day.isoformat() for day in one.partitions}
    ]
    own = [one for one in of_its_days if (one.source, one.failure_class) == (truth.source, truth.expected_class)]
    other = [one for one in of_its_days if one.failure_class in truth.also_known_as]
    return next(iter([*own, *other]), None)


def noticed_at(truth: Truth, incident: Incident) -> datetime:
    """When an incident first spoke of one of the fault's days: one that came back was opened for another fault."""
    days = {day.isoformat() for day in truth.landing_dates}
    told = (entry.at for entry in incident.timeline if not days.isdisjoint(entry.data.get("partitions", ())))
    return next(told, incident.detected_at)


def _is_of_its_tables(truth: Truth, sources: Collection[str], incident: Incident) -> bool:
    """Whether an incident is of what an injection did to a table of several sources: the rows of each are gone."""
    same_days = bool(set(truth.landing_dates) & set(incident.partitions))
    return same_days and incident.failure_class == truth.expected_class and incident.source in sources


def conservation(settings: Settings) -> Conservation:
    """Sum of the batch reconciliation over everything ever landed."""
    with warehouse_reader(settings) as connection:
        row = connection.execute(
            "select sum(delivered_rows), sum(accepted_rows), sum(duplicate_rows), sum(quarantined_rows), "
            "sum(held_late_rows), sum(abs(unaccounted_rows)) from rec_batches__conserved"
        ).fetchone()
    assert row is not None
    return Conservation(*(int(value or 0) for value in row))


def _is_contained(settings: Settings, truth: Truth, shown: Sequence[Difference]) -> bool:
    """No bad row was ever shown: nothing differs, or all that differs is that bad rows sit in quarantine."""
    if truth.containment == Containment.NONE_NEEDED.value or not shown:
        return True
    found = quarantined_rows(settings, truth)
    return bool(found.true_rows) and found.hit_rows == found.true_rows


def _score(settings: Settings, truth: Truth, incident: Incident | None, shown: Sequence[Difference]) -> FaultScore:
    recovered = incident.recovered_at if incident else None
    noticed = noticed_at(truth, incident) if incident else None
    contained = _is_contained(settings, truth, shown)
    return FaultScore(
        fault=truth.fault,
        source=truth.source,
        partition=truth.landing_date.isoformat(),
        magnitude=truth.magnitude,
        expected_severity=expected_severity(
            truth.expected_severity,
            truth.containment,
            len(truth.landing_dates),
            incident.severity.value if incident else None,
            settings.widespread_days,
        ),
        detected=incident is not None,
        detected_by=sorted(incident.checks) if incident else [],
        incident=incident.id if incident else None,
        severity=str(incident.severity) if incident else None,
        contained=contained,
        told=was_told(truth, contained=contained, detected=incident is not None),
        healed=truth.is_silent or (incident is not None and incident.state in HEALED),
        time_to_detect_seconds=seconds_between(truth.injected_at, noticed),
        time_to_recover_seconds=seconds_between(noticed, recovered),
        shown_wrong=[str(one) for one in shown],
    )


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Seconds from one moment to another; None if one of them is not known."""
    return round((end - start).total_seconds(), 3) if start is not None and end is not None else None


def _is_live(truth: Truth) -> bool:
    return fault_named(truth.fault).stage is not Stage.LANDING


def _at_the_same_time(truth: Truth, truths: Sequence[Truth]) -> list[Truth]:
    """All injections that land are there together; one on the running platform finds those before it healed."""
    return [truth] if _is_live(truth) else [one for one in truths if not _is_live(one)]


def _versions_of(truth: Truth, truths: Sequence[Truth], published: Sequence[Publication]) -> set[str]:
    """The versions that could show the doing of an injection: from it (or from the landing) to the next live one."""
    assert truth.injected_at is not None
    lives = sorted(one.injected_at for one in truths if _is_live(one) and one.injected_at is not None)
    start = truth.injected_at if _is_live(truth) else None
    end = next((moment for moment in lives if start is None or moment > start), None)
    return {
        one.version
        for one in published
        if (start is None or datetime.fromisoformat(one.published_at) >= start)
        and (end is None or datetime.fromisoformat(one.published_at) < end)
    }


def score(settings: Settings, engine: Engine, marts: Sequence[Mart], oracle: Sequence[TableComparison]) -> Scorecard:
    """Join the truth of every injection with what the platform noticed, held and healed."""
    incidents = IncidentStore(engine).all()
    truths = load_truths(settings)
    published = publications(settings)
    compared = {one.name for one in oracle}  # what a snapshot is in has other rows whenever it is built
    wrong = differences(
        [settings.published / publication.version for publication in published],
        settings.oracle / "published" / CURRENT,
        [mart for mart in marts if mart.name in compared],
    )
    scores, matched = [], set()
    for truth in truths:
        beside = _at_the_same_time(truth, truths)
        versions = _versions_of(truth, truths, published)
        dates = {mart.name: own_dates(truth, beside, mart.sources) for mart in marts if truth.source in mart.sources}
        incident = None if truth.is_silent else incident_of(truth, incidents)
        shown = [
            one
            for one in wrong
            # Of a whole table nobody can say whose rows are wrong: it is the doing of all that hit what it is made of.
            if one.version in versions
            and one.table in dates
            and (one.event_date is None or one.event_date in dates[one.table])
        ]
        scores.append(_score(settings, truth, incident, shown))
        if incident is not None:
            matched.add(incident.id)
        beyond = {source for mart in marts if mart.name in truth.tables for source in mart.sources}
        matched |= {one.id for one in incidents if _is_of_its_tables(truth, beyond, one)}
    real = [incident for incident in incidents if incident.state is not State.FALSE_ALARM]
    counts: Mapping[str, int] = {
        "opened": len(incidents),
        "resolved": sum(incident.state in (*HEALED, State.FALSE_ALARM) for incident in incidents),
        "without_a_fault": sum(incident.id not in matched for incident in real),
    }
    return Scorecard(scores, dict(counts), conservation(settings), list(oracle))
