"""`sample`: independent answers and nothing more, with which refinement has to compare."""

from dataclasses import replace
from functools import partial

from refiner.autograd.concurrent import gather
from refiner.domain.events import Candidate
from refiner.domain.run import Phase, Stop
from refiner.domain.state import RunState, Step
from refiner.domain.task import Kind
from refiner.policies.language import parse
from refiner.prompts import Prompts
from refiner.run.context import RunContext
from refiner.run.ledger import ExhaustedError
from refiner.strategies.programs import Workshop
from refiner.strategies.selection import outcome
from refiner.strategies.verbs import EXPLORING, Chain
from refiner.strategies.vote import WAVE, tally_of


async def sample(context: RunContext, prompts: Prompts) -> Stop:
    """Draw `least` answers, and further ones until the plan's own rule holds or all chains are drawn.

    The first is drawn greedily: it is the answer of who asks once. Nothing that is found out ends the sampling.
    """
    plan = context.plan
    enough = parse(plan.until) if plan.until else None
    drawn = 0
    while drawn < plan.chains and not (drawn and enough and enough(_answered(context), 0)):
        wave = max(WAVE, drawn // 4) if drawn else plan.least if enough else plan.chains
        upto = min(plan.chains, drawn + wave)
        stops = await gather(*(partial(_drawn, context, prompts, number) for number in range(drawn, upto)))
        if ended := next((stop for stop in stops if stop), None):
            return ended
        drawn = upto
    return outcome(tally_of(context, drawn), drawn)


def _answered(context: RunContext) -> RunState:
    """The state, had it cost what its answers did: calls that failed are nobody's merit."""
    return replace(context.state, usage=context.state.answered)


async def _drawn(context: RunContext, prompts: Prompts, number: int) -> Stop | None:
    """Draw an answer that is not there yet; why the run ends, where it does."""
    steps, task = context.state.chain(number).steps, context.plan.task
    if steps and steps[-1].decision:
        return None
    try:
        if task.kind is not Kind.CODE:
            await Chain(context, number, prompts).draft(shuffle=number > 0)
            return None
        given = Candidate(number, 0, Phase.DRAFT, task.program, task.program) if task.program is not None else None
        step = Step(given) if given else None
        await Workshop(context, prompts).first(number, step, EXPLORING if number else 0.0)
    except ExhaustedError as exhausted:
        return exhausted.stop
    return None
