"""Rules that bound what is spent, and the hard limits that an expression implies."""

from dataclasses import dataclass, fields

from refiner.domain.run import Limits, Stop, StopReason
from refiner.domain.state import RunState
from refiner.policies.figures import show, show_count, show_seconds
from refiner.policies.policy import AllOf, AnyOf, Policy


@dataclass(frozen=True, slots=True)
class Iterations(Policy):
    """So many updates of the chain were made; 0 keeps the draft."""

    most: int

    @property
    def sentence(self) -> str:
        return f"a chain has made {_counted(self.most, 'update')}"

    def __call__(self, state: RunState, chain: int) -> Stop | None:
        done = state.chain(chain)
        if not done.steps or done.iterations < self.most:
            return None
        return Stop(StopReason.ITERATIONS, f"{done.iterations} of {_counted(self.most, 'update')} made")

    def __str__(self) -> str:
        return f"iterations:{show_count(self.most)}"


@dataclass(frozen=True, slots=True)
class Calls(Policy):
    """So many calls of the run were made, those of all its chains."""

    most: int

    @property
    def sentence(self) -> str:
        return f"the run has made {_counted(self.most, 'call')}"

    def __call__(self, state: RunState, _chain: int) -> Stop | None:
        if state.usage.calls < self.most:
            return None
        return Stop(StopReason.CALLS, f"{state.usage.calls} of {_counted(self.most, 'call')} made")

    def __str__(self) -> str:
        return f"calls:{show_count(self.most)}"


@dataclass(frozen=True, slots=True)
class Tokens(Policy):
    """So many tokens, in and out, were used by the run."""

    most: int

    @property
    def sentence(self) -> str:
        return f"the run has used {_counted(self.most, 'token')}"

    def __call__(self, state: RunState, _chain: int) -> Stop | None:
        if state.usage.tokens < self.most:
            return None
        return Stop(StopReason.TOKENS, f"{state.usage.tokens} of {_counted(self.most, 'token')} used")

    def __str__(self) -> str:
        return f"tokens:{show_count(self.most)}"


@dataclass(frozen=True, slots=True)
class Cost(Policy):
    """So many US dollars were spent by the run; it cannot fire where a price is unknown."""

    most: float

    @property
    def sentence(self) -> str:
        return f"the run has cost ${show(self.most)}"

    def __call__(self, state: RunState, _chain: int) -> Stop | None:
        spent = state.usage.cost_usd
        if spent is None or spent < self.most:
            return None
        return Stop(StopReason.COST, f"${spent:.4f} of ${show(self.most)} spent")

    def __str__(self) -> str:
        return f"cost:{show(self.most)}"


@dataclass(frozen=True, slots=True)
class Time(Policy):
    """The run was at work for so many seconds, pauses between resumptions left out."""

    most: float

    @property
    def sentence(self) -> str:
        return f"the run has been at work for {show_seconds(self.most)}"

    def __call__(self, state: RunState, _chain: int) -> Stop | None:
        if state.seconds < self.most:
            return None
        return Stop(StopReason.TIME, f"{state.seconds:.1f} s of {show_seconds(self.most)} gone")

    def __str__(self) -> str:
        return f"time:{show_seconds(self.most)}"


def limits(policy: Policy) -> Limits:
    """The most that a run under the policy may spend, for the ledger to reserve against.

    Either side of `|` can stop the run, so the smaller budget holds; `&` needs both, so the larger one does, and
    there is none where one side has none.
    """
    match policy:
        case Calls(most):
            return Limits(calls=most)
        case Tokens(most):
            return Limits(tokens=most)
        case Cost(cost):
            return Limits(cost_usd=cost)
        case Time(seconds):
            return Limits(seconds=seconds)
        case AnyOf(left, right):
            return _joined(limits(left), limits(right), every=False)
        case AllOf(left, right):
            return _joined(limits(left), limits(right), every=True)
        case _:
            return Limits()


def _joined(left: Limits, right: Limits, *, every: bool) -> Limits:
    joined = {}
    for name in (field.name for field in fields(Limits)):
        bounds = [bound for side in (left, right) if (bound := getattr(side, name)) is not None]
        if every:
            joined[name] = max(bounds) if len(bounds) == 2 else None
        else:
            joined[name] = min(bounds, default=None)
    return Limits(**joined)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
