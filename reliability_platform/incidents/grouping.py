"""From signals to causes: which failed checks are one incident. Pure.

On one source and landing day, a class that another class there explains is a symptom of it. A check that concerns two
sources joins whichever of them has a cause that explains it. The same cause on neighbouring days is one incident. Two
causes that do not explain each other stay two, even on one source and day.

Two things reach beyond a day. Rows that another source lacks are missed by those that lead to it, days later: what is unlike
its past in nothing but its agreement with that source is a symptom of what is wrong there. And a drift is seen over weeks: days
between which it stays below the limit belong to it, as long as the same number tells of it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.facts import Facts
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.contracts import SOURCES
from reliability_platform.incidents.classes import BROKEN_CHECK, CLASSES, AskFor
from reliability_platform.incidents.column import column_of_results, rejections_of
from reliability_platform.profiles.judge import WINDOWS
from reliability_platform.profiles.metrics import MISSED

LAYERS = ("bronze", "stg", "qtn", "hld", "int", "agg", "fct", "rec", "dbt", "pipeline", "home", "published")


MISSED_WITHIN = timedelta(days=7)
"""So long after the day of the missing rows others that lead to them are a symptom of it."""
FELT_BEFORE = timedelta(days=max(WINDOWS))
"""So long before a drift is told others may have felt it: an amount that grows by two percent a day is another than that of the
payment from the first day on, and is within its own noise for days."""
FELT_JUST_BEFORE = timedelta(days=3)
"""The same of a number that is told by its day alone, where both are about one column."""


@dataclass(frozen=True)
class RawSignal:
    """A failed check with the id of its result."""

    result_id: int
    result: CheckResult

    @property
    def failure_class(self) -> str:
        """The check's class; a crashed check has one of its own, for it says nothing about the data."""
        if self.result.status is CheckStatus.NOT_EVALUATED and CHECKS[self.result.check].engine != "dbt":
            return BROKEN_CHECK
        return CHECKS[self.result.check].failure_class

    @property
    def facts(self) -> Facts:
        """What the check found beyond its number."""
        return self.result.facts

    @property
    def missed_source(self) -> str | None:
        """The other source with which alone something is wrong: it has not what rows refer to, or everything that deviates is
        how they agree with it.
        """
        if self.facts.leads_to is not None:
            return self.facts.leads_to
        kinds = {one.kind for one in self.facts.deviations}
        parts = {one.part for one in self.facts.deviations}
        return parts.pop() if kinds and kinds <= MISSED and len(parts) == 1 else None

    @property
    def is_of_a_drift(self) -> bool:
        """Whether what it tells may have begun before."""
        return self.facts.noticed_on is not None or any(one.days > 1 for one in self.facts.deviations)

    def is_echo_of(self, source: str) -> bool:
        """Whether it only tells, of another source, how that agrees with this one: nothing else of its own has moved."""
        compared = self.missed_source == source or source in CHECKS[self.result.check].sources
        return compared and source != self.result.source


@dataclass
class RootCause:
    """One cause and all signals of it."""

    source: str
    failure_class: str
    partitions: list[date]
    signals: list[RawSignal] = field(default_factory=list)

    @property
    def own_signals(self) -> list[RawSignal]:
        """The signals of the class itself, without its symptoms and its echoes: how bad it is, they say."""
        return [one for one in self.without_echoes if one.failure_class == self.failure_class]

    @property
    def without_echoes(self) -> list[RawSignal]:
        """The signals that are about its own source, or its own landing days. Echoes come days later and are listed; they
        make it neither worse nor longer.
        """
        return [one for one in self.signals if not one.is_echo_of(self.source)] or self.signals

    @property
    def column(self) -> str | None:
        """The column that the failure is about, as far as the signals name one."""
        own = [signal.result for signal in self.own_signals or self.signals]
        return column_of_results(self.failure_class, own, [signal.result for signal in self.signals])

    @property
    def root_dataset(self) -> str:
        """The dataset nearest to the source among the checks of the class itself."""
        own = [signal.result.dataset for signal in self.own_signals or self.signals]
        return min(own, key=lambda dataset: (_layer(dataset), dataset))


