"""What a run comes to: the object that `solve --json` prints and `refiner.solve` returns."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from refiner.domain.calls import Usage
from refiner.domain.run import Models, Stop, StopReason, Tests, Vote
from refiner.domain.state import RunState, Status, Step
from refiner.domain.task import Kind

SCHEMA = "refiner.run/1"


@dataclass(frozen=True, slots=True)
class Iteration:
    """A candidate as a line of the result; index 0 is the draft."""

    chain: int
    index: int
    phase: str
    accepted: bool
    reason: str
    score: float | None
    parsed: str | None
    tests: Tests | None


@dataclass(frozen=True, slots=True)
class Result:
    """A run's answer, and how it came about.

    answer is the whole text, parsed what was read from it; both are None where there is no candidate. votes and tests
    are None where they do not apply, usage.cost_usd where a price is unknown. seconds is time at work.
    """

    id: str
    status: Status
    exit: int
    stop: Stop
    kind: Kind
    title: str
    strategy: str
    models: Models
    answer: str | None
    parsed: str | None
    score: float | None
    tests: Tests | None
    votes: tuple[Vote, ...] | None
    iterations: tuple[Iteration, ...]
    usage: Usage
    seconds: float
    started_at: datetime
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The object of `--json`, in the schema refiner.run/1."""
        return {
            "schema": SCHEMA,
            "id": self.id,
            "status": self.status,
            "exit": self.exit,
            "stop": {"reason": str(self.stop.reason), "detail": self.stop.detail},
            "task": {"kind": str(self.kind), "title": self.title},
            "strategy": self.strategy,
            "models": {"answer": self.models.answer, "critic": self.models.critic, "updater": self.models.updater},
            "answer": self.answer,
            "parsed": self.parsed,
            "score": self.score,
            "tests": asdict(self.tests) if self.tests else None,
            "votes": [asdict(vote) for vote in self.votes] if self.votes is not None else None,
            "iterations": [asdict(iteration) for iteration in self.iterations],
            "usage": asdict(self.usage),
            "seconds": round(self.seconds, 3),
            "started_at": self.started_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "notes": list(self.notes),
        }


def result_of(run: str, state: RunState) -> Result:
    """The result of a run as it stands; one that has not ended is interrupted, or still going on."""
    assert state.plan is not None  # noqa: S101
    assert state.started_at is not None  # noqa: S101
    unfinished = Stop(StopReason.SIGNAL, "the run has not ended")
    stop, exit_code = (state.finished.stop, state.finished.exit) if state.finished else (unfinished, 130)
    plan, step = state.plan, state.answer
    steps = [step for number in sorted(state.chains) for step in state.chains[number].steps]
    return Result(
        id=run,
        status=state.status,
        exit=exit_code,
        stop=stop,
        kind=plan.task.kind,
        title=plan.task.title,
        strategy=plan.strategy,
        models=plan.models,
        answer=step.candidate.text if step else None,
        parsed=step.candidate.parsed if step else None,
        score=step.score if step else None,
        tests=step.tests if step else None,
        votes=state.selected.votes or None if state.selected else None,
        iterations=tuple(_iteration(step) for step in steps),
        usage=state.usage,
        seconds=state.seconds,
        started_at=state.started_at,
        notes=state.notes,
    )


def _iteration(step: Step) -> Iteration:
    candidate, decision = step.candidate, step.decision
    return Iteration(
        chain=candidate.chain,
        index=candidate.index,
        phase=candidate.phase,
        accepted=step.accepted,
        reason=decision.reason if decision else "not judged yet",
        score=step.score,
        parsed=candidate.parsed,
        tests=step.tests,
    )
