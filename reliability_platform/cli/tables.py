"""Tables for a person. A name that is too long for its column breaks where a name may: after an underscore."""

import re
from collections.abc import Sequence
from copy import copy
from itertools import accumulate
from typing import Any

from rich.cells import chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.containers import Lines
from rich.measure import Measurement
from rich.table import Column
from rich.table import Table as RichTable
from rich.text import Text

_WORD = re.compile(r"\s*\S+\s*")
_PART = re.compile(r"\s*[^_/\s]*[_/]*\s*")


class Words(Text):
    """Text whose words break after underscores and slashes if a line is too short for them, and elsewhere only then."""

    @classmethod
    def of(cls, cell: str | Text) -> "Words":
        """A cell as it is given to a table: markup, or text that has its styles."""
        text = Text.from_markup(cell, emoji=False) if isinstance(cell, str) else cell
        return cls(text.plain, style=text.style, spans=text.spans)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        least = max((len(part.strip()) for part in _PART.findall(self.plain)), default=0)
        return Measurement(least, super().__rich_measure__(console, options).maximum)

    def wrap(self, console: Console, width: int, **how: Any) -> Lines:
        """Each line of the text on as many lines as it takes."""
        if how.get("no_wrap"):
            return super().wrap(console, width, **how)
        lines = Lines(part for line in self.split(allow_blank=True) for part in line.divide(_breaks(line.plain, width)))
        for line in lines:
            line.rstrip_end(width)
        lines.justify(console, width, justify=how.get("justify") or "left", overflow="fold")
        return lines


def _breaks(line: str, width: int) -> list[int]:
    """Where to break a line so that no part of it is longer than `width`."""
    parts: list[str] = []
    for word in _WORD.findall(line):
        fits = len(word.rstrip()) <= width
        for part in [word] if fits else [one for one in _PART.findall(word) if one]:
            parts += [part] if len(part.rstrip()) <= width else chop_cells(part, width)
    found, room = [], width
    for part, end in zip(parts, accumulate(map(len, parts)), strict=True):
        if len(part.rstrip()) > room and room < width:
            found.append(end - len(part))
            room = width
        room -= len(part)
    return found


class Table(RichTable):
    """A table of `Words`: with a frame where there is room for one, and without the `spare` columns where there is not
    even room for the longest parts of all names. Rich makes all long columns equally narrow, whatever is in them.
    """

    def __init__(self, *headers: str, spare: Sequence[str] = (), **how: Any) -> None:
        super().__init__(*headers, **how)
        self._spare = spare

    def add_row(self, *cells: Any, **how: Any) -> None:
        """Cells as rich takes them."""
        super().add_row(*(Words.of(one) if isinstance(one, str | Text) else one for one in cells), **how)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = copy(self)
        if super().__rich_measure__(console, options.update(max_width=FAR)).maximum > options.max_width:
            shown.box, shown.padding = None, (0, 1, 0, 0)
            shown.columns = _fitting(console, options, self.columns, self._spare)
        return RichTable.__rich_console__(shown, console, options)


FAR = 100_000
"""Wider than any table."""


def _fitting(
    console: Console, options: ConsoleOptions, columns: Sequence[Column], spare: Sequence[str]
) -> list[Column]:
    """The columns that fit, each at least as wide as its longest part; what room is left goes to the shortest first."""
    far = options.update(max_width=FAR)
    shown, least, most = list(map(copy, columns)), {}, {}
    for column in shown:
        needs = [Measurement.get(console, far, cell) for cell in (Words.of(str(column.header)), *column.cells)]
        most[str(column.header)] = max(one.maximum for one in needs)
        least[str(column.header)] = max(one.maximum if column.no_wrap else one.minimum for one in needs)
    for name in spare:
        if sum(least.values()) + len(least) > options.max_width:
            del least[name]
    shown = [one for one in shown if str(one.header) in least]
    room = options.max_width - len(shown) - sum(least.values())
    for number, column in enumerate(sorted(shown, key=lambda one: most[str(one.header)] - least[str(one.header)])):
        name = str(column.header)
        more = max(0, min(most[name] - least[name], room // (len(shown) - number)))
        column.width = least[name] + more
        room -= more
    return shown
