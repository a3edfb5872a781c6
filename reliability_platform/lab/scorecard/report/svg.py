"""Draws with matplotlib and makes of it an inline SVG: live text, the page's colours, a title and a description."""

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reliability_platform.lab.scorecard.report.text import plain

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

PIXELS_PER_INCH = 96
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
    "svg.fonttype": "none",
    "svg.hashsalt": "reliability",
    "text.parse_math": False,  # a name from the data may hold a dollar sign
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
    """Let `draw` draw on a fresh figure; returns the inline element, the same bytes for the same data."""
    import matplotlib
    from markupsafe import Markup
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # The browser draws the text with its own fonts, so that glyphs which ours lack do not matter.
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        figure = Figure(figsize=(canvas.width, canvas.height), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    # matplotlib escapes what it draws, `_inline` what it adds.
    return Markup(_inline(buffer.getvalue(), canvas, title, description))  # noqa: S704


def _inline(document: str, canvas: Canvas, title: str, description: str) -> str:
    """The element alone, with ids of its own, named and described, and styled by the page."""
    from markupsafe import escape

    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", document, flags=re.DOTALL)
    root = re.search(r"<svg [^>]*>", body)
    assert root is not None
    box = re.search(r'viewBox="[^"]*"', root.group())
    assert box is not None
    references = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    content = re.sub(r"<[^>]+>", lambda tag: _tag(tag.group(), canvas.key, references), body[root.end() :])
    wide = round(canvas.width * PIXELS_PER_INCH)
    return (
        f'<svg role="img" aria-labelledby="{canvas.key}-title {canvas.key}-desc" {box.group()} '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        'stroke-linejoin="round" stroke-linecap="butt" '
        f'style="width: 100%; max-width: {wide}px; min-width: {round(wide * canvas.shrinks_to)}px">'
        f'<title id="{canvas.key}-title">{escape(plain(title))}</title>'
        f'<desc id="{canvas.key}-desc">{escape(plain(description))}</desc>{content}'
    )


def _tag(tag: str, key: str, references: set[str]) -> str:
    """One tag: its colours as variables, its font that of the page, its id unique on the page or gone."""

    def own_id(found: re.Match[str]) -> str:
        return f' id="{key}-{found.group(1)}"' if found.group(1) in references else ""

    tag = re.sub(r' id="([^"]*)"', own_id, tag)
    tag = re.sub(r'(url\(#|href="#)', rf"\g<1>{key}-", tag)
    tag = re.sub(r"font: (?:(\d+) )?([\d.]+px)[^;\"]*", _font, tag)
    return re.sub(r"#01[0-9a-f]{4}\b", lambda found: _variable(found.group()), tag)


def _font(found: re.Match[str]) -> str:
    weight, size = found.groups()
    return f"font-size: {size}" + (f"; font-weight: {weight}" if weight else "")


def _variable(colour: str) -> str:
    return f"var(--{VARIABLES[colour]})" if colour in VARIABLES else colour
