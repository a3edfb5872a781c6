"""Checks of a landing day's profile against the past: one that tells whatever is unlike it, and one that holds the day where
that concerns a large part of its numbers.

However many metrics one cause moves, it fails these two checks of its source and day, and is one incident; the facts name
the deviations, the one first by which the day is known.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import duckdb
import pyarrow as pa
from sqlalchemy import Engine

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.facts import Deviating, Facts, PastValues, deviation_text, subject_text
from reliability_platform.checks.false_alarms import false_alarms
from reliability_platform.checks.history import LOOK_BACK_DAYS
from reliability_platform.checks.results import ERROR, INSUFFICIENT_HISTORY, NOTHING_TO_JUDGE, CheckResult, CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.checks.watched import NOTHING_WATCHED, UnderWatch
from reliability_platform.clock import days as days_between
from reliability_platform.contracts import CONTRACTS
from reliability_platform.counted import counted
from reliability_platform.formats import percent
from reliability_platform.masking import error_text
from reliability_platform.profiles.judge import (
    HOLD_EVIDENCE,
    HOLD_IMPACT,
    MIN_HISTORY_DAYS,
    Deviation,
    ProfileJudgement,
    judge,
)
from reliability_platform.profiles.metrics import BETWEEN_SOURCES, Metric, MetricKind, companions, silver
from reliability_platform.profiles.series import series_of
from reliability_platform.profiles.store import built_days, profiles_of
from reliability_platform.settings import Settings

TOLD, HELD = "profile", "profile_impact"
SHOWN = 8
"""Deviations that are named; the others follow from them as a rule."""


def profile_checks(sources: Iterable[str]) -> set[str]:
    """The names of the checks of this module."""
    return {f"{silver(source)}__{name}" for source in sources for name in (TOLD, HELD)}


@dataclass(frozen=True)
class Experience:
    """What is known of a source's past besides its numbers."""

    strange: frozenset[date] = frozenset()
    """Days that nobody may learn from: something holds them."""
    wrong: frozenset[date] = frozenset()
    """Those that a check of the source alone holds."""
    unlike: Mapping[date, frozenset[Metric]] = field(default_factory=dict)
    """By day that was told, the numbers that were unlike its past: these alone are not learned from."""
    normal_since: Mapping[Metric, date] = field(default_factory=dict)
    """Numbers of which a person has said that they are right as they are, and from which day on: what was before is over."""
    watched: Mapping[date, frozenset[Metric]] = field(default_factory=dict)
    """By landing day, the numbers that are under watch on it: those that were unlike their past in an incident that is over."""


def experience(
    store: CheckStore,
    engine: Engine,
    source: str,
    strange: Iterable[date],
    wrong: Iterable[date],
    failing: Iterable[CheckResult],
    watch: UnderWatch = NOTHING_WATCHED,
) -> Experience:
    """What is known of a source. `failing` are the latest failures of its past, `strange` the days that are held, `wrong`
    those of them that it is to blame for itself.
    """
    check = f"{silver(source)}__{TOLD}"
    unlike = {one.partition: _unlike(one) for one in failing if one.check == check}
    since: dict[Metric, date] = {}
    for alarm in false_alarms(engine, source):
        for day in days_between(alarm.first, alarm.last):
            unlike.pop(day, None)
            for result in store.history(check, day):
                since |= {metric: max(alarm.first, since.get(metric, alarm.first)) for metric in _unlike(result)}
    watched: dict[date, frozenset[Metric]] = {}
    for incident in watch.incidents:
        if check in incident.watch.checks:
            metrics = frozenset().union(*(_unlike(one) for day in incident.days for one in store.history(check, day)))
            watched |= {
                day: metrics | watched.get(day, frozenset())
                for day in days_between(incident.watch.first, incident.watch.last)
            }
    return Experience(frozenset(strange), frozenset(wrong), unlike, since, watched)


def _unlike(result: CheckResult) -> frozenset[Metric]:
    return frozenset(Metric(MetricKind(kind), *names) for kind, *names in result.details.get("unlike", ()))


