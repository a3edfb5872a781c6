"""Documents as data: a list of blocks, rendered later. Text in blocks is plain; renderers escape it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from reliability_platform.counted import counted
from reliability_platform.formats import number

SHOWN_DAYS = 7
"""Days before those that are told, where a table stands in the place of a picture."""


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the title."""

    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of plain texts."""

    items: Sequence[str]


@dataclass(frozen=True)
class Hints:
    """A list of Markdown texts that the platform's own code wrote. Nothing from data may be in them."""

    items: Sequence[str]


@dataclass(frozen=True)
class Commands:
    """Commands or SQL that work as pasted. Made by the platform from checked names, never from data."""

    lines: Sequence[str]
    language: str = "shell"


@dataclass(frozen=True)
class Grid:
    """A table of plain texts."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __post_init__(self) -> None:
        """A cell too many would stand under the wrong name."""
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(f"a row of {len(row)} cells under a header of {len(self.header)}: {self.header}")


@dataclass(frozen=True)
class Picture:
    """An SVG drawing that our own code made, and what it shows, in words for those who cannot see it."""

    svg: str
    alt: str


@dataclass(frozen=True)
class ValuesByDay:
    """A number by day with its limits: a picture on a page, a table where nothing can be drawn."""

    what: str
    days: Sequence[date]
    values: Sequence[float]
    usual: float
    low: float | None
    high: float | None
    told: int
    """So many of the last days are those that are told."""

    @property
    def alt(self) -> str:
        """What the picture shows."""
        limits = [
            f"{name} {number(one)}" for name, one in (("lower", self.low), ("upper", self.high)) if one is not None
        ]
        return (
            f"{self.what}: {number(self.values[-1])} on {self.days[-1]}, usual {number(self.usual)}, "
            f"limits {' and '.join(limits) or 'none'}; {counted(len(self.days) - self.told, 'day')} before it"
        )

    @property
    def table(self) -> "Grid":
        """The days that are told, and the last ones before them."""
        shown = list(zip(self.days, self.values, strict=True))[-(self.told + SHOWN_DAYS) :]
        rows = [
            [day.isoformat(), number(value), "told" if place >= len(shown) - self.told else ""]
            for place, (day, value) in enumerate(shown)
        ]
        return Grid(["landing day", self.what, ""], rows)


Block = ValuesByDay | Heading | Paragraph | Bullets | Hints | Commands | Grid | Picture


def sections(blocks: Sequence[Block]) -> dict[str, list[Block]]:
    """The blocks under each heading of level 2, by its text; what stands before the first one is under ''."""
    found: dict[str, list[Block]] = {"": []}
    name = ""
    for block in blocks:
        if isinstance(block, Heading) and block.level == 2:
            name = block.text
        found.setdefault(name, []).append(block)
    return found
