"""Where the nodes of a graph stand when it is drawn: in layers, with few crossings (Sugiyama et al. 1981)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

WIDTH, HEIGHT = 290, 132
_ACROSS, _DOWN, _BEND, _SWEEPS = 30, 50, 20, 4

Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Layout:
    """places: the upper left corner of each node's box. edges: from each source to what was made from it, with the
    points between that lead past the boxes of other layers. In pixels."""

    places: tuple[Point, ...]
    edges: tuple[tuple[Point, ...], ...]
    width: int
    height: int


def layout(sources: Sequence[Sequence[int]]) -> Layout:
    """The layout of nodes that come after their sources, the last of them at the bottom."""
    size = len(sources)
    depth = [0] * size
    for node in reversed(range(size)):
        for source in sources[node]:
            depth[source] = max(depth[source], depth[node] + 1)
    deepest = max(depth)
    row = [deepest - below for below in depth]
    # An edge that crosses layers has a bend in each of them, numbered behind the nodes.
    chains: list[list[int]] = []
    for node in range(size):
        for source in sources[node]:
            bends = range(row[source] + 1, row[node])
            chains.append([source, *range(len(row), len(row) + len(bends)), node])
            row.extend(bends)
    rows = [[item for item in range(len(row)) if row[item] == level] for level in range(deepest + 1)]
    _untangle(rows, chains)
    x = [0] * len(row)
    spans = [_span(items, size) for items in rows]
    width = max(spans)
    for items, span in zip(rows, spans, strict=True):
        left = (width - span) // 2 + _ACROSS
        for item in items:
            x[item] = left
            left += _size(item, size) + _ACROSS

    def middle(item: int) -> int:
        return x[item] + _size(item, size) // 2

    def top(item: int) -> int:
        return _ACROSS + row[item] * (HEIGHT + _DOWN)

    def points(chain: Sequence[int]) -> tuple[Point, ...]:
        first, *bends, last = chain
        through = [(middle(bend), top(bend) + down) for bend in bends for down in (0, HEIGHT)]
        return ((middle(first), top(first) + HEIGHT), *through, (middle(last), top(last)))

    places = tuple((x[node], top(node)) for node in range(size))
    height = (deepest + 1) * (HEIGHT + _DOWN) - _DOWN + 2 * _ACROSS
    return Layout(places, tuple(map(points, chains)), width + 2 * _ACROSS, height)


def _size(item: int, nodes: int) -> int:
    return WIDTH if item < nodes else _BEND


def _span(items: Sequence[int], nodes: int) -> int:
    return sum(_size(item, nodes) + _ACROSS for item in items) - _ACROSS


def _untangle(rows: list[list[int]], chains: Sequence[Sequence[int]]) -> None:
    """Put each item of a row below or above the middle of its neighbours, from either side in turn."""
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for chain in chains:
        for upper, lower in pairwise(chain):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    for sweep in range(_SWEEPS):
        near = below if sweep % 2 else above
        place = {item: index for items in rows for index, item in enumerate(items)}
        for items in reversed(rows) if sweep % 2 else rows:
            middle = {
                item: sum(place[other] for other in near[item]) / len(near[item]) if item in near else place[item]
                for item in items
            }
            items.sort(key=middle.__getitem__)
            place |= {item: index for index, item in enumerate(items)}
