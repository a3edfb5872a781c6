"""Turns new check results into incidents: opens, extends, reopens, notes recovery.

Reading the same results again changes nothing: each belongs to one incident, once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import Engine, or_

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.gate import held
from reliability_platform.checks.results import UNTOLD, CheckResult, CheckStatus
from reliability_platform.checks.steps import INCIDENTS_NOTICED, Step, steps
from reliability_platform.checks.store import CheckStore
from reliability_platform.checks.watched import WATCHED_BACK
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.counted import counted
from reliability_platform.incidents.apart import noted
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.grouping import MISSED_WITHIN, RawSignal, RootCause, days_of, group
from reliability_platform.incidents.impact import Consumers
from reliability_platform.incidents.model import Incident, Signal, State
from reliability_platform.incidents.onset import first_bad_write, onset
from reliability_platform.incidents.store import FollowUp, IncidentStore
from reliability_platform.incidents.triage import Triage, as_data, triage
from reliability_platform.operations.tables import incident_heads
from reliability_platform.profiles.judge import WINDOWS
from reliability_platform.settings import Settings

ACTOR = "incident sensor"
ABSORBED = frozenset(name for name, one in CLASSES.items() if one.stays_in_the_data)

Numbered = tuple[int, CheckResult]
"""A check result with its id in the store."""
ONE_DAY = timedelta(days=1)
LOOKS_BACK = max(MISSED_WITHIN, timedelta(days=max(WINDOWS)))
DEFAULT_REOPEN_DAYS = 7
MAX_ROUNDS = 5
"""Whoever loses a race for a result looks again at what is left; each round, one of those who race wins."""


@dataclass(frozen=True)
class Surroundings:
    """What detection asks besides the check results."""

    settings: Settings
    consumers: Callable[[], Consumers]
    """Who reads what, and what they have been shown; asked only when an incident opens or grows."""


def _is_signal(result: CheckResult) -> bool:
    return result.status is CheckStatus.FAILED or (
        result.status is CheckStatus.NOT_EVALUATED and result.reason not in UNTOLD
    )


def _signal_data(signals: Sequence[RawSignal]) -> list[dict[str, Any]]:
    return [
        {
            "check": signal.result.check,
            "dataset": signal.result.dataset,
            "source": signal.result.source,
            "partition": signal.result.partition.isoformat(),
            "status": signal.result.status.value,
            "value": signal.result.value,
            "threshold": signal.result.threshold,
            "message": signal.result.message,
            "sample": signal.result.sample,
            "result_id": signal.result_id,
            "facts": signal.facts.kept(),
        }
        for signal in signals
    ]


def _remembered(signal: Signal) -> RawSignal:
    """A signal of an open incident, as grouping sees it."""
    result = CheckResult(
        check=signal.check,
        dataset=signal.dataset,
        source=signal.source,
        partition=signal.partition,
        status=CheckStatus(signal.status),
        value=signal.value,
        threshold=signal.threshold,
        message=signal.message,
        run_id="",
        evaluated_at=datetime.min.replace(tzinfo=UTC),
        details={"facts": signal.facts},
    )
    return RawSignal(signal.result_id, result)


def _words(signals: Sequence[RawSignal]) -> str:
    days = sorted({signal.result.partition for signal in signals})
    span = f"{days[0]}" if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"{_results([(signal.result.check, signal.result.partition) for signal in signals])} did not pass on {span}"


def _results(judged: Sequence[tuple[str, date]]) -> str:
    """How many checks, and how many results of them where they judged several days."""
    checks = counted(len({check for check, _ in judged}), "check")
    results = set(judged)
    return (
        checks
        if len({check for check, _ in results}) == len(results)
        else f"{counted(len(results), 'result')} of {checks}"
    )


def _part(cause: RootCause, signals: Sequence[RawSignal]) -> RootCause:
    """The cause with these of its signals alone."""
    since = min(one.result.partition for one in cause.without_echoes)
    days = days_of(cause.source, signals, since) or sorted({one.result.partition for one in signals})
    return RootCause(cause.source, cause.failure_class, days, list(signals))


def _is_contained(engine: Engine, cause: RootCause) -> bool:
    """Whether the gate holds every day of the cause, or nothing about it needs to be held.

    What a person has seen is in what consumers read, as far as anybody knows.
    """
    if CLASSES[cause.failure_class].told_by_people:
        return False
    if not any(CHECKS[signal.result.check].blocking for signal in cause.without_echoes):
        return True
    partitions = [(cause.source, day) for day in cause.partitions]
    return set(held(CheckStore(engine), partitions)) == set(partitions)


def _came_no_later(number: int, result: CheckResult, first: RawSignal | None) -> bool:
    """Whether a result came before the first new failure of its day, or with it in one audit. One reading may hold the
    audit during an incident and the one after it: what passes in the second explained what failed in the first.
    """
    return first is None or number < first.result_id or result.evaluated_at == first.result.evaluated_at


def _nothing_new(incident: Incident, cause: RootCause) -> bool:
    """Whether an ended incident has seen all this, and it says nothing against its end.

    Either the evidence stays in the data after recovery, or a person has called it a false alarm.
    """
    seen = {(signal.check, signal.partition, signal.value) for signal in incident.signals}
    stays = incident.failure_class in ABSORBED or incident.state is State.FALSE_ALARM
    return stays and all(
        (signal.result.check, signal.result.partition, signal.result.value) in seen for signal in cause.signals
    )


def _ended_at(incident: Incident) -> datetime:
    return max(entry.at for entry in incident.timeline if entry.kind in ("transition", "opened"))


class _Observer:
    """One reading of results against the incidents that there are."""

    def __init__(self, engine: Engine, now: datetime, around: Surroundings | None, step: Step) -> None:
        self._engine, self._now, self._around, self._step = engine, now, around, step
        self._store = IncidentStore(engine)
        self._changed: dict[str, None] = {}
        self.failed: set[int] = set()
        """The results that a step failed with."""

    @cached_property
    def _consumers(self) -> Consumers | None:
        """Asked once in a reading: it looks into every published table. Nobody's incident stays shut for want of it."""
        with self._step("who reads the data could not be found out"):
            return self._around.consumers() if self._around else None
        return None

    def observe(self, results: Sequence[Numbered]) -> list[str]:
        left = self._unknown(results)
        for _ in range(MAX_ROUNDS):
            signals = [RawSignal(number, result) for number, result in left if _is_signal(result)]
            passed = [(number, result) for number, result in left if result.status is CheckStatus.PASSED]
            if signals:
                self._take_in(self._attach_repeated(signals), passed)
            if passed:
                self._note_recovery(passed)
            left = self._unknown([(signal.result_id, signal.result) for signal in signals])
            left = [(number, result) for number, result in left if number not in self.failed]
            if not left:
                break
        return list(self._changed)

    @contextmanager
    def _apart(self, what: str, signals: Sequence[RawSignal]) -> Iterator[None]:
        """A step with these signals: where it fails, they are left for the next reading, and the others go on."""
        ended = False
        with self._step(what):
            yield
            ended = True
        if not ended:
            self.failed.update(signal.result_id for signal in signals)

    def _unknown(self, results: Sequence[Numbered]) -> list[Numbered]:
        known = self._store.known_results([number for number, _ in results])
        return [(number, result) for number, result in results if number not in known and result.check in CHECKS]

    def _open_incidents(self, results: Iterable[CheckResult]) -> list[Incident]:
        """The open incidents of these days, of their neighbours, and of the days before of which they may tell."""
        days = [result.partition for result in results]
        return self._store.open_around(min(days) - LOOKS_BACK, max(days) + ONE_DAY) if days else []

    def _append(
        self,
        incident: Incident,
        kind: str,
        why: str,
        signals: Sequence[RawSignal],
        then: Sequence[FollowUp] = (),
        symptoms: Sequence[str] = (),
    ) -> None:
        """With all that follows from it: killed in between, nobody would look at these results a second time."""
        days = [day.isoformat() for day in days_of(incident.source, signals, incident.partitions[0])]
        news = {*days} - {day.isoformat() for day in incident.partitions}
        data = {"partitions": days, "signals": _signal_data(signals)}
        if news:
            data |= self._onset(incident.source, [one for one in signals if one.result.partition.isoformat() in news])
        ids = [signal.result_id for signal in signals]
        if news or then:
            then = [*then, *self._assessed_again(incident, signals)]
        if self._store.append(incident.id, self._now, ACTOR, kind, why, data, ids, then=then, symptoms=symptoms):
            self._changed.update(dict.fromkeys([incident.id, *symptoms]))

    def _attach_repeated(self, signals: Sequence[RawSignal]) -> list[RawSignal]:
        """A check that fails again on a day of an open incident belongs there; returns the signals that are left."""
        owners: dict[tuple[str, date], Incident] = {}
        for incident in self._open_incidents(signal.result for signal in signals):
            owners.update(dict.fromkeys(((one.check, one.partition) for one in incident.signals), incident))
        again: dict[str, list[RawSignal]] = {}
        left = []
        for signal in signals:
            owner = owners.get((signal.result.check, signal.result.partition))
            if owner is None:
                left.append(signal)
            else:
                again.setdefault(owner.id, []).append(signal)
        for owner in {incident.id: incident for incident in owners.values()}.values():
            if owner.id in again:
                with self._apart(f"{owner.id} could not be extended", again[owner.id]):
                    self._append(owner, "signals", f"Seen again: {_words(again[owner.id])}", again[owner.id])
        return left

    def _take_in(self, signals: Sequence[RawSignal], passed: Sequence[Numbered]) -> None:
        """Group what is new together with what is still open, and act on each cause that has something new."""
        first = {one.result.partition: one for one in reversed(signals)}
        recovered = {
            (result.check, result.partition): number
            for number, result in passed
            if _came_no_later(number, result, first.get(result.partition))
        }
        owners: dict[int, Incident] = {}
        remembered = []
        for incident in self._open_incidents(signal.result for signal in signals):
            for key, signal in incident.still_failing.items():
                if signal.check in CHECKS and recovered.get(key, 0) < signal.result_id:
                    owners[signal.result_id] = incident
                    remembered.append(_remembered(signal))
        fresh = {signal.result_id for signal in signals}
        for cause in group([*remembered, *signals]):
            new = [signal for signal in cause.signals if signal.result_id in fresh]
            if new:
                old = {owners[one.result_id].id: owners[one.result_id] for one in cause.signals if one not in new}
                what = f"{cause.failure_class} of {cause.source} on {cause.partitions[0]} could not become an incident"
                with self._apart(what, new):
                    self._place(cause, new, list(old.values()))

    def _place(self, cause: RootCause, new: Sequence[RawSignal], involved: Sequence[Incident]) -> None:
        """Bring the new signals of one cause into the incident that it has, or into one of its own."""
        same = [one for one in involved if (one.source, one.failure_class) == (cause.source, cause.failure_class)]
        covered = {(one.result.check, one.result.partition) for one in cause.signals}
        symptoms = [
            one.id for one in involved if one not in same and one.untouched and set(one.still_failing) <= covered
        ]
        rest = list(new)
        for incident in same:
            # A neighbouring day extends an incident, unless somebody has already begun to recover the days it had.
            here = [
                one
                for one in rest
                if incident.untouched or one.result.partition in incident.partitions or one.is_echo_of(incident.source)
            ]
            if here:
                rest = [one for one in rest if one not in here]
                words = f"Joined: {_words(here)}"
                self._append(incident, "signals", words, here, symptoms=() if rest else symptoms)
        if rest:
            self._open_or_reopen(_part(cause, rest), symptoms)

    def _ended(self, cause: RootCause) -> list[Incident]:
        """Incidents of the source that were on one of the days and are over, the last one first."""
        found = self._store.find(
            incident_heads.c.source == cause.source,
            ~incident_heads.c.is_open,
            ~incident_heads.c.is_symptom,
            incident_heads.c.first_day <= max(cause.partitions),
            incident_heads.c.last_day >= min(cause.partitions),
            or_(
                incident_heads.c.failure_class == cause.failure_class,
                incident_heads.c.failure_class.in_(sorted(ABSORBED)),
                incident_heads.c.state == State.FALSE_ALARM.value,
            ),
        )
        return [one for one in reversed(found) if set(one.partitions) & set(cause.partitions)]

    def _known(self, cause: RootCause) -> Incident | None:
        """The last ended incident of the same failure; or else one of which these very failures were symptoms, and
        whose evidence stays in the data: rows that came too late, and were let in by an approval, are late for ever.
        """
        ended = self._ended(cause)
        same = next((one for one in ended if one.failure_class == cause.failure_class), None)
        explaining = (one for one in ended if cause.failure_class in CLASSES[one.failure_class].explains)
        return same or next((one for one in explaining if _nothing_new(one, cause)), None)

    def _back(self, cause: RootCause, earlier: Incident | None) -> Incident | None:
        """The incident that this failure is the return of: the earlier one of the same days, if it ended lately, else one under
        watch of which this is the same failure, of the same checks and column.
        """
        if earlier is not None:
            return earlier if self._now - _ended_at(earlier) <= self._reopen_within() else None
        checks = {signal.result.check for signal in cause.own_signals}
        found = self._store.find(
            incident_heads.c.source == cause.source,
            incident_heads.c.failure_class == cause.failure_class,
            ~incident_heads.c.is_open,
            incident_heads.c.last_day.between(min(cause.partitions) - WATCHED_BACK, max(cause.partitions)),
        )
        same = (one for one in reversed(found) if one.column == cause.column and one.watch is not None)
        return next((one for one in same if one.watch and one.watch.covers(cause.partitions, checks)), None)

    def _open_or_reopen(self, cause: RootCause, symptoms: Sequence[str]) -> None:
        earlier = self._known(cause)
        if earlier is not None and _nothing_new(earlier, cause):
            ids = [signal.result_id for signal in cause.signals]
            why = f"Seen again, unchanged: {_words(cause.signals)}"
            if self._store.append(earlier.id, self._now, ACTOR, "note", why, {}, ids, symptoms=symptoms):
                self._changed.update(dict.fromkeys(symptoms))
            return
        back = self._back(cause, earlier)
        if back is None:
            self._open(cause, earlier, symptoms)
            return
        under_watch = (
            "" if back is earlier or back.watch is None else f", under watch until landing day {back.watch.last}"
        )
        then: list[FollowUp] = [
            ("transition", f"The failure came back{under_watch}.", {"to": State.REOPENED.value}),
        ]
        if _is_contained(self._engine, cause):
            then.append(("transition", CLASSES[back.failure_class].contained_by, {"to": State.CONTAINED.value}))
        self._append(back, "signals", f"Came back: {_words(cause.signals)}", cause.signals, then, symptoms)

    def _open(self, cause: RootCause, earlier: Incident | None, symptoms: Sequence[str]) -> None:
        kind = CLASSES[cause.failure_class]
        contained = _is_contained(self._engine, cause)
        found = self._triage(cause, contained)
        concerned = {signal.result.source for signal in cause.own_signals} | {cause.source}
        if kind.between_sources:
            concerned.update(*(CHECKS[signal.result.check].sources for signal in cause.own_signals))
        opened = self._store.create(
            f"{cause.failure_class}-{cause.source}-{cause.partitions[0].isoformat()}",
            self._now,
            ACTOR,
            f"{kind.title}: {_words(cause.signals)}",
            {
                "partitions": [day.isoformat() for day in cause.partitions],
                "signals": _signal_data(cause.signals),
                "source": cause.source,
                "sources": sorted(concerned, key=SOURCES.index),
                "failure_class": cause.failure_class,
                "root_dataset": cause.root_dataset,
                "column": cause.column,
                "linked_to": earlier.id if earlier else None,
                **as_data(found),
                **self._onset(cause.source, cause.signals),
            },
            [signal.result_id for signal in cause.signals],
            contained=kind.contained_by if contained else None,
            symptoms=symptoms,
        )
        if opened is not None:
            self._changed.update(dict.fromkeys([opened, *symptoms]))

    def _reopen_within(self) -> timedelta:
        return timedelta(days=self._around.settings.reopen_within_days if self._around else DEFAULT_REOPEN_DAYS)

    def _onset(self, source: str, signals: Sequence[RawSignal]) -> dict[str, str]:
        """When it began, as far as that is known: for the timeline."""
        if self._around is None:
            return {}
        failed = {(signal.result.check, signal.result.partition) for signal in signals}
        found: dict[str, datetime | None] = {}
        with self._step("when a failure began could not be found out"):  # an incident opens without it, too
            found["onset"] = onset(self._around.settings, source, {day for _, day in failed})
            found["first_bad_write"] = first_bad_write(self._engine, failed, self._now)
        return {name: moment.isoformat() for name, moment in found.items() if moment is not None}

    def _triage(self, cause: RootCause, contained: bool) -> Triage:
        failed = [one for one in cause.own_signals if one.result.status is CheckStatus.FAILED]
        if CLASSES[cause.failure_class].told_by_people:  # whether what they were shown is bad, nobody knows yet
            return triage(cause.failure_class, declared=[CHECKS[one.result.check].severity for one in failed])
        consumers = self._consumers
        if consumers is None:
            readers = [f"the readers of {cause.source}"] if CONTRACTS[cause.source].critical else []
            shown = not contained
        else:
            readers = list(consumers.critical.get(cause.source, ()))
            shown = not contained or any((cause.source, day) in consumers.shown for day in cause.partitions)
        return triage(
            cause.failure_class,
            declared=[CHECKS[one.result.check].severity for one in failed],
            shown_to=readers if shown else (),
            days=len(set(cause.partitions)),
            **({"widespread_days": self._around.settings.widespread_days} if self._around else {}),
            messages=[one.result.message for one in cause.own_signals],
            impact=max((one.impact for signal in cause.own_signals for one in signal.facts.deviations), default=None),
        )

    def _assessed_again(self, incident: Incident, more: Sequence[RawSignal]) -> list[FollowUp]:
        """An incident that grows by these signals may become worse; it never becomes better by growing. Of one that comes back
        the days that have recovered are right, and shown to readers.
        """
        whole = RootCause(incident.source, incident.failure_class, [], list(more))
        if incident.is_open:
            whole.signals[:0] = [_remembered(one) for one in incident.signals if one.check in CHECKS]
            whole.partitions = sorted({*incident.partitions, *days_of(incident.source, more, incident.partitions[0])})
        cause = whole if incident.is_open else _part(whole, more)
        found = self._triage(cause, _is_contained(self._engine, cause))
        if found.severity < incident.severity:
            why = f"{incident.severity} → {found.severity}: {found.reason}"
            return [("severity", why, as_data(found))]
        return []

    def _note_recovery(self, passed: Sequence[Numbered]) -> None:
        """A failed check that passes now is evidence of recovery; whether it is enough is for remediation to say."""
        by_key = {(result.check, result.partition): number for number, result in passed}
        for incident in self._open_incidents(result for _, result in passed):
            with noted(self._store, incident, self._now, "What has passed of it could not be written down"):
                self._note_passed(incident, by_key)

    def _note_passed(self, incident: Incident, by_key: Mapping[tuple[str, date], int]) -> None:
        keys = [key for key, one in incident.still_failing.items() if by_key.get(key, 0) > one.result_id]
        if keys:
            left = len(incident.still_failing) - len(keys)
            words = f"{_results(keys)} passed"
            words += f"; {left} left that failed." if left else "; all that failed have passed since."
            data = {"passed": [{"check": check, "partition": day.isoformat()} for check, day in sorted(keys)]}
            ids = sorted(by_key[key] for key in keys)
            if self._store.append(incident.id, self._now, ACTOR, "recovery", words, data, results=ids):
                self._changed[incident.id] = None


def observe(
    engine: Engine,
    results: Sequence[Numbered],
    now: datetime,
    around: Surroundings | None = None,
) -> list[str]:
    """Take in check results; returns the ids of the incidents that changed.

    Without `around` nobody is known to read anything, and when a failure began is not known. A cause that fails costs
    only itself: it is a failed check of the home.
    """
    with steps(engine, INCIDENTS_NOTICED, now, whole=False) as step:
        return take_in(engine, results, now, around, step)[0]


def take_in(
    engine: Engine, results: Sequence[Numbered], now: datetime, around: Surroundings | None, step: Step
) -> tuple[list[str], int | None]:
    """`observe` as one step of a tick; also the first result that belongs to an incident and could not be brought into
    one: from there on results are to be read again.
    """
    observer = _Observer(engine, now, around, step)
    return observer.observe(results), min(observer.failed, default=None)
