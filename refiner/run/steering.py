"""What is asked of a live run from outside, as it reaches the run: signals, and words of other processes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio

from refiner.autograd.concurrent import bare_errors
from refiner.domain.errors import StoreError
from refiner.domain.events import Steered
from refiner.domain.run import Stop, StopReason, Word
from refiner.domain.store import Store
from refiner.run.context import RunContext

POLL = 0.25
"""Seconds between two looks at what was asked of the run from another process."""


@dataclass(slots=True)
class Steering:
    """Passes what is asked on to a run's context, also when it is asked before there is one."""

    _context: RunContext | None = None
    _interruptions: list[tuple[Stop, float | None]] = field(default_factory=list)
    _started: anyio.Event = field(default_factory=anyio.Event)
    _news: anyio.Event = field(default_factory=anyio.Event)

    def started(self, context: RunContext) -> None:
        """Let a run begin; it starts no call before `listen` knows whether it is to be paused."""
        self._context = context
        context.pause()
        for stop, grace in self._interruptions:
            _interrupt(context, stop, grace)
        self._started.set()

    def interrupt(self, stop: Stop, grace: float | None = None) -> None:
        """End the run; grace in seconds as in RunContext.interrupt."""
        self._interruptions.append((stop, grace))
        if self._context:
            _interrupt(self._context, stop, grace)

    def wake(self) -> None:
        """Something was asked of the run."""
        self._news.set()

    async def listen(self, store: Store, run: str, poll: float = POLL) -> None:
        """Hear what other processes ask of the run, at each `wake` and every `poll` seconds, until it is cancelled."""
        await self._started.wait()
        assert self._context is not None  # noqa: S101
        context, began = self._context, False
        while True:
            self._news, pause = anyio.Event(), poll
            try:
                for word in await store.asked(run, context.state.heard):
                    await self.hear(context, word)
                if not began and context.state.status != "paused":
                    context.go_on()
                began = True
            except StoreError as error:
                if not error.passing:  # a run that is paused stays so while the store is away
                    raise
                pause = POLL
            with anyio.move_on_after(pause):
                await self._news.wait()

    async def hear(self, context: RunContext, word: Word) -> None:
        """Do what the word says, and record it first."""
        if word.control == "edit":
            await context.critiques.edit(word)
            return
        await context.record(Steered(word))
        by = f"asked for by {word.who}"
        match word.control:
            case "pause":
                context.pause()
            case "resume":
                context.go_on()
            case "hold" if word.limits and word.limits.seconds is not None:
                context.critiques.hold(word.limits.seconds)
            case "budget":
                context.rebudget()
            case "stop":
                self.interrupt(Stop(StopReason.SIGNAL, f"stop: {by}"))
            case "cancel":
                self.interrupt(Stop(StopReason.SIGNAL, f"cancel: {by}"), 0.0)


@asynccontextmanager
async def steered(store: Store, run: str) -> AsyncIterator[Steering]:
    """Hear what other processes ask of a run, while the block drives it and hands its context to `started`."""
    steering = Steering()
    with bare_errors():
        async with anyio.create_task_group() as group:
            group.start_soon(steering.listen, store, run)
            yield steering
            group.cancel_scope.cancel()


def _interrupt(context: RunContext, stop: Stop, grace: float | None) -> None:
    if grace is None:
        context.interrupt(stop)
    else:
        context.interrupt(stop, grace)
