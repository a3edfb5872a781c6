"""The arithmetic of error budgets over landing days. Pure and exact: shares are fractions, not floats."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate

from reliability_platform.counted import counted
from reliability_platform.slo.judgement import BAD, GOOD, UNKNOWN, Marks


@dataclass(frozen=True)
class Budget:
    """What a window of landing days has spent of the failure that its target allows."""

    target: Decimal
    window: int
    """Landing days; runs, for the objective over those."""
    good: int
    bad: int
    unknown: int
    """Days that are neither: they earn no budget and spend none."""

    @property
    def judged(self) -> int:
        """Good and bad days."""
        return self.good + self.bad

    @property
    def allowed(self) -> Fraction:
        """Bad days that the target allows: (1 - target) x (window - unknown).

        The days that a young dataset has not lived yet count: it may still fill its window with good ones.
        """
        return (1 - Fraction(self.target)) * (self.window - self.unknown)

    @property
    def remaining(self) -> Fraction:
        """Bad days that may still come; negative if more have come than are allowed."""
        return self.allowed - self.bad

    @property
    def exhausted(self) -> bool:
        """Whether something was spent and nothing is left."""
        return self.bad > 0 and self.remaining <= 0

    @property
    def missed(self) -> bool:
        """Whether more was spent than there was: the window cannot reach its target any more."""
        return self.remaining < 0

    @property
    def attained(self) -> float | None:
        """The share of good days among the judged ones; None if none was judged."""
        return self.good / self.judged if self.judged else None

    @property
    def burn_rate(self) -> float | None:
        """Bad days by allowed ones; over the budget's own window, the share consumed. None if no day was judged."""
        return float(self.bad / self.allowed) if self.judged else None

    @property
    def words(self) -> str:
        """The state of the budget in one sentence."""
        if not self.judged:
            return "No day of the window has been judged."
        days = counted(self.window, "day") + (f" less {self.unknown} unknown" if self.unknown else "")
        allows = f"{days} at {float(100 * self.target):g} % allow {float(self.allowed):.2f} bad ones"
        if self.allowed < 1:
            allows += ", less than one: a single bad day exceeds it"
        if self.missed:
            return f"Exhausted, the objective is missed: {allows}; there were {self.bad}."
        if self.exhausted:
            return f"Exhausted, the objective just holds: {allows}; there were {self.bad}, and the next one misses it."
        return f"{allows}; there were {self.bad}, {float(self.remaining):.2f} left."


def budget(target: Decimal, days: Marks, window: int) -> Budget:
    """The budget of the last `window` days, or of fewer if there are no more."""
    last = days[-window:]
    return Budget(target, window, *(last.count(mark) for mark in (GOOD, BAD, UNKNOWN)))


def exhausted_since(target: Decimal, days: Marks, window: int) -> int | None:
    """From which place of `days` on the budget of the trailing window has been exhausted without a break.

    None if it is not exhausted at the end. The budget at each place is that of the `window` days up to it.
    """
    bad, unknown = (_trailing(days, mark, window) for mark in (BAD, UNKNOWN))
    share = 1 - Fraction(target)
    since = None
    for place, (failed, untold) in enumerate(zip(bad, unknown, strict=True)):
        exhausted = failed > 0 and failed * share.denominator >= share.numerator * (window - untold)
        since = None if not exhausted else place if since is None else since
    return since


def _trailing(days: Marks, mark: int, window: int) -> list[int]:
    """At each place, how many of the last `window` days have a mark."""
    total = list(accumulate((one == mark for one in days), initial=0))
    return [total[end] - total[max(end - window, 0)] for end in range(1, len(total))]
