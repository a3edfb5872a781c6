"""The part of the data graph that an incident concerns, as one SVG: stages from left to right, what is hit in colour.

The text is live, the colours follow the reader's light or dark mode, there is no script, and the same graph gives the
same bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any

from reliability_platform.inline_svg import PIXELS_PER_INCH, drawn
from reliability_platform.lineage.digraph import DiGraph
from reliability_platform.lineage.graph import NodeKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STAGES: tuple[tuple[str, frozenset[NodeKind]], ...] = (
    ("source", frozenset({NodeKind.SOURCE})),
    ("landing", frozenset({NodeKind.LANDING})),
    ("bronze", frozenset({NodeKind.BRONZE, NodeKind.REFERENCE})),
    ("staging", frozenset({NodeKind.STAGING})),
    ("silver, quarantine", frozenset({NodeKind.SILVER, NodeKind.QUARANTINE})),
    ("gold, reconciliation", frozenset({NodeKind.GOLD, NodeKind.RECONCILIATION, NodeKind.AUDIT})),
    ("published", frozenset({NodeKind.PUBLISHED})),
    ("read by", frozenset({NodeKind.EXPOSURE})),
)
HELD_BEFORE = 6
"""The hold stands before this stage: what lies to the right shows audited data only."""

# In inches; a stage is 1.56 wide, so that all eight are 1200 px at 96 to the inch.
STAGE_WIDTH, BOX_WIDTH, ROW_HEIGHT, BOX_HEIGHT, HEAD = 1.5625, 1.36, 0.62, 0.42, 0.75
LONGEST_LINE = 21

# What matplotlib draws with → the variable that the SVG shows: light, dark.
INK, SOFT, LINE, PAPER, HIT, WASH, SAFE, SAFE_WASH = (f"#0201{number:02x}" for number in range(8))
_NEUTRAL = {
    INK: ("ink", "#1d2327", "#e7eaeb"),
    SOFT: ("soft", "#56616a", "#a5b0b6"),
    LINE: ("line", "#b9c1c5", "#4a555c"),
    PAPER: ("paper", "#ffffff", "#13171a"),
    SAFE: ("safe", "#1c6b40", "#74cb9c"),
    SAFE_WASH: ("safe-wash", "#e9f3ec", "#17261e"),
}
_BY_SEVERITY = {
    "P0": (("hit", "#96204a", "#f08aa8"), ("wash", "#f9e4ec", "#351a25")),
    "P1": (("hit", "#b3261e", "#ff948a"), ("wash", "#fbebe9", "#2d1b1a")),
    "P2": (("hit", "#a84c18", "#f0a36b"), ("wash", "#fbeee4", "#2e2118")),
    "P3": (("hit", "#7a6a00", "#dcc75a"), ("wash", "#f8f4dc", "#2a2714")),
}


@dataclass(frozen=True)
class _Style:
    edge: str
    fill: str
    line: str
    width: float


_STYLES = {
    "root": _Style(HIT, HIT, "solid", 1.6),
    "affected": _Style(HIT, WASH, "solid", 1.2),
    "shielded": _Style(SAFE, SAFE_WASH, "dashed", 1.2),
    "before": _Style(LINE, PAPER, "solid", 0.8),
}


@dataclass(frozen=True)
class _Drawing:
    """A graph that is what it says: two that say the same are drawn once."""

    said: str
    graph: DiGraph = field(compare=False)


def picture(graph: DiGraph) -> str:
    """An SVG element of the graph of an incident, as `incidents.impact.radius` gives it. Fit to stand in a page."""
    nodes, edges = sorted(graph.nodes.items()), sorted(graph.edges)
    return _drawn(_Drawing(repr((sorted(graph.graph.items()), nodes, edges)), graph))


@lru_cache(maxsize=64)
def _drawn(drawing: _Drawing) -> str:
    """To draw takes a tenth of a second, and the page of an incident is made at every step of its life."""
    graph = drawing.graph
    places = _places(graph)
    rows = max((row for _, row in places.values()), default=0) + 1
    width, height = STAGE_WIDTH * len(STAGES), HEAD + ROW_HEIGHT * rows + 0.1

    def draw(figure: "Figure") -> None:
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.axis("off")
        _draw_stages(axes, graph, height)
        _draw_edges(axes, graph, places)
        for node in sorted(graph):
            _draw_node(axes, graph.nodes[node], places[node])

    hit, wash = _BY_SEVERITY[str(graph.graph["severity"])]
    colours = {**_NEUTRAL, HIT: hit, WASH: wash}
    variables = {colour: f"lineage-{name}" for colour, (name, *_) in colours.items()}
    settings = {"svg.hashsalt": "lineage", "font.size": 8}
    box, content = drawn("lineage", (width, height), draw, settings, variables)
    return _element(box, content, graph, colours)


def _stage(kind: NodeKind) -> int:
    return next(number for number, (_, kinds) in enumerate(STAGES) if kind in kinds)


def _places(graph: DiGraph) -> dict[str, tuple[int, float]]:
    """Node → stage and row. In each stage nodes stand in the order of their parents' rows, so that few edges cross."""
    stages: list[list[str]] = [[] for _ in STAGES]
    for node in sorted(graph):
        stages[_stage(graph.nodes[node]["kind"])].append(node)
    tallest = max(map(len, stages))
    places: dict[str, tuple[int, float]] = {}
    for number, nodes in enumerate(stages):

        def above(node: str) -> float:
            rows = [places[one][1] for one in graph.pred[node] if one in places]
            return sum(rows) / len(rows) if rows else tallest

        offset = (tallest - len(nodes)) / 2
        for row, node in enumerate(sorted(nodes, key=lambda one: (above(one), one))):
            places[node] = (number, offset + row)
    return places


