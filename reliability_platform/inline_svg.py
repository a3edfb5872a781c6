"""Draws with matplotlib and makes of it the inside of an SVG that may stand in a page: live text, the page's fonts and
colours, no id that could meet another. The same data give the same bytes.
"""

import io
import re
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PIXELS_PER_INCH = 96
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a name from the data may hold a dollar sign
}


def drawn(
    key: str,
    size: tuple[float, float],
    draw: Callable[["Figure"], None],
    settings: Any,
    colours: Mapping[str, str],
    layout: str | None = None,
) -> tuple[str, str]:
    """The `viewBox` attribute and the content of what `draw` draws on a fresh figure of so many inches.

    Its ids begin with `key`, and each of the `colours` that it draws with becomes a variable of the page.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the browser draws the text, and has glyphs that our fonts lack
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_SETTINGS, **settings})
        figure = Figure(figsize=size, layout=layout)  # type: ignore[arg-type]
        FigureCanvasSVG(figure)
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", buffer.getvalue(), flags=re.DOTALL)
    root = re.search(r"<svg [^>]*>", body)
    assert root is not None
    box = re.search(r'viewBox="[^"]*"', root.group())
    assert box is not None
    references = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    content = re.sub(r"<[^>]+>", lambda tag: _tag(tag.group(), key, references, colours), body[root.end() :])
    return box.group(), content


def _tag(tag: str, key: str, references: set[str], colours: Mapping[str, str]) -> str:
    """One tag: its colours as variables, its font that of the page, its id unique on the page or gone."""

    def own_id(found: re.Match[str]) -> str:
        return f' id="{key}-{found.group(1)}"' if found.group(1) in references else ""

    tag = re.sub(r' id="([^"]*)"', own_id, tag)
    tag = re.sub(r'(url\(#|href="#)', rf"\g<1>{key}-", tag)
    tag = re.sub(r"font: (?:(bold|\d+) )?([\d.]+px)[^;\"]*", _font, tag)
    return re.sub(r"#0[12][0-9a-f]{4}\b", lambda found: _variable(found.group(), colours), tag)


def _variable(colour: str, colours: Mapping[str, str]) -> str:
    return f"var(--{colours[colour]})" if colour in colours else colour


def _font(found: re.Match[str]) -> str:
    weight, size = found.groups()
    return f"font-size: {size}" + (f"; font-weight: {weight}" if weight else "")
