"""Whether the loop turns, and whether runs can be taken."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf

import anyio

from refiner.app.judge import SandboxJudge
from refiner.config.sources import Loaded
from refiner.domain.code import Judge
from refiner.domain.errors import RefinerError, SandboxError
from refiner.providers.connect import missing, resolve
from refiner.store.sql import SqlStore

BEAT = 1.0
"""Seconds between two beats: an idle service wakes for nothing else as seldom."""

LATE = 1.0
"""Seconds that a beat may be late before the loop counts as stuck."""

PATIENCE = 2.0
"""Seconds that a write may take before the store counts as not writable."""


@dataclass(slots=True)
class Heart:
    """Measures in the background how late the loop comes to what is due; felt hears of each beat."""

    felt: Callable[[float], None]
    _last: float = 0.0
    _due: float = inf

    async def run(self) -> None:
        while True:
            self._due = anyio.current_time() + BEAT
            await anyio.sleep(BEAT)
            self._last = max(0.0, anyio.current_time() - self._due)
            self.felt(self._last)

    @property
    def lag(self) -> float:
        """Seconds that the last beat was late, or that the next one is already."""
        return max(self._last, anyio.current_time() - self._due)


@dataclass(slots=True)
class Readiness:
    """What a run needs: a store that takes writes, a model that can be asked, a sandbox, which is looked for once."""

    loaded: Loaded
    store: SqlStore
    judge: Callable[[], Awaitable[Judge]] | None
    _sandbox: str | None = None
    _fault: str | None = None
    _looking: anyio.Lock = field(default_factory=anyio.Lock)

    async def sandbox(self) -> str | None:
        """The layer that code runs in; None where none works."""
        async with self._looking:
            if self.judge and not self._sandbox and not self._fault:
                try:
                    judge = await self.judge()
                    self._sandbox = judge.layer if isinstance(judge, SandboxJudge) else None
                except SandboxError as error:
                    self._fault = str(error)
        return self._sandbox

    async def missing(self) -> list[str]:
        """A line for each thing that is missing, which says what to do."""
        await self.sandbox()
        found = [await self._unwritable(), self._fault, *await anyio.to_thread.run_sync(self._unanswered)]
        return list(dict.fromkeys(line for line in found if line))

    async def _unwritable(self) -> str | None:
        try:
            with anyio.fail_after(PATIENCE):
                await self.store.probe()
        except RefinerError as error:
            return str(error)
        except TimeoutError:
            return f"the store took no write for {PATIENCE:g} seconds: does another program hold the database?"
        return None

    def _unanswered(self) -> list[str | None]:
        settings, paths = self.loaded.settings, self.loaded.paths
        try:
            names = [resolve(settings, paths), settings.critic_model, settings.updater_model]
        except RefinerError as error:
            return [str(error)]
        return [missing(name, settings, paths) for name in names if name]
