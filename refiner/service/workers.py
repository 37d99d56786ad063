"""The runs that the service drives: taken from the queue, gone on with after a crash, steered, ended."""

from dataclasses import dataclass, field

import anyio

from refiner.domain.errors import RefinerError, StoreError
from refiner.domain.events import Note, RunFinished
from refiner.domain.run import Stop, StopReason
from refiner.domain.state import fold
from refiner.run.steering import Steering
from refiner.service.feed import Feed
from refiner.service.logs import PARKED, log
from refiner.store.sql import SqlStore
from refiner.strategies.drive import World, resume_run

CRASHES = 3
"""Services that may die over a run before it is left alone."""

SHUTDOWN = Stop(StopReason.SIGNAL, "SIGTERM: the service was shut down, and goes on with it at its next start")

POLL = 1.0
"""Seconds between two looks at the queue, into which other processes may put runs."""


@dataclass(slots=True)
class Workers:
    """Drives up to `most` runs at a time."""

    world: World
    store: SqlStore
    feed: Feed
    most: int
    live: dict[str, Steering] = field(default_factory=dict)
    _news: anyio.Event = field(default_factory=anyio.Event)
    _closing: bool = False
    _sweeping: bool = True

    def wake(self) -> None:
        """There is something in the queue, or something was said to a run."""
        self._news.set()

    async def run(self) -> None:
        """Adopt what a dead service left, then drive what is in the queue until `close`."""
        async with anyio.create_task_group() as runs:
            while not self._closing:
                self._news = anyio.Event()
                if self._sweeping:
                    self._sweeping = False
                    await self._adopt(runs)
                if (room := self.most - len(self.live)) > 0:
                    for run in await self.store.take(room):
                        self._begin(run, runs)
                with anyio.move_on_after(POLL):
                    await self._news.wait()

    def sweep(self) -> None:
        """Adopt what a service left that died meanwhile."""
        self._sweeping = True
        self.wake()

    def close(self, grace: float) -> None:
        """Take no more, and interrupt what is live: calls under way have `grace` seconds to finish."""
        self._closing = True
        for steering in self.live.values():
            steering.interrupt(SHUTDOWN, grace)
        self.wake()

    async def _adopt(self, runs: anyio.abc.TaskGroup) -> None:
        for orphan in await self.store.adopt():
            if orphan.crashes >= CRASHES:
                await self._park(orphan.run)
                continue
            if orphan.paused:
                await self.store.ask(orphan.run, "pause", "the service, which found it paused")
            self._begin(orphan.run, runs)

    def _begin(self, run: str, runs: anyio.abc.TaskGroup) -> None:
        self.live[run] = Steering()
        runs.start_soon(self._drive, run)

    async def _drive(self, run: str) -> None:
        steering = self.live[run]
        try:
            async with anyio.create_task_group() as beside:
                beside.start_soon(steering.listen, self.store, run)
                state = await resume_run(self.world, run, self.feed.heard, steering.started, streams=True)
                beside.cancel_scope.cancel()
            if state.finished and state.finished.stop == SHUTDOWN:
                await self.store.requeue(run)
        except* StoreError as faults:
            # The run stands as it is, and is adopted at the next start.
            log.error("run left", run=run, error=str(faults.exceptions[0]))
        except* RefinerError:
            pass  # it has ended as failed, and says why
        finally:
            del self.live[run]
            self.wake()

    async def _park(self, run: str) -> None:
        stop = Stop(StopReason.ERROR, f"{CRASHES} services died over it: `refiner run resume {run}` tries once more")
        number = fold(await self.store.events(run)).resumptions
        ended = (Note(PARKED + stop.detail), RunFinished("failed", 1, stop, number))
        for recorded in await self.store.append(run, ended):
            self.feed.heard(recorded)