def evaluate_profiles(
    settings: Settings,
    connection: duckdb.DuckDBPyConnection,
    partitions: Sequence[date],
    names: set[str],
    known: Callable[[str], Experience],
    run_id: str,
    now: datetime,
) -> list[CheckResult]:
    """One result per wanted profile check and landing day. `known` tells of each source what its past is worth.

    Sources that others are compared with go first: where one of them is wrong itself, rows that do not agree with it are not.
    """
    results = []
    wrong: dict[str, set[date]] = {}
    by_source: dict[str, list[str]] = {}
    for name in sorted(names):
        by_source.setdefault(CHECKS[name].source, []).append(name)
    for source, wanted in sorted(by_source.items(), key=lambda item: len(companions(CONTRACTS[item[0]]))):
        found: dict[date, ProfileJudgement | str] = {}
        drifting: dict[date, tuple[date, Sequence[Deviation]]] = {}
        otherwise, error = INSUFFICIENT_HISTORY, ""
        try:
            learned = known(source)
            judged = _judged(settings, connection, source, partitions, learned, wrong)
            wrong[source] = {*learned.wrong, *learned.unlike}
            if judged is not None:
                otherwise = NOTHING_TO_JUDGE
                wrong[source] |= {day for day, one in judged.items() if one.deviations}
                found |= {day: one if one.metrics else INSUFFICIENT_HISTORY for day, one in judged.items()}
                drifting = _drifting(judged, learned)
                wrong[source] |= drifting.keys()
        except duckdb.Error as problem:  # a crashing check says nothing about the data
            otherwise, error = ERROR, error_text(str(problem))
        told = f"{silver(source)}__{TOLD}"
        results += [
            _result(name, day, found.get(day, otherwise), run_id, now, error)
            for day in partitions
            for name in wanted
            if not (name == told and day in drifting)
        ]
        if told in wanted:
            results += [_of_a_drift(told, day, *one, run_id, now) for day, one in sorted(drifting.items())]
    return results


def _drifting(
    judged: Mapping[date, ProfileJudgement], learned: Experience
) -> dict[date, tuple[date, Sequence[Deviation]]]:
    """By landing day that is as usual by itself, the later one on which a drift was told that it is part of, and what drifts.

    Nobody else would ask for these days again, and the drift would be told for ever.
    """
    found: dict[date, tuple[date, Sequence[Deviation]]] = {}
    for noticed, judgement in judged.items():
        days = {day for one in judgement.deviations for day in one.before_noticed}
        for day in sorted(days - learned.unlike.keys() - found.keys()):
            if day not in judged or not judged[day].deviations:
                found[day] = noticed, [one for one in judgement.deviations if day in one.before_noticed]
    return found


def _profiles(
    settings: Settings, connection: duckdb.DuckDBPyConnection, source: str, partitions: Sequence[date]
) -> pa.Table | None:
    """Those of the days and of their past; None where the source is too young for any."""
    first = min(partitions) - timedelta(days=LOOK_BACK_DAYS)
    past = [one for one in built_days(connection, source) if first <= one < max(partitions)]
    if len(past) < MIN_HISTORY_DAYS:
        return None
    return profiles_of(settings, connection, source, first, max(partitions))


def measure_ahead(
    settings: Settings, connection: duckdb.DuckDBPyConnection, partitions: Sequence[date], names: set[str]
) -> None:
    """Measure what `evaluate_profiles` will ask for, which then finds it kept; it also tells what could not be measured."""
    for source in sorted({CHECKS[name].source for name in names}):
        with suppress(duckdb.Error):
            _profiles(settings, connection, source, partitions)


def _judged(
    settings: Settings,
    connection: duckdb.DuckDBPyConnection,
    source: str,
    partitions: Sequence[date],
    learned: Experience,
    wrong: Mapping[str, set[date]],
) -> dict[date, ProfileJudgement] | None:
    """By landing day that has rows; None where the source is too young for any."""
    profiles = _profiles(settings, connection, source, partitions)
    if profiles is None:
        return None
    series = series_of(profiles)
    for day, metrics in learned.unlike.items():
        series.forget([day], metrics)
    for metric, since in learned.normal_since.items():
        series.forget([one for one in series.days if one < since], [metric])
    for metric in series.metrics:
        if metric.kind in BETWEEN_SOURCES:
            series.forget(wrong.get(metric.part, ()), [metric])
    strange = set(learned.strange)
    found = {}
    for day in sorted(set(partitions) & set(series.days)):
        found[day] = judge(series, day, strange, learned.watched.get(day, frozenset()))
        if found[day].holds:
            strange.add(day)
        for one in found[day].deviations:
            series.forget([*one.before_noticed, day], [one.metric])
    return found