def _middle(place: tuple[int, float]) -> tuple[float, float]:
    return STAGE_WIDTH * (place[0] + 0.5), HEAD + ROW_HEIGHT * (place[1] + 0.5)


def _draw_stages(axes: "Axes", graph: DiGraph, height: float) -> None:
    for number, (name, _) in enumerate(STAGES):
        axes.text(STAGE_WIDTH * (number + 0.5), 0.5, name, ha="center", va="center", color=SOFT, fontsize=8)
    held = graph.graph["contained"]
    x = STAGE_WIDTH * HELD_BEFORE + 0.04  # clear of the edges within the stage before it
    axes.plot(
        [x, x],
        [0.62, height - 0.05],
        color=SAFE if held else LINE,
        linewidth=2.2 if held else 0.8,
        linestyle="--",
        clip_on=False,
    )
    words = "held: nothing bad beyond this line" if held else "the gate; it did not hold this"
    axes.text(x, 0.2, words, ha="center", va="center", color=SAFE if held else SOFT, fontsize=8)


def _draw_edges(axes: "Axes", graph: DiGraph, places: Mapping[str, tuple[int, float]]) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    for one, other in sorted(graph.edges):
        (x, y), (to_x, to_y) = _middle(places[one]), _middle(places[other])
        if places[one][0] == places[other][0]:  # within a stage: around the right side
            x, to_x, bend = x + BOX_WIDTH / 2, to_x + BOX_WIDTH / 2, 0.08
            points = [(x, y), (x + bend, y), (to_x + bend, to_y), (to_x, to_y)]
        else:
            x, to_x = x + BOX_WIDTH / 2, to_x - BOX_WIDTH / 2
            points = [(x, y), (x + 0.14, y), (to_x - 0.14, to_y), (to_x, to_y)]
        hit = graph.nodes[one]["role"] in ("root", "affected") and graph.nodes[other]["role"] == "affected"
        path = Path(points, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])
        axes.add_patch(
            PathPatch(path, fill=False, edgecolor=HIT if hit else LINE, linewidth=1.0 if hit else 0.7, clip_on=False)
        )


def _draw_node(axes: "Axes", data: Mapping[str, Any], place: tuple[int, float]) -> None:
    from matplotlib.patches import FancyBboxPatch

    style, (x, y) = _STYLES[data["role"]], _middle(place)
    axes.add_patch(
        FancyBboxPatch(
            (x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2),
            BOX_WIDTH,
            BOX_HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.05",
            edgecolor=style.edge,
            facecolor=style.fill,
            linestyle=style.line,
            linewidth=style.width,
            clip_on=False,
        )
    )
    colour = PAPER if data["role"] == "root" else INK
    lines = _lines(data["name"])
    note = _note(data)
    text = "\n".join([*lines, *([note] if note and len(lines) == 1 else [])])
    weight = "bold" if data["critical"] and data["kind"] is NodeKind.EXPOSURE else "normal"
    axes.text(x, y, text, ha="center", va="center", color=colour, linespacing=1.25, fontweight=weight)


def _note(data: Mapping[str, Any]) -> str:
    """What fits below a short name: the owner of a reader, else how many columns are spoiled."""
    if data["kind"] is NodeKind.EXPOSURE:
        return _cut(data["owner"])
    direct = sum(use == "direct" for use in data["columns"].values())
    return f"{direct} bad column{'s'[: direct != 1]}" if direct and data["role"] in ("root", "affected") else ""


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else f"{text[: LONGEST_LINE - 1]}…"


def _lines(name: str) -> list[str]:
    """A long name in two lines, broken at an underscore."""
    name = " ".join(name.split())
    if len(name) <= LONGEST_LINE:
        return [name]
    breaks = [place for place, letter in enumerate(name) if letter == "_" and place <= LONGEST_LINE] or [LONGEST_LINE]
    return [name[: breaks[-1]], _cut(name[breaks[-1] :])]


def _element(box: str, content: str, graph: DiGraph, colours: Mapping[str, tuple[str, str, str]]) -> str:
    """The svg element alone: titled, described, its colours as variables of its own."""
    light, dark = (
        "; ".join(f"--lineage-{name}: {shades[mode]}" for name, *shades in colours.values()) for mode in (0, 1)
    )
    by_role = {role: sorted(node for node in graph if graph.nodes[node]["role"] == role) for role in _STYLES}
    title = f"Blast radius of {graph.graph['incident']}, {graph.graph['severity']}"
    parts = [("began in", "root"), ("affected", "affected"), ("kept from bad data", "shielded")]
    description = "; ".join(f"{words}: {', '.join(by_role[role])}" for words, role in parts if by_role[role])
    pixels = round(STAGE_WIDTH * len(STAGES) * PIXELS_PER_INCH)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" class="lineage" role="img" '
        f'{box} width="{pixels}" style="max-width: 100%; height: auto" '
        'font-family="system-ui, -apple-system, sans-serif">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>"
        f"<style>.lineage {{ {light} }} @media (prefers-color-scheme: dark) {{ .lineage {{ {dark} }} }}</style>"
        # Its own ground: whoever shows it as an image may lay any colour under it.
        f'<rect width="100%" height="100%" fill="var(--lineage-paper)"/>'
        f"{content.strip()}\n"
    )
