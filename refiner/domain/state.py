"""The state of a run: the fold of its events, the same for policies, screens, `run show` and replay."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from types import MappingProxyType
from typing import Any, Literal

from refiner.domain.calls import Reply, Usage
from refiner.domain.code import Execution
from refiner.domain.events import (
    CallFailed,
    CallFinished,
    CallStarted,
    Candidate,
    ChainStopped,
    Decision,
    Evaluation,
    Executed,
    Gradient,
    Note,
    Preferred,
    Recorded,
    RunFinished,
    RunResumed,
    RunStarted,
    Selected,
    Steered,
)
from refiner.domain.run import Plan, Stop, Tests, Word

Status = Literal["new", "running", "paused", "done", "interrupted", "failed"]


@dataclass(frozen=True, slots=True)
class Step:
    """A candidate and all that was said of it.

    made: its executions against tests that were made in the run. preferred: comparisons that held it for right.
    """

    candidate: Candidate
    evaluation: Evaluation | None = None
    gradient: Gradient | None = None
    decision: Decision | None = None
    execution: Execution | None = None
    made: tuple[Execution, ...] = ()
    preferred: int = 0

    @property
    def accepted(self) -> bool:
        return self.decision is not None and self.decision.accepted

    @property
    def score(self) -> float | None:
        if self.execution:
            return self.execution.score
        return self.evaluation.score if self.evaluation else None

    @property
    def tests(self) -> Tests | None:
        if self.execution:
            return Tests(self.execution.passed, self.execution.total)
        return self.evaluation.tests if self.evaluation else None


@dataclass(frozen=True, slots=True)
class ChainState:
    """A draft and its iterations, in order."""

    steps: tuple[Step, ...] = ()
    stop: Stop | None = None

    @property
    def accepted(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.accepted)

    @property
    def voters(self) -> tuple[Step, ...]:
        """The iterates that have a vote: the accepted ones, and a rewrite that left its text as it was."""
        return tuple(step for step in self.steps if step.accepted or step.candidate.problem == "unchanged")

    @property
    def current(self) -> Step | None:
        """The last step that the gate let through: what the next update starts from."""
        return next((step for step in reversed(self.steps) if step.accepted), None)

    @property
    def iterations(self) -> int:
        """Updates so far; the draft is none."""
        return max(0, len(self.steps) - 1)


@dataclass(frozen=True, slots=True)
class RunState:
    """All that is known of a run.

    chains maps a chain's number to its state. usage counts finished calls and what failed ones are booked at, answered
    the finished ones alone; under_way maps the place of each call that is out to the most it can use. heard is the last
    word that the run was told. hold: seconds that the next critique waits; held: chain/iteration of the one that does,
    and those. seconds is time spent running, from event to event, without pauses, holds and interruptions.
    """

    plan: Plan | None = None
    status: Status = "new"
    chains: Mapping[int, ChainState] = field(default_factory=lambda: MappingProxyType({}))
    usage: Usage = field(default_factory=Usage)
    answered: Usage = field(default_factory=Usage)
    under_way: Mapping[str, Usage] = field(default_factory=lambda: MappingProxyType({}))
    notes: tuple[str, ...] = ()
    selected: Selected | None = None
    finished: RunFinished | None = None
    resumptions: int = 0
    heard: int = 0
    hold: float | None = None
    held: tuple[str, float] | None = None
    started_at: datetime | None = None
    at: datetime | None = None
    seconds: float = 0.0

    def chain(self, number: int) -> ChainState:
        return self.chains.get(number, ChainState())

    @property
    def works(self) -> bool:
        """Whether its clock goes: it waits for nobody."""
        return self.status == "running" and self.held is None

    @property
    def answer(self) -> Step | None:
        """The step whose candidate was selected as the answer."""
        if self.selected is None:
            return None
        return self.chain(self.selected.chain).steps[self.selected.index]


def apply(state: RunState, recorded: Recorded) -> RunState:
    """The state after one more event."""
    gap = (recorded.at - state.at).total_seconds() if state.at else 0.0
    works = state.works and not isinstance(recorded.event, RunResumed)
    seconds = state.seconds + (max(0.0, gap) if works else 0.0)
    return replace(state, at=recorded.at, seconds=seconds, **_change(state, recorded))


def _change(state: RunState, recorded: Recorded) -> dict[str, Any]:
    """The fields of the state that the event changes, the clock aside."""
    match recorded.event:
        case RunStarted(plan=plan):
            return {"plan": plan, "status": "running", "started_at": recorded.at}
        case RunResumed():
            return {"status": "running", "finished": None, "resumptions": state.resumptions + 1, **_LET_GO}
        case Steered(word=word):
            return {"heard": word.number, **_told(state, word)}
        case CallStarted(key=key, attempt=attempt, reserved=reserved):
            under_way = MappingProxyType({**state.under_way, f"{key}#{attempt}": reserved})
            return {"under_way": under_way, **_used(state, key.partition("/")[0])}
        case CallFinished(key=key, attempt=attempt, reply=Reply(usage=usage)):
            return {**_ended(state, f"{key}#{attempt}", usage), "answered": state.answered + usage}
        case CallFailed(key=key, attempt=attempt, booked=usage):
            return _ended(state, f"{key}#{attempt}", usage)
        case Candidate() as candidate:
            chain = state.chain(candidate.chain)
            return _with_chain(state, candidate.chain, replace(chain, steps=(*chain.steps, Step(candidate))))
        case Executed(execution=execution, against=against) as event:
            if against == "tests":
                return _with_step(state, event, execution=execution)
            return _with_step(state, event, made=(*_step(state, event).made, execution))
        case Evaluation() as evaluation:
            held = state.hold is not None and evaluation.edit is None
            waits = {"hold": None, "held": (evaluation.at, state.hold)} if held else {}
            return _with_step(state, evaluation, evaluation=evaluation) | waits
        case Gradient() as gradient:
            return _with_step(state, gradient, gradient=gradient) | _used(state, str(gradient.chain))
        case Decision() as decision:
            return _with_step(state, decision, decision=decision)
        case Preferred() as event:
            return _with_step(state, event, preferred=_step(state, event).preferred + 1)
        case ChainStopped(chain=number, stop=stop):
            return _with_chain(state, number, replace(state.chain(number), stop=stop)) | _used(state, str(number))
        case Note(text=text):
            return {"notes": (*state.notes, text)}
        case Selected() as selected:
            return {"selected": selected}
        case RunFinished() as finished:
            return {"status": finished.status, "finished": finished, **_LET_GO}


def fold(events: Iterable[Recorded]) -> RunState:
    """The state that a run's events, in the order of their ids, add up to."""
    return reduce(apply, events, RunState())


