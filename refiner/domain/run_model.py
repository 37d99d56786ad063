"""A run as a screen shows it: its state, and what is seen only live. The terminal UI and `run watch` share it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from types import MappingProxyType
from typing import Any, Literal

from refiner.domain.calls import Message, Reply, Role, Usage
from refiner.domain.events import (
    CallFailed,
    CallFinished,
    CallStarted,
    Delta,
    Evaluation,
    Executed,
    Heard,
    Recorded,
    RunFinished,
    RunResumed,
)
from refiner.domain.run import Limits, Tests, Verdict
from refiner.domain.state import ChainState, RunState, Step, apply
from refiner.domain.votes import Tally, comparable, decided, tally

PHASES = {
    Role.ANSWER: "drafting",
    Role.CRITIC: "critique",
    Role.GRADIENT: "gradient",
    Role.UPDATER: "update",
    Role.REPAIR: "repair",
    Role.JUDGE: "judging",
}

CRITIQUE = (Role.CRITIC, Role.JUDGE)
GRADIENT = (Role.GRADIENT,)
ANSWER = (Role.ANSWER, Role.UPDATER, Role.REPAIR)

MOST_CALLS = 500
"""Calls that are kept to be looked at; older ones are in `refiner run log`."""

MOST_SCORES = 500
MOST_TEXT = 1 << 16
"""Characters that are kept of a reply while it is written; the whole one comes with its commit."""

WARNING, ERROR = 0.8, 0.95
"""Shares of a limit from which a gauge warns."""

Mark = Literal["accepted", "rejected", "best", "live", "open"]
Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Writing:
    """A reply that is being written."""

    role: Role
    chain: int
    iteration: int
    text: str = ""

    @classmethod
    def at(cls, key: str) -> "Writing":
        """Nothing yet, of the call with that key (chain/iteration/role/place)."""
        chain, iteration, role, *_ = key.split("/")
        return cls(Role(role), int(chain), int(iteration))


@dataclass(frozen=True, slots=True)
class Call:
    """An attempt at a call; reply, usage and seconds are None while it is out, error says why it brought nothing."""

    key: str
    attempt: int
    role: Role
    model: str
    messages: tuple[Message, ...]
    started_at: datetime
    reply: Reply | None = None
    usage: Usage | None = None
    seconds: float | None = None
    error: str | None = None

    @property
    def cached(self) -> float | None:
        """The share of its prompt that the provider had cached."""
        return (
            self.usage.cached_input_tokens / self.usage.input_tokens if self.usage and self.usage.input_tokens else None
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the iteration table. change: of the score, against the last accepted candidate of the chain. step: None
    while the candidate is being made."""

    chain: int
    index: int
    mark: Mark
    verdict: str
    usage: Usage
    score: float | None = None
    change: float | None = None
    tests: Tests | None = None
    step: Step | None = None


@dataclass(frozen=True, slots=True)
class Gauge:
    """What is used of a limit; a limit of None is none, a use of None is not known."""

    name: str
    used: float | None
    limit: float | None

    @property
    def share(self) -> float | None:
        if self.limit is None or self.used is None:
            return None
        return min(1.0, self.used / self.limit) if self.limit else 1.0

    @property
    def level(self) -> Level:
        share = self.share or 0.0
        return "error" if share >= ERROR else "warning" if share >= WARNING else "ok"


