"""`compare`: a vote, and where it stays contested, a look at the first step in which the answers differ."""

from refiner.autograd.prompt import Prompt, Section, ask
from refiner.domain.calls import Role
from refiner.domain.events import Preferred
from refiner.domain.run import Stop, StopReason
from refiner.domain.votes import Tally, apart, decided
from refiner.prompts import Prompts
from refiner.run.context import RunContext
from refiner.run.engines import StepEngine
from refiner.run.ledger import ExhaustedError
from refiner.strategies.verbs import EXPLORING
from refiner.strategies.vote import tally_of, vote
from refiner.verify.statement import statements

TIMES = 3
"""Comparisons of a contested vote at the most; two that agree are enough."""


async def compare(context: RunContext, prompts: Prompts) -> Stop:
    """Vote; the distinct answers of a contested vote are compared, and each comparison counts as two voters.

    Only by a strong model: small ones cannot merge what they compare (2509.00084).
    """
    stop = await vote(context, prompts)
    counted = tally_of(context, context.plan.chains)
    if stop.reason is not StopReason.VOTE_DECIDED or len(counted.steps) < 2 or decided(*counted.lead):
        return stop
    if apart(counted, context.plan.task.kind):  # the vote has compared them
        return stop
    if not context.capabilities(Role.JUDGE).strong:
        await context.note("the vote is contested, and the model is too small to compare answers: the majority stands")
        return stop
    try:
        return await _compared(context, prompts, counted)
    except ExhaustedError as exhausted:
        return exhausted.stop


async def _compared(context: RunContext, prompts: Prompts, counted: Tally) -> Stop:
    picks: list[int | None] = []
    while len(picks) < TIMES and (len(picks) < 2 or picks[0] != picks[1]):
        picks.append(await _picked(context, prompts, counted, len(picks)))
    answers = [counted.votes[pick].answer for pick in picks if pick is not None]
    told = ", ".join(f'"{answer}"' for answer in answers) or "none of them"
    return Stop(StopReason.VOTE_DECIDED, f"{len(picks)} comparisons of {len(counted.steps)} answers prefer {told}")


async def _picked(context: RunContext, prompts: Prompts, counted: Tally, number: int) -> int | None:
    """Which answer a comparison holds for right; every other one shows them in the opposite order."""
    order = list(range(len(counted.steps)))[:: -1 if number % 2 else 1]
    shown = (
        Section(f"solution_{at}", counted.steps[index].candidate.text, whole=False) for at, index in enumerate(order, 1)
    )
    prompt = Prompt(prompts["system"], (Section("task", context.plan.task.text), *shown), prompts["compare"], shared=1)
    engine = StepEngine(context, 0, 0, EXPLORING if number else 0.0)
    said = next(statements((await ask(engine, prompt, Role.JUDGE, f"compare.{number}")).text), None)
    named = said.text.strip(" .*()").lower().removeprefix("solution").strip(" _") if said else ""
    if not named.isdecimal() or not 1 <= int(named) <= len(order):
        return None
    pick = order[int(named) - 1]
    place = counted.steps[pick].candidate
    await context.record(Preferred(place.chain, place.index, number))
    return pick
