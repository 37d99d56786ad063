"""The rules that replay tries: stop rules in words, gates and votes by name."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from refiner.domain.calls import Usage
from refiner.domain.events import Decision
from refiner.domain.run import Limits
from refiner.domain.state import ChainState, Step
from refiner.domain.votes import tally
from refiner.evals.trajectory import Place
from refiner.policies import (
    Agree,
    AllOf,
    AllTests,
    AnyOf,
    Calls,
    Clean,
    Cost,
    Iterations,
    Patience,
    Policy,
    Similar,
    Target,
    Time,
    Tokens,
    limits,
)
from refiner.strategies import gate

Chains = Mapping[int, ChainState]
Weights = Mapping[Place, float]


@dataclass(frozen=True)
class Rule:
    """One way to end, filter and choose. until: the stop rule as it was written, None for all that was recorded."""

    until: str | None
    policy: Policy | None
    vote: str = "majority"
    gate: str = "recorded"

    @cached_property
    def leaves(self) -> tuple[Policy, ...]:
        """The rules that the policy joins, in the order of its expression."""
        return _leaves(self.policy) if self.policy else ()

    @cached_property
    def limits(self) -> Limits:
        """The hard limits that the policy implies."""
        return limits(self.policy) if self.policy else Limits()


def _first(chains: Chains, _weights: Weights) -> Step | None:
    return next((step for number in sorted(chains) for step in chains[number].steps), None)


def _last(chains: Chains, _weights: Weights) -> Step | None:
    finals = [current for number in sorted(chains) if (current := chains[number].current)]
    return finals[-1] if finals else None


def _majority(chains: Chains, _weights: Weights) -> Step | None:
    return _leader(_voters(chains))


def _finals(chains: Chains, _weights: Weights) -> Step | None:
    return _leader(current for number in sorted(chains) if (current := chains[number].current))


def _weighted(chains: Chains, weights: Weights) -> Step | None:
    behind: dict[str, list[Step]] = {}
    for step in _voters(chains):
        if step.candidate.parsed is not None:
            behind.setdefault(step.candidate.parsed, []).append(step)

    def weight(steps: list[Step]) -> float:
        return sum(weights.get((step.candidate.chain, step.candidate.index), 1.0) for step in steps)

    heaviest = max(behind.values(), key=weight, default=None)
    return heaviest[0] if heaviest else None


def _best(chains: Chains, _weights: Weights) -> Step | None:
    return max(_voters(chains), key=lambda step: -1.0 if step.score is None else step.score, default=None)


def _voters(chains: Chains) -> list[Step]:
    return [step for number in sorted(chains) for step in chains[number].voters]


def _leader(steps: Iterable[Step]) -> Step | None:
    return next(iter(tally(steps).steps), None)


VOTES: Mapping[str, Callable[[Chains, Weights], Step | None]] = MappingProxyType(
    {
        "first": _first,
        "last": _last,
        "majority": _majority,
        "finals": _finals,
        "weighted": _weighted,
        "best": _best,
    }
)
"""How the answer is chosen. first: the first candidate. last: the one that the last chain ended with. majority: of all
accepted candidates, ties to the earlier. finals: of the chains' last ones. weighted: by score, and two for a comparison
won. best: the highest score. Unreadable candidates never vote."""


def _open(step: Step, _current: Step | None) -> Decision:
    return Decision(step.candidate.chain, step.candidate.index, accepted=True, reason="every update replaces")


def _readable(step: Step, current: Step | None) -> Decision:
    return gate.decide(step.candidate, current.candidate if current else None)


def _scored(step: Step, current: Step | None, *, strictly: bool = False) -> Decision:
    best = current.score if current else None
    before = current.candidate if current else None
    return gate.decide(step.candidate, before, score=step.score, best=best, strictly=strictly)


def _strict(step: Step, current: Step | None) -> Decision:
    return _scored(step, current, strictly=True)


GATES: Mapping[str, Callable[[Step, Step | None], Decision] | None] = MappingProxyType(
    {"recorded": None, "open": _open, "readable": _readable, "scored": _scored, "strict": _strict}
)
"""Which updates replace what they were made from. recorded: those that did. open: all, as published. readable: those
that can be read. scored: those whose score is besides no worse. strict: those whose score is higher."""


def _leaves(policy: Policy) -> tuple[Policy, ...]:
    if isinstance(policy, AnyOf | AllOf):
        return _leaves(policy.left) + _leaves(policy.right)
    return (policy,)


LOOKS_AT: Mapping[type[Policy], str] = MappingProxyType(
    {
        Clean: "verdicts",
        Similar: "texts",
        Target: "scores",
        AllTests: "tests",
        Calls: "calls",
        Tokens: "tokens",
        Cost: "cost",
        Time: "time",
    }
)
"""What of a trajectory, by the words of Trajectory.missing, a rule looks at beside the answers."""


def grid(iterations: int) -> Sequence[str]:
    """The stop rules of `--grid` for trajectories of so many iterations."""
    counted = [f"iterations:{number}" for number in range(iterations + 1)]
    agreed = [f"agree:{number}" for number in range(2, iterations + 2)]
    waited = [f"patience:{number}" for number in range(1, iterations + 1)]
    return [*counted, *agreed, *waited]


def asks_for_more(policy: Policy, *, steps: int, usage: Usage, seconds: float) -> bool:
    """Whether a rule is about more than was recorded, so that its silence says nothing."""
    recorded: dict[type[Policy], float] = {
        Iterations: steps - 1,
        Patience: steps - 1,
        Agree: steps,
        Calls: usage.calls,
        Tokens: usage.tokens,
        Cost: usage.cost_usd or 0.0,
        Time: seconds,
    }
    if type(policy) not in recorded:
        return False
    figure: float = getattr(policy, "most", getattr(policy, "least", 0.0))
    return figure > recorded[type(policy)]
