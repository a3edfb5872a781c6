"""Which days share the deviation of a day that failed: one anomaly rarely keeps to the days on which it is noticed. Pure.

A limit that is silent on clean days is wide, so the day before may lie at two thirds of it for the same reason. Beside a
day that failed, half of the limit in the same direction is enough.
"""

from collections.abc import Collection, Mapping
from datetime import date, timedelta

EPISODE_DAYS = 7
"""So far from a day that failed. Beyond a week it is a trend, which the past will soon know."""
EPISODE_SHARE = 0.5
EPISODE_SIGMAS = 3.0
"""A deviation that is not even so far from the past is noise, whatever share of the limit it is."""

Lean = Mapping[str, float]
"""By what was measured, how far it is from the past: in limits, with its sign. Noise is left out."""


def _shares(failed: Lean, beside: Lean) -> bool:
    return any(
        abs(far) >= 1 and far * beside.get(name, 0.0) > 0 and abs(beside[name]) >= EPISODE_SHARE
        for name, far in failed.items()
    )


def drawn_in(leans: Mapping[date, Lean], failed: Collection[date]) -> dict[date, date]:
    """By day that passed by itself, the failed one whose deviation it shares; without a gap between them."""
    drawn: dict[date, date] = {}
    for first in sorted(failed):
        for direction in (-1, 1):
            for distance in range(1, EPISODE_DAYS + 1):
                day = first + timedelta(days=direction * distance)
                if day in failed or not _shares(leans[first], leans.get(day, {})):
                    break
                drawn.setdefault(day, first)
    return drawn
