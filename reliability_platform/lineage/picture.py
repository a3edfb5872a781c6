"""The part of the data graph that an incident concerns, as one SVG: stages from left to right, what is hit in colour.

The text is live, the colours follow the reader's light or dark mode, there is no script, and the same graph gives the
same bytes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from reliability_platform.lineage.digraph import DiGraph
from reliability_platform.lineage.graph import NodeKind
from reliability_platform.palette import variables

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

# In pixels; all eight stages are 1200 wide.
STAGE_WIDTH, BOX_WIDTH, ROW_HEIGHT, BOX_HEIGHT, HEAD, FOOT = 150, 130, 60, 40, 72, 10
FONT_SIZE, LINE_HEIGHT = 11, 14
LONGEST_LINE = 21

_COLOURS = {"ink": "ink", "soft": "soft", "line": "edge", "paper": "paper", "safe": "good", "safe-wash": "good-wash"}


@dataclass(frozen=True)
class _Style:
    edge: str
    fill: str
    width: float
    dashes: str = "none"


_STYLES = {
    "root": _Style("hit", "hit", 2),
    "affected": _Style("hit", "wash", 1.6),
    "shielded": _Style("safe", "safe-wash", 1.6, "5 3"),
    "before": _Style("line", "paper", 1),
}


def picture(graph: DiGraph) -> str:
    """An SVG element of the graph of an incident, as `incidents.impact.radius` gives it. Fit to stand in a page."""
    places = _places(graph)
    height = HEAD + ROW_HEIGHT * (max((row for _, row in places.values()), default=0) + 1) + FOOT
    drawn = [
        *_drawn_stages(graph, height),
        *_drawn_edges(graph, places),
        *(part for node in sorted(graph) for part in _drawn_node(graph.nodes[node], places[node])),
    ]
    return _element(graph, height, "\n".join(drawn))


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


def _stroke(colour: str, width: float, dashes: str = "none") -> str:
    return f"stroke: var(--lineage-{colour}); stroke-width: {width:g}; stroke-dasharray: {dashes}"


def _text(x: float, y: float, lines: Sequence[str], colour: str, weight: str = "normal") -> str:
    """Lines around a point, each in the middle."""
    first = y - LINE_HEIGHT * (len(lines) - 1) / 2
    spans = (
        f'<tspan x="{x:g}" y="{first + LINE_HEIGHT * number:g}">{escape(line)}</tspan>'
        for number, line in enumerate(lines)
    )
    return f'<text style="fill: var(--lineage-{colour}); font-weight: {weight}">{"".join(spans)}</text>'


def _drawn_stages(graph: DiGraph, height: float) -> Iterator[str]:
    for number, (name, _) in enumerate(STAGES):
        yield _text(STAGE_WIDTH * (number + 0.5), 48, [name], "soft")
    held = graph.graph["contained"]
    x = STAGE_WIDTH * HELD_BEFORE + 4  # clear of the edges within the stage before it
    stroke = _stroke("safe", 3, "10 5") if held else _stroke("line", 1, "4 2")
    yield f'<line x1="{x}" y1="60" x2="{x}" y2="{height - 5:g}" style="{stroke}"/>'
    words = "held: nothing bad beyond this line" if held else "the gate; it did not hold this"
    yield _text(x, 19, [words], "safe" if held else "soft")


def _drawn_edges(graph: DiGraph, places: Mapping[str, tuple[int, float]]) -> Iterator[str]:
    for one, other in sorted(graph.edges):
        (x, y), (to_x, to_y) = _middle(places[one]), _middle(places[other])
        if places[one][0] == places[other][0]:  # within a stage: around the right side
            x, to_x, bend, to_bend = x + BOX_WIDTH / 2, to_x + BOX_WIDTH / 2, 8, 8
        else:
            x, to_x, bend, to_bend = x + BOX_WIDTH / 2, to_x - BOX_WIDTH / 2, 14, -14
        hit = graph.nodes[one]["role"] in ("root", "affected") and graph.nodes[other]["role"] == "affected"
        curve = f"M {x:g} {y:g} C {x + bend:g} {y:g} {to_x + to_bend:g} {to_y:g} {to_x:g} {to_y:g}"
        yield f'<path d="{curve}" style="fill: none; {_stroke("hit", 1.3) if hit else _stroke("line", 0.9)}"/>'


def _drawn_node(data: Mapping[str, Any], place: tuple[int, float]) -> Iterator[str]:
    style, (x, y) = _STYLES[data["role"]], _middle(place)
    yield (
        f'<rect x="{x - BOX_WIDTH / 2:g}" y="{y - BOX_HEIGHT / 2:g}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="5" '
        f'style="fill: var(--lineage-{style.fill}); {_stroke(style.edge, style.width, style.dashes)}"/>'
    )
    lines, note = _lines(data["name"]), _note(data)
    weight = "bold" if data["critical"] and data["kind"] is NodeKind.EXPOSURE else "normal"
    beside = [note] if note and len(lines) == 1 else []
    yield _text(x, y, [*lines, *beside], "paper" if data["role"] == "root" else "ink", weight)


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


def _element(graph: DiGraph, height: float, content: str) -> str:
    """The svg element: titled, described, its colours as variables of its own."""
    severity = str(graph.graph["severity"]).lower()
    colours = _COLOURS | {"hit": severity, "wash": f"{severity}-wash"}
    by_role = {role: sorted(node for node in graph if graph.nodes[node]["role"] == role) for role in _STYLES}
    title = f"Blast radius of {graph.graph['incident']}, {graph.graph['severity']}"
    parts = [("began in", "root"), ("affected", "affected"), ("kept from bad data", "shielded")]
    description = "; ".join(f"{words}: {', '.join(by_role[role])}" for words, role in parts if by_role[role])
    width = STAGE_WIDTH * len(STAGES)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="lineage" role="img" viewBox="0 0 {width} {height:g}" '
        f'width="{width}" style="max-width: 100%; height: auto" font-family="system-ui, -apple-system, sans-serif" '
        f'font-size="{FONT_SIZE}" text-anchor="middle" dominant-baseline="central">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>"
        f"<style>{variables('.lineage', colours, 'lineage-')}</style>"
        # Its own ground: whoever shows it as an image may lay any colour under it.
        '<rect width="100%" height="100%" style="fill: var(--lineage-paper)"/>'
        f"\n{content}\n</svg>\n"
    )
