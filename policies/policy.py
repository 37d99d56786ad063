"""What a stop rule is, and how rules are joined."""

from dataclasses import dataclass
from typing import Protocol

from refiner.domain.run import Stop
from refiner.domain.state import RunState


class Policy(Protocol):
    """A pure function of a run's state that says stop, with a reason, or nothing.

    A policy is asked for one chain at a time and keeps nothing: the same state always brings the same answer.
    `a | b` stops when either does, `a & b` only when both do; `str` gives the expression that parses back to it.
    Rules derive from this class for `|` and `&` alone (the way of tenacity's `stop.py`).
    """

    @property
    def sentence(self) -> str:
        """When the rule stops a chain, in words that follow "stops when"."""
        ...

    def __call__(self, state: RunState, chain: int, /) -> Stop | None: ...

    def __or__(self, other: "Policy") -> "Policy":
        return AnyOf(self, other)

    def __and__(self, other: "Policy") -> "Policy":
        return AllOf(self, other)


@dataclass(frozen=True, slots=True)
class AnyOf(Policy):
    """Stops when either side does; the first gives the reason."""

    left: Policy
    right: Policy

    @property
    def sentence(self) -> str:
        return f"{self.left.sentence}, or {self.right.sentence}"

    def __call__(self, state: RunState, chain: int) -> Stop | None:
        return self.left(state, chain) or self.right(state, chain)

    def __str__(self) -> str:
        return f"{self.left} | {_grouped(self.right, AnyOf)}"


@dataclass(frozen=True, slots=True)
class AllOf(Policy):
    """Stops only when both sides do; the last gives the reason, both give the detail."""

    left: Policy
    right: Policy

    @property
    def sentence(self) -> str:
        return f"{self.left.sentence}, and {self.right.sentence}"

    def __call__(self, state: RunState, chain: int) -> Stop | None:
        if (first := self.left(state, chain)) and (last := self.right(state, chain)):
            return Stop(last.reason, f"{first.detail}, and {last.detail}")
        return None

    def __str__(self) -> str:
        return f"{_grouped(self.left, AnyOf)} & {_grouped(self.right, AnyOf, AllOf)}"


@dataclass(frozen=True, slots=True)
class Never(Policy):
    """Stops nothing: the neutral side of `|`."""

    @property
    def sentence(self) -> str:
        return "the moon is blue"

    def __call__(self, _state: RunState, _chain: int) -> Stop | None:
        return None

    def __str__(self) -> str:
        return "never"


def describe(policy: Policy) -> tuple[str, ...]:
    """One sentence for each rule of a policy, in the order of its expression."""
    match policy:
        case AnyOf(left, right) | AllOf(left, right):
            return describe(left) + describe(right)
        case rule:
            return (f"{rule} stops when {rule.sentence}.",)


def _grouped(policy: Policy, *looser: type[Policy]) -> str:
    return f"({policy})" if isinstance(policy, looser) else str(policy)