_LET_GO: dict[str, Any] = {"hold": None, "held": None}
_OfStep = Executed | Evaluation | Gradient | Decision | Preferred


def _told(state: RunState, word: Word) -> dict[str, Any]:
    match word.control:
        case "pause":
            return {"status": "paused"}
        case "resume":
            return {"status": "running", "held": None}
        case "hold" if word.limits is not None:
            return {"hold": word.limits.seconds}
        case "edit" if (
            word.rewrite and state.held and state.held[0] == f"{word.rewrite.chain}/{word.rewrite.iteration}"
        ):
            return {"held": None}
        case "budget" if state.plan is not None and word.limits is not None:
            return {"plan": replace(state.plan, limits=word.limits)}
        case _:
            return {}


def _used(state: RunState, chain: str) -> dict[str, Any]:
    """A chain that goes on is no longer held."""
    return {"held": None} if state.held and state.held[0].partition("/")[0] == chain else {}


def _ended(state: RunState, place: str, usage: Usage) -> dict[str, Any]:
    left = {key: value for key, value in state.under_way.items() if key != place}
    return {"under_way": MappingProxyType(left), "usage": state.usage + usage}


def _with_chain(state: RunState, number: int, chain: ChainState) -> dict[str, Any]:
    return {"chains": MappingProxyType({**state.chains, number: chain})}


def _step(state: RunState, event: _OfStep) -> Step:
    return state.chain(event.chain).steps[event.index]


def _with_step(state: RunState, event: _OfStep, **change: Any) -> dict[str, Any]:
    chain, index = state.chain(event.chain), event.index
    step = replace(_step(state, event), **change)
    return _with_chain(
        state, event.chain, replace(chain, steps=(*chain.steps[:index], step, *chain.steps[index + 1 :]))
    )
