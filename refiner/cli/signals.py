"""Ctrl-C, SIGTERM and `run stop|cancel`: how a run that this process drives is ended from outside."""

import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskStatus

from refiner.autograd.concurrent import bare_errors
from refiner.domain.run import Stop, StopReason
from refiner.domain.state import RunState
from refiner.domain.store import Store
from refiner.run.context import RunContext
from refiner.strategies.drive import SIGNALS

POLL = 0.5
"""Seconds between two looks at what was asked of the run from another process."""


class AbortedError(Exception):
    """A second signal: leave at once."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class Steering:
    """Passes what the user asks on to a run's context, also when it is asked before there is one."""

    _context: RunContext | None = None
    _asked: list[tuple[Stop, float | None]] = field(default_factory=list)

    def started(self, context: RunContext) -> None:
        self._context = context
        for stop, grace in self._asked:
            self._interrupt(context, stop, grace)

    def ask(self, stop: Stop, grace: float | None = None) -> None:
        self._asked.append((stop, grace))
        if self._context:
            self._interrupt(self._context, stop, grace)

    def _interrupt(self, context: RunContext, stop: Stop, grace: float | None) -> None:
        if grace is None:
            context.interrupt(stop)
        else:
            context.interrupt(stop, grace)


async def steered(
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
                steering.ask(Stop(StopReason.SIGNAL, f"{name}: what was paid for is kept"))
                note("stopping after the calls under way; once more ends it at once")

    async def asked() -> None:
        while True:
            await anyio.sleep(POLL)
            match await store.asked(run):
                case "stop":
                    return steering.ask(Stop(StopReason.SIGNAL, "stop: asked for by `refiner run stop`"))
                case "cancel":
                    return steering.ask(Stop(StopReason.SIGNAL, "cancel: asked for by `refiner run cancel`"), 0.0)

    states: list[RunState] = []
    with bare_errors():
        async with anyio.create_task_group() as group:
            await group.start(signals)
            group.start_soon(asked)
            states.append(await drive(steering.started))
            group.cancel_scope.cancel()
    if not states:
        raise AbortedError(aborted[-1])
    return states[0]
