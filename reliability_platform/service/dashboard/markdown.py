"""Documents that were written as Markdown, as HTML: no raw HTML, no link, no picture, whatever stands in them."""

from functools import lru_cache

from markdown_it import MarkdownIt
from markupsafe import Markup

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["link", "image", "autolink"])


@lru_cache(maxsize=64)
def as_html(text: str) -> Markup:
    """The document; its first heading is left out, which is the title of the page, which all pages have."""
    tokens = _MARKDOWN.parse(text)
    if tokens and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        tokens = tokens[3:]
    for token in tokens:
        if token.type in ("heading_open", "heading_close") and token.tag == "h1":
            token.tag = "h2"
        elif token.type in ("td_open", "th_open"):
            token.attrs.pop("style", None)
            if token.type == "th_open":
                token.attrSet("scope", "col")
    html = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    # A box that scrolls sideways must be reachable by the keyboard too.
    wide = '<div class="wide" role="region" tabindex="0" aria-label="{}">'
    html = html.replace("<table>", wide.format("table") + "<table>").replace("</table>", "</table></div>")
    html = html.replace("<pre>", wide.format("commands") + "<pre>").replace("</pre>", "</pre></div>")
    return Markup(html)  # noqa: S704 -- markdown-it escapes what it does not know, and HTML is switched off
