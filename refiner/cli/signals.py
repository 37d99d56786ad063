"""Ctrl-C, SIGTERM and `run stop|cancel`: how a run that this process drives is ended from outside."""

import signal
from collections.abc import Awaitable, Callable

import anyio
from anyio.abc import TaskStatus

from refiner.autograd.concurrent import bare_errors
from refiner.domain.run import Stop, StopReason
from refiner.domain.state import RunState
from refiner.domain.store import Store
from refiner.run.context import RunContext
from refiner.run.steering import Steering
from refiner.strategies.drive import SIGNALS


class AbortedError(Exception):
    """A second signal: leave at once."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


async def interruptible(
    store: Store,
    run: str,
    drive: Callable[[Callable[[RunContext], None]], Awaitable[RunState]],
    note: Callable[[str], None],
) -> RunState:
    """Drive a run while signals and other processes may end it. Raises AbortedError on the second signal.

    note tells the user what the first one comes to, for calls under way may take a while.
    """
    steering = Steering()
    aborted: list[int] = []

    async def signals(*, task_status: TaskStatus[None]) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
            task_status.started()
            async for number in received:
                name = signal.Signals(number).name
                if aborted:
                    aborted.append(SIGNALS[name])
                    group.cancel_scope.cancel()
                    return
                aborted.append(SIGNALS[name])
                steering.interrupt(Stop(StopReason.SIGNAL, f"{name}: what was paid for is kept"))
                note("stopping after the calls under way; once more ends it at once")

    states: list[RunState] = []
    with bare_errors():
        async with anyio.create_task_group() as group:
            await group.start(signals)
            group.start_soon(steering.listen, store, run)
            states.append(await drive(steering.started))
            group.cancel_scope.cancel()
    if not states:
        raise AbortedError(aborted[-1])
    return states[0]
