"""The data graph as a picture: a column for each layer, in each column the order of the parents, edges between the columns."""

from dataclasses import dataclass

from markupsafe import Markup

from reliability_platform.service.queries.lineage import LineageGraph

GAP, ROW, BOX = 20, 28, 20
"""In pixels: room for edges, distance and height of boxes."""
LETTER, AROUND, LONGEST = 6, 26, 22
"""Pixels of a letter, of the sign and the edges of a box around its name, and letters of a name that are written: the eight
layers of the shop fit into a window of 1280 pixels."""
_NODE = Markup(
    '<g class="node {}"><title>{}</title><rect class="box" x="{}" y="{}" width="{}" height="{}" rx="4"/>'
    '<text x="{}" y="{}">{} {}</text></g>'
)
_EDGE = Markup('<path class="edge" d="M{} {}C{} {} {} {} {} {}"/>')
_LAYER = Markup('<text class="layer" x="{}" y="14">{}</text>')
SIGNS = {"passed": "✓", "failed": "✗", "not_evaluated": "?", "unknown": "·"}
"""Beside the colour, for whoever does not see it."""


@dataclass(frozen=True)
class DrawnGraph:
    """The inside of the SVG and its size in pixels."""

    shapes: Markup
    width: int
    height: int


def drawn(graph: LineageGraph, statuses: dict[str, str]) -> DrawnGraph:
    """The picture; dataset → status, as `SIGNS` has it."""
    kinds = {one.id: one.kind for one in graph.datasets}
    parents: dict[str, list[str]] = {one: [] for one in kinds}
    for edge in graph.feeds:
        parents[edge.to].append(edge.from_)
    depth = _depths(parents, kinds)
    columns: dict[int, list[str]] = {}
    for node in sorted(kinds):
        columns.setdefault(depth[node], []).append(node)
    place: dict[str, tuple[int, int]] = {}
    widths: dict[int, int] = {}
    heads, left = [], 0
    for column in sorted(columns):
        layers = ", ".join(sorted({kinds[node] for node in columns[column]}))
        letters = max(len(layers) - 2, *(min(len(_name(node)), LONGEST) for node in columns[column]))
        widths[left] = AROUND + LETTER * letters

        def key(node: str) -> tuple[float, str]:
            rows = [place[one][1] for one in parents[node] if one in place]
            return (sum(rows) / len(rows) if rows else 0.0, node)

        for row, node in enumerate(sorted(columns[column], key=key)):
            place[node] = (left, 26 + row * ROW)
        heads.append(_LAYER.format(left, layers))
        left += widths[left] + GAP
    shapes = [_edge(place[edge.from_], widths, place[edge.to]) for edge in graph.feeds if edge.rows] + heads
    for node, (x, y) in place.items():
        name, status = _name(node), statuses.get(node, "unknown")
        short = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
        title = f"{node}: {status.replace('_', ' ')}"
        shapes.append(_NODE.format(status, title, x, y, widths[x], BOX, x + 7, y + 14, SIGNS[status], short))
    height = max((y for _, y in place.values()), default=0) + ROW
    return DrawnGraph(Markup("").join(shapes), max(left - GAP, 1), height)


def _name(node: str) -> str:
    return node.rpartition("/")[2]


_LAYERS = ("source", "landing", "bronze", "staging", "silver", "gold", "published", "exposure")
_BESIDE = {"reference": "bronze", "quarantine": "silver", "reconciliation": "published", "audit": "published"}


def _depths(parents: dict[str, list[str]], kinds: dict[str, str]) -> dict[str, int]:
    """The column of each dataset: that of its layer; a layer that is not among ours stands behind its parents."""
    found: dict[str, int] = {}
    for node, kind in kinds.items():
        layer = _BESIDE.get(kind, kind)
        if layer in _LAYERS:
            found[node] = _LAYERS.index(layer)
        else:
            found[node] = 1 + max((found.get(one, 0) for one in parents[node]), default=0)
    return found


def _edge(start: tuple[int, int], widths: dict[int, int], end: tuple[int, int]) -> Markup:
    x1, y1, x2, y2 = start[0] + widths[start[0]], start[1] + BOX // 2, end[0], end[1] + BOX // 2
    half = max((x2 - x1) // 2, GAP)
    return _EDGE.format(x1, y1, x1 + half, y1, x2 - half, y2, x2, y2)
