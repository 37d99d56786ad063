"""Backward: feedback flows from a loss to everything that it was made from."""

from collections import Counter
from functools import partial

import anyio

from refiner.autograd.concurrent import bare_errors, gather
from refiner.autograd.prompt import Engine
from refiner.autograd.variable import Variable, topological


async def backward(loss: Variable, engine: Engine) -> None:
    """Give each source of the loss that requires it its textual gradients, behind those that it has already.

    A node's turn comes when all of its successors have had theirs; nodes whose turn has come run concurrently. The
    result does not depend on which of them finishes first. Raises what the engine raises.
    """
    order = topological(loss)[::-1]
    walk = max(node.walks for node in order)
    number = {id(node): index for index, node in enumerate(order)}
    waiting = Counter(id(source) for node in order for source in dict.fromkeys(node.sources))
    reached = {id(loss)}

    async def edge(node: Variable, source: Variable, position: int) -> None:
        if node.operation is None or not source.requires_grad or id(node) not in reached:
            return
        place = f"{number[id(node)]}.{position}"
        if (feedback := await node.operation.gradient(node, source, engine, place)) is not None:
            source.add_gradient(feedback, (walk, number[id(node)], position))
            reached.add(id(source))

    async def visit(node: Variable) -> None:
        sources = tuple(dict.fromkeys(node.sources))
        await gather(*(partial(edge, node, source, position) for position, source in enumerate(sources)))
        waiting.subtract(id(source) for source in sources)
        for source in sources:
            if not waiting[id(source)]:
                nodes.start_soon(visit, source)

    with bare_errors():
        async with anyio.create_task_group() as nodes:
            nodes.start_soon(visit, loss)
