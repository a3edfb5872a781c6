"""A chart as the page shows it: an image with a name and a description, and the same figures as a table."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

Row = Sequence[object]


@dataclass(frozen=True)
class ChartTable:
    """A caption, columns, rows; the first cell of a row is its heading."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Row]


@dataclass(frozen=True)
class Key:
    """One sign of a chart and what it stands for; `form` is a form and a colour, so that neither stands alone."""

    form: str
    meaning: str


@dataclass(frozen=True)
class Chart:
    """An inline SVG that says what it shows, and its table."""

    svg: "Markup"
    table: ChartTable
    keys: Sequence[Key] = field(default_factory=tuple)
