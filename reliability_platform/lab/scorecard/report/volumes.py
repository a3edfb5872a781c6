"""Rows per landing day of each source, and the days that were held from consumers."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from reliability_platform.counted import counted
from reliability_platform.lab.scorecard.report.chart import Chart, ChartTable, Key
from reliability_platform.lab.scorecard.report.days import day_axis, days_of
from reliability_platform.lab.scorecard.report.svg import ALARM, VOLUME, Canvas, draw_svg
from reliability_platform.lab.scorecard.report.text import as_day, as_moment, records, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KEYS = (Key("volume", "rows delivered"), Key("held", "the day was held from consumers until it had healed"))
Held = Mapping[date, tuple[object, object]]
"""Day → since when it was held and until when, if that is known."""


def volume_charts(month: Mapping[str, Any] | None) -> list[Chart]:
    """One for each source that delivered or was held; empty if there is none."""
    days = days_of(month)
    volumes: dict[str, dict[date, int]] = {}
    for row in records(month, "volumes"):
        day = as_day(row.get("day"))
        if day is not None:
            of_source = volumes.setdefault(str(row.get("source")), {})
            of_source[day] = of_source.get(day, 0) + int(row.get("rows") or 0)
    held: dict[str, dict[date, tuple[object, object]]] = {}
    for row in records(month, "held"):
        day = as_day(row.get("day"))
        if day is not None:
            held.setdefault(str(row.get("source")), {})[day] = (row.get("from"), row.get("until"))
    if not days:
        return []
    return [
        _chart(number, source, days, volumes.get(source, {}), held.get(source, {}))
        for number, source in enumerate(sorted({*volumes, *held}), start=1)
    ]


def _chart(number: int, source: str, days: Sequence[date], rows: Mapping[date, int], held: Held) -> Chart:
    title = f"Rows of {words(source)}"
    on_axis = [rows.get(day, 0) for day in days]
    description = (
        f"Rows of {words(source)} by landing day, {min(on_axis):,} to {max(on_axis):,}; "
        f"{counted(sum(day in held for day in days), 'day')} of {len(days)} held at some time."
    )
    svg = draw_svg(
        Canvas(f"volume-{number}", 5.4, 1.9, shrinks_to=0.6),
        title,
        description,
        lambda figure: _draw(figure, days, on_axis, held),
    )
    table = [(day, f"{rows.get(day, 0):,}", _span(*held[day]) if day in held else "") for day in days]
    return Chart(svg, ChartTable(title, ("landing day", "rows", "held from consumers"), table))


def _span(begin: object, end: object) -> str:
    since, until = (as_moment(one) if one is not None else None for one in (begin, end))
    if since is None:
        return "held"
    began = f"{since:%Y-%m-%d %H:%M}"
    return f"held since {began}" if until is None else f"held {began} to {until:%Y-%m-%d %H:%M}"


def _draw(figure: "Figure", days: Sequence[date], heights: Sequence[int], held: Held) -> None:
    axes = figure.add_subplot()
    top = max([*heights, 1]) * 1.08
    of_held = [place for place, day in enumerate(days) if day in held]
    # The whole height, so that a held day on which nothing came is seen too.
    axes.bar(of_held, top, width=0.92, facecolor="none", edgecolor=ALARM, hatch="////", linewidth=0, alpha=0.75)
    axes.bar(range(len(days)), heights, color=VOLUME, width=0.66)
    axes.plot(of_held, [top * 1.06] * len(of_held), linestyle="none", marker="v", ms=4, color=ALARM)
    axes.set_ylim(0, top * 1.12)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.locator_params(axis="y", nbins=4, integer=True)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    day_axis(axes, days, 6)
