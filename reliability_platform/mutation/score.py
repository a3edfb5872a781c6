"""The score: of the mutants that a test could have noticed, the share that one did, with its interval and by parts."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from reliability_platform.mutation.mutants import INCREMENT
from reliability_platform.mutation.project import DataTest, Project
from reliability_platform.mutation.trial import MutantOutcome, MutantStatus

ALIVE = (MutantStatus.SURVIVED_CHANGED, MutantStatus.SURVIVED)
Z_95 = 1.959964
"""The quantile of the normal distribution for an interval of 95 %."""


@dataclass(frozen=True)
class Score:
    """Killed of counted. A build that broke, or took too long, is noticed without a test and not counted."""

    killed: int
    survived: int

    @classmethod
    def of(cls, outcomes: Iterable[MutantOutcome]) -> "Score":
        """Of some mutants."""
        outcomes = list(outcomes)
        return cls(
            sum(one.status is MutantStatus.KILLED for one in outcomes), sum(one.status in ALIVE for one in outcomes)
        )

    @property
    def counted(self) -> int:
        """Mutants that a test could have noticed."""
        return self.killed + self.survived

    @property
    def share(self) -> float | None:
        """None where nothing was counted."""
        return self.killed / self.counted if self.counted else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of 95 % (Wilson 1927): what the share could be if other mutants of the kind had been drawn."""
        if self.share is None:
            return None
        n, p, z = self.counted, self.share, Z_95
        middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        low, high = ((middle + sign * half) / (1 + z * z / n) for sign in (-1, 1))
        return max(0.0, low), min(1.0, high)


@dataclass(frozen=True)
class Killable:
    """The mutants that tests noticed, and the survivors that some test which holds on the clean data would notice.

    Without survivors that no consumer reads: a test for these is a test too many. What is killable is so by the tests known here
    (`candidates.py`, `column_relations.py`): one that knows the business can notice more.
    """

    keys: frozenset[str]
    killed: int
    beyond: tuple[tuple[str, int], ...]
    """Faults → survivors that consumers would read and that no such test notices, the most first."""
    unread: int
    """Survivors that no consumer reads."""

    @classmethod
    def of(cls, outcomes: Sequence[MutantOutcome]) -> "Killable":
        """Of outcomes for which it was looked which tests would notice."""
        killed = {one.mutant.key for one in outcomes if one.status is MutantStatus.KILLED}
        read = [one for one in outcomes if one.status is MutantStatus.SURVIVED_CHANGED]
        beyond = Counter(one.mutant.fault for one in read if not one.would_notice)
        return cls(
            frozenset(killed | {one.mutant.key for one in read if one.would_notice}),
            len(killed),
            tuple(beyond.most_common()),
            sum(one.status is MutantStatus.SURVIVED for one in outcomes),
        )

    @property
    def before(self) -> Score:
        """With the tests that there are."""
        return Score(self.killed, len(self.keys) - self.killed)

    def after(self, outcomes: Iterable[MutantOutcome]) -> Score:
        """Of the same mutants, judged again."""
        killed = sum(one.status is MutantStatus.KILLED and one.mutant.key in self.keys for one in outcomes)
        return Score(killed, len(self.keys) - killed)


def by(outcomes: Iterable[MutantOutcome], names: Callable[[MutantOutcome], Iterable[str]]) -> dict[str, Score]:
    """Scores of parts, the lowest first. `names` are the parts that a mutant belongs to."""
    parts: dict[str, list[MutantOutcome]] = defaultdict(list)
    for one in outcomes:
        for name in names(one):
            parts[name].append(one)
    scores = {name: Score.of(members) for name, members in parts.items()}
    counted = [(name, score) for name, score in scores.items() if score.counted]
    return dict(sorted(counted, key=lambda pair: (pair[1].share or 0.0, -pair[1].counted, pair[0])))


def by_tool(project: Project, outcomes: Iterable[MutantOutcome]) -> dict[str, Score]:
    """Tools → the score with the tests of that one alone."""
    tools = {one.key: one.tool for one in project.tests}
    counted = [one for one in outcomes if one.status is MutantStatus.KILLED or one.status in ALIVE]
    noticed = [({tools[key] for key, _ in one.tests}, bool(one.why)) for one in counted]
    found = {}
    for tool in sorted(set(tools.values())):
        killed = sum(tool in by for by, _ in noticed)
        # What breaks the build needs no test: it is not counted against a tool that did not notice it first.
        found[tool] = Score(killed, sum(tool not in by and not broke for by, broke in noticed))
    return found


def by_build(outcomes: Iterable[MutantOutcome]) -> dict[str, Score]:
    """Of full builds and of increments; empty where nothing was built on an increment."""
    found = by(outcomes, lambda one: [one.mutant.build])
    return found if INCREMENT in found else {}


def column_of(outcome: MutantOutcome) -> list[str]:
    """The column of an input that was broken; of all of it, none."""
    return [f"{outcome.mutant.input.name}.{outcome.mutant.column}"] if outcome.mutant.column else []


def unguarded(outcomes: Sequence[MutantOutcome]) -> list[str]:
    """Columns of which something survived and nothing was noticed."""
    return [name for name, score in by(outcomes, column_of).items() if score.killed == 0]


@dataclass(frozen=True)
class TestWorth:
    """What one test is worth: the mutants that it killed, and those that no other test did."""

    test: DataTest
    killed: int
    alone: int


def worth_of_tests(project: Project, outcomes: Iterable[MutantOutcome]) -> list[TestWorth]:
    """Of each test, the most useful first."""
    killed: dict[str, int] = defaultdict(int)
    alone: dict[str, int] = defaultdict(int)
    for one in outcomes:
        for key, _ in one.tests:
            killed[key] += 1
            alone[key] += len(one.tests) == 1
    found = [TestWorth(test, killed[test.key], alone[test.key]) for test in project.tests]
    return sorted(found, key=lambda one: (-one.alone, -one.killed, one.test.name))
