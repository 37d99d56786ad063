"""TextGrad's Variable: refiner's, with TextGrad's names for what it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from refiner import Variable as Core
from refiner.autograd.backward import backward
from refiner.autograd.graph import Graph
from refiner.autograd.operations import Sum, concatenate
from refiner.autograd.variable import topological
from refiner.compat.textgrad.engine import engine_of
from refiner.compat.textgrad.loop import run
from refiner.domain.calls import Image
from refiner.domain.errors import UsageError


class Aggregation(Sum):
    """A sum whose variables hear a summary of their gradients."""


class Variable(Core):
    """A node of refiner's graph."""

    __slots__ = ()

    def __init__(
        self,
        value: str | bytes | int = "",
        image_path: str = "",
        predecessors: Sequence[Core] | None = None,
        requires_grad: bool = True,
        *,
        role_description: str,
    ) -> None:
        if value != "" and image_path:
            raise UsageError("a variable has a value or an image, not both")
        seen = value if isinstance(value, bytes) else image_path
        image = Image.of(seen) if seen else None
        text = str(image or value)
        super().__init__(text, role_description, requires_grad, tuple(predecessors or ()), image=image)

    @classmethod
    def of(cls, made: Core) -> Self:
        """A new node of refiner's, under these names."""
        node = cls(made.value, "", made.sources, made.requires_grad, role_description=made.role)
        node.operation, node.score, node.usage = made.operation, made.score, made.usage
        return node

    def __str__(self) -> str:
        return self.value

    def __repr__(self) -> str:
        return f"Variable(value={self.value}, role={self.role}, grads={[one.text for one in self.gradients]})"

    def __add__(self, other: Core) -> Variable:
        return Variable.of(concatenate(self, other, separator="", role=f"{self.role} and {other.role}"))

    @property
    def predecessors(self) -> tuple[Core, ...]:
        return self.sources

    @property
    def role_description(self) -> str:
        return self.role

    @role_description.setter
    def role_description(self, role: str) -> None:
        self.role = role

    def get_role_description(self) -> str:
        return self.role

    def set_role_description(self, role: str) -> None:
        self.role = role

    def get_value(self) -> str:
        return self.value

    def set_value(self, value: str) -> None:
        self.value = value

    def get_short_value(self, n_words_offset: int = 10) -> str:
        """The first and last words; prompts always have the whole value."""
        words = self.value.split(" ")
        if len(words) <= 2 * n_words_offset:
            return self.value
        return f"{' '.join(words[:n_words_offset])} (...) {' '.join(words[-n_words_offset:])}"

    def get_gradient_text(self) -> str:
        return "\n".join(feedback.text for feedback in self.gradients)

    def reset_gradients(self) -> None:
        self.zero_grad()

    def backward(self, engine: Any = None) -> None:
        """Give all that this was made from its textual gradients; without an engine the default makes them."""
        aggregated = any(isinstance(node.operation, Aggregation) for node in topological(self))
        run(backward, self, engine_of(engine), "summary" if aggregated else "concatenate")

    def generate_graph(self, print_gradients: bool = False) -> Graph:
        """The graph, drawn in a notebook by itself; gradients are always shown."""
        return self.graph()
