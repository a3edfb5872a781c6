"""Checks against faults: who catches what. The chart joins a check's sources; the table has each check by itself."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reliability_platform.counted import counted
from reliability_platform.lab.scorecard.report.chart import Chart, ChartTable
from reliability_platform.lab.scorecard.report.svg import HEAT, HEAT_STEPS, INK, SOFT, STRONG_INK, Canvas, draw_svg
from reliability_platform.lab.scorecard.report.text import label, records, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL = 0.27
"""Inches; wide enough for `100`."""
Cells = dict[tuple[str, str], float]


def matrix_chart(campaign: Mapping[str, Any] | None) -> Chart | None:
    """The heat map; None if no campaign was run or nothing ever fired."""
    mutation = (campaign or {}).get("mutation")
    fired = [row for row in records(mutation, "matrix") if row.get("kills") and row.get("scenarios")]
    if not fired:
        return None
    fired.sort(key=lambda row: (_rank(row["check"]), str(row["check"])))
    faults = sorted({str(row["fault"]) for row in fired})
    sources = {str(row["source"]) for row in records(campaign, "scenarios") if row.get("source")}
    rows, cells = _folded(fired, sources)
    title = "Checks against faults"
    description = (
        f"{counted(len({row['check'] for row in fired}), 'check')} that fired, in {counted(len(rows), 'row')}, against "
        f"{counted(len(faults), 'kind')} of faults. Each cell is the share of the fault's scenarios in which the check "
        "failed, in percent; an empty cell is never."
    )
    canvas = Canvas("matrix", 2.9 + CELL * len(faults), 1.9 + 0.2 * len(rows), shrinks_to=0.9)
    svg = draw_svg(canvas, title, description, lambda figure: _draw(figure, rows, faults, cells))
    exact = [(row["check"], words(row["fault"]), f"{row['kills']:,} of {row['scenarios']:,}") for row in fired]
    return Chart(
        svg, ChartTable(f"{title}, each check by itself", ("check", "fault", "scenarios in which it failed"), exact)
    )


LAYERS = ("bronze", "stg", "qtn", "int", "hld", "fct", "dim", "agg", "rec", "published")


def _rank(check: object) -> tuple[int, str]:
    """In the order in which the data passes; what is in no layer comes last."""
    layer = str(check).split("_")[0]
    place = LAYERS.index(layer) if layer in LAYERS else len(LAYERS)
    return place, str(check).split("__")[0]


def any_source(check: str, sources: Iterable[str]) -> str:
    """The check's name with `*` for its source: at the end of the dataset, or else of the property."""
    dataset, separator, rest = check.partition("__")
    for source in sources:
        if dataset.endswith(f"_{source}"):
            return f"{dataset.removesuffix(source)}*{separator}{rest}"
    for source in sources:
        if rest.endswith(f"_{source}"):
            return f"{dataset}{separator}{rest.removesuffix(source)}*"
    return check


def _folded(fired: Sequence[Mapping[str, Any]], sources: set[str]) -> tuple[list[str], Cells]:
    """Rows of the chart, by layer, and the share of each cell. A check that stands alone keeps its whole name."""
    together: dict[str, set[str]] = defaultdict(set)
    for row in fired:
        together[any_source(str(row["check"]), sources)].add(str(row["check"]))
    name_of = {
        check: folded if len(members) > 1 else check for folded, members in together.items() for check in members
    }
    cells: Cells = defaultdict(float)
    for row in fired:
        place = name_of[str(row["check"])], str(row["fault"])
        cells[place] = min(1.0, cells[place] + row["kills"] / row["scenarios"])
    rows = sorted({name for name, _ in cells}, key=lambda name: (_rank(name), name))
    return rows, dict(cells)


def _draw(figure: "Figure", rows: Sequence[str], faults: Sequence[str], cells: Cells) -> None:
    from matplotlib.patches import Rectangle

    axes = figure.add_subplot()
    empty = [(x, y) for y, row in enumerate(rows) for x, fault in enumerate(faults) if (row, fault) not in cells]
    axes.plot([x for x, _ in empty], [y for _, y in empty], linestyle="none", marker=".", ms=1.5, color=SOFT, alpha=0.5)
    for y, row in enumerate(rows):
        for x, fault in enumerate(faults):
            if (row, fault) not in cells:
                continue
            share = cells[row, fault]
            step = min(HEAT_STEPS - 1, int(share * HEAT_STEPS))
            axes.add_patch(Rectangle((x - 0.47, y - 0.45), 0.94, 0.9, facecolor=HEAT[step], edgecolor="none"))
            number = f"{100 * share:.0f}" if share >= 0.005 else "<1"
            ink = STRONG_INK if step >= HEAT_STEPS - 2 else INK
            axes.text(x, y, number, ha="center", va="center_baseline", fontsize=6.8, color=ink)
    axes.set_xlim(-0.6, len(faults) - 0.4)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [_row_label(row) for row in rows])
    axes.set_xticks(range(len(faults)), [label(fault, 26) for fault in faults], rotation=60, ha="left")
    axes.xaxis.tick_top()
    for text in axes.get_xticklabels():
        text.set_rotation_mode("anchor")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _row_label(check: str) -> str:
    dataset, _, rest = check.partition("__")
    return label(f"{rest} · {dataset}" if rest else dataset, 46)
