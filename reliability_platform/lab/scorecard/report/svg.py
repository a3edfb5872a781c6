"""Draws with matplotlib and makes of it an inline SVG: live text, the page's colours, a title and a description."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reliability_platform.inline_svg import PIXELS_PER_INCH, drawn
from reliability_platform.lab.scorecard.report.text import plain

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

HEAT_STEPS = 5

# What matplotlib draws with → what the page shows. Each chart uses these colours and no other.
INK, SOFT, LINE, PAPER = "#010101", "#010102", "#010103", "#010104"
FAULT, ALARM, HEALED, VOLUME, SERIES, STRONG_INK = "#010201", "#010202", "#010203", "#010204", "#010205", "#010206"
HEAT = tuple(f"#0103{step:02x}" for step in range(1, HEAT_STEPS + 1))
VARIABLES = {
    INK: "ink",
    SOFT: "soft",
    LINE: "line",
    PAPER: "paper",
    FAULT: "fault",
    ALARM: "alarm",
    HEALED: "healed",
    VOLUME: "volume",
    SERIES: "series",
    STRONG_INK: "heat-ink",
    **{colour: f"heat-{step}" for step, colour in enumerate(HEAT, start=1)},
}
SETTINGS: Any = {
    "svg.hashsalt": "reliability",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.facecolor": "none",
    "axes.labelcolor": SOFT,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "grid.color": LINE,
    "grid.linewidth": 0.5,
    "hatch.linewidth": 0.8,
}


@dataclass(frozen=True)
class Canvas:
    """Key (unique on the page), size in inches, and the share of its width below which it scrolls instead."""

    key: str
    width: float
    height: float
    shrinks_to: float = 0.9


def draw_svg(canvas: Canvas, title: str, description: str, draw: Callable[["Figure"], None]) -> "Markup":
    """Let `draw` draw on a fresh figure; returns the inline element, titled and described, styled by the page."""
    from markupsafe import Markup, escape

    size = (canvas.width, canvas.height)
    box, content = drawn(canvas.key, size, draw, SETTINGS, VARIABLES, "constrained")
    wide = round(canvas.width * PIXELS_PER_INCH)
    # matplotlib escapes what it draws.
    return Markup(  # noqa: S704
        f'<svg role="img" aria-labelledby="{canvas.key}-title {canvas.key}-desc" {box} '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        'stroke-linejoin="round" stroke-linecap="butt" '
        f'style="width: 100%; max-width: {wide}px; min-width: {round(wide * canvas.shrinks_to)}px">'
        f'<title id="{canvas.key}-title">{escape(plain(title))}</title>'
        f'<desc id="{canvas.key}-desc">{escape(plain(description))}</desc>{content}'
    )
