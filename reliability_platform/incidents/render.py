"""Renders blocks to Markdown. Every text may come from hostile data: nothing in it may become markup, HTML or code."""

import re
from collections.abc import Sequence

from reliability_platform.incidents.blocks import Block, Bullets, Commands, Grid, Heading, Paragraph

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~$^-])")
_AT_LINE_START = re.compile(r"^(\s*)(\d+)\.")


def escape(text: str) -> str:
    """Text that Markdown shows as it is: one line, no markup, no HTML, no template braces, no control signs."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _AT_LINE_START.sub(r"\1\2\\.", _SPECIAL.sub(r"\\\1", line))


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {escape(text)}"
        case Paragraph(text):
            return escape(text)
        case Bullets(items):
            return "\n".join(f"- {escape(item)}" for item in items)
        case Commands(lines, language):
            return "\n".join([f"```{language}", *lines, "```"])
        case Grid(header, rows):
            lines = [header, ["---"] * len(header)]
            cells = [[escape(cell) for cell in row] for row in rows]
            head, rule = lines
            return "\n".join(f"| {' | '.join(row)} |" for row in [[escape(cell) for cell in head], rule, *cells])


def markdown(blocks: Sequence[Block]) -> str:
    """The whole document."""
    return "\n\n".join(_block(block) for block in blocks) + "\n"
