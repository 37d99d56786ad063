"""A run as it was recorded, in the form in which other rules can be tried on it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from refiner.domain.calls import Usage
from refiner.domain.errors import UsageError
from refiner.domain.events import CallFailed, CallFinished, CallStarted, Decision, Evaluation, Recorded
from refiner.domain.run import Plan
from refiner.domain.state import ChainState, RunState, apply
from refiner.domain.votes import COMPARISON

Place = tuple[int, int]
"""A candidate's chain and index."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time at which a live run asks its stop rules: a candidate of the chain was just judged, or evaluated.

    seen: the chain as it was then. spent: what the chain used since its moment before. seconds: the run's age.
    """

    chain: int
    seen: ChainState
    spent: Usage
    seconds: float


@dataclass(frozen=True, slots=True)
class Trajectory:
    """All moments of a run in their order, and what cannot be seen in them.

    ended: why a chain's record ends before its last iteration, by chain. parted: where another gate leaves the record,
    by chain. rest: what was used after the last moment.
    right: whether each candidate is right, None where nobody knows. weights: those that are not 1 in a weighted vote.
    missing: what was not recorded, of "verdicts", "texts", "scores", "tests", "calls", "tokens", "cost" and "time".
    """

    id: str
    plan: Plan
    moments: tuple[Moment, ...]
    ended: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    parted: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    rest: Usage = field(default_factory=Usage)
    right: Mapping[Place, bool] | None = None
    weights: Mapping[Place, float] = field(default_factory=lambda: MappingProxyType({}))
    missing: frozenset[str] = frozenset()


def trajectory(run: str, events: Iterable[Recorded]) -> Trajectory:
    """The trajectory of a stored run, as far as it has come. Raises UsageError where it was never started."""
    state, moments, spent = RunState(), list[Moment](), dict[int, Usage]()
    for recorded in events:
        event = recorded.event
        if isinstance(event, CallStarted):
            continue
        state = apply(state, recorded)
        if isinstance(event, CallFinished | CallFailed):
            chain = int(event.key.partition("/")[0])
            used = event.reply.usage if isinstance(event, CallFinished) else event.booked
            spent[chain] = spent.get(chain, Usage()) + used
        elif isinstance(event, Decision | Evaluation) and state.chain(event.chain).steps[-1].decision:
            seen = state.chain(event.chain)
            moments.append(Moment(event.chain, seen, spent.pop(event.chain, Usage()), state.seconds))
    if state.plan is None:
        raise UsageError(f"run {run} was never started, so there is nothing to replay")
    return Trajectory(
        run,
        state.plan,
        tuple(moments),
        ended=MappingProxyType(dict(_ended(state))),
        rest=sum(spent.values(), Usage()),
        weights=MappingProxyType(weights(state)),
        missing=frozenset(_missing(state)),
    )


def weights(state: RunState) -> dict[Place, float]:
    """The candidates' weights in a weighted vote: the verifier's score where there is one, and two a comparison won."""
    found = {}
    for number, chain in state.chains.items():
        for index, step in enumerate(chain.steps):
            score = 1.0 if step.score is None else step.score
            found[number, index] = score + COMPARISON * step.preferred
    return found


def _missing(state: RunState) -> Iterable[str]:
    if state.usage.cost_usd is None:
        yield "cost"
    if not any(step.evaluation for chain in state.chains.values() for step in chain.steps):
        yield "verdicts"


def _ended(state: RunState) -> Iterable[tuple[int, str]]:
    assert state.plan is not None  # noqa: S101
    for number, chain in state.chains.items():
        if chain.iterations < state.plan.iterations:
            why = f": {chain.stop.detail}" if chain.stop else ""
            yield number, f"the record of chain {number} ends after iteration {chain.iterations}{why}"
