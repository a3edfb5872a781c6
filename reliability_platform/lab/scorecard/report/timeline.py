"""The month on one chart: what was injected, what was noticed, what is healed. Numbers lead from a bar to its name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from reliability_platform.counted import counted
from reliability_platform.formats import NOTHING
from reliability_platform.lab.faults.catalogue import CATALOGUE, CONTROLS
from reliability_platform.lab.scorecard.report.chart import Chart, ChartTable, Key
from reliability_platform.lab.scorecard.report.days import day_axis, days_of, extent
from reliability_platform.lab.scorecard.report.svg import ALARM, FAULT, HEALED, PAPER, Canvas, draw_svg
from reliability_platform.lab.scorecard.report.text import (
    label,
    plain,
    records,
    short_id,
    span_of_days,
    words,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEALED_STATES = ("verified", "resolved", "closed")
LANE = 0.24
"""Inches."""
NUMBERED_DAYS = 45
"""Over more days a bar is too narrow for its number."""
KEYS = (
    Key("fault", "a fault"),
    Key("control", "a control: nothing to notice"),
    Key("alarm", "an incident"),
    Key("healed", "healed and verified"),
)


@dataclass(frozen=True)
class Bar:
    """A fault or an incident on its lane, from one place of the axis to another."""

    first: int
    last: int
    lane: int
    name: str
    marked: bool = False
    """A control among the faults; a healed one among the incidents."""


def is_healed(incident: Mapping[str, Any]) -> bool:
    """Whether its recovery was verified and it was not opened again."""
    return incident.get("state") in HEALED_STATES


def is_control(injection: Mapping[str, Any]) -> bool:
    """Whether nothing may notice it; a fault that the catalogue does not have is none."""
    name = str(injection.get("fault"))
    return name in CONTROLS or (name in CATALOGUE and CATALOGUE[name].expected_severity is None)


def timeline_chart(month: Mapping[str, Any] | None) -> Chart | None:
    """None if no day is known, or nothing was injected and nothing opened."""
    days, injections, incidents = days_of(month), records(month, "injections"), records(month, "incidents")
    incidents = [one for one in incidents if one.get("state") != "false_alarm"]
    if not days or not (injections or incidents):
        return None
    sources = sorted({str(one.get("source")) for one in [*injections, *incidents]})
    bands = [(source, *_lanes(source, injections, incidents, days)) for source in sources]
    lanes = sum(_height(faults, alarms) for _, faults, alarms in bands)
    open_ones = sum(not is_healed(one) for one in incidents)
    title = "Faults, incidents and healing"
    description = (
        f"{counted(len(injections), 'fault')} and {counted(len(incidents), 'incident')} on {counted(len(sources), 'source')} "
        f"from {days[0]} to {days[-1]}: above the faults that were injected, below the incidents that were opened, with a dot once "
        f"it is healed. {counted(open_ones, 'incident')} still open."
    )
    svg = draw_svg(
        Canvas("timeline", 11, 0.7 + LANE * (lanes + len(bands))),
        title,
        description,
        lambda figure: _draw(figure, bands, days),
    )
    rows = [
        (
            number,
            "control" if is_control(one) else "fault",
            words(one.get("fault")),
            words(one.get("source")),
            _days(one),
            words(one.get("magnitude", "")),
        )
        for number, one in enumerate(injections, start=1)
    ] + [
        (
            short_id(one.get("id")),
            "incident",
            plain(one.get("title")),
            words(one.get("source")),
            _days(one),
            words(one.get("state")),
        )
        for one in incidents
    ]
    return Chart(
        svg, ChartTable(title, ("number", "kind", "what", "source", "landing days", "size or state"), rows), KEYS
    )


def numbered_faults(month: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """What the numbers on the chart stand for; empty if it bears none."""
    if len(days_of(month)) > NUMBERED_DAYS:
        return []
    return [(words(one.get("fault")), words(one.get("source"))) for one in records(month, "injections")]


def _days(record: Mapping[str, Any]) -> str:
    return span_of_days(record.get("first_day"), record.get("last_day")) or NOTHING


def _lanes(
    source: str, injections: Sequence[Mapping[str, Any]], incidents: Sequence[Mapping[str, Any]], days: Sequence[date]
) -> tuple[list[Bar], list[Bar]]:
    """The bars of one source; no two overlap on a lane."""
    faults = [
        (place, str(number), is_control(one))
        for number, one in enumerate(injections, start=1)
        if str(one.get("source")) == source and (place := extent(one, days))
    ]
    alarms = [
        (place, "", is_healed(one))
        for one in incidents
        if str(one.get("source")) == source and (place := extent(one, days))
    ]
    return _stacked(faults), _stacked(alarms)


def _stacked(found: Sequence[tuple[tuple[int, int], str, bool]]) -> list[Bar]:
    ends: list[int] = []
    bars = []
    for (first, last), name, marked in sorted(found, key=lambda one: one[0]):
        lane = next((place for place, end in enumerate(ends) if end < first), len(ends))
        ends[lane : lane + 1] = [last]
        bars.append(Bar(first, last, lane, name, marked))
    return bars


def _height(faults: Sequence[Bar], alarms: Sequence[Bar]) -> int:
    """Lanes of a source, at least two."""
    return sum(max((bar.lane + 1 for bar in bars), default=1) for bars in (faults, alarms))


def _draw(figure: "Figure", bands: Sequence[tuple[str, list[Bar], list[Bar]]], days: Sequence[date]) -> None:
    axes = figure.add_subplot()
    top, middles = 0.0, []
    for _, faults, alarms in bands:
        height = _height(faults, alarms)
        of_faults = max((bar.lane + 1 for bar in faults), default=1)
        _faults(axes, faults, top, numbered=len(days) <= NUMBERED_DAYS)
        _alarms(axes, alarms, top + of_faults)
        middles.append(top + height / 2)
        top += height + 1
    axes.set_yticks(middles, [label(source, 20) for source, _, _ in bands])
    axes.set_ylim(top - 0.6, -0.4)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    day_axis(axes, days, 10)


def _faults(axes: "Axes", bars: Sequence[Bar], top: float, *, numbered: bool) -> None:
    for bar in bars:
        y, width = top + bar.lane, bar.last - bar.first + 0.84
        fill, ink = (PAPER, FAULT) if bar.marked else (FAULT, PAPER)
        span = [(bar.first - 0.42, width)]
        axes.broken_barh(span, (y + 0.08, 0.84), facecolors=fill, edgecolors=FAULT, linewidth=1.1)
        if numbered:
            middle = bar.first - 0.42 + width / 2
            axes.text(middle, y + 0.5, bar.name, ha="center", va="center_baseline", fontsize=7.5, color=ink)


def _alarms(axes: "Axes", bars: Sequence[Bar], top: float) -> None:
    for bar in bars:
        y = top + bar.lane
        span = [(bar.first - 0.42, bar.last - bar.first + 0.84)]
        axes.broken_barh(span, (y + 0.08, 0.84), facecolors=PAPER, edgecolors=ALARM, linewidth=1.1, hatch="/////")
        if bar.marked:
            axes.plot(bar.last, y + 0.5, marker="o", ms=6.5, color=HEALED, mec=PAPER, mew=1.2)
