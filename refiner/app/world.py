"""The world of this process: an open store, and one line to each model, shared by all of its runs."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import anyio

from refiner.app.judge import SandboxJudge
from refiner.config.paths import Paths, made
from refiner.config.settings import Endpoint, Settings
from refiner.domain.calls import Provider
from refiner.domain.service import Reached
from refiner.policies.presets import PRESETS
from refiner.prompts import Prompts
from refiner.providers.connect import connect
from refiner.providers.limiter import AdaptiveLimiter
from refiner.providers.retry import retrying
from refiner.run.context import Line
from refiner.store.sql import SqlStore
from refiner.strategies.drive import World

FIRST = 32
"""Calls that a provider gets at once before it has answered any; what it says then decides."""


@dataclass(slots=True)
class Lines:
    """Connections to models by name and base URL, each made once and shared by every run of the process."""

    settings: Settings
    paths: Paths
    progress: Callable[[int, int], None] | None = None
    _lines: dict[tuple[str, str | None], Line] = field(default_factory=dict)
    _limiters: dict[tuple[str, str | None], AdaptiveLimiter] = field(default_factory=dict)
    _lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def connect(self, name: str, base_url: str | None) -> Line:
        """The line to a model. Raises UsageError for a model that is not known or has no key."""
        async with self._lock:
            if (line := self._lines.get((name, base_url))) is None:
                provider = await connect(name, self.settings, self.paths, base_url, self.progress)
                line = self._lines[name, base_url] = await self._line(provider, name, base_url)
            return line

    def reset(self, settings: Settings) -> None:
        """Go by other settings: lines that are there keep to their limits, those to come to all of them."""
        self.settings = settings
        for (name, _), limiter in self._limiters.items():
            limiter.bound(*_bounds(name, settings))

    def state(self) -> tuple[Reached, ...]:
        """What is at each model now."""
        return tuple(limiter.state(name) for (name, _), limiter in self._limiters.items())

    async def aclose(self) -> None:
        for line in self._lines.values():
            await line.provider.aclose()

    async def _line(self, provider: Provider, name: str, base_url: str | None) -> Line:
        most, per_minute = _bounds(name, self.settings)
        limiter = self._limiters[name, base_url] = AdaptiveLimiter(most, start=FIRST, per_minute=per_minute)
        retry = self.settings.retry
        again = partial(retrying, attempts=retry.attempts, most_seconds=retry.most_seconds)
        return Line(provider, limiter.slot, again, await provider.capabilities())


def _bounds(name: str, settings: Settings) -> tuple[int, int | None]:
    """Calls of a model at a time, and in a minute."""
    endpoint: Endpoint | None = getattr(settings.providers, name.partition(":")[0], None)
    return (endpoint.concurrency, endpoint.per_minute) if endpoint else (settings.local.parallel, None)


async def store_of(paths: Paths) -> SqlStore:
    """Open the store that the paths name, made if need be. Raises StoreError when the database cannot be used."""
    made(paths.state)
    if paths.database_file:
        made(paths.database_file.parent)
    return await anyio.to_thread.run_sync(partial(SqlStore.open, paths.database, state=paths.state))


@asynccontextmanager
async def opened(
    settings: Settings,
    paths: Paths,
    progress: Callable[[int, int], None] | None = None,
    lines: Lines | None = None,
) -> AsyncIterator[World]:
    """Open the store and close it again, with every connection that the runs made.

    progress is told, in bytes done and in all, how far an embedded model's weights are joined; lines stands in for
    those that are made of the settings. Raises StoreError when
    the database cannot be used.
    """
    store = await store_of(paths)
    lines, judge = lines or Lines(settings, paths, progress), SandboxJudge(settings.sandbox)
    presets = {**PRESETS, **settings.policies}
    try:
        yield World(
            store,
            lines.connect,
            Prompts(settings.prompts.folder),
            presets,
            judge.opened,
            isolated=settings.sandbox.layer != "off",
        )
    finally:
        with anyio.CancelScope(shield=True):
            await judge.aclose()
            await lines.aclose()
            await store.aclose()
