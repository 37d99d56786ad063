"""The runs that the service drives: taken from the queue, gone on with after a crash, steered, ended."""

from contextlib import suppress
from dataclasses import dataclass, field
from math import inf

import anyio
from anyio.abc import TaskGroup

from refiner.domain.errors import RefinerError, StoreError
from refiner.domain.events import Note, RunFinished
from refiner.domain.run import Stop, StopReason
from refiner.domain.state import fold
from refiner.run.context import RunContext
from refiner.run.steering import POLL, Steering
from refiner.service.feed import Feed
from refiner.service.logs import PARKED, log
from refiner.service.queue import Local, Queue
from refiner.store.sql import SqlStore
from refiner.strategies.drive import World, resume_run

CRASHES = 3
"""Services that may die over a run before it is left alone."""

SHUTDOWN = Stop(StopReason.SIGNAL, "SIGTERM: the service was shut down, and goes on with it at its next start")

IDLE = 1.0
"""Seconds between two looks for words where there is no run to hear them."""

SWEEP = 2.0
"""Seconds between two looks for runs whose service died, and between two tries of a run while the store is away."""


@dataclass(slots=True)
class Workers:
    """Drives up to `most` runs at a time."""

    world: World
    store: SqlStore
    feed: Feed
    most: int
    queue: Queue = field(default_factory=Local)
    live: dict[str, Steering] = field(default_factory=dict)
    closed: anyio.Event = field(default_factory=anyio.Event)
    _runs: TaskGroup | None = None
    _look: anyio.Event = field(default_factory=anyio.Event)
    _fault: bool = False
    _stuck: set[str] = field(default_factory=set)
    _one: anyio.Lock = field(default_factory=anyio.Lock)

    @property
    def room(self) -> int:
        return self.most - len(self.live)

    def wake(self) -> None:
        """There is something in the queue."""
        self.queue.put()

    async def run(self) -> None:
        """Drive what dead services left and what is in the queue, until `close`; a store that is away is waited for."""
        async with anyio.create_task_group() as self._runs:
            self._runs.start_soon(self._sweep)
            await self.queue.work(self)

    async def hear(self) -> None:
        """Wake the runs that are asked something, until it is cancelled: one look for all of them."""
        last = 0
        while True:
            with suppress(StoreError):  # a database that went away may come back
                for number, run in await self.store.told(last):
                    last = number
                    if steering := self.live.get(run):
                        steering.wake()
            await anyio.sleep(POLL if self.live else IDLE)

    def sweep(self) -> None:
        """Look at once for what a service left that died meanwhile."""
        self._look.set()

    def close(self, grace: float) -> None:
        """Take no more, and interrupt what is live: calls under way have `grace` seconds to finish."""
        self.closed.set()
        for steering in self.live.values():
            steering.interrupt(SHUTDOWN, grace)
        self.sweep()
        self.wake()

    async def take(self, most: int) -> list[anyio.Event]:
        """Begin up to so many runs that wait; each event is set at the end of one."""
        assert self._runs is not None  # noqa: S101
        ends = []
        async with self._one:
            if (most := min(most, self.room)) < 1 or self.closed.is_set():
                return []
            try:
                # Who was taken for dead, and is not, still has a task for a run that is in the queue again.
                taken = await self.store.take(most, self.live)
            except StoreError as error:
                self.failed(error)
                return []
            for run in taken:
                self.live[run] = Steering()
                ends.append(anyio.Event())
                self._runs.start_soon(self._drive, run, ends[-1])
        return ends

    def failed(self, error: Exception) -> None:
        """Say, once, that the queue or the store is out of order."""
        if not self._fault:
            log.error("the service waits, and goes on by itself", error=str(error))
        self._fault = True

    async def _sweep(self) -> None:
        while not self.closed.is_set():
            self._look = anyio.Event()
            await self._recover()
            with anyio.move_on_after(SWEEP):
                await self._look.wait()

    async def _recover(self) -> None:
        """Put what dead services left into the queue again, or park it."""
        try:
            orphans = await self.store.recover(CRASHES)
            for orphan in orphans:
                if orphan.crashes >= CRASHES:
                    await self._park(orphan.run)
        except StoreError as error:
            self.failed(error)
        else:
            if self._fault and not self._stuck:
                log.warning("the store answers again, and the service goes on")
                self._fault = False
            if orphans:
                self.wake()

    async def _drive(self, run: str, end: anyio.Event) -> None:
        try:
            while await self._stranded(run) and not self.closed.is_set():
                with anyio.move_on_after(SWEEP):
                    await self.closed.wait()
                self.live[run] = Steering()
        finally:
            self._stuck.discard(run)
            del self.live[run]
            end.set()
            self.wake()

    async def _stranded(self, run: str) -> bool:
        """Drive a run; whether it has not come to its end because the store is away."""
        steering = self.live[run]

        def started(context: RunContext) -> None:
            self._stuck.discard(run)
            steering.started(context)

        try:
            if run in self._stuck and fold(await self.store.events(run)).status == "paused":
                await self.store.ask(run, "pause", "the service, which found it paused")
            async with anyio.create_task_group() as beside:
                beside.start_soon(steering.listen, self.store, run, inf)
                state = await resume_run(self.world, run, self.feed.heard, started, streams=True)
                beside.cancel_scope.cancel()
            if state.finished and state.finished.stop == SHUTDOWN:
                await self.store.requeue(run)
        except* StoreError as errors:
            error = _first(errors)
            if error.passing:
                self.failed(error)
                self._stuck.add(run)
            else:
                log.error("run left", run=run, error=str(error))
        except* RefinerError:
            pass  # it has ended as failed, and says why
        return run in self._stuck

    async def _park(self, run: str) -> None:
        stop = Stop(StopReason.ERROR, f"{CRASHES} services died over it: `refiner run resume {run}` tries once more")
        number = fold(await self.store.events(run)).resumptions
        ended = (Note(PARKED + stop.detail), RunFinished("failed", 1, stop, number, RefinerError.kind))
        for recorded in await self.store.append(run, ended):
            self.feed.heard(recorded)


def _first(errors: ExceptionGroup[StoreError]) -> StoreError:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first
