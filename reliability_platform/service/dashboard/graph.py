"""The data graph as a picture: a column for each layer, in each column the order of the parents, edges between the columns."""

from dataclasses import dataclass

from markupsafe import Markup

from reliability_platform.service.queries.lineage import LineageGraph

COLUMN, GAP, ROW, BOX = 156, 28, 28, 20
"""In pixels: width of a box, room for edges, distance and height of boxes."""
LONGEST = 23
"""Letters that fit in a box."""
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
    for number, column in enumerate(sorted(columns)):

        def key(node: str) -> tuple[float, str]:
            rows = [place[one][1] for one in parents[node] if one in place]
            return (sum(rows) / len(rows) if rows else 0.0, node)

        for row, node in enumerate(sorted(columns[column], key=key)):
            place[node] = (number * (COLUMN + GAP), 26 + row * ROW)
    shapes = [_edge(place[edge.from_], place[edge.to]) for edge in graph.feeds if edge.rows]
    for number, column in enumerate(sorted(columns)):
        names = sorted({kinds[node] for node in columns[column]})
        shapes.append(_LAYER.format(number * (COLUMN + GAP), ", ".join(names)))
    for node, (x, y) in place.items():
        name, status = node.rpartition("/")[2], statuses.get(node, "unknown")
        short = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
        title = f"{node}: {status.replace('_', ' ')}"
        shapes.append(_NODE.format(status, title, x, y, COLUMN, BOX, x + 7, y + 14, SIGNS[status], short))
    height = max((y for _, y in place.values()), default=0) + ROW
    return DrawnGraph(Markup("").join(shapes), max(len(columns), 1) * (COLUMN + GAP) - GAP, height)


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


def _edge(start: tuple[int, int], end: tuple[int, int]) -> Markup:
    x1, y1, x2, y2 = start[0] + COLUMN, start[1] + BOX // 2, end[0], end[1] + BOX // 2
    half = max((x2 - x1) // 2, GAP)
    return _EDGE.format(x1, y1, x1 + half, y1, x2 - half, y2, x2, y2)
