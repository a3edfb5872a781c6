"""What speaks for a rule: how often it could have been broken and was not, and how often it would have been by chance."""

from dataclasses import dataclass
from typing import Any

from reliability_platform.contracts.relations import Relation
from reliability_platform.counted import counted
from reliability_platform.formats import percent

ERROR = 0.05
"""The chance that any bound of one search is too low, for all candidates together (Bonferroni)."""
HIGHEST_BOUND = 0.005
"""A rule is proposed if at most so many rows break it, with the certainty of `ERROR`."""
LEAST_UNRELATED = 0.05
"""Of unrelated columns at least so many rows would break it; otherwise it says nothing: every year is below every amount."""
HIGHEST_BOUND_OF_GROUPS = 0.02
"""The same of groups of rows, where two columns part them finely: without it a route that one carrier flew alone was a rule."""
LEAST_DAYS = 14


@dataclass(frozen=True)
class Evidence:
    """What the past says of one rule. No row of it breaks the rule."""

    rows: int
    """Those that could have broken it: all that it reads is there, and for what compares rows there is another one."""
    days: int
    unrelated: float
    """Share of these rows that would break it if the columns had nothing to do with each other."""
    candidates: int
    """How many rules were tried."""
    groups: int | None = None
    """Where two columns determine a third: how many groups of rows they make."""

    @property
    def bound(self) -> float:
        """At most this share of rows breaks it: Clopper and Pearson's upper limit for none of n, 1 - (error/m)^(1/n), which is
        the rule of three (3/n) for one candidate at 95 %."""
        return self._bound_of(self.rows)

    def _bound_of(self, trials: int) -> float:
        return float(1 - (ERROR / max(self.candidates, 1)) ** (1 / trials)) if trials else 1.0

    @property
    def is_enough(self) -> bool:
        """Whether it carries a proposal."""
        if self.groups is not None and self._bound_of(self.groups) > HIGHEST_BOUND_OF_GROUPS:
            return False
        return self.bound <= HIGHEST_BOUND and self.days >= LEAST_DAYS and self.unrelated >= LEAST_UNRELATED

    @property
    def text(self) -> str:
        """For people, in one line."""
        return (
            f"kept by {counted(self.rows, 'row')} of {counted(self.days, 'landing day')} that could break it, 0 did; unrelated, "
            f"{percent(self.unrelated)} would; at most {100 * self.bound:.2g} % do"
        )


@dataclass(frozen=True)
class RuleProposal:
    """A rule, and what speaks for it."""

    relation: Relation
    evidence: Evidence

    @property
    def strength(self) -> float:
        """By which proposals are ordered: what a broken link between the columns would show, in rows of the past."""
        return self.evidence.unrelated * self.evidence.rows

    @property
    def document(self) -> dict[str, Any]:
        """For a program to read."""
        one = self.evidence
        return {
            "name": self.relation.name,
            "kind": self.relation.kind.value,
            "rule": self.relation.text,
            "columns": list(self.relation.columns),
            "quarantines_rows": self.relation.of_rows,
            "rows": one.rows,
            "days": one.days,
            "counter_examples": 0,
            "broken_if_unrelated": round(one.unrelated, 4),
            "broken_at_most": one.bound,
            "candidates": one.candidates,
        }
