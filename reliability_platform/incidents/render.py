"""Renders blocks to Markdown. Every text may come from hostile data: nothing in it may become markup, HTML or code."""

import re
from collections.abc import Sequence

from reliability_platform.incidents.blocks import Block, Bullets, Commands, Grid, Heading, Hints, Paragraph

# Signs that mean something inside a line. An underscore between letters means nothing and stays readable.
_SPECIAL = re.compile(r"[\\`*\[\]~|{}]|(?<![A-Za-z0-9_])_|_(?![A-Za-z0-9_])")
# Signs that mean something only where a line begins.
_AT_LINE_START = re.compile(r"^(\s*)(?:([#+>=:-])|(\d+)([.)])(?=\s|$))")


def escape(text: str) -> str:
    """Text that Markdown shows as it is: one line, no markup, no HTML, no template braces, no control signs."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    line = _SPECIAL.sub(lambda sign: "\\" + sign[0], line)
    line = _AT_LINE_START.sub(
        lambda start: f"{start[1]}\\{start[2]}" if start[2] else f"{start[1]}{start[3]}\\{start[4]}", line
    )
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {escape(text)}"
        case Paragraph(text):
            return escape(text)
        case Bullets(items):
            return "\n".join(f"- {escape(item)}" for item in items)
        case Hints(items):
            return "\n".join(f"- {item}" for item in items)
        case Commands(lines, language):
            return "\n".join([f"```{language}", *lines, "```"])
        case Grid(header, rows):
            cells = [[escape(cell) for cell in row] for row in (header, *rows)]
            return "\n".join(f"| {' | '.join(row)} |" for row in (cells[0], ["---"] * len(header), *cells[1:]))


def markdown(blocks: Sequence[Block]) -> str:
    """The whole document."""
    return "\n\n".join(_block(block) for block in blocks) + "\n"
