"""The service while it answers, and the database while it does not."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from time import monotonic
from typing import Any, TypeVar

from refiner.domain.errors import DaemonBusyError, DaemonError, VersionError
from refiner.domain.eval_state import EvalLine, EvalPair, EvalState
from refiner.domain.events import Delta, Heard
from refiner.domain.run import Control, Limits, Rewrite
from refiner.domain.service import ServiceState
from refiner.domain.store import RunRow
from refiner.tui.source import Sketch, Source

T = TypeVar("T")

AGAIN = 3.0
"""Seconds between two looks for a service that is not there."""


@dataclass
class Nearest:
    """Implements Source: who follows a run when the service goes away, or comes up, goes on behind the last event."""

    service: Source
    database: Source
    _served: bool = False
    _next: float = 0.0
    _why: str = ""

    @property
    def name(self) -> str:
        if self._served:
            return self.service.name
        again = f", trying again in {max(0, ceil(self._next - monotonic()))} s" if self._why else ""
        return f"{self._why or self.database.name}{again}"

    async def runs(self, limit: int, offset: int = 0) -> Sequence[RunRow]:
        return await self._of(lambda source: source.runs(limit, offset))

    async def changed(self, since: datetime) -> Sequence[RunRow]:
        return await self._of(lambda source: source.changed(since))

    async def find(self, prefix: str) -> str:
        return await self._of(lambda source: source.find(prefix))

    async def follow(self, run: str, after: int = 0) -> AsyncGenerator[Sequence[Heard], None]:
        while True:
            source = await self._source()
            try:
                async with aclosing(source.follow(run, after)) as told:
                    async for what in told:
                        after = max([after, *(each.id for each in what if not isinstance(each, Delta))])
                        yield what
                        if source is not await self._source():
                            break
            except DaemonError as error:
                self._lost(source, error)

    async def evals(self, limit: int = 100) -> Sequence[EvalLine]:
        return await self._of(lambda source: source.evals(limit))

    async def eval_state(self, prefix: str) -> EvalState:
        return await self._of(lambda source: source.eval_state(prefix))

    async def eval_pair(self, first: str, second: str) -> EvalPair:
        return await self._of(lambda source: source.eval_pair(first, second))

    async def service_state(self) -> ServiceState:
        return await self._of(lambda source: source.service_state())

    async def ask(self, run: str, control: Control) -> None:
        await self._of(lambda source: source.ask(run, control))

    async def budget(self, run: str, limits: Limits) -> None:
        await self._of(lambda source: source.budget(run, limits))

    async def hold(self, run: str) -> float:
        return await self._of(lambda source: source.hold(run))

    async def edit(self, run: str, rewrite: Rewrite) -> None:
        await self._of(lambda source: source.edit(run, rewrite))

    async def remove(self, run: str) -> None:
        await self._of(lambda source: source.remove(run))

    async def fork(self, run: str, chain: int, iteration: int, edit: Mapping[str, str]) -> str:
        return await self._of(lambda source: source.fork(run, chain, iteration, edit))

    async def sketched(self, sketch: Sketch) -> Mapping[str, Any]:
        return await self._of(lambda source: source.sketched(sketch))

    async def plan(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._of(lambda source: source.plan(body))

    async def submit(self, body: Mapping[str, Any]) -> str:
        return await self._of(lambda source: source.submit(body))

    async def _of(self, work: Callable[[Source], Awaitable[T]]) -> T:
        source = await self._source()
        try:
            return await work(source)
        except DaemonError as error:
            self._lost(source, error)
        return await work(self.database)

    async def _source(self) -> Source:
        if not self._served and monotonic() >= self._next:
            self._next = monotonic() + AGAIN
            try:
                await self.service.runs(1)
            except VersionError:
                self._why = "the service is of another version: database"
            except DaemonError:
                pass
            else:
                self._served = True
        return self.service if self._served else self.database

    def _lost(self, source: Source, error: DaemonError) -> None:
        """Turn to the database. Raises the error where it is the database's own, or the service is still there."""
        if source is self.database or isinstance(error, DaemonBusyError):
            raise error
        self._served, self._next, self._why = False, monotonic() + AGAIN, "lost the service: database"
