"""The axis of landing days that the charts of a month share."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from reliability_platform.lab.scorecard.report.text import as_day, days_between, records

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST = 3660
"""Landing days that are drawn at most; the table has them all."""


def days_of(month: Mapping[str, Any] | None) -> list[date]:
    """Its landing days, or those of its volumes if it does not say from when to when; empty if it has none."""
    first, last = as_day((month or {}).get("first_day")), as_day((month or {}).get("last_day"))
    landed = sorted(day for row in records(month, "volumes") if (day := as_day(row.get("day"))))
    first, last = first or (landed[0] if landed else None), last or (landed[-1] if landed else None)
    return days_between(first, last)[-LONGEST:] if first and last and first <= last else []


def extent(record: Mapping[str, Any], days: Sequence[date]) -> tuple[int, int] | None:
    """First and last place of a record on the axis, cut to it; None if it lies beside it."""
    first, last = as_day(record.get("first_day")), as_day(record.get("last_day"))
    first, last = first or last, last or first
    if not days or first is None or last is None or last < days[0] or first > days[-1]:
        return None
    return max(0, (first - days[0]).days), min(len(days) - 1, (last - days[0]).days)


def day_axis(axes: "Axes", days: Sequence[date], labels: int) -> None:
    """Days below, about `labels` of them named; the year stands at the first."""
    shown = list(range(0, len(days), max(1, -(-len(days) // labels))))
    names = [f"{days[place].day} {days[place]:%b}" for place in shown]
    if names:
        names[0] += f"\n{days[0].year}"
    axes.set_xticks(shown, names)
    axes.set_xlim(-0.8, len(days) - 0.2)
    axes.tick_params(length=0)
