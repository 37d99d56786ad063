"""Trajectories from a file: those of other programs, one a line (docs/replay.md), or the events of `run export`."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from refiner.domain.calls import Usage
from refiner.domain.errors import UsageError
from refiner.domain.events import Candidate, Decision, Evaluation, Recorded
from refiner.domain.run import Models, Phase, Plan, Verdict
from refiner.domain.run import Tests as TestCounts
from refiner.domain.state import ChainState, Step
from refiner.domain.task import Kind, Task
from refiner.domain.wire import recorded
from refiner.evals.lines import objects
from refiner.evals.trajectory import Moment, Place, Trajectory, trajectory
from refiner.verify.equal import normal, same


def _spelled(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Answer = Annotated[str, BeforeValidator(_spelled)]
Said = Annotated[str, Field(min_length=1), BeforeValidator(_spelled)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Counts(BaseModel):
    passed: NonNegativeInt
    total: NonNegativeInt

    @field_validator("total")
    @classmethod
    def _holds(cls, total: int, info: ValidationInfo) -> int:
        if total < info.data.get("passed", 0):
            raise PydanticCustomError("total", "fewer than passed")
        return total


class _Candidate(BaseModel):
    """A candidate as a row tells it; what a program adds beside these fields is left alone."""

    parsed: Answer | None = None
    text: str | None = None
    chain: NonNegativeInt = 0
    iteration: NonNegativeInt | None = None
    accepted: bool = True
    right: bool | None = None
    verdict: Verdict | None = None
    score: Share | None = None
    tests: _Counts | None = None
    weight: NonNegativeFloat | None = None
    calls: NonNegativeInt | None = None
    tokens: NonNegativeInt | None = None
    cost_usd: NonNegativeFloat | None = None
    seconds: NonNegativeFloat | None = None


class _Row(BaseModel):
    id: Said
    kind: Kind = Kind.TEXT
    gold: Said | None = None
    iterations: NonNegativeInt | None = None
    calls_per_candidate: list[NonNegativeInt] | None = None
    candidates: Annotated[list[_Candidate], Field(min_length=1)]


def read_trajectories(path: Path) -> Iterator[Trajectory]:
    """The trajectories of a file, one after another. Raises UsageError, naming the line, for what cannot be read."""
    rows = objects(path)
    first = next(rows, None)
    if first is None:
        raise UsageError(f"{path} is empty: it holds no trajectory")
    every = chain([first], rows)
    return _exported(every, path) if {"run", "type", "at"} <= first[1].keys() else _foreign(every, path)


def _exported(rows: Iterable[tuple[int, dict[str, Any]]], path: Path) -> Iterator[Trajectory]:
    def events() -> Iterator[Recorded]:
        for number, row in rows:
            try:
                yield recorded(row)
            except (KeyError, TypeError, ValueError):
                raise UsageError(f"{path}:{number}: no event as `refiner run export` writes it") from None

    for run, group in groupby(events(), key=lambda event: event.run):
        yield trajectory(run, group)


def _foreign(rows: Iterable[tuple[int, dict[str, Any]]], path: Path) -> Iterator[Trajectory]:
    read: dict[str, tuple[str, _Row]] = {}
    for number, told in rows:
        where = f"{path}:{number}"
        try:
            row = _Row.model_validate(told)
        except ValidationError as error:
            raise UsageError(f"{where}: {_said(error)}") from None
        if row.id in read:
            raise UsageError(f'{where}: id "{row.id}" is that of {read[row.id][0]} too')
        read[row.id] = (where, row)
    longest = max(_longest(row) for _, row in read.values())
    for where, row in read.values():
        yield _trajectory(row, where, longest if row.iterations is None else row.iterations)


def _longest(row: _Row) -> int:
    """The most updates that a chain of the row has."""
    return max(Counter(candidate.chain for candidate in row.candidates).values()) - 1


def _said(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg'][:1].lower()}{first['msg'][1:]}"


def _trajectory(row: _Row, where: str, iterations: int) -> Trajectory:
    counted = row.calls_per_candidate
    if counted is not None and len(counted) != len(row.candidates):
        raise UsageError(f"{where}: calls_per_candidate counts {len(counted)} candidates of {len(row.candidates)}")
    chains: dict[int, tuple[Step, ...]] = {}
    answers: dict[str, str] = {}
    moments, weights, right, seconds = list[Moment](), dict[Place, float](), dict[Place, bool](), 0.0
    for at, told in enumerate(row.candidates):
        steps = chains.get(told.chain, ())
        index = len(steps)
        if told.iteration not in (None, index):
            raise UsageError(
                f"{where}: candidates.{at}: iteration {told.iteration} of chain {told.chain} is not {index}"
            )
        step = _step(told, index, answers, row.kind)
        chains[told.chain] = (*steps, step)
        calls = told.calls if told.calls is not None else counted[at] if counted else 0
        seconds += told.seconds or 0.0
        spent = Usage(calls, told.tokens or 0, cost_usd=told.cost_usd)
        moments.append(Moment(told.chain, ChainState(chains[told.chain]), spent, seconds))
        if told.weight is not None or told.score is not None:
            weights[told.chain, index] = told.weight if told.weight is not None else told.score or 0.0
        if told.right is not None or row.gold is not None:
            right[told.chain, index] = _right(told, row)
    return Trajectory(
        row.id,
        Plan(Task(row.id, row.kind), "foreign", Models("", "", ""), chains=len(chains), iterations=iterations),
        tuple(moments),
        _ended(chains, iterations),
        right=MappingProxyType(right) if len(right) == len(row.candidates) else None,
        weights=MappingProxyType(weights),
        missing=frozenset(_missing(row)),
    )


def _step(told: _Candidate, index: int, answers: dict[str, str], kind: Kind) -> Step:
    # Equal answers are one text, as in a live run; a text that was not recorded is like no other.
    parsed = None if told.parsed is None else answers.setdefault(normal(told.parsed, kind), told.parsed)
    text = told.text if told.text is not None else parsed or f"(not recorded: {told.chain}/{index})"
    phase = Phase.UPDATE if index else Phase.DRAFT
    problem = "unreadable" if parsed is None else None
    tests = TestCounts(told.tests.passed, told.tests.total) if told.tests else None
    evaluation = None
    if told.verdict is not None or told.score is not None or tests:
        evaluation = Evaluation(told.chain, index, told.verdict or Verdict.FLAWED, "", told.score, tests)
    decision = Decision(told.chain, index, told.accepted, "as it was recorded")
    return Step(Candidate(told.chain, index, phase, text, parsed, problem), evaluation, decision=decision)


def _right(told: _Candidate, row: _Row) -> bool:
    if told.right is not None or row.gold is None:
        return bool(told.right)
    return told.parsed is not None and same(told.parsed, row.gold, row.kind)


def _ended(chains: Mapping[int, tuple[Step, ...]], iterations: int) -> Mapping[int, str]:
    return MappingProxyType(
        {
            number: f"the record of chain {number} ends after iteration {len(steps) - 1} of {iterations}"
            for number, steps in chains.items()
            if len(steps) - 1 < iterations
        }
    )


def _missing(row: _Row) -> Iterator[str]:
    """What a rule cannot look at, because a candidate lacks it; scores and verdicts may be those of some."""
    every = row.candidates
    if row.calls_per_candidate is None and any(one.calls is None for one in every):
        yield "calls"
    for what, field in (("tokens", "tokens"), ("cost", "cost_usd"), ("time", "seconds"), ("texts", "text")):
        if any(getattr(one, field) is None for one in every):
            yield what
    if all(one.verdict is None for one in every):
        yield "verdicts"
    if all(one.score is None for one in every):
        yield "scores"
    if row.kind is Kind.CODE and all(one.tests is None for one in every):
        yield "tests"
