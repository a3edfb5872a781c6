"""Renders blocks to one HTML page: no script, no network, light and dark, readable on a telephone.

Every text may come from hostile data: it is escaped, and never becomes an attribute or an address. A picture is
embedded as an image, in which browsers run and load nothing; the page's own policy forbids scripts and requests too.
"""

import base64
import html
from collections.abc import Sequence

from markdown_it import MarkdownIt

from reliability_platform.formats import plain
from reliability_platform.incidents.documents.blocks import (
    Block,
    Bullets,
    Commands,
    Grid,
    Heading,
    Hints,
    Paragraph,
    Picture,
    ValuesByDay,
)
from reliability_platform.incidents.documents.render import code
from reliability_platform.incidents.documents.series_picture import picture
from reliability_platform.palette import variables

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_COLOURS = {name: name for name in ("paper", "card", "ink", "soft", "line", "link")}
_RULES = """
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1.25rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0 1rem; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .6rem; padding-top: .9rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p, li { max-width: 52rem; }
ul { padding-left: 1.25rem; }
a { color: var(--link); }
nav { color: var(--soft); font-size: .9rem; }
nav a { display: inline-block; margin-right: .9rem; padding: .15rem 0; }
.wide { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td { min-width: 5rem; max-width: 32rem; overflow-wrap: break-word; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .75rem .9rem; margin: 0;
  font-size: .85rem; line-height: 1.5; width: max-content; min-width: 100%; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
:not(pre) > code { background: var(--card); border-radius: 4px; padding: .1em .3em; font-size: .9em; }
img { width: 100%; min-width: 58rem; max-width: 75rem; height: auto; }
@media print { body { max-width: none; } nav { display: none; } }
"""
STYLE = f":root {{ color-scheme: light dark; }} {variables(':root', _COLOURS)}{_RULES}"
_HINTS = MarkdownIt("commonmark", {"html": False}).disable(["link", "image", "autolink", "entity", "html_inline"])


def _escaped(text: str) -> str:
    return html.escape(plain(text))


def _wide(inner: str, label: str) -> str:
    # A box that scrolls sideways must be reachable by the keyboard too.
    return f'<div class="wide" role="region" tabindex="0" aria-label="{label}">{inner}</div>'


def _grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{_escaped(cell)}</th>' for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{_escaped(cell)}</td>' for cell in row)}</tr>\n" for row in rows)
    return _wide(f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>", "table")


def _picture(svg: str, alt: str) -> str:
    data = base64.b64encode(svg.encode("utf-8", "replace")).decode("ascii")
    return _wide(f'<img alt="{_escaped(alt)}" src="data:image/svg+xml;base64,{data}">', "picture")


def _html(block: Block, number: int) -> str:
    match block:
        case Heading(level, text):
            return f'<h{level} id="s{number}">{_escaped(text)}</h{level}>'
        case Paragraph(text):
            return f"<p>{_escaped(text)}</p>"
        case Bullets(items):
            return "\n".join(["<ul>", *(f"<li>{_escaped(item)}</li>" for item in items), "</ul>"])
        case Hints(items):
            return "\n".join(["<ul>", *(f"<li>{_HINTS.renderInline(item)}</li>" for item in items), "</ul>"])
        case Commands(lines, _):
            inner = "\n".join(html.escape(code(line)) for line in lines)
            return _wide(f"<pre><code>{inner}</code></pre>", "commands")
        case Grid(header, rows):
            return _grid(header, rows)
        case Picture(svg, alt):
            return _picture(svg, alt)
        case ValuesByDay():
            return _picture(picture(block), block.alt)


def _contents(blocks: Sequence[Block]) -> list[str]:
    found = [(number, one.text) for number, one in enumerate(blocks) if isinstance(one, Heading) and one.level == 2]
    if len(found) < 2:
        return []
    links = "\n".join(f'<a href="#s{number}">{_escaped(text)}</a>' for number, text in found)
    return [f'<nav aria-label="contents">\n{links}\n</nav>']


def page(blocks: Sequence[Block]) -> str:
    """The whole document as one self-contained page; its title is the first heading."""
    title = next((block.text for block in blocks if isinstance(block, Heading)), "")
    inner = [_html(block, number) for number, block in enumerate(blocks)]
    inner[1:1] = _contents(blocks)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_escaped(title)}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            *inner,
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )
