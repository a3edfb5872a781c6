"""The gate: which landed partitions may be published. It fails closed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import INSUFFICIENT_HISTORY, NOTHING_TO_JUDGE, CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import utc_now
from reliability_platform.pauses import Pauses
from reliability_platform.warehouse.published import Partition


class Why(StrEnum):
    """Why a check keeps a landing day from being published."""

    FAILED = "failed"
    UNJUDGED = "has not been evaluated"
    BROKE_OFF = "could not be evaluated"


@dataclass(frozen=True)
class GateObjection:
    """A blocking check that holds a landing day."""

    check: str
    why: Why

    def __str__(self) -> str:
        return f"{self.check} {self.why}"


def _objection(found: tuple[CheckStatus, str | None] | None, requires_history: bool) -> Why | None:
    if found is None:
        return Why.UNJUDGED
    status, reason = found
    if status is CheckStatus.PASSED:
        return None
    if status is CheckStatus.FAILED:
        return Why.FAILED
    # Every source is young once: a check that only lacks a past to compare with holds nothing.
    if requires_history and reason == INSUFFICIENT_HISTORY:
        return None
    # An empty partition is held by the check that counts its rows, where it should not be empty.
    if reason == NOTHING_TO_JUDGE:
        return None
    return Why.BROKE_OFF


def _paused_beside(store: CheckStore, judged: Iterable[tuple[str, date]], days: Sequence[date]) -> set[Partition]:
    """The days of paused sources of which nothing was judged: what compares another source with them cannot say anything."""
    paused = Pauses(store.engine).sources(utc_now())
    heard = {(CHECKS[name].source, day) for name, day in judged if name in CHECKS and CHECKS[name].engine != "dbt"}
    return {(source, day) for source in paused for day in days} - heard


def held(store: CheckStore, partitions: Sequence[Partition]) -> dict[Partition, list[GateObjection]]:
    """The partitions that blocking checks hold, and which. A missing result holds too, unless it is missing because somebody has
    paused another source with which the check compares: one paused source costs only itself.
    """
    days = sorted({day for _, day in partitions})
    statuses = store.statuses(days)
    silent = _paused_beside(store, statuses, days)
    found: dict[Partition, list[GateObjection]] = {}
    for source, day in partitions:
        objections = []
        for spec in CHECKS.values():
            if spec.blocking and source in spec.sources:
                why = _objection(statuses.get((spec.name, day)), spec.requires_history)
                if why is Why.UNJUDGED and any((other, day) in silent for other in spec.sources if other != source):
                    continue
                if why is not None:
                    objections.append(GateObjection(spec.name, why))
        if objections:
            found[source, day] = objections
    return found


def unjudged_checks(store: CheckStore, partitions: Sequence[Partition]) -> dict[Partition, set[str]]:
    """The blocking checks that have no result, by partition."""
    days = sorted({day for _, day in partitions})
    judged = store.statuses(days)
    silent = _paused_beside(store, judged, days)
    lacking = {
        (source, day): {
            spec.name
            for spec in CHECKS.values()
            if spec.blocking
            and source in spec.sources
            and (spec.name, day) not in judged
            and not any((other, day) in silent for other in spec.sources if other != source)
        }
        for source, day in partitions
    }
    return {partition: checks for partition, checks in lacking.items() if checks}


def unjudged_days(store: CheckStore, partitions: Sequence[Partition]) -> set[date]:
    """Landing days on which a blocking check has no result: their run was cut off, or their data are about to change."""
    return {day for _, day in unjudged_checks(store, partitions)}
