"""The nodes of the graph, and the order in which feedback flows back through them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from refiner.autograd.prompt import Engine, Section


class Operation(Protocol):
    """What made a variable: it can say how each of its sources should change for the better."""

    async def gradient(self, output: Variable, source: Variable, engine: Engine, place: str) -> Feedback | None:
        """Feedback on one source, from the output's own value and feedback.

        PASS lets the walk go on without a word of its own; None ends it on this edge.
        """
        ...


@dataclass(frozen=True, slots=True)
class Feedback:
    """A textual gradient, with the sections of the prompt that it arose under, shared part first."""

    text: str
    context: tuple[Section, ...] = ()


PASS = Feedback("")


@dataclass(eq=False, slots=True)
class Variable:
    """A value and the role it plays (TextGrad, 2406.07496).

    role: a noun phrase that prompts use, such as "answer to the question". requires_grad: feedback may change it.
    sources and operation say what it was made from; both are empty for a leaf.
    """

    value: str
    role: str
    requires_grad: bool = True
    sources: tuple[Variable, ...] = ()
    operation: Operation | None = None
    _feedback: dict[tuple[int, int, int], Feedback] = field(default_factory=dict, repr=False)

    @property
    def gradients(self) -> tuple[Feedback, ...]:
        """The feedback gathered so far: in the order of the graph, whoever came first, each text once."""
        ordered = (self._feedback[key] for key in sorted(self._feedback))
        return tuple({feedback.text: feedback for feedback in ordered if feedback.text}.values())

    @property
    def walks(self) -> int:
        """How many backward walks its feedback is from."""
        return 1 + max((walk for walk, _, _ in self._feedback), default=-1)

    def add_gradient(self, feedback: Feedback, order: tuple[int, int, int]) -> None:
        """Keep feedback from the successor at `order` (the walk, the successor's number in the graph, this variable's
        place among its sources)."""
        self._feedback[order] = feedback

    def zero_grad(self) -> None:
        self._feedback.clear()


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
