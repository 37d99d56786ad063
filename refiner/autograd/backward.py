"""Backward: feedback flows from a loss to everything that it was made from."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Literal, get_args

import anyio

from refiner.autograd import arguments
from refiner.autograd.concurrent import bare_errors, gather
from refiner.autograd.prompt import Engine, Prompt, Section, ask
from refiner.autograd.variable import Feedback, Variable, topological, variables
from refiner.domain.calls import Role
from refiner.prompts import Prompts, fill

Reduction = Literal["concatenate", "summary"]
"""What becomes of many gradients of one variable: all of them one after the other, or a model's summary of them."""


async def backward(
    loss: Variable, engine: Engine, reduction: Reduction = "concatenate", *, prompts: Prompts | None = None
) -> None:
    """Give each source of the loss that requires it its textual gradients, behind those that it has already.

    A node's turn comes when all of its successors have had theirs; nodes whose turn has come run concurrently. The
    result does not depend on which of them finishes first. A summary costs a call for each variable with two gradients
    or more, and is made before they flow on. Raises what the engine raises.
    """
    variables("loss", loss)
    arguments.engine(engine)
    arguments.checked(reduction in get_args(Reduction), "reduction", reduction, '"concatenate" or "summary"')
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
        heard = node.of_walk(walk)
        if reduction == "summary" and len(heard) > 1:
            place = f"{number[id(node)]}.reduce"
            node.reduce(walk, await _summary(node, [*heard.values()], engine, place, prompts or Prompts()))
        sources = tuple(dict.fromkeys(node.sources))
        await gather(*(partial(edge, node, source, position) for position, source in enumerate(sources)))
        waiting.subtract(id(source) for source in sources)
        for source in sources:
            if not waiting[id(source)]:
                nodes.start_soon(visit, source)

    with bare_errors():
        async with anyio.create_task_group() as nodes:
            nodes.start_soon(visit, loss)


async def _summary(node: Variable, heard: Sequence[Feedback], engine: Engine, place: str, prompts: Prompts) -> Feedback:
    """Many gradients as one, under what all of them arose from; an empty reply leaves them as they are."""
    shown = (Section(f"feedback_{number}", feedback.text, whole=False) for number, feedback in enumerate(heard, 1))
    prompt = Prompt(prompts["system"], tuple(shown), fill(prompts["reduce"], role=node.role), shared=0)
    reply = await ask(engine, prompt, Role.GRADIENT, place)
    text = reply.text.strip() or "\n\n".join(feedback.text for feedback in heard)
    common = tuple(part for part in heard[0].context if all(part in feedback.context for feedback in heard))
    return Feedback(text, common, reply.usage)
