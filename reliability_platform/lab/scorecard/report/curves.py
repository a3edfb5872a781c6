"""Detection against size: by family with Wilson intervals, and where the checks against history begin to see."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from reliability_platform.formats import NOTHING
from reliability_platform.lab.faults.catalogue import CATALOGUE
from reliability_platform.lab.scorecard.report.chart import Chart, ChartTable, Key
from reliability_platform.lab.scorecard.report.svg import SERIES, Canvas, draw_svg
from reliability_platform.lab.scorecard.report.text import label, percent, records, share_of, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZES = ("small", "medium", "large")
PER_ROW = 5
Rows = Sequence[Mapping[str, Any]]


def detection_chart(summary: Mapping[str, Any] | None) -> Chart | None:
    """A panel for each family of faults; None if no campaign was run."""
    rows = [row for row in records(summary, "by_family_and_magnitude") if share_of(row.get("share")) is not None]
    if not rows:
        return None
    families = list(dict.fromkeys(str(row["family"]) for row in rows))
    sizes = _sizes(rows)

    def draw(figure: "Figure") -> None:
        for axes, family in zip(_panels(figure, len(families)), families, strict=False):
            _family(axes, [row for row in rows if str(row["family"]) == family], sizes)
            axes.set_title(label(family, 24), loc="left")

    title = "Detection by family and size"
    description = (
        "Share of scenarios detected, by family of faults and size, with the 95 percent Wilson interval as a band. "
        f"The lowest is {percent(min(row['share'] for row in rows))}."
    )
    table = [
        (
            words(row["family"]),
            words(row["magnitude"]),
            row.get("n", NOTHING),
            row.get("detected", NOTHING),
            percent(row["share"]),
            percent(row.get("low")),
            percent(row.get("high")),
        )
        for row in rows
    ]
    columns = ("family", "size", "scenarios", "detected", "share", "interval from", "to")
    keys = (Key("series", "share detected"), Key("band", "95 % interval (Wilson)"))
    return Chart(
        draw_svg(_canvas("curves", len(families)), title, description, draw), ChartTable(title, columns, table), keys
    )


def limits_chart(summary: Mapping[str, Any] | None) -> Chart | None:
    """A panel for each fault that was swept over exact sizes; None if none was."""
    rows = [row for row in records(summary, "limits") if row.get("n")]
    if not rows:
        return None
    faults = list(dict.fromkeys(str(row["fault"]) for row in rows))

    def draw(figure: "Figure") -> None:
        for axes, fault in zip(_panels(figure, len(faults)), faults, strict=False):
            mine = sorted((float(row["size"]), row["detected"] / row["n"]) for row in rows if row["fault"] == fault)
            axes.plot([size for size, _ in mine], [100 * share for _, share in mine], color=SERIES, marker="o", ms=4)
            axes.set_title(label(fault, 24), loc="left")

    title = "Where detection begins"
    description = "Share of sources on which a fault was detected, against its exact size."
    table = [
        (words(row["fault"]), f"{float(row['size']):g}", meaning(row["fault"]), row["n"], row["detected"])
        for row in rows
    ]
    columns = ("fault", "size", "what the size is", "tried", "detected")
    return Chart(draw_svg(_canvas("limits", len(faults)), title, description, draw), ChartTable(title, columns, table))


def meaning(fault: object) -> str:
    """What the size of a fault measures; empty for a fault that the catalogue does not have."""
    known = CATALOGUE.get(str(fault))
    return known.magnitude_meaning if known else ""


def _canvas(key: str, panels: int) -> Canvas:
    return Canvas(key, 2.25 * min(max(panels, 2), PER_ROW), 2.1 * ceil(panels / PER_ROW))


def _panels(figure: "Figure", wanted: int) -> list["Axes"]:
    columns = min(max(wanted, 2), PER_ROW)
    rows = ceil(wanted / columns)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    panels: list[Axes] = list(grid.flat)
    for place, axes in enumerate(panels):
        axes.set_ylim(-4, 106)
        axes.set_yticks((0, 50, 100))
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        axes.spines["left"].set_visible(False)
        axes.set_visible(place < wanted)
        if place % columns == 0:
            axes.set_ylabel("detected, %")
    return panels


def _sizes(rows: Rows) -> list[str]:
    """The known sizes in their order, then whatever else there is."""
    found = dict.fromkeys(str(row["magnitude"]) for row in rows)
    return [size for size in SIZES if size in found] + [size for size in found if size not in SIZES]


def _family(axes: "Axes", rows: Rows, sizes: Sequence[str]) -> None:
    points = sorted(((sizes.index(str(row["magnitude"])), row) for row in rows), key=lambda point: point[0])
    x = [place for place, _ in points]
    low = [100 * _or(row, "low") for _, row in points]
    high = [100 * _or(row, "high") for _, row in points]
    axes.fill_between(x, low, high, color=SERIES, alpha=0.16, linewidth=0)
    axes.vlines(x, low, high, color=SERIES, linewidth=1, alpha=0.7)
    axes.plot(x, [100 * float(row["share"]) for _, row in points], color=SERIES, marker="o", ms=4.5, linewidth=1.6)
    axes.set_xticks(range(len(sizes)), [label(size, 12) for size in sizes])
    axes.set_xlim(-0.3, len(sizes) - 0.7)


def _or(row: Mapping[str, Any], bound: str) -> float:
    """A bound of the interval; the share itself if it has none."""
    found = share_of(row.get(bound))
    return float(row["share"]) if found is None else found
