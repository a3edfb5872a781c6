"""The gate: which landed partitions may be published. It fails closed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from reliability_platform.checks.catalogue import CHECKS, CheckSpec
from reliability_platform.checks.results import INSUFFICIENT_HISTORY, NOTHING_TO_JUDGE, CheckStatus
from reliability_platform.checks.store import CheckStore, Judgement
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


def _objection(found: Judgement | None, requires_history: bool) -> Why | None:
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


def _paused_beside(store: CheckStore, days: Sequence[date]) -> set[Partition]:
    """The days of paused sources of which nothing was judged: what compares another source with them cannot say anything."""
    paused = Pauses(store.engine).sources(utc_now())
    if not paused:
        return set()
    judged = store.statuses(days)
    heard = {(CHECKS[name].source, day) for name, day in judged if name in CHECKS and CHECKS[name].engine != "dbt"}
    return {(source, day) for source in paused for day in days} - heard


def _objections(store: CheckStore, partitions: Sequence[Partition]) -> Iterator[tuple[Partition, CheckSpec, Why]]:
    """What keeps a partition back, one blocking check after the other. A missing result does, too, unless it is missing because
    somebody has paused another source with which the check compares: one paused source costs only itself.
    """
    days = sorted({day for _, day in partitions})
    silent = _paused_beside(store, days)
    to_ask = _in_question(store, days)
    for source, day in partitions:
        for spec, found in to_ask.get(day, ()):
            if source not in spec.sources:
                continue
            why = _objection(found, spec.requires_history)
            if why is Why.UNJUDGED and any((other, day) in silent for other in spec.sources if other != source):
                continue
            if why is not None:
                yield (source, day), spec, why


def _in_question(store: CheckStore, days: Sequence[date]) -> dict[date, list[tuple[CheckSpec, Judgement | None]]]:
    """The blocking checks that a day has not passed, and what they say. How many it has passed is counted by the store: of 300
    days nearly all have passed nearly all of 200 checks, and to look at each was 60,000 questions.
    """
    blocking = {spec.name: spec for spec in CHECKS.values() if spec.blocking}
    passed = store.passed(days, blocking)
    found: dict[date, list[tuple[CheckSpec, Judgement | None]]] = {}
    for (name, day), judgement in store.unpassed(days, blocking).items():
        found.setdefault(day, []).append((blocking[name], judgement))
    for day in days:
        if passed.get(day, 0) + len(found.get(day, ())) < len(blocking):
            judged = store.statuses([day])
            found[day] = [(spec, judged.get((name, day))) for name, spec in blocking.items()]
    return found


def held(store: CheckStore, partitions: Sequence[Partition]) -> dict[Partition, list[GateObjection]]:
    """The partitions that blocking checks hold, and which."""
    found: dict[Partition, list[GateObjection]] = {}
    for partition, spec, why in _objections(store, partitions):
        found.setdefault(partition, []).append(GateObjection(spec.name, why))
    return found


def unjudged_checks(store: CheckStore, partitions: Sequence[Partition]) -> dict[Partition, set[str]]:
    """The blocking checks that have no result, by partition."""
    found: dict[Partition, set[str]] = {}
    for partition, spec, why in _objections(store, partitions):
        if why is Why.UNJUDGED:
            found.setdefault(partition, set()).add(spec.name)
    return found


def unjudged_days(store: CheckStore, partitions: Sequence[Partition]) -> set[date]:
    """Landing days on which a blocking check has no result: their run was cut off, or their data are about to change."""
    return {day for _, day in unjudged_checks(store, partitions)}
