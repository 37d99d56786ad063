"""`vote`: the majority of independent answers, each refined where iterations are asked for."""

from refiner.domain.calls import Role
from refiner.domain.events import Preferred
from refiner.domain.run import Stop, StopReason
from refiner.domain.votes import Tally, apart, decided, tally
from refiner.prompts import Prompts
from refiner.run.context import RunContext
from refiner.run.engines import StepEngine
from refiner.run.ledger import ExhaustedError
from refiner.strategies.judge import asking, wins
from refiner.strategies.loop import refine_all
from refiner.strategies.selection import outcome
from refiner.strategies.verbs import Chain

WAVE = 2
"""Answers that are added at a time while the vote is contested."""


async def vote(context: RunContext, prompts: Prompts) -> Stop:
    """Draw answers, options shuffled by seed, until the lead is decided or all chains are used.

    Without `adaptive` all chains are drawn. Texts of which no two agree are compared in pairs.
    """
    plan = context.plan
    drawn, most = 0, plan.chains
    while drawn < most:
        wave = (plan.least if drawn == 0 else WAVE) if plan.adaptive else most
        upto = min(most, drawn + wave)
        chains = [Chain(context, number, prompts) for number in range(drawn, upto)]
        stops, ended = await refine_all(chains, direct=True, redraw=True)
        if ended or most == 1:
            return ended or stops[0]
        drawn = upto
        if plan.adaptive and decided(*tally_of(context, drawn).lead):
            break
    counted = tally_of(context, drawn)
    if not apart(counted, plan.task.kind):
        return outcome(counted, drawn)
    if not context.capabilities(Role.JUDGE).strong:
        await context.note("no two texts agree, and the model is too small to compare them")
        return outcome(counted, drawn)
    try:
        return await _in_pairs(context, prompts, counted)
    except ExhaustedError as exhausted:
        return exhausted.stop


async def _in_pairs(context: RunContext, prompts: Prompts, counted: Tally) -> Stop:
    """One text after another is held against the best so far, and is better where a judge says so in both orders."""
    best, *others = (step.candidate for step in counted.steps)
    won = 0
    for other in others:
        judge = asking(StepEngine(context, other.chain, other.index), context.plan.task.text, prompts)
        if await wins(judge, other.text, best.text):
            best, won = other, won + 1
    if won:
        await context.record(Preferred(best.chain, best.index, 0))
    return Stop(StopReason.VOTE_DECIDED, f"{won} of {len(others)} comparisons prefer the later text, in both orders")


def tally_of(context: RunContext, chains: int) -> Tally:
    """The votes of the first so many chains: each one's last accepted answer."""
    finals = (context.state.chain(number).current for number in range(chains))
    return tally(step for step in finals if step is not None)
