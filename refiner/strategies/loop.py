"""The one loop behind every strategy: draft, then evaluate → gradient → update → gate until a rule says stop."""

from refiner.domain.events import ChainStopped
from refiner.domain.run import Stop
from refiner.strategies.verbs import Chain


async def refine(chain: Chain, *, direct: bool, shuffle: bool = False, redraw: bool = False) -> Stop:
    """Draft and refine one chain until the run's stop rules end it; returns why.

    direct: the critique is the gradient, two calls an iteration instead of three. Raises ExhaustedError when the
    budget has no room for a call or the run is told to stop.
    """
    if not chain.state.steps:
        await chain.draft(shuffle=shuffle, redraw=redraw)
    # A resumed chain goes on behind its last candidate; the calls of the iteration it died in are in the journal.
    index = chain.state.iterations
    while (stop := chain.context.stop(chain.number)) is None:
        answer, evaluation, _ = await chain.evaluate(index, direct=direct)
        if (stop := chain.context.stop(chain.number)) is not None:
            break
        await chain.backward(evaluation, answer, index)
        await chain.gate(await chain.step(answer, index))
        index += 1
    await chain.context.record(ChainStopped(chain.number, index, stop))
    return stop
