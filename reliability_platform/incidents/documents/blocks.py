"""Documents as data: a list of blocks, rendered later. Text in blocks is plain; renderers escape it."""

from collections.abc import Sequence
from dataclasses import dataclass


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


Block = Heading | Paragraph | Bullets | Hints | Commands | Grid | Picture


def sections(blocks: Sequence[Block]) -> dict[str, list[Block]]:
    """The blocks under each heading of level 2, by its text; what stands before the first one is under ''."""
    found: dict[str, list[Block]] = {"": []}
    name = ""
    for block in blocks:
        if isinstance(block, Heading) and block.level == 2:
            name = block.text
        found.setdefault(name, []).append(block)
    return found
