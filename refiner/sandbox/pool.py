"""Warm workers that are lent out, one cell at a time each."""

import os
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Literal, NoReturn

import anyio

from refiner.domain.code import Outcome
from refiner.domain.errors import SandboxError
from refiner.sandbox.cell import Inside
from refiner.sandbox.limits import Limits
from refiner.sandbox.running import RunningCell
from refiner.sandbox.worker import Launch, Worker

Role = Literal["candidate", "tester"]
"""Programs and their tests never share a worker; commands go where programs go."""

Program = Inside | Literal["breakout"]

RECYCLED = 500
"""Cells after which a worker is replaced."""


class WorkerPool:
    """The `Sandbox` of any layer: `launch` says how a worker of a role and a folder is started.

    most: cells at once in each role. depth: see `RunningCell`.
    """

    def __init__(
        self,
        layer: str,
        launch: Callable[[Role, str | None], Launch],
        limits: Limits,
        *,
        most: int | None = None,
        depth: int = 0,
        recycled: int = RECYCLED,
    ) -> None:
        self._layer, self._launch, self._limits, self._depth = layer, launch, limits, depth
        self._most = most or 2 * (os.cpu_count() or 1)
        self._free = {role: anyio.Semaphore(self._most, fast_acquire=True) for role in ("candidate", "tester")}
        self.idle: dict[tuple[Role, str | None], list[Worker]] = defaultdict(list)
        self.recycled = recycled
        self._closed = False

    @property
    def layer(self) -> str:
        return self._layer

    def open(
        self, inside: Program, *, folder: str | None = None, limits: Limits | None = None
    ) -> AbstractAsyncContextManager[RunningCell]:
        return self._open(inside, folder, limits or self._limits)

    async def warm(self, inside: Program, *, folder: str | None = None) -> None:
        """Have a worker wait for the next cell of this kind."""
        key = _role(inside), folder
        if not self.idle[key]:
            self.idle[key].append(await Worker.start(self._launch(*key)))

    async def aclose(self) -> None:
        self._closed = True
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as tasks:
                for worker in (worker for idle in self.idle.values() for worker in idle):
                    tasks.start_soon(worker.end)
        self.idle.clear()

    @asynccontextmanager
    async def _open(self, inside: Program, folder: str | None, limits: Limits) -> AsyncIterator[RunningCell]:
        key = _role(inside), folder
        async with self._free[key[0]]:
            worker = await self._borrowed(key)
            cell = RunningCell(worker, limits, self._depth)
            ending = None
            try:
                async with anyio.create_task_group() as tasks:
                    await cell.begin(inside)
                    for work in (cell.heard, cell.drained, cell.watched):
                        tasks.start_soon(cell.beside, work)
                    try:
                        yield cell
                    finally:
                        ending = await cell.close()
                        cell.release()
            except BaseExceptionGroup as group:
                _raise_sole(group)
            finally:
                whole = ending is not None and ending.outcome is not Outcome.SANDBOX
                with anyio.CancelScope(shield=True):
                    await self._give_back(key, worker, whole)
            if cell.failed:
                raise SandboxError(f"the {self._layer} sandbox opens no cell: {cell.failed}")

    async def _borrowed(self, key: tuple[Role, str | None]) -> Worker:
        idle = self.idle[key]
        while idle:
            worker = idle.pop()
            if worker.alive:
                return worker
            await worker.end()
        return await Worker.start(self._launch(*key))

    async def _give_back(self, key: tuple[Role, str | None], worker: Worker, whole: bool) -> None:
        worker.opened += 1
        if self._closed or not whole or worker.opened >= self.recycled:
            await worker.end()
            return
        self.idle[key].append(worker)
        # A folder is mounted when its workers start: those of folders that are no longer asked for would only pile up.
        others = [other for other in self.idle if other != key and other[0] == key[0] and self.idle[other]]
        if sum(len(self.idle[other]) for other in others) > self._most:
            await self.idle[others[0]].pop().end()


def _role(inside: Program) -> Role:
    return "tester" if inside == "tester" else "candidate"


def _raise_sole(group: BaseExceptionGroup[BaseException]) -> NoReturn:
    """What went wrong inside a cell is its user's own error, not a group of one."""
    if len(group.exceptions) == 1:
        raise group.exceptions[0] from None
    raise group