def days_of(source: str, signals: Iterable[RawSignal], since: date) -> list[date]:
    """The landing days of a source that signals speak of. An echo speaks of its own day only where it is before all others: what
    others felt before it was told had begun by then.
    """
    return sorted(
        {one.result.partition for one in signals if not one.is_echo_of(source) or one.result.partition < since}
    )


def _layer(dataset: str) -> int:
    """How far from the source; tables of an own dbt project are called as their owner likes, and come after silver."""
    beginning = dataset.split("_")[0]
    return LAYERS.index(beginning if beginning in LAYERS else "agg")


def explains(cause: str, symptom: str) -> bool:
    """Whether `cause` explains a failure of class `symptom`."""
    return symptom in CLASSES[cause].explains


def _refused_slots(signals: Iterable[RawSignal]) -> set[int]:
    return {file.slot for signal in signals for file in signal.facts.refused if file.slot is not None}


def _refusals_explain_gap(cause: str, present: dict[str, list[RawSignal]]) -> bool:
    """Whether the refused files of `cause` are the batches that are missing, as far as the checks name them.

    A broken file of one batch does not explain that another one never came.
    """
    files = present[cause]
    if AskFor.REFUSED_FOR_COLUMNS in CLASSES[cause].asks_for and not any(signal.facts.refused for signal in files):
        return True  # only a batch can have wrong columns; nobody says which
    if any(file.reason == "folder_unreadable" for signal in files for file in signal.facts.refused):
        return True  # whatever came that day is in there
    gaps = [signal for name in present if CLASSES[name].of_missing_batches for signal in present[name]]
    missing = {slot for signal in gaps for slot in signal.facts.missing_slots}
    refused = {slot for name in present if CLASSES[name].refuses_files for slot in _refused_slots(present[name])}
    own = _refused_slots(files)
    return bool(own & missing if missing else own) and missing <= refused


def _root(signal: RawSignal, failure_class: str, present: dict[str, list[RawSignal]]) -> str | None:
    """The class among those present on a source and day that explains the signal; the upper one of the table."""
    found = []
    for name in present:
        if name == failure_class or not explains(name, failure_class):
            continue
        is_gap = CLASSES[failure_class].of_missing_batches and CLASSES[name].refuses_files
        if is_gap and not _refusals_explain_gap(name, present):
            continue
        found.append(name)
    broken = {one.rule for one in rejections_of(signal.result, signal.facts.rejected_for)}
    found = [name for name in found if CLASSES[name].rejections & broken] or found
    return min(found, key=lambda name: CLASSES[name].precedence, default=None)


def _missed_from(
    signal: RawSignal, present: Mapping[tuple[str, date], dict[str, list[RawSignal]]]
) -> tuple[str, str, date] | None:
    """The cause in another source of which rows are missed: source, class and day, the nearest day before it first, or else
    the first day of a drift that was told later. What is itself nothing but disagreement causes none, nor does a test of a whole
    table, which fails on every day that is built while something is wrong.
    """
    other, day = signal.missed_source, signal.result.partition
    found: list[tuple[bool, int, int, str, date]] = []
    for (source, at), classes in present.items():
        if source == other and day - MISSED_WITHIN <= at <= day + FELT_BEFORE:
            for name, signals in classes.items():
                own = [
                    one
                    for one in signals
                    if one.missed_source is None
                    and other == one.result.source
                    and not (CLASSES[name].between_sources or CLASSES[name].of_whole_tables)
                ]
                if own and CLASSES[name].spoils_numbers and (at <= day or any(_was_felt(signal, one) for one in own)):
                    found.append((at <= day, -abs((at - day).days), -CLASSES[name].precedence, name, at))
    if other is None or not found:
        return None
    *_, name, at = max(found)
    return other, name, at


def _was_felt(signal: RawSignal, later: RawSignal) -> bool:
    """Whether what a later signal of another source tells may have begun by the day on which the signal disagrees with that."""
    if later.is_of_a_drift:
        return True
    columns = {one.column for one in signal.facts.deviations} & {one.column for one in later.facts.deviations}
    return bool(columns) and later.result.partition - signal.result.partition <= FELT_JUST_BEFORE


