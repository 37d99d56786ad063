"""`vote`: the majority of independent answers, each refined where iterations are asked for."""

from refiner.domain.run import Stop
from refiner.domain.votes import Tally, decided, tally
from refiner.prompts import Prompts
from refiner.run.context import RunContext
from refiner.strategies.loop import refine_all
from refiner.strategies.selection import outcome
from refiner.strategies.verbs import Chain

WAVE = 2
"""Answers that are added at a time while the vote is contested."""


async def vote(context: RunContext, prompts: Prompts) -> Stop:
    """Draw answers, options shuffled by seed, until the lead is decided or all chains are used.

    Without `adaptive` all chains are drawn.
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
    return outcome(tally_of(context, drawn), drawn)


def tally_of(context: RunContext, chains: int) -> Tally:
    """The votes of the first so many chains: each one's last accepted answer."""
    finals = (context.state.chain(number).current for number in range(chains))
    return tally(step for step in finals if step is not None)
