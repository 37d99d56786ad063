"""The database as a source of the terminal UI, where no service is: read and followed, never made or upgraded."""

import getpass
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import anyio

from refiner.config.paths import Paths, exists
from refiner.domain.errors import DaemonError, NotFoundError
from refiner.domain.eval_state import EvalLine, EvalPair, EvalState
from refiner.domain.events import Heard
from refiner.domain.run import Control, Limits, Rewrite
from refiner.domain.service import ServiceState
from refiner.domain.state import fold
from refiner.domain.store import RunRow

if TYPE_CHECKING:
    from refiner.evals.glance import Evals
    from refiner.store.sql import SqlStore
    from refiner.tui.source import Sketch

POLL = 0.25
"""Seconds between two looks."""

MOST_CHANGED = 1_000


@dataclass
class Database:
    """Implements refiner.tui.source.Source. A database that is not there yet has no runs.

    holds: seconds that a run waits for an edit.
    """

    paths: Paths
    holds: float = 60.0
    name: str = "database, no service"
    _store: "SqlStore | None" = None
    _evals: "Evals | None" = None
    _lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def runs(self, limit: int, offset: int = 0) -> Sequence[RunRow]:
        store = await self._opened()
        return await store.runs(limit, offset) if store else []

    async def changed(self, since: datetime) -> Sequence[RunRow]:
        store = await self._opened()
        return await store.runs(MOST_CHANGED, since=since) if store else []

    async def find(self, prefix: str) -> str:
        return await (await self._there()).find(prefix)

    async def follow(self, run: str, after: int = 0) -> AsyncGenerator[Sequence[Heard], None]:
        store = await self._there()
        while True:
            events = await store.events(run, after)
            after = events[-1].id if events else after
            yield events
            await anyio.sleep(POLL)

    async def evals(self, limit: int = 100) -> Sequence[EvalLine]:
        return await (await self._looked()).lines(limit) if await self._opened() else []

    async def eval_state(self, prefix: str) -> EvalState:
        return await (await self._looked()).state(prefix)

    async def eval_pair(self, first: str, second: str) -> EvalPair:
        return await (await self._looked()).pair(first, second)

    async def service_state(self) -> ServiceState:
        raise _unserved()

    async def ask(self, run: str, control: Control) -> None:
        store = await self._there()
        if control == "resume" and not await store.live(run):
            raise _unserved()
        await store.ask(run, control, getpass.getuser())

    async def budget(self, run: str, limits: Limits) -> None:
        store = await self._there()
        plan = fold(await store.events(run)).plan
        said = {name: value for name in Limits.__dataclass_fields__ if (value := getattr(limits, name)) is not None}
        await store.ask(run, "budget", getpass.getuser(), replace(plan.limits if plan else Limits(), **said))

    async def hold(self, run: str) -> float:
        await (await self._there()).ask(run, "hold", getpass.getuser(), Limits(seconds=self.holds))
        return self.holds

    async def edit(self, run: str, rewrite: Rewrite) -> None:
        await (await self._there()).ask(run, "edit", getpass.getuser(), rewrite)

    async def remove(self, run: str) -> None:
        await (await self._there()).remove(run)

    async def fork(self, run: str, chain: int, iteration: int, edit: Mapping[str, str]) -> str:
        raise _unserved()

    async def sketched(self, sketch: "Sketch") -> Mapping[str, Any]:
        raise _unserved()

    async def plan(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        raise _unserved()

    async def submit(self, body: Mapping[str, Any]) -> str:
        raise _unserved()

    async def _looked(self) -> "Evals":
        from refiner.evals.glance import Evals

        store = await self._there()
        self._evals = self._evals or Evals(store)
        return self._evals

    async def _there(self) -> "SqlStore":
        if (store := await self._opened()) is None:
            raise NotFoundError("there is no run yet: `refiner solve` makes one")
        return store

    async def _opened(self) -> "SqlStore | None":
        async with self._lock:
            file = self.paths.database_file
            if self._store is None and (file is None or exists(file)):
                self._store = await anyio.to_thread.run_sync(self._open)
        return self._store

    def _open(self) -> "SqlStore":
        from refiner.store.sql import SqlStore

        return SqlStore.look(self.paths.database, state=self.paths.state)


def _unserved() -> DaemonError:
    return DaemonError("that needs the service: `refiner serve` starts it")