def _own_failure(signal: RawSignal) -> bool:
    """Whether the signal says that our own machinery failed: one cause, whichever sources were to be judged."""
    return CLASSES[signal.failure_class].of_broken_checks or CHECKS[signal.result.check].engine == "dbt"


def _join(
    causes: dict[tuple[str, str, date], RootCause],
    signal: RawSignal,
    cause_of: tuple[str, str, date],
    present: Mapping[tuple[str, date], dict[str, list[RawSignal]]],
) -> None:
    """Bring a signal to its cause in another source, or to what that is a symptom of."""
    source, name, day = cause_of
    root = _root(present[source, day][name][0], name, present[source, day])
    while root is not None:
        name, root = root, _root(present[source, day][root][0], root, present[source, day])
    cause = causes.setdefault((source, name, day), RootCause(source, name, [day]))
    cause.signals.append(signal)
    cause.partitions = sorted({*cause.partitions, *days_of(source, [signal], day)})


def group(signals: Sequence[RawSignal]) -> list[RootCause]:
    """One cause per root, with its symptoms."""
    present: dict[tuple[str, date], dict[str, list[RawSignal]]] = defaultdict(lambda: defaultdict(list))
    machinery: dict[tuple[str, date], set[str]] = defaultdict(set)
    days: dict[str, set[date]] = defaultdict(set)
    for signal in signals:
        result = signal.result
        present[result.source, result.partition][signal.failure_class].append(signal)
        if CLASSES[signal.failure_class].of_whole_tables:
            days[result.check].add(result.partition)
        if _own_failure(signal):
            machinery[signal.failure_class, result.partition].add(result.source)

    causes: dict[tuple[str, str, date], RootCause] = {}
    moved = {
        (one.result.source, one.result.partition, one.failure_class): _missed_from(one, present) for one in signals
    }
    for signal in signals:
        day, name = signal.result.partition, signal.failure_class
        source = signal.result.source
        missed = _missed_from(signal, present)
        if missed is not None:
            _join(causes, signal, missed, present)
            continue
        # The source that is referred to stands last: if orders are missing, it is the payments that look wrong.
        places = [(other, day) for other in reversed(CHECKS[signal.result.check].sources)]
        places += [(other, at) for at in sorted(days[signal.result.check] - {day}) for other, _ in places]
        for other, at in places:
            root = _root(signal, name, present[other, at]) if (other, at) in present else None
            while root is not None:  # a symptom of a symptom belongs to the root
                source, name, day = other, root, at
                root = _root(signal, name, present[other, at])
            if name != signal.failure_class:
                break
        beyond = moved.get((source, day, name)) if name != signal.failure_class else None
        if beyond is not None and all(one.missed_source for one in present[source, day][name]):
            _join(causes, signal, beyond, present)
            continue
        if CLASSES[name].of_our_machinery:
            source = _first([source, *machinery[name, day]])
        cause = causes.setdefault((source, name, day), RootCause(source, name, [day]))
        cause.signals.append(signal)
    return _merge_neighbours(list(causes.values()))


def _first(sources: Collection[str]) -> str:
    return min(sources, key=SOURCES.index)


def _drift(earlier: RootCause, later: RootCause) -> timedelta:
    """Over how many days the same numbers tell of a drift on the later days of two causes; 0 if they share none."""
    known = {one.identity for signal in earlier.own_signals for one in signal.facts.deviations}
    shared = [one.days for signal in later.own_signals for one in signal.facts.deviations if one.identity in known]
    return timedelta(days=max(shared, default=0))


def _merge_neighbours(causes: list[RootCause]) -> list[RootCause]:
    merged: list[RootCause] = []
    for cause in sorted(causes, key=lambda one: (one.source, one.failure_class, one.partitions[0])):
        last = merged[-1] if merged else None
        if (
            last is not None
            and (last.source, last.failure_class) == (cause.source, cause.failure_class)
            and cause.partitions[0] - max(last.partitions) <= max(timedelta(days=1), _drift(last, cause))
        ):
            last.partitions += cause.partitions
            last.signals += cause.signals
        else:
            merged.append(cause)
    return sorted(merged, key=lambda one: (one.partitions[0], one.source, one.failure_class))
