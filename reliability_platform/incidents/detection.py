"""Turns new check results into incidents: opens, extends, reopens. Reading the same results again changes nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.gate import held
from reliability_platform.checks.results import INSUFFICIENT_HISTORY, CheckResult, Verdict
from reliability_platform.checks.store import CheckStore
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.grouping import Cause, RawSignal, group
from reliability_platform.incidents.model import ENDED, Incident, State
from reliability_platform.incidents.severity import assess
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.sources.contracts import CONTRACTS

ACTOR = "incident sensor"
REOPEN_WITHIN = timedelta(days=7)
ABSORBED = frozenset({"duplicate_delivery", "late_data"})
"""Classes whose evidence stays in the data after recovery: the batch did come twice, the rows did come late."""


def _is_signal(result: CheckResult) -> bool:
    return result.verdict is Verdict.FAILED or (
        result.verdict is Verdict.NOT_EVALUATED and result.reason != INSUFFICIENT_HISTORY
    )


def _signal_data(signals: Sequence[RawSignal]) -> list[dict[str, Any]]:
    return [
        {
            "check": signal.result.check,
            "dataset": signal.result.dataset,
            "source": signal.result.source,
            "partition": signal.result.partition.isoformat(),
            "verdict": signal.result.verdict.value,
            "value": signal.result.value,
            "threshold": signal.result.threshold,
            "message": signal.result.message,
            "sample": signal.result.sample,
        }
        for signal in signals
    ]


def _home_of(cause: Cause, incidents: Sequence[Incident]) -> Incident | None:
    """The incident that a cause belongs to: of its class, or one that explains it; the latest of them."""
    neighbours = {day + timedelta(days=offset) for day in cause.partitions for offset in (-1, 0, 1)}
    sources = {signal.result.source for signal in cause.signals} | {cause.source}
    for incident in reversed(incidents):
        days = set(incident.partitions)
        same = incident.source == cause.source and incident.failure_class == cause.failure_class
        if incident.state not in ENDED:
            explained = cause.failure_class in CLASSES[incident.failure_class].explains
            if same and days & neighbours:
                return incident
            if explained and days & set(cause.partitions) and (incident.source in sources or _related(incident, cause)):
                return incident
        elif same and days & set(cause.partitions):
            return incident
    return None


def _related(incident: Incident, cause: Cause) -> bool:
    return any(incident.source in CHECKS[signal.result.check].sources for signal in cause.signals)


def _is_contained(engine: Engine, cause: Cause) -> bool:
    """Whether the gate holds every day of the cause, or nothing about it needs to be held."""
    if not any(CHECKS[signal.result.check].blocking for signal in cause.signals):
        return True
    partitions = [(cause.source, day) for day in cause.partitions]
    return set(held(CheckStore(engine), partitions)) == set(partitions)


def _nothing_new(incident: Incident, cause: Cause) -> bool:
    """Whether every signal repeats one that the incident has, of evidence that stays in the data."""
    seen = {(signal.check, signal.partition, signal.value) for signal in incident.signals}
    return incident.failure_class in ABSORBED and all(
        (signal.result.check, signal.result.partition, signal.result.value) in seen for signal in cause.signals
    )


def observe(engine: Engine, results: Sequence[tuple[int, CheckResult]], now: datetime) -> list[str]:
    """Take in check results; returns the ids of the incidents that changed."""
    store = IncidentStore(engine)
    signals = [RawSignal(number, result) for number, result in results if _is_signal(result)]
    known = store.known_results([signal.result_id for signal in signals])
    changed = []
    for cause in group([signal for signal in signals if signal.result_id not in known]):
        incident = _home_of(cause, store.all())
        ids = [signal.result_id for signal in cause.signals]
        data = {
            "partitions": sorted(day.isoformat() for day in cause.partitions),
            "signals": _signal_data(cause.signals),
        }
        words = f"{len(cause.signals)} failed checks on {len(cause.partitions)} landing days of {cause.source}"
        if incident is None or (incident.state in ENDED and now - _ended_at(incident) > REOPEN_WITHIN):
            contained = _is_contained(engine, cause)
            critical = CONTRACTS[cause.source].critical
            severity, reason = assess(cause.failure_class, shown_to_critical_consumers=critical and not contained)
            first = cause.partitions[0].isoformat()
            opened = store.open(
                f"{cause.failure_class}-{cause.source}-{first}",
                now,
                ACTOR,
                f"{CLASSES[cause.failure_class].title}: {words}",
                {
                    **data,
                    "source": cause.source,
                    "failure_class": cause.failure_class,
                    "root_dataset": cause.root_dataset,
                    "severity": severity.value,
                    "severity_reason": reason,
                    "linked_to": incident.id if incident else None,
                },
                ids,
            )
            if opened is not None:
                if contained:
                    store.move(opened, State.CONTAINED, now, ACTOR, CLASSES[cause.failure_class].contained_by)
                changed.append(opened)
        elif incident.state in ENDED and _nothing_new(incident, cause):
            store.append(incident.id, now, ACTOR, "note", f"Seen again, unchanged: {words}", {}, ids)
        else:
            store.append(incident.id, now, ACTOR, "signals", words, data, ids)
            if incident.state in ENDED:
                store.move(incident.id, State.REOPENED, now, ACTOR, "The failure came back.")
            changed.append(incident.id)
    return changed


def _ended_at(incident: Incident) -> datetime:
    return max(entry.at for entry in incident.timeline if entry.kind in ("transition", "opened"))
