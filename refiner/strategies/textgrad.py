"""`textgrad` and `refine`: the published loop, and a vote over all iterates (2406.07496)."""

from refiner.domain.run import Stop
from refiner.domain.votes import tally
from refiner.prompts import Prompts
from refiner.run.context import RunContext
from refiner.strategies.loop import refine_all
from refiner.strategies.selection import outcome
from refiner.strategies.verbs import Chain


async def textgrad(context: RunContext, prompts: Prompts) -> Stop:
    """Critique, gradient and update are a call each. Ties of the vote go to the first answer."""
    return await _chains(context, prompts, direct=False)


async def refine_directly(context: RunContext, prompts: Prompts) -> Stop:
    """The same loop in two calls an iteration: the critique already is the gradient."""
    return await _chains(context, prompts, direct=True)


async def _chains(context: RunContext, prompts: Prompts, *, direct: bool) -> Stop:
    chains = [Chain(context, number, prompts) for number in range(context.plan.chains)]
    stops, ended = await refine_all(chains, direct=direct)
    if len(stops) == 1 or ended:
        return ended or stops[0]
    steps = [step for chain in chains for step in chain.state.voters]
    return outcome(tally(steps), len(steps))