@dataclass(frozen=True, slots=True)
class RunModel:
    """A run's state, its newest calls, its scores in the order in which they came, and the replies under way.

    spent maps (chain, index) to what it took to make that candidate. last is the id of the last event.
    """

    run: str = ""
    state: RunState = field(default_factory=RunState)
    calls: Mapping[str, Call] = field(default_factory=lambda: MappingProxyType({}))
    writing: Mapping[str, Writing] = field(default_factory=lambda: MappingProxyType({}))
    spent: Mapping[tuple[int, int], Usage] = field(default_factory=lambda: MappingProxyType({}))
    scores: tuple[float, ...] = ()
    last: int = 0

    @property
    def latest(self) -> tuple[Writing, ...]:
        """The replies that are being written, the one that began last first."""
        return tuple(self.writing.values())[::-1]

    @property
    def phase(self) -> str:
        """What goes on, in a word."""
        if self.state.held:
            return "held"
        if self.state.status != "running":
            return {"new": "waiting"}.get(self.state.status, self.state.status)
        if self.writing:
            return PHASES[self.latest[0].role]
        steps = (step for chain in self.state.chains.values() for step in chain.steps)
        return "testing" if any(step.decision is None for step in steps) else "working"

    @property
    def rows(self) -> tuple[Row, ...]:
        """The iterations of all chains, the one that is being made among them."""
        live = {writing.chain for writing in self.writing.values()}
        rows: list[Row] = []
        for number in sorted({*self.state.chains, *live}):
            rows += self._of_chain(number, self.state.chain(number), live=number in live)
        return tuple(rows)

    @property
    def best(self) -> Step | None:
        """The answer; while there is none yet, the accepted candidate with the highest score."""
        if self.state.answer is not None:
            return self.state.answer
        accepted = [step for chain in self.state.chains.values() for step in chain.accepted if step.score is not None]
        return max(accepted, key=lambda step: step.score or 0.0, default=None)

    @property
    def tally(self) -> Tally | None:
        """The votes as they stand; None where answers are not voted on."""
        plan, chains = self.state.plan, [self.state.chains[number] for number in sorted(self.state.chains)]
        if plan is None or plan.strategy not in ("vote", "compare", "sample", "textgrad", "refine"):
            return None
        if plan.strategy in ("vote", "compare", "sample"):
            voters = [chain.current for chain in chains if chain.current]
        else:
            voters = [step for chain in chains for step in chain.voters]
        return tally(voters) if comparable(voters, plan.task.kind) else None

    @property
    def margin(self) -> int | None:
        """How many more votes the leader needs for its lead to hold; None where there is no vote."""
        if self.tally is None or not self.tally.votes:
            return None
        leader, runner_up = self.tally.lead
        return next(more for more in range(runner_up + 3) if decided(leader + more, runner_up))

    def gauges(self, now: datetime) -> tuple[Gauge, ...]:
        """Calls, tokens, dollars and seconds against their limits; calls under way count at their most."""
        state = self.state
        limits = state.plan.limits if state.plan else Limits()
        used = sum(state.under_way.values(), state.usage)
        return (
            Gauge("calls", state.usage.calls + len(state.under_way), limits.calls),
            Gauge("tokens", used.tokens, limits.tokens),
            Gauge("cost", used.cost_usd, limits.cost_usd),
            Gauge("time", self.seconds(now), limits.seconds),
        )

    def seconds(self, now: datetime) -> float:
        """Time at work until now."""
        state = self.state
        return state.seconds + (max(0.0, (now - state.at).total_seconds()) if state.works and state.at else 0.0)

    def critique(self, chain: int) -> Evaluation | None:
        """The critique of a chain that is not in use yet, and so can be edited."""
        steps = self.state.chain(chain).steps
        of = self.state.chain(chain)
        said = next((step.evaluation for step in reversed(steps) if step.evaluation), None)
        if said is None or of.stop or self.state.finished or said.at != f"{chain}/{of.iterations}":
            return None
        gradients = (step.gradient for step in steps if step.gradient)
        used = any(
            f"{each.chain}/{each.index if each.iteration is None else each.iteration}" == said.at for each in gradients
        )
        return None if used or any(writing.chain == chain for writing in self.writing.values()) else said

    def written(self, roles: tuple[Role, ...]) -> Writing | None:
        """The latest reply of these roles that is being written."""
        return next((writing for writing in self.latest if writing.role in roles), None)

    def _of_chain(self, number: int, chain: ChainState, *, live: bool) -> Iterable[Row]:
        best, before = self.best, None
        for index, step in enumerate(chain.steps):
            usage = self.spent.get((number, index), Usage())
            if index == len(chain.steps) - 1 and not live:  # a last critique led to no further candidate
                usage += self.spent.get((number, index + 1), Usage())
            score, mark = step.score, _mark(step, is_best=step is best)
            change = None if score is None or before is None else score - before
            yield Row(number, index, mark, _verdict(step), usage, score, change, step.tests, step)
            before = score if step.accepted and score is not None else before
        if live:
            writing = next(each for each in self.latest if each.chain == number)
            usage = self.spent.get((number, len(chain.steps)), Usage())
            yield Row(number, len(chain.steps), "live", PHASES[writing.role], usage)


