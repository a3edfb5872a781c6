"""From signals to causes: which failed checks are one incident. Pure.

On one source and landing day, a class that another class there explains is a symptom of it. A check that concerns two
sources joins whichever of them has a cause that explains it. The same cause on neighbouring days is one incident.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import CheckResult, Verdict
from reliability_platform.incidents.classes import CLASSES

LAYERS = ("bronze", "stg", "qtn", "hld", "int", "agg", "fct", "rec", "dbt")


@dataclass(frozen=True)
class RawSignal:
    """A failed check with the id of its result."""

    result_id: int
    result: CheckResult

    @property
    def failure_class(self) -> str:
        """The check's class; a crashed check has one of its own, for it says nothing about the data."""
        if self.result.verdict is Verdict.NOT_EVALUATED and CHECKS[self.result.check].engine != "dbt":
            return "check_not_evaluated"
        return CHECKS[self.result.check].failure_class


@dataclass
class Cause:
    """One cause and all signals of it."""

    source: str
    failure_class: str
    partitions: list[date]
    signals: list[RawSignal] = field(default_factory=list)

    @property
    def root_dataset(self) -> str:
        """The dataset nearest to the source among the checks of the class itself."""
        own = [signal.result.dataset for signal in self.signals if signal.failure_class == self.failure_class]
        return min(own, key=lambda dataset: (LAYERS.index(dataset.split("_")[0]), dataset))


def explaining(candidates: Sequence[str], symptom: str) -> str | None:
    """The class among `candidates` of which `symptom` is a symptom; the one that explains most."""
    found = [name for name in candidates if symptom in CLASSES[name].explains]
    return max(found, key=lambda name: (len(CLASSES[name].explains), name)) if found else None


def group(signals: Sequence[RawSignal]) -> list[Cause]:
    """One cause per root, with its symptoms."""
    classes: dict[tuple[str, date], set[str]] = defaultdict(set)
    for signal in signals:
        classes[signal.result.source, signal.result.partition].add(signal.failure_class)

    causes: dict[tuple[str, str, date], Cause] = {}
    for signal in signals:
        day = signal.result.partition
        source, name = signal.result.source, signal.failure_class
        for other in CHECKS[signal.result.check].sources:
            present = sorted(classes.get((other, day), set()) - {signal.failure_class})
            root = explaining(present, signal.failure_class)
            while root is not None:  # a symptom of a symptom belongs to the root
                source, name = other, root
                root = explaining(sorted(classes[other, day] - {root}), root)
            if name != signal.failure_class:
                break
        cause = causes.setdefault((source, name, day), Cause(source, name, [day]))
        cause.signals.append(signal)
    return _merge_neighbours(list(causes.values()))


def _merge_neighbours(causes: list[Cause]) -> list[Cause]:
    merged: list[Cause] = []
    for cause in sorted(causes, key=lambda one: (one.source, one.failure_class, one.partitions[0])):
        last = merged[-1] if merged else None
        if (
            last is not None
            and (last.source, last.failure_class) == (cause.source, cause.failure_class)
            and cause.partitions[0] - last.partitions[-1] <= timedelta(days=1)
        ):
            last.partitions += cause.partitions
            last.signals += cause.signals
        else:
            merged.append(cause)
    return sorted(merged, key=lambda one: (one.partitions[0], one.source, one.failure_class))
