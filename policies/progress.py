"""Rules that look at whether a chain gets better."""

from dataclasses import dataclass

from refiner.domain.run import Stop, StopReason
from refiner.domain.state import ChainState, RunState, Step
from refiner.policies.figures import show
from refiner.policies.policy import Policy


@dataclass(frozen=True, slots=True)
class Patience(Policy):
    """So many updates in a row brought nothing.

    An update brings something when the gate accepts it and its score beats the best one before, or, where there
    are no scores, when it changes the answer.
    """

    most: int

    @property
    def sentence(self) -> str:
        return f"{self._updates(self.most)} {'has' if self.most == 1 else 'have'} brought nothing"

    def __call__(self, state: RunState, chain: int) -> Stop | None:
        fruitless = _fruitless(state.chain(chain))
        if fruitless < self.most:
            return None
        return Stop(StopReason.PATIENCE, f"{self._updates(fruitless)} brought nothing")

    def __str__(self) -> str:
        return f"patience:{self.most}"

    def _updates(self, number: int) -> str:
        return "1 update" if number == 1 else f"{number} updates in a row"


@dataclass(frozen=True, slots=True)
class Target(Policy):
    """The chain's current candidate has a score of at least so much (0 to 1)."""

    least: float

    @property
    def sentence(self) -> str:
        return f"a candidate that was kept scores {show(self.least)} or more"

    def __call__(self, state: RunState, chain: int) -> Stop | None:
        current = state.chain(chain).current
        if current is None or current.score is None or current.score < self.least:
            return None
        return Stop(StopReason.TARGET, f"a score of {show(current.score)} reaches {show(self.least)}")

    def __str__(self) -> str:
        return f"target:{show(self.least)}"


def _fruitless(chain: ChainState) -> int:
    """How many of the last updates brought nothing; one that the gate has not judged yet does not count."""
    kept: Step | None = None
    best: float | None = None
    row = 0
    for step in (step for step in chain.steps if step.decision is not None):
        brought = step.accepted and _better(step, kept, best)
        row = 0 if brought or step is chain.steps[0] else row + 1
        if step.accepted:
            kept = step
            best = max((score for score in (best, step.score) if score is not None), default=None)
    return row


def _better(step: Step, kept: Step | None, best: float | None) -> bool:
    if kept is None:
        return True
    if step.score is not None and best is not None:
        return step.score > best
    return _answer(step) != _answer(kept)


def _answer(step: Step) -> str:
    parsed = step.candidate.parsed
    return step.candidate.text if parsed is None else parsed
