"""What other rules would have made of recorded trajectories, without a single call.

A stop rule is asked at every moment at which a live run would have asked it, over the same state; what was recorded
after it fired is left out. Where it does not fire before the record ends, the trajectory counts as a run that was
bounded by the iterations it was recorded with; it is undecidable where the run would have gone on.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from refiner.domain.calls import Usage
from refiner.domain.run import Limits
from refiner.domain.state import ChainState, RunState, Step
from refiner.evals.rules import GATES, LOOKS_AT, VOTES, Rule, asks_for_more
from refiner.evals.statistics import Interval, mcnemar, wilson
from refiner.evals.trajectory import Moment, Trajectory


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule makes of one trajectory. undecidable: why nothing can be said, "" where it can.

    right and first_right are None where no gold answer is known.
    """

    id: str
    answer: str | None = None
    right: bool | None = None
    first_right: bool | None = None
    changed: bool = False
    usage: Usage = field(default_factory=Usage)
    missing: frozenset[str] = frozenset()
    undecidable: str = ""


@dataclass(slots=True)
class Score:
    """The figures of a rule over all trajectories; means and shares are over those that it decides.

    repaired, broken: answers that are right where the first candidate was wrong, and the other way round.
    """

    rule: Rule
    decided: int = 0
    judged: int = 0
    right: int = 0
    repaired: int = 0
    broken: int = 0
    changed: int = 0
    usage: Usage = field(default_factory=Usage)
    undecidable: int = 0
    missing: set[str] = field(default_factory=set)
    outcomes: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome, *, keep: bool) -> None:
        """Count one more trajectory."""
        if keep:
            self.outcomes.append(outcome)
        if outcome.undecidable:
            self.undecidable += 1
            return
        self.decided += 1
        self.changed += outcome.changed
        self.usage += outcome.usage
        self.missing |= outcome.missing
        if outcome.right is not None:
            self.judged += 1
            self.right += outcome.right
            self.repaired += outcome.right and not outcome.first_right
            self.broken += not outcome.right and bool(outcome.first_right)

    def mean(self, what: Literal["calls", "tokens", "cost"]) -> float | None:
        """The mean of what a trajectory used; None where it was not recorded for all of them."""
        used = {"calls": self.usage.calls, "tokens": self.usage.tokens, "cost": self.usage.cost_usd}[what]
        return None if used is None or what in self.missing or not self.decided else used / self.decided

    @property
    def accuracy(self) -> float | None:
        return self.right / self.judged if self.judged else None

    @property
    def interval(self) -> Interval | None:
        return wilson(self.right, self.judged) if self.judged else None

    @property
    def p(self) -> float | None:
        return mcnemar(self.repaired, self.broken) if self.judged else None


@dataclass(frozen=True, slots=True)
class Replayed:
    """What is left of a trajectory under a stop rule."""

    chains: dict[int, ChainState]
    usage: Usage
    undecidable: str = ""


def replay(trajectories: Iterable[Trajectory], rules: Sequence[Rule], *, keep: bool = False) -> list[Score]:
    """Score every rule on every trajectory, one trajectory at a time. keep: the outcome of each is kept."""
    scores = [Score(rule) for rule in rules]
    for one in trajectories:
        for score, outcome in zip(scores, outcomes(one, rules), strict=True):
            score.add(outcome, keep=keep)
    return scores


def outcomes(trajectory: Trajectory, rules: Sequence[Rule]) -> Iterator[Outcome]:
    """What each rule makes of a trajectory; stop rules and votes that rules share are worked out once."""
    gated = {name: gate(trajectory, name) for name in dict.fromkeys(rule.gate for rule in rules)}
    states = {name: list(_states(one)) for name, one in gated.items()}
    played: dict[tuple[str, str | None], Replayed] = {}
    voted: dict[tuple[object, ...], Step | None] = {}
    first = _first(trajectory)
    for rule in rules:
        key = (rule.gate, rule.until)
        if key not in played:
            played[key] = play(gated[rule.gate], rule, states[rule.gate])
        left = played[key]
        if left.undecidable:
            yield Outcome(trajectory.id, undecidable=left.undecidable)
            continue
        cut = (rule.gate, rule.vote, *((number, len(chain.steps)) for number, chain in left.chains.items()))
        if cut not in voted:
            voted[cut] = VOTES[rule.vote](left.chains, trajectory.weights)
        yield _outcome(trajectory, left, voted[cut], first)


