"""The nodes of the graph, and the order in which feedback flows back through them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from refiner.autograd import arguments
from refiner.autograd.prompt import Engine, Section
from refiner.domain.calls import Image, Usage

if TYPE_CHECKING:
    from refiner.autograd.graph import Graph

Order = tuple[int, int, int]
"""Where feedback came from: the walk, the successor's number in the graph, the variable's place among its sources."""


class Operation(Protocol):
    """What made a variable: it can say how each of its sources should change for the better."""

    async def gradient(self, output: Variable, source: Variable, engine: Engine, place: str) -> Feedback | None:
        """Feedback on one source, from the output's own value and feedback.

        PASS lets the walk go on without a word of its own; None ends it on this edge.
        """
        ...


@dataclass(frozen=True, slots=True)
class Feedback:
    """A textual gradient, with the sections of the prompt that it arose under, shared part first, and what it cost."""

    text: str
    context: tuple[Section, ...] = ()
    usage: Usage = field(default_factory=Usage)


PASS = Feedback("")


@dataclass(eq=False, slots=True)
class Variable:
    """A value and the role it plays (TextGrad, 2406.07496).

    role: a noun phrase that prompts use, such as "answer to the question". requires_grad: feedback may change it.
    sources and operation say what it was made from; both are empty for a leaf. score: how good it is, the more the
    better, where something measured it. usage: what its value, its feedback and its updates cost so far. image: what
    models see behind the value, which names it; feedback never changes one.
    """

    value: str
    role: str
    requires_grad: bool = True
    sources: tuple[Variable, ...] = ()
    operation: Operation | None = None
    score: float | None = None
    usage: Usage = field(default_factory=Usage)
    image: Image | None = None
    _feedback: dict[Order, Feedback] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        arguments.texts(value=self.value, role=self.role)
        if self.image is not None:
            self.requires_grad = False

    @property
    def heard(self) -> tuple[Feedback, ...]:
        """The feedback gathered so far, in the order of the graph, whoever came first; the same words on something else
        are another piece of it."""
        ordered = (self._feedback[key] for key in sorted(self._feedback))
        return tuple({(one.text, one.context): one for one in ordered if one.text}.values())

    @property
    def gradients(self) -> tuple[Feedback, ...]:
        """The feedback gathered so far, each text once."""
        return tuple({feedback.text: feedback for feedback in self.heard}.values())

    @property
    def latest(self) -> tuple[Feedback, ...]:
        """The feedback of the last walk that reached it, each text once: what flows on, since what is older has."""
        return tuple(self.of_walk(self.walks - 1).values())

    @property
    def walks(self) -> int:
        """How many backward walks its feedback is from."""
        return 1 + max((walk for walk, _, _ in self._feedback), default=-1)

    def add_gradient(self, feedback: Feedback, order: Order) -> None:
        """Keep feedback from the successor at `order`."""
        self._feedback[order] = feedback
        self.usage += feedback.usage

    def of_walk(self, walk: int) -> dict[Order, Feedback]:
        """The feedback of one walk that says something, each text once, by where it came from."""
        texts: dict[str, Order] = {}
        for order in sorted(order for order in self._feedback if order[0] == walk):
            if self._feedback[order].text:
                texts.setdefault(self._feedback[order].text, order)
        return {order: self._feedback[order] for order in texts.values()}

    def reduce(self, walk: int, feedback: Feedback) -> None:
        """Put one piece of feedback in the place of all of a walk."""
        orders = sorted(order for order in self._feedback if order[0] == walk)
        for order in orders:
            del self._feedback[order]
        self.add_gradient(feedback, orders[0])

    def zero_grad(self) -> None:
        self._feedback.clear()

    def graph(self) -> Graph:
        """All that it was made from, to be seen: `print(variable.graph())`, or its `svg()` and `html()`."""
        from refiner.autograd.graph import graph

        return graph(self)


def image(source: str | Path | bytes, role: str = "image", name: str = "") -> Variable:
    """An image that models see: a file, its bytes, or an https URL. name: what texts call it.

    Raises UsageError for a file that cannot be read, or is no PNG, JPEG, GIF or WebP.
    """
    picture = Image.of(source)
    return Variable(name or str(picture), role, image=picture)


def variables(name: str, *given: Variable) -> tuple[Variable, ...]:
    """What was given, if all of it is variables. Raises UsageError."""
    return arguments.several(Variable, "variables", name, given)


def section(name: str, variable: Variable, *, whole: bool = True) -> Section:
    """A variable as a section of a prompt."""
    return Section(name.replace(" ", "_"), variable.value, whole, variable.image)


def topological(root: Variable) -> list[Variable]:
    """Every node that the root was made from, each after all of its sources; iterative, so depth has no limit."""
    order: list[Variable] = []
    seen: set[int] = {id(root)}
    path: list[tuple[Variable, Iterator[Variable]]] = [(root, iter(root.sources))]
    while path:
        node, sources = path[-1]
        for source in sources:
            if id(source) not in seen:
                seen.add(id(source))
                path.append((source, iter(source.sources)))
                break
        else:
            order.append(node)
            path.pop()
    return order
