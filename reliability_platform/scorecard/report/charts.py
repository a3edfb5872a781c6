"""The charts, as SVG with live text. Colours are variables of the page, so that they follow dark and light."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from reliability_platform.scorecard.report.month import Month
from reliability_platform.sources import SOURCES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, LINE, FAULT, ALARM, HEALED, VOLUME = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
SERIES = ("#0a0a01", "#0a0a02", "#0a0a03", "#0a0a04", "#0a0a05", "#0a0a06", "#0a0a07")
VARIABLES = {
    INK: "var(--ink)",
    LINE: "var(--line)",
    FAULT: "var(--fault)",
    ALARM: "var(--alarm)",
    HEALED: "var(--healed)",
    VOLUME: "var(--volume)",
    **{colour: f"var(--series-{number})" for number, colour in enumerate(SERIES, start=1)},
}
"""What matplotlib draws with → what the page shows. No chart uses any other colour."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""A form for each series besides its colour."""
SIZES = ("small", "medium", "large")


def _svg(draw: Callable[["Axes"], None], width: float, height: float) -> str:
    """Draw on fresh axes; returns the inline SVG element, the same bytes for the same data."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "reliability",
        "font.family": "sans-serif",
        "font.size": 10,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": LINE,
        "xtick.color": INK,
        "ytick.color": INK,
        "grid.color": LINE,
        "legend.frameon": False,
    }
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, variable)
    return svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)


def detection_curves(rows: Sequence[Mapping[str, Any]]) -> str:
    """Share detected against size, a line for each family, with its 95 % interval."""
    families = sorted({row["family"] for row in rows})

    def draw(axes: "Axes") -> None:
        for place, family in enumerate(families):
            mine = {row["magnitude"]: row for row in rows if row["family"] == family}
            there = [size for size in SIZES if size in mine]
            x = [SIZES.index(size) + (place - len(families) / 2) * 0.05 for size in there]
            y = [100 * mine[size]["share"] for size in there]
            low = [100 * (mine[size]["share"] - mine[size]["low"]) for size in there]
            high = [100 * (mine[size]["high"] - mine[size]["share"]) for size in there]
            colour = SERIES[place % len(SERIES)]
            axes.errorbar(
                x, y, [low, high], color=colour, marker=MARKERS[place % len(MARKERS)], capsize=3, label=family
            )
        axes.set_xticks(range(len(SIZES)), SIZES)
        axes.set_ylim(0, 105)
        axes.set_ylabel("detected, %")
        axes.grid(axis="y", linewidth=0.5)
        axes.legend(loc="lower right", ncols=2)

    return _svg(draw, 7.2, 3.4)


def limit_curves(rows: Sequence[Mapping[str, Any]], fault: str, unit: str) -> str:
    """Share detected against the exact size of one swept fault."""
    mine = [row for row in rows if row["fault"] == fault]

    def draw(axes: "Axes") -> None:
        axes.plot(
            [row["size"] for row in mine],
            [100 * row["detected"] / row["n"] for row in mine],
            color=SERIES[0],
            marker="o",
        )
        axes.set_ylim(-5, 105)
        axes.set_xlabel(f"{fault.replace('_', ' ')}: {unit}")
        axes.set_ylabel("detected, %")
        axes.grid(axis="y", linewidth=0.5)

    return _svg(draw, 4.2, 2.4)


def _days(axes: "Axes", days: Sequence[date]) -> None:
    shown = list(range(0, len(days), max(1, len(days) // 5)))
    axes.set_xticks(shown, [f"{days[place]:%d %b}" for place in shown])
    axes.set_xlim(-0.7, len(days) - 0.3)


def month_timeline(month: Month) -> str:
    """Per source: faults as bars above, incidents as bars below, a tick where one is healed."""
    place_of = {day: place for place, day in enumerate(month.days)}

    def span(first: date, last: date) -> tuple[float, float]:
        start, end = place_of.get(first, 0), place_of.get(last, len(month.days) - 1)
        return start - 0.4, end - start + 0.8

    def draw(axes: "Axes") -> None:
        for row, source in enumerate(reversed(SOURCES)):
            faults = [span(one.first_day, one.last_day) for one in month.strikes if one.source == source]
            axes.broken_barh(faults, (row + 0.06, 0.28), facecolors=FAULT, edgecolors="none")
            mine = [one for one in month.incidents if one.source == source]
            alarms = [span(one.first_day, one.last_day) for one in mine]
            axes.broken_barh(
                alarms, (row - 0.3, 0.28), facecolors="none", edgecolors=ALARM, linewidth=1.2, hatch="////"
            )
            healed = [sum(span(one.first_day, one.last_day)) - 0.4 for one in mine if one.healed]
            axes.plot(healed, [row - 0.16] * len(healed), linestyle="none", marker="o", markersize=5, color=HEALED)
        axes.set_yticks(range(len(SOURCES)), list(reversed(SOURCES)))
        axes.set_ylim(-0.6, len(SOURCES) - 0.4)
        axes.grid(axis="x", linewidth=0.4)
        _days(axes, month.days)

    return _svg(draw, 9.6, 3.2)


def volumes(month: Month, source: str) -> str:
    """Rows delivered by landing day; the days that were held at some time are hatched."""
    series = month.volumes.get(source, {})
    held = month.held.get(source, set())

    def draw(axes: "Axes") -> None:
        heights = [series.get(day, 0) for day in month.days]
        bars = axes.bar(range(len(month.days)), heights, color=VOLUME, width=0.8)
        for bar, day in zip(bars, month.days, strict=True):
            if day in held:
                bar.set(facecolor="none", edgecolor=ALARM, hatch="////", linewidth=1.0)
        axes.set_ylabel("rows")
        axes.set_title(source, loc="left", fontsize=10)
        _days(axes, month.days)

    return _svg(draw, 4.8, 2.0)
