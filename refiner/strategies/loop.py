"""The one loop behind every strategy: draft, then evaluate → gradient → update → gate until a rule says stop."""

from collections.abc import Sequence
from functools import partial

from refiner.autograd.concurrent import gather
from refiner.domain.events import ChainStopped
from refiner.domain.run import Stop, StopReason
from refiner.run.ledger import ExhaustedError
from refiner.strategies.verbs import Chain

OF_THE_RUN = frozenset({StopReason.CALLS, StopReason.TOKENS, StopReason.COST, StopReason.TIME, StopReason.SIGNAL})
"""What ends all chains of a run, not one."""


async def refine(chain: Chain, *, direct: bool, shuffle: bool = False, redraw: bool = False) -> Stop:
    """Draft and refine one chain until the run's stop rules end it; returns why.

    direct: the critique is the gradient, two calls an iteration instead of three. A chain that the budget or a signal
    ends in the middle is left open: what it has paid for is kept, and a resumed run goes on with it.
    """
    try:
        return await _refined(chain, direct=direct, shuffle=shuffle, redraw=redraw)
    except ExhaustedError as exhausted:
        return exhausted.stop


async def refine_all(chains: Sequence[Chain], *, direct: bool, redraw: bool = False) -> tuple[list[Stop], Stop | None]:
    """Refine several chains at once, options shuffled for all but the run's first.

    Returns why each ended, and the stop among them that ends the whole run, if there is one.
    """
    each = (partial(refine, chain, direct=direct, shuffle=chain.number > 0, redraw=redraw) for chain in chains)
    stops = await gather(*each)
    return stops, next((stop for stop in stops if stop.reason in OF_THE_RUN), None)


async def _refined(chain: Chain, *, direct: bool, shuffle: bool, redraw: bool) -> Stop:
    if not chain.state.steps:
        await chain.draft(shuffle=shuffle, redraw=redraw)
    elif (last := chain.state.steps[-1]).decision is None:
        await chain.gate(last.candidate)
    if chain.state.current is None:
        silent = Stop(StopReason.ERROR, "the model's reply holds no answer")
        await chain.context.record(ChainStopped(chain.number, 0, silent))
        return silent
    # A resumed chain goes on behind its last candidate; the calls of the iteration it died in are in the journal.
    index = chain.state.iterations
    while (stop := chain.context.stop(chain.number)) is None:
        answer, evaluation, said = await chain.evaluate(index, direct=direct)
        if (stop := chain.context.stop(chain.number)) is not None:
            break
        if said.vetoed:
            await chain.gate(chain.vetoed(index))
        else:
            await chain.backward(evaluation, answer, index)
            await chain.gate(await chain.step(answer, index))
        index += 1
    await chain.context.record(ChainStopped(chain.number, index, stop))
    return stop
