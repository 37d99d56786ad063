"""A run of a program's own that other processes may pause, stop and give another budget."""

import anyio

from refiner.autograd.concurrent import bare_errors
from refiner.domain.state import RunState
from refiner.run.journal import Listener
from refiner.run.steering import Steering
from refiner.strategies import Strategy
from refiner.strategies.drive import World, resume_run


async def steered(world: World, run: str, listener: Listener | None, own: Strategy | None = None) -> RunState:
    """Drive a run to its end, as `resume_run` does, while it hears what is asked of it."""
    steering, states = Steering(), list[RunState]()
    with bare_errors():
        async with anyio.create_task_group() as group:
            group.start_soon(steering.listen, world.store, run)
            streams = listener is not None
            states.append(await resume_run(world, run, listener, steering.started, streams=streams, own=own))
            group.cancel_scope.cancel()
    return states[0]
