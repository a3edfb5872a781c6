"""A number by landing day as one SVG: its past, the limits, and the days that are told.

As in the picture of the blast radius the text is live, the colours follow the reader's light or dark mode, and the same
numbers give the same bytes.
"""

import hashlib
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING

from reliability_platform.formats import plain
from reliability_platform.incidents.documents.blocks import ValuesByDay
from reliability_platform.inline_svg import PIXELS_PER_INCH, drawn
from reliability_platform.palette import variables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 8.0, 2.6
"""In inches."""
LONGEST_TITLE = 90
INK, SOFT, BAND, HIT, PAPER = (f"#0201{number:02x}" for number in range(5))
_COLOURS = {
    INK: ("ink", "ink"),
    SOFT: ("soft", "soft"),
    BAND: ("band", "good-wash"),
    HIT: ("hit", "bad"),
    PAPER: ("paper", "paper"),
}
"""What is drawn with → its name in the picture, and in the palette."""


@lru_cache(maxsize=64)
def picture(series: ValuesByDay) -> str:
    """The svg element; each limit is a line, what lies between them a band."""
    key = f"series-{hashlib.sha256(repr(series).encode()).hexdigest()[:8]}"

    def draw(figure: "Figure") -> None:
        axes = figure.add_axes((0.1, 0.2, 0.88, 0.62))
        days, values, told = range(len(series.days)), list(series.values), series.told
        bottom, top = _extent(series)
        axes.set(xlim=(-0.5, len(values) - 0.5), ylim=(bottom, top))
        axes.axhspan(
            bottom if series.low is None else series.low, top if series.high is None else series.high, color=BAND
        )
        for limit in (series.low, series.high):
            if limit is not None:
                axes.axhline(limit, color=SOFT, linewidth=0.8, linestyle="dashed")
        axes.axhline(series.usual, color=SOFT, linewidth=0.8)
        axes.plot(days, values, color=INK, linewidth=1.2, marker="o", markersize=3)
        axes.plot(days[-told:], values[-told:], color=HIT, linewidth=1.6, marker="o", markersize=6)
        shown = sorted({0, len(values) // 2, len(values) - 1})
        axes.set_xticks(shown, [series.days[one].isoformat() for one in shown], color=SOFT)
        # The last day stands at the edge: half of its date would lie beyond the picture.
        axes.get_xticklabels()[-1].set_horizontalalignment("right")
        axes.tick_params(colors=SOFT, length=3)
        for name, spine in axes.spines.items():
            spine.set_visible(name in ("left", "bottom"))
            spine.set_color(SOFT)
        figure.text(0.1, 0.9, _cut(plain(series.what)), color=INK, fontsize=9)

    places = {colour: f"{key}-{name}" for colour, (name, _) in _COLOURS.items()}
    box, content = drawn(key, (WIDTH, HEIGHT), draw, {"svg.hashsalt": key, "font.size": 8}, places)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" class="{key}" role="img" '
        f'{box} width="{round(WIDTH * PIXELS_PER_INCH)}" style="max-width: 100%; height: auto" '
        'font-family="system-ui, -apple-system, sans-serif">'
        f"<title>{escape(series.alt)}</title>"
        f"<style>{variables(f'.{key}', dict(_COLOURS.values()), f'{key}-')}</style>"
        f'<rect width="100%" height="100%" fill="var(--{key}-paper)"/>{content.strip()}\n'
    )


def _extent(series: ValuesByDay) -> tuple[float, float]:
    """From the least to the greatest of what is shown, with a margin."""
    shown = [*series.values, series.usual, *(one for one in (series.low, series.high) if one is not None)]
    low, high = min(shown), max(shown)
    margin = 0.08 * (high - low) or max(abs(high), 1.0) * 0.08
    return low - margin, high + margin


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TITLE else f"{text[: LONGEST_TITLE - 1]}…"