def _fact(one: Deviation) -> Deviating:
    metric = one.metric
    return Deviating(
        kind=metric.kind.value,
        column=metric.column,
        part=metric.part,
        within=metric.within,
        usual=round(one.usual, 6),
        found=round(one.found, 6),
        days=one.days,
        impact=round(one.impact, 4),
    )


def _past(one: Deviation) -> PastValues:
    known = [(day, value) for day, value in one.past if not math.isnan(value)]
    return PastValues(
        what=subject_text(_fact(one)),
        days=tuple(day for day, _ in known),
        values=tuple(round(value, 6) for _, value in known),
        usual=round(one.usual, 6),
        low=round(one.low, 6),
        high=round(one.high, 6),
        told=one.days,
    )


_UNTOLD = {
    INSUFFICIENT_HISTORY: "too few good days in the past to compare with",
    NOTHING_TO_JUDGE: "there was nothing to judge",
}


def _result(
    name: str, day: date, judgement: ProfileJudgement | str, run_id: str, now: datetime, error: str
) -> CheckResult:
    """`judgement` is the reason why there is none, if there is none."""
    result = _not_evaluated(name, day, run_id, now)
    if isinstance(judgement, str):
        return replace(result, reason=judgement, message=_UNTOLD.get(judgement, f"could not be evaluated: {error}"))
    told = name.endswith(f"__{TOLD}")
    counted_ones = [one for one in judgement.deviations if told or one.holds]
    impact = max((one.impact for one in judgement.deviations if one.evidence >= HOLD_EVIDENCE), default=0.0)
    value = float(len(judgement.deviations)) if told else round(100 * impact, 2)
    result = replace(result, value=value, threshold="<= 0" if told else f"< {100 * HOLD_IMPACT:g} % of the numbers")
    if not counted_ones:
        message = (
            f"{counted(judgement.metrics, 'number')} of the day {'is' if judgement.metrics == 1 else 'are'} as usual, the "
            f"farthest at {percent(judgement.strongest)} of its limit"
            if not judgement.deviations
            else f"{percent(judgement.impact)} of the numbers are concerned"
        )
        return replace(result, status=CheckStatus.PASSED, message=message)
    facts = Facts(deviations=tuple(map(_fact, counted_ones[:SHOWN])), past=_past(counted_ones[0]))
    message = deviation_text(facts.deviations[0])
    if len(counted_ones) > 1:
        message += f"; and {counted(len(counted_ones) - 1, 'more deviation')} of {judgement.metrics} numbers"
    details: dict[str, object] = {"detail": facts.text, "facts": facts.kept()}
    if told:
        details["unlike"] = _names(counted_ones)
    return replace(result, status=CheckStatus.FAILED, message=message, details=details)


def _of_a_drift(
    name: str, day: date, noticed: date, drifting: Sequence[Deviation], run_id: str, now: datetime
) -> CheckResult:
    facts = Facts(deviations=tuple(map(_fact, drifting[:SHOWN])), noticed_on=noticed, past=_past(drifting[0]))
    return replace(
        _not_evaluated(name, day, run_id, now),
        status=CheckStatus.FAILED,
        value=float(len(drifting)),
        threshold="<= 0",
        message=f"{deviation_text(facts.deviations[0])}; noticed on {noticed}",
        details={"detail": facts.text, "facts": facts.kept(), "unlike": _names(drifting)},
    )


def _not_evaluated(name: str, day: date, run_id: str, now: datetime) -> CheckResult:
    spec = CHECKS[name]
    return CheckResult(
        check=name,
        dataset=spec.dataset,
        source=spec.source,
        partition=day,
        status=CheckStatus.NOT_EVALUATED,
        value=None,
        threshold="",
        message="",
        run_id=run_id,
        evaluated_at=now,
    )


def _names(deviations: Iterable[Deviation]) -> list[list[str]]:
    return [[m.kind.value, m.column, m.part, m.within] for m in (one.metric for one in deviations)]