def play(trajectory: Trajectory, rule: Rule, states: Sequence[RunState] = ()) -> Replayed:
    """The trajectory up to where the stop rule ends it. states: those of all moments, where they are known already."""
    policy, bound = rule.policy, rule.limits
    if unknown := _unknown(trajectory, rule):
        return Replayed({}, Usage(), unknown)
    states = states or list(_states(trajectory))
    chains: dict[int, ChainState] = {}
    usage, stopped = Usage(), set[int]()
    for moment, recorded in zip(trajectory.moments, states, strict=True):
        if moment.chain in stopped:
            continue
        state = recorded if not stopped else _after(trajectory, chains, usage, moment)
        if _over(state, bound):
            # Calls are taken one by one until the limit; how many tokens fit is not known, so none are counted.
            calls = usage.calls if bound.calls is None else min(state.usage.calls, bound.calls)
            return Replayed(chains, replace(usage, calls=calls))
        chains[moment.chain], usage = moment.seen, state.usage
        if policy and policy(state, moment.chain):
            stopped.add(moment.chain)
    if not chains:
        return Replayed(chains, trajectory.rest, "" if policy is None else "its record holds no candidate")
    going = [number for number in chains if number not in stopped]
    if not stopped:
        usage += trajectory.rest
    return Replayed(chains, usage, _goes_on(trajectory, rule, going, chains, usage))


def gate(trajectory: Trajectory, name: str) -> Trajectory:
    """The trajectory under another gate: a chain ends where the next update would have begun elsewhere."""
    decide = GATES[name]
    if decide is None:
        return trajectory
    moments: list[Moment] = []
    judged, differs, parted = dict[int, tuple[Step, ...]](), dict[int, int](), dict[int, str]()
    for moment in trajectory.moments:
        steps, done = moment.seen.steps, judged.get(moment.chain, ())
        if len(steps) > len(done):
            if (index := differs.get(moment.chain)) is not None:
                parted[moment.chain] = f"iteration {index + 1} of chain {moment.chain} began from another candidate"
                continue
            step = steps[-1]
            decision = decide(step, ChainState(done).current)
            if decision.accepted != step.accepted:
                differs[moment.chain] = step.candidate.index
            judged[moment.chain] = (*done, replace(step, decision=decision))
        elif moment.chain in differs:
            continue  # an evaluation of a candidate that this gate does not hold
        else:
            judged[moment.chain] = tuple(
                replace(new, decision=old.decision) for new, old in zip(steps, done, strict=True)
            )
        moments.append(replace(moment, seen=ChainState(judged[moment.chain])))
    return replace(trajectory, moments=tuple(moments), parted=parted)


def _states(trajectory: Trajectory) -> Iterator[RunState]:
    chains: dict[int, ChainState] = {}
    usage = Usage()
    for moment in trajectory.moments:
        state = _after(trajectory, chains, usage, moment)
        chains, usage = {**chains, moment.chain: moment.seen}, state.usage
        yield state


def _after(trajectory: Trajectory, chains: dict[int, ChainState], usage: Usage, moment: Moment) -> RunState:
    return RunState(
        trajectory.plan,
        "running",
        {**chains, moment.chain: moment.seen},
        usage + moment.spent,
        seconds=moment.seconds,
    )


def _over(state: RunState, bound: Limits) -> bool:
    pairs = (
        (state.usage.calls, bound.calls),
        (state.usage.tokens, bound.tokens),
        (state.usage.cost_usd, bound.cost_usd),
        (state.seconds, bound.seconds),
    )
    return any(most is not None and spent is not None and spent > most for spent, most in pairs)


def _unknown(trajectory: Trajectory, rule: Rule) -> str:
    """Why a stop rule cannot be asked of a record."""
    if not trajectory.missing:
        return ""
    looked = next((what for leaf in rule.leaves if (what := LOOKS_AT.get(type(leaf))) in trajectory.missing), None)
    return f"its record holds no {looked}" if looked else ""


def _goes_on(
    trajectory: Trajectory, rule: Rule, going: Sequence[int], chains: dict[int, ChainState], usage: Usage
) -> str:
    """Why chains that the rule has not stopped need calls that were not made; "" where they do not."""
    for number in going:
        if number in trajectory.parted:
            return trajectory.parted[number]
        if rule.policy is None:
            continue
        if number in trajectory.ended:
            return trajectory.ended[number]
        steps, seconds = len(chains[number].steps), trajectory.moments[-1].seconds
        more = [leaf for leaf in rule.leaves if asks_for_more(leaf, steps=steps, usage=usage, seconds=seconds)]
        if more:
            return f"{more[0]} asks for more than was recorded, {steps - 1} iterations"
    return ""


def _first(trajectory: Trajectory) -> Step | None:
    drafts = [moment for moment in trajectory.moments if moment.seen.steps]
    return min(drafts, key=lambda moment: moment.chain).seen.steps[0] if drafts else None


def _outcome(trajectory: Trajectory, left: Replayed, step: Step | None, first: Step | None) -> Outcome:
    answer = step.candidate.parsed if step else None
    return Outcome(
        trajectory.id,
        answer,
        _right(trajectory, step),
        _right(trajectory, first),
        changed=answer != (first.candidate.parsed if first else None),
        usage=left.usage,
        missing=trajectory.missing,
    )


def _right(trajectory: Trajectory, step: Step | None) -> bool | None:
    if trajectory.right is None:
        return None
    return step is not None and trajectory.right[step.candidate.chain, step.candidate.index]
