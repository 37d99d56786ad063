"""`fuse`: drafts of a text become one, which is criticised by a rubric, rewritten, and judged in both orders."""

from dataclasses import replace
from functools import partial

from refiner.autograd.concurrent import gather
from refiner.domain.run import Stop, StopReason
from refiner.prompts import Prompts
from refiner.run.context import RunContext
from refiner.run.ledger import ExhaustedError
from refiner.strategies.loop import refine
from refiner.strategies.verbs import Chain


async def fuse(context: RunContext, prompts: Prompts) -> Stop:
    """Draft in as many chains as there are, fuse into the first of them, and refine that one.

    An update of the fusion is accepted only if a judge prefers it in both orders and it is not much longer.
    """
    chains = [Chain(context, number, prompts) for number in range(context.plan.chains)]
    drafts = await gather(*(partial(_drafted, chain) for chain in chains))
    if ended := next(filter(None, drafts), None):
        return ended
    readable = [chain for chain in chains if chain.state.current is not None]
    if not readable:
        return Stop(StopReason.ERROR, "the model's reply holds no answer")
    first = readable[0]
    if len(readable) > 1 and not first.state.iterations and context.plan.iterations:
        try:
            await first.fuse([chain.current.candidate for chain in readable])
        except ExhaustedError as exhausted:
            return exhausted.stop
    return await refine(replace(first, judged=True), direct=True)


async def _drafted(chain: Chain) -> Stop | None:
    """Draft, unless that was done before a crash; why it could not be, where the budget is over."""
    try:
        if not chain.state.steps:
            await chain.draft()
    except ExhaustedError as exhausted:
        return exhausted.stop
    return None
