"""The score: of the mutants that a test could have noticed, the share that one did, with its interval and by parts."""

import math
from collections import defaultdict
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
