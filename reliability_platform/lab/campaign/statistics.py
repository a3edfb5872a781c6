"""Shares with honest confidence."""

from dataclasses import dataclass
from math import sqrt

Z_95 = 1.959964
"""The 97.5 % quantile of the normal distribution: intervals of 95 %."""


@dataclass(frozen=True)
class Share:
    """`hits` of `n`, with its 95 % interval. All None if there was nothing to count."""

    hits: int
    n: int
    share: float | None
    low: float | None
    high: float | None


def wilson(hits: int, n: int) -> Share:
    """A share with its score interval (Wilson 1927), which stays honest for few cases and near 0 and 1."""
    if n == 0:
        return Share(0, 0, None, None, None)
    share = hits / n
    centre = (share + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    half = Z_95 / (1 + Z_95**2 / n) * sqrt(share * (1 - share) / n + Z_95**2 / (4 * n**2))
    # At 0 and 1 the bounds are exact; rounding errors must not leave them.
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    high = 1.0 if hits == n else min(1.0, centre + half)
    return Share(hits, n, share, low, high)
