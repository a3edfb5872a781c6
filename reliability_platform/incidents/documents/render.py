"""Renders blocks to Markdown and to plain text; `web` renders them to HTML.

Every text may come from hostile data: nothing in it may become markup, HTML, a link, a template or code.
"""

import re
import textwrap
from collections.abc import Sequence

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

WIDTH = 100
"""Columns of plain text; tables may be wider."""

# Signs that mean something inside a line. An underscore between letters means nothing and stays readable.
_SPECIAL = re.compile(r"[\\`*\[\]~|{}$]|(?<=\{)[%#]|(?<![A-Za-z0-9_])_|_(?![A-Za-z0-9_])")
# Signs that mean something only where a line begins. A leading > becomes an entity anyway.
_AT_LINE_START = re.compile(r"^(?:([#+=:-])|(\d+)([.)])(?=\s|$))")
# Bare addresses become links by themselves in most viewers; data must not put one under somebody's cursor.
_ADDRESS = re.compile(r"(://|\bwww\.)", re.IGNORECASE)


def escape(text: str) -> str:
    """Text that Markdown shows as it is: one line, no markup, no HTML, no links, no template braces, no control signs."""
    line = _SPECIAL.sub(lambda sign: "\\" + sign[0], plain(text))
    line = _AT_LINE_START.sub(lambda start: f"\\{start[1]}" if start[1] else f"{start[2]}\\{start[3]}", line)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _ADDRESS.sub(lambda found: found[0].replace(":", "&#58;").replace(".", "&#46;"), line)


def _fenced(lines: Sequence[str], language: str) -> str:
    # A fence is longer than any run of backticks in it, so that no line can end it.
    inside = max((len(run) for line in lines for run in re.findall(r"`+", line)), default=0)
    fence = "`" * max(3, inside + 1)
    return "\n".join([f"{fence}{language}", *map(code, lines), fence])


def code(line: str) -> str:
    """A line of code without control signs; everything else as it is."""
    return "".join(letter if letter.isprintable() else " " for letter in line)


def _markdown(block: Block) -> str:
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
            return _fenced(lines, language)
        case Grid(header, rows):
            cells = [[escape(cell) for cell in row] for row in (header, *rows)]
            return "\n".join(f"| {' | '.join(row)} |" for row in (cells[0], ["---"] * len(header), *cells[1:]))
        case Picture(_, alt):
            return f"*Picture, on the HTML page: {escape(alt)}*"
        case ValuesByDay():
            return f"{escape(block.alt)}\n\n{_markdown(block.table)}"


def markdown(blocks: Sequence[Block]) -> str:
    """The whole document as Markdown."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def _wrapped(line: str, first: str = "") -> str:
    return textwrap.fill(
        line,
        WIDTH,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _text(block: Block) -> str:
    match block:
        case Heading(level, text):
            line = plain(text)
            return f"{line}\n{('=' if level == 1 else '-') * len(line)}"
        case Paragraph(text):
            return _wrapped(plain(text))
        case Bullets(items) | Hints(items):
            return "\n".join(_wrapped(plain(item), "- ") for item in items)
        case Commands(lines, _):
            return "\n".join(f"    {code(line)}" for line in lines)
        case Grid(header, rows):
            cells = [[plain(cell) for cell in row] for row in (header, *rows)]
            widths = [max(len(row[place]) for row in cells) for place in range(len(header))]
            cells.insert(1, ["-" * width for width in widths])
            return "\n".join(
                "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
            )
        case Picture(_, alt):
            return _wrapped(f"[Picture, on the HTML page: {plain(alt)}]")
        case ValuesByDay():
            return f"{_wrapped(plain(block.alt))}\n\n{_text(block.table)}"


def text(blocks: Sequence[Block]) -> str:
    """The whole document as plain text, for a terminal or a mail."""
    return "\n\n".join(_text(block) for block in blocks) + "\n"
