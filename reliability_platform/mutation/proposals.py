"""The smallest set of tests that would have noticed the survivors, chosen from those that hold on the clean data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reliability_platform.mutation.candidates import WARN, CandidateTest
from reliability_platform.mutation.trial import MutantOutcome, MutantStatus


@dataclass(frozen=True)
class ProposedTest:
    """A test to add, and the survivors that it alone of the chosen ones is there for."""

    candidate: CandidateTest
    kills: tuple[str, ...]
    """Keys of mutants that survive the tests of today, and that no proposal before this one notices."""

    @property
    def entry(self) -> str | dict[str, Any]:
        """As it stands in a dbt yml."""
        one = self.candidate
        config = {"config": {"severity": WARN}} if one.severity == WARN else {}
        content = {**one.arguments, **config}
        return {one.test: content} if content else one.test


def propose(outcomes: Iterable[MutantOutcome], candidates: Mapping[str, Iterable[CandidateTest]]) -> list[ProposedTest]:
    """In turn the test that notices most of what is left; of equals one that dbt brings, then one that fails rather than warns.

    Only survivors that consumers would read count: a test for what nobody reads is a test too many.
    """
    known = {one.key: one for each in candidates.values() for one in each}
    left = {one.mutant.key: one.would_notice for one in outcomes if one.status is MutantStatus.SURVIVED_CHANGED}
    chosen: list[ProposedTest] = []
    while True:
        kills: dict[str, list[str]] = {}
        for mutant, noticing in left.items():
            for key in noticing:
                kills.setdefault(key, []).append(mutant)
        if not kills:
            return chosen
        best = min(
            kills, key=lambda key: (-len(kills[key]), not known[key].is_builtin, known[key].severity == WARN, key)
        )
        chosen.append(ProposedTest(known[best], tuple(kills[best])))
        left = {mutant: noticing for mutant, noticing in left.items() if best not in noticing}
