"""A computation graph to be seen: as text, SVG and HTML, with values, feedback and cost at each node."""

from dataclasses import dataclass
from html import escape
from textwrap import wrap

from refiner.autograd.layout import HEIGHT, WIDTH, Layout, layout
from refiner.autograd.variable import Variable, topological
from refiner.domain.calls import Usage
from refiner.domain.harmless import clean, line

_CUT = 200
_COLUMNS = 40
_ROW = 15
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#222}.role{font-weight:600}.dim{fill:#666}"
    ".gradient{fill:#a33}rect{fill:#fff;stroke:#99a}.fixed{fill:#f3f3f3}path{fill:none;stroke:#99a}"
)
_PAGE = (
    "body{font:14px system-ui,sans-serif;margin:2em;max-width:70em}pre{white-space:pre-wrap;background:#f6f6f6;"
    "padding:.6em}summary{cursor:pointer}svg{max-width:100%;height:auto}.gradient{border-left:3px solid #a33}"
)


@dataclass(frozen=True, slots=True)
class Node:
    """A variable as it was when the graph was taken; sources are numbers of other nodes."""

    number: int
    role: str
    operation: str
    value: str
    gradients: tuple[str, ...]
    usage: Usage
    score: float | None
    requires_grad: bool
    sources: tuple[int, ...]
    image: str | None = None

    @property
    def made(self) -> str:
        """By what it was made, and how good it is."""
        made = self.operation or ("" if self.requires_grad else "fixed")
        score = "" if self.score is None else f"score {self.score:.2f}"
        return ", ".join(word for word in (made, score) if word)

    @property
    def head(self) -> str:
        return f"#{self.number} {line(self.role)}" + (f" ({self.made})" if self.made else "")

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """What is known of it, by name."""
        named = [("value", self.value), *(("gradient", text) for text in self.gradients), ("cost", self.usage.told)]
        return tuple((name, text) for name, text in named if text)


@dataclass(frozen=True, slots=True)
class Graph:
    """The nodes of a graph, each after its sources; the last is what it was taken of. Drawn in a notebook by itself."""

    nodes: tuple[Node, ...]

    @property
    def usage(self) -> Usage:
        """What the whole graph cost so far."""
        return sum((node.usage for node in self.nodes), Usage())

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """A tree from the end of the graph to its leaves; a node that is shared is told in full once."""
        rows: list[str] = []
        told: set[int] = set()
        todo = [(self.nodes[-1], "", "")]
        while todo:
            node, head, below = todo.pop()
            rows.append(f"{head}{node.head}{' ↑' if node.number in told else ''}")
            if node.number in told:
                continue
            told.add(node.number)
            bar = "│ " if node.sources else "  "
            rows += [f"{below}{bar}{name}  {line(text)[:_CUT]}" for name, text in node.lines]
            for place, source in enumerate(reversed(node.sources)):
                last = place == 0
                todo.append(
                    (self.nodes[source], f"{below}{'└ ' if last else '├ '}", f"{below}{'  ' if last else '│ '}")
                )
        return "\n".join(rows)

    def svg(self) -> str:
        """A drawing from the leaves, above, to the end of the graph; pointing at a node shows its whole texts."""
        placed = layout([node.sources for node in self.nodes])
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {placed.width} {placed.height}" '
            f'width="{placed.width}" height="{placed.height}" role="img"><style>{_STYLE}</style>'
            f"{_edges(placed)}{''.join(_box(node, *placed.places[node.number]) for node in self.nodes)}</svg>"
        )

    def html(self) -> str:
        """A page without scripts or foreign parts: the drawing, and below it every node's whole texts."""
        title = _safe(line(self.nodes[-1].role))
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            f"<style>{_PAGE}</style></head><body>{self.svg()}"
            f"{''.join(_details(node) for node in reversed(self.nodes))}</body></html>\n"
        )

    def _repr_html_(self) -> str:
        return self.svg()


def graph(root: Variable) -> Graph:
    """The graph that a variable was made from, as it is now."""
    order = topological(root)
    number = {id(variable): index for index, variable in enumerate(order)}
    return Graph(
        tuple(
            Node(
                index,
                variable.role,
                type(variable.operation).__name__.strip("_") if variable.operation else "",
                variable.value,
                tuple(feedback.text for feedback in variable.gradients),
                variable.usage,
                variable.score,
                variable.requires_grad,
                tuple(dict.fromkeys(number[id(source)] for source in variable.sources)),
                variable.image.url if variable.image else None,
            )
            for index, variable in enumerate(order)
        )
    )


def _safe(text: str) -> str:
    """The text as it may stand in SVG and HTML: what XML cannot hold is left out."""
    return escape(clean(text).replace("\ufffe", "").replace("\uffff", ""))


def _edges(placed: Layout) -> str:
    drawn = []
    for points in placed.edges:
        (x, y), *rest = points
        path = [f"M{x} {y}"]
        for right, down in rest:
            path.append(f"C{x} {(y + down) // 2} {right} {(y + down) // 2} {right} {down}")
            x, y = right, down
        drawn.append(f'<path d="{" ".join(path)}"/>')
    return "".join(drawn)


def _box(node: Node, x: int, y: int) -> str:
    rows = [("role", f"#{node.number} {node.role}"), ("dim", node.made)]
    rows += [("", row) for row in _wrapped(node.value, 3)]
    rows += [("gradient", row) for row in _wrapped(f"∇ {' / '.join(node.gradients)}", 2)] if node.gradients else []
    rows += [("dim", node.usage.told)] if node.usage.calls else []
    texts = "".join(
        f'<text class="{kind}" x="8" y="{_ROW * row + 16}">{_safe(line(text)[: _COLUMNS + 10])}</text>'
        for row, (kind, text) in enumerate(rows)
        if text
    )
    whole = "\n".join(f"{name}: {text}" for name, text in node.lines)
    kind = "" if node.requires_grad else ' class="fixed"'
    # A box of its own cuts what is too wide.
    return (
        f'<svg x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}"><title>{_safe(whole)}</title>'
        f'<rect{kind} x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="6"/>{texts}</svg>'
    )


def _wrapped(text: str, most: int) -> list[str]:
    return wrap(line(text), _COLUMNS, max_lines=most, placeholder=" …")


def _details(node: Node) -> str:
    parts = "".join(f'<h4>{name}</h4><pre class="{name}">{_safe(text)}</pre>' for name, text in node.lines)
    seen = node.image if node.image and node.image.startswith("data:") else None
    picture = f'<img alt="" width="320" src="{escape(seen)}">' if seen else ""
    return f"<details><summary>{_safe(node.head)}</summary>{picture}{parts}</details>"