def heard(model: RunModel, what: Heard) -> RunModel:
    """The model after one more event, or piece of a reply; an event that it has already is left alone."""
    if isinstance(what, Delta):
        before = model.writing.get(what.key) or Writing.at(what.key)
        writing = replace(before, text=(before.text + what.text)[-MOST_TEXT:])
        return replace(model, writing=MappingProxyType({**model.writing, what.key: writing}))
    if what.id <= model.last:
        return model
    return replace(model, run=what.run, last=what.id, state=apply(model.state, what), **_seen(model, what))


def model_of(events: Iterable[Recorded]) -> RunModel:
    """The model that a run's events, in the order of their ids, add up to."""
    return reduce(heard, events, RunModel())


def _seen(model: RunModel, recorded: Recorded) -> dict[str, Any]:
    match recorded.event:
        case CallStarted() as event:
            call = Call(event.key, event.attempt, event.role, event.model, event.messages, recorded.at)
            calls = {**model.calls, f"{event.key}#{event.attempt}": call}
            if len(calls) > MOST_CALLS:
                del calls[next(iter(calls))]
            writing = {key: each for key, each in model.writing.items() if key != event.key}
            writing[event.key] = Writing.at(event.key)
            return {"calls": MappingProxyType(calls), "writing": MappingProxyType(writing)}
        case CallFinished(reply=reply) as event:
            done = {"reply": reply, "usage": reply.usage, "seconds": reply.seconds}
            return _ended(model, recorded.at, event, reply.usage, done)
        case CallFailed(booked=booked, error=error) as event:
            return _ended(model, recorded.at, event, booked, {"usage": booked, "error": error})
        case RunFinished() | RunResumed():
            return {"writing": MappingProxyType({})}
        case Executed(against="tests", execution=execution):
            return {"scores": (*model.scores, execution.score)[-MOST_SCORES:]}
        case Evaluation(score=float(score)):
            return {"scores": (*model.scores, score)[-MOST_SCORES:]}
        case _:
            return {}


def _ended(
    model: RunModel, at: datetime, event: CallFinished | CallFailed, usage: Usage, outcome: dict[str, Any]
) -> dict[str, Any]:
    place, calls = f"{event.key}#{event.attempt}", dict(model.calls)
    if (call := calls.get(place)) is not None:
        calls[place] = replace(call, **{"seconds": (at - call.started_at).total_seconds(), **outcome})
    chain = Writing.at(event.key).chain
    row = chain, len(model.state.chain(chain).steps)
    return {
        "calls": MappingProxyType(calls),
        "writing": MappingProxyType({key: each for key, each in model.writing.items() if key != event.key}),
        "spent": MappingProxyType({**model.spent, row: model.spent.get(row, Usage()) + usage}),
    }


def _mark(step: Step, *, is_best: bool) -> Mark:
    if is_best:
        return "best"
    if step.decision is None:
        return "open"
    return "accepted" if step.accepted else "rejected"


def _verdict(step: Step) -> str:
    """What is said of a candidate, in a phrase."""
    if step.decision is not None and not step.accepted:
        return step.decision.reason
    if step.evaluation is not None and step.evaluation.verdict is not Verdict.UNREADABLE:
        return {Verdict.CORRECT: "nothing is wrong", Verdict.FLAWED: "flawed"}[step.evaluation.verdict]
    return step.decision.reason if step.decision else "testing"
