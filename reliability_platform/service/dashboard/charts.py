"""Pictures as plain SVG that stretch to the width there is: shapes here, texts in HTML beside them, so that they can be read
at any width. Colours are classes of the style sheet, which follow light and dark.

Charts that are kept in files are drawn by `inline_svg`, which takes a tenth of a second; a page that is asked for each
minute is not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup

from reliability_platform.formats import number, span

HEIGHT = 100
"""Of a picture in its own units; the style sheet says how high it is shown."""
MOST_DAYS = 120
"""Bars that can be told from each other on a telephone."""
LEAST_DAYS = 14
"""Fewer bars are as wide as if there were so many: one day is no wall."""
_BAR = Markup('<rect class="{}" x="{:.2f}" y="{:.2f}" width="0.8" height="{:.2f}"><title>{}</title></rect>')
_CELL = Markup('<rect class="{}" x="{:.2f}" y="0" width="0.9" height="1"><title>{}</title></rect>')
_BAND = Markup('<rect class="held" x="{:.2f}" y="0" width="1" height="{}"><title>{}</title></rect>')
_DOT = Markup('<path class="{}" d="M{}h0"><title>{}</title></path>')


@dataclass(frozen=True)
class DayChart:
    """A picture with what is written around it."""

    title: str
    """What it shows."""
    alt: str
    """The same in words, for whoever does not see it."""
    shapes: Markup
    """The inside of the SVG."""
    width: float
    """In its own units."""
    below: tuple[str, ...]
    """What is written along its lower edge, from left to right."""
    top: str
    """The value of its upper edge; empty where there is none."""
    bottom: str
    """The value of its lower edge."""
    keys: tuple[tuple[str, str], ...] = ()
    """Class of the style sheet → what it means."""


def _few(days: Sequence[date]) -> tuple[str, ...]:
    """The first, the middle and the last day."""
    return tuple(days[one].isoformat() for one in sorted({0, len(days) // 2, len(days) - 1})) if days else ()


def bars(
    title: str, alt: str, days: Sequence[date], series: Mapping[str, Mapping[date, int]], keys: Mapping[str, str]
) -> DayChart | None:
    """Numbers by day, one upon the other; class of the style sheet → day → number. Days between that have none are left free;
    of more than `MOST_DAYS` the newest are drawn. None where there is nothing.
    """
    if days:
        last = max(days)
        first = max(min(days), last - timedelta(days=MOST_DAYS - 1))
        days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    highest = max((sum(one.get(day, 0) for one in series.values()) for day in days), default=0)
    if not highest:
        return None
    shapes = []
    for place, day in enumerate(days):
        below = 0.0
        for name, values in series.items():
            if (value := values.get(day, 0)) > 0:
                size = value / highest * (HEIGHT - 4)
                below += size
                said = f"{day}: {keys[name]} {number(value)}"
                shapes.append(_BAR.format(name, place + 0.1, HEIGHT - below, size, said))
    slots = max(len(days), LEAST_DAYS)
    written = _few(days) if len(days) == slots else (span(days),)
    return DayChart(title, alt, Markup("").join(shapes), slots, written, number(highest), "0", tuple(keys.items()))


def _edge(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"


def strip(days: Sequence[date], classes: Mapping[date, tuple[str, str]]) -> Markup:
    """One cell for each day: day → class of the style sheet and what it says. A day without one is left out."""
    cells = [
        _CELL.format(classes[day][0], place + 0.05, f"{day}: {classes[day][1]}")
        for place, day in enumerate(days)
        if day in classes
    ]
    return Markup("").join(cells)


@dataclass(frozen=True)
class DayMark:
    """A day that is told of in a line."""

    day: date
    kind: str
    """Class of the style sheet: `alarm` or `held`."""
    means: str
    value: float | None = None
    """What was found on the day, where that is another value than the one that is drawn."""


def line(
    title: str,
    alt: str,
    points: Mapping[date, float],
    marks: Sequence[DayMark] = (),
    keys: Mapping[str, str] | None = None,
) -> DayChart | None:
    """A number by day, with the days that are told of drawn in. None where there is nothing."""
    days = sorted(points)
    if not days:
        return None
    found = {one.day: one for one in marks if one.kind == "alarm" and one.day in points}
    drawn = [*points.values(), *(one.value for one in found.values() if one.value is not None)]
    low, high = min(drawn), max(drawn)
    room = (high - low) or abs(high) or 1.0
    bottom, top = low - 0.08 * room, high + 0.08 * room
    if low >= 0:  # a share or a count has no room below nothing
        bottom = max(bottom, 0.0)
    place = {day: index + 0.5 for index, day in enumerate(days)}

    def at(day: date, value: float) -> str:
        return f"{place[day]:.2f} {HEIGHT - (value - bottom) / (top - bottom) * HEIGHT:.2f}"

    shapes = []
    for one in marks:
        if one.day in place and one.kind == "held":
            shapes.append(_BAND.format(place[one.day] - 0.5, HEIGHT, f"{one.day}: {one.means}"))
    shapes.append(Markup('<path class="series" d="M{}"/>').format(" L".join(at(day, points[day]) for day in days)))
    for day in days:
        shapes.append(_DOT.format("dot", at(day, points[day]), f"{day}: {points[day]:.6g}"))
        if day in found:
            one = found[day]
            value = points[day] if one.value is None else one.value
            shapes.append(_DOT.format("dot alarm", at(day, value), f"{day}: {value:.6g}, {one.means}"))
    return DayChart(
        title,
        alt,
        Markup("").join(shapes),
        len(days),
        _few(days),
        _edge(top),
        _edge(bottom),
        tuple((keys or {}).items()),
    )
