"""Textual gradient descent as a loop: loss, backward, step, until a policy says stop."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count, islice
from random import Random
from typing import TypeVar

from refiner.autograd import arguments
from refiner.autograd.backward import Reduction, backward
from refiner.autograd.concurrent import scope
from refiner.autograd.losses import verdict
from refiner.autograd.operations import Sum
from refiner.autograd.optimizer import TextualGradientDescent, Update
from refiner.autograd.prompt import Engine
from refiner.autograd.variable import Variable, variables
from refiner.domain.calls import Usage
from refiner.domain.events import Candidate, ChainStopped, Decision, Evaluation, Event, Gradient, Recorded
from refiner.domain.run import Phase, Stop, StopReason, Verdict
from refiner.domain.state import RunState, apply
from refiner.policies.language import parse

T = TypeVar("T")
Loss = Callable[[int], Awaitable[Variable]]
"""The loss of an iteration, counted from 0: the graph, built anew from the parameters as they are then."""

Record = Callable[[Event], Awaitable[None]]
Rule = Callable[[RunState, int], Stop | None]
"""A policy, or whatever else says stop."""


@dataclass(frozen=True, slots=True)
class Descent:
    """How a descent went: why it stopped, its updates step by step, its last loss, and the state that its policy saw,
    where the parameters are one chain."""

    stop: Stop
    updates: tuple[tuple[Update, ...], ...]
    loss: Variable | None
    state: RunState


async def descend(
    optimizer: TextualGradientDescent,
    loss: Loss,
    *,
    until: str | Rule = "iterations:3",
    critic: Engine | None = None,
    reduction: Reduction = "concatenate",
    engines: Sequence[Engine] = (),
    record: Record | None = None,
) -> Descent:
    """Change the optimizer's parameters until a policy stops it, or a loss brings them no feedback.

    A policy sees each step as a candidate. Its score is the optimizer's validation, or else the loss's own, negated
    where less is better; `clean` stops when no evaluation finds anything to change. critic makes the gradients, the
    optimizer's engine unless it is given. `calls`, `tokens` and `cost` count what these two and `engines` use from now
    on. record hears every event. Raises what the engines raise, and UsageError for an expression that is no policy.
    """
    policy = parse(until) if isinstance(until, str) else until
    critic = critic or optimizer.engine
    arguments.functions(until=policy, loss=loss)
    arguments.engine(critic)
    all_engines = {id(engine): engine for engine in (critic, optimizer.engine, *engines)}
    told = _Told(record, [*all_engines.values()])
    await told.candidate(optimizer, (), 0)
    updates: list[tuple[Update, ...]] = []
    made: Variable | None = None
    while (stop := policy(told.state, 0)) is None:
        iteration, current = len(updates), told.current
        with scope(str(iteration)):
            optimizer.zero_grad()
            score = await optimizer.validate()
            made = await arguments.awaited("loss", loss(iteration))
            variables("what loss came to", made)
            score = made.score if score is None else score
            await told.event(Evaluation(0, current, _verdict(made), made.value, score, iteration=iteration))
            if stop := policy(told.state, 0):
                break
            await backward(made, critic, reduction, prompts=optimizer.prompts)
            heard = [feedback.text for one in optimizer.parameters for feedback in one.gradients]
            if not heard:
                stop = Stop(StopReason.CONVERGED, "the loss brings the parameters no feedback")
                break
            await told.event(Gradient(0, current, "\n\n".join(heard), iteration))
            updates.append(tuple(await optimizer.step()))
        await told.candidate(optimizer, updates[-1], len(updates))
    if told.unscored and optimizer.validated is not None:
        score = await optimizer.validate()
        await told.event(Evaluation(0, told.current, Verdict.FLAWED, "", score, iteration=len(updates)))
    await told.event(ChainStopped(0, len(updates), stop))
    return Descent(stop, tuple(updates), made, told.state)


def batches(examples: Sequence[T], size: int, seed: int, epochs: int | None = None) -> Iterator[Sequence[T]]:
    """All examples once an epoch, each time in another order; without a number of epochs it has no end."""
    for epoch in islice(count(), epochs):
        order = [*examples]
        Random(f"{seed}/{epoch}").shuffle(order)  # noqa: S311 - a choice, no secret
        yield from (order[start : start + size] for start in range(0, len(order), size))


@dataclass(slots=True)
class _Told:
    """The events so far, as the state that policies see."""

    record: Record | None
    engines: Sequence[Engine]
    state: RunState = field(default_factory=lambda: RunState(status="running"))
    before: Usage | None = None
    number: int = 0

    @property
    def current(self) -> int:
        step = self.state.chain(0).current
        return step.candidate.index if step else 0

    @property
    def unscored(self) -> bool:
        """Whether the last step was accepted, which no iteration has evaluated since."""
        step = self.state.chain(0).current
        return step is not None and step.evaluation is None

    async def event(self, event: Event) -> None:
        self.number += 1
        used = sum((engine.usage for engine in self.engines), Usage())
        self.before = self.before or used
        state = apply(self.state, Recorded(self.number, "", datetime.now(UTC), event))
        self.state = replace(state, usage=_less(used, self.before))
        if self.record:
            await self.record(event)

    async def candidate(self, optimizer: TextualGradientDescent, updates: Sequence[Update], index: int) -> None:
        """The parameters as they are now, or as a step wanted them, and the gate's word on that."""
        proposed = {id(update.variable): update.new for update in updates}
        values = {one.role: proposed.get(id(one), one.value) for one in optimizer.parameters}
        text = "\n\n".join(values.values() if len(values) == 1 else (f"{role}:\n{v}" for role, v in values.items()))
        wrong = [update for update in updates if update.problem]
        accepted = index == 0 or len(wrong) < len(updates)
        problem = None if accepted else wrong[0].problem
        whose = (f"the {one.variable.role}: " if len(values) > 1 else "" for one in wrong)
        reason = "; ".join(f"{role}{one.reason or one.problem}" for role, one in zip(whose, wrong, strict=True))
        fine = "nothing speaks against it" if optimizer.validated is None else f"validation: {optimizer.validated:.3g}"
        phase = Phase.UPDATE if index else Phase.DRAFT
        await self.event(Candidate(0, index, phase, text, text, problem))
        await self.event(Decision(0, index, accepted, reason or (fine if index else "the start")))


def _verdict(loss: Variable) -> Verdict:
    """What a loss comes to; a sum is as good as its worst part."""
    parts = loss.sources if isinstance(loss.operation, Sum) else (loss,)
    found = [verdict(part.value) for part in parts]
    return next((one for one in found if one is not Verdict.CORRECT), Verdict.CORRECT)


def _less(now: Usage, before: Usage) -> Usage:
    cost = None if now.cost_usd is None or before.cost_usd is None else now.cost_usd - before.cost_usd
    return Usage(
        now.calls - before.calls,
        now.input_tokens - before.input_tokens,
        now.cached_input_tokens - before.cached_input_tokens,
        now.output_tokens - before.output_tokens,
        now.reasoning_tokens - before.reasoning_tokens,
        cost,
        now.estimated,
    )
