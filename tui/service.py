"""The service as a source: requests in threads, events as they come."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

import anyio

from refiner.client.client import Client
from refiner.client.streaming import streamed
from refiner.domain.errors import DaemonError
from refiner.domain.eval_state import EvalLine, EvalPair, EvalState
from refiner.domain.events import Heard
from refiner.domain.run import Control, Limits, Rewrite
from refiner.domain.service import ServiceState
from refiner.domain.store import RunRow
from refiner.domain.wire import read, row_of, service_of
from refiner.tui.source import Sketch

T = TypeVar("T")

MOST_CHANGED = 1_000
"""Runs that are asked for at a time when something changed."""


@dataclass(frozen=True)
class Service:
    """Implements Source over the service's socket.

    read: the body of a submission that a form describes. holds: seconds that a run waits for an edit.
    """

    client: Client
    read: Callable[[Sketch], Mapping[str, Any]] = asdict
    holds: float = 60.0
    name: str = "service"

    async def runs(self, limit: int, offset: int = 0) -> Sequence[RunRow]:
        return await self._rows(f"/v1/runs?limit={limit}&offset={offset}")

    async def changed(self, since: datetime) -> Sequence[RunRow]:
        return await self._rows(f"/v1/runs?limit={MOST_CHANGED}&since={quote(since.isoformat())}")

    async def find(self, prefix: str) -> str:
        told = await anyio.to_thread.run_sync(self.client.get, f"/v1/runs/{quote(prefix, safe='@')}")
        return str(told["id"])

    def follow(self, run: str, after: int = 0) -> AsyncGenerator[Sequence[Heard], None]:
        return streamed(self.client, run, after)

    async def evals(self, limit: int = 100) -> Sequence[EvalLine]:
        return await self._told(list[EvalLine], f"/v1/evals?limit={limit}")

    async def eval_state(self, prefix: str) -> EvalState:
        return await self._told(EvalState, f"/v1/evals/{quote(prefix, safe='@')}")

    async def eval_pair(self, first: str, second: str) -> EvalPair:
        return await self._told(EvalPair, f"/v1/evals/{quote(first, safe='@')}/compare?other={quote(second)}")

    async def service_state(self) -> ServiceState:
        return service_of(await anyio.to_thread.run_sync(self.client.get, "/v1/service"))

    async def ask(self, run: str, control: Control) -> None:
        await anyio.to_thread.run_sync(self.client.post, f"/v1/runs/{run}/{control}")

    async def budget(self, run: str, limits: Limits) -> None:
        said = {"calls": limits.calls, "tokens": limits.tokens, "cost": limits.cost_usd, "time": limits.seconds}
        body = {f"max_{name}": value for name, value in said.items() if value is not None}
        await anyio.to_thread.run_sync(self.client.patch, f"/v1/runs/{run}/budget", body)

    async def hold(self, run: str) -> float:
        await anyio.to_thread.run_sync(self.client.post, f"/v1/runs/{run}/hold", {"seconds": self.holds})
        return self.holds

    async def edit(self, run: str, rewrite: Rewrite) -> None:
        await anyio.to_thread.run_sync(self.client.post, f"/v1/runs/{run}/critique", asdict(rewrite))

    async def remove(self, run: str) -> None:
        await anyio.to_thread.run_sync(self.client.delete, f"/v1/runs/{run}")

    async def fork(self, run: str, chain: int, iteration: int, edit: Mapping[str, str]) -> str:
        return await self._made(f"/v1/runs/{run}/fork", {"chain": chain, "iteration": iteration, **edit})

    async def sketched(self, sketch: Sketch) -> Mapping[str, Any]:
        return await anyio.to_thread.run_sync(self.read, sketch)

    async def plan(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        told: Mapping[str, Any] = await anyio.to_thread.run_sync(self.client.post, "/v1/plans", body)
        return told

    async def submit(self, body: Mapping[str, Any]) -> str:
        return await self._made("/v1/runs", body)

    async def _made(self, place: str, body: Mapping[str, Any]) -> str:
        told = await anyio.to_thread.run_sync(self.client.post, place, body)
        return str(told["id"])

    async def _told(self, kind: type[T], place: str) -> T:
        try:
            return await anyio.to_thread.run_sync(lambda: read(kind, self.client.get(place)))
        except ValueError as error:
            raise _other() from error

    async def _rows(self, place: str) -> list[RunRow]:
        told = await anyio.to_thread.run_sync(partial(self.client.get, place))
        try:
            return [row_of(each) for each in told]
        except (KeyError, TypeError, ValueError) as error:
            raise _other() from error


def _other() -> DaemonError:
    return DaemonError("the service is of another version: end it with `refiner daemon stop`")
