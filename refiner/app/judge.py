"""The judge of this process: one sandbox, made when the first program has to run, and shared by all runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import anyio

from refiner.config import settings
from refiner.domain.code import Execution, Suite
from refiner.sandbox.cell import Sandbox
from refiner.sandbox.choose import sandbox_of
from refiner.sandbox.judge import judge, observe
from refiner.sandbox.limits import Limits
from refiner.sandbox.neighbours import Neighbours


@dataclass(slots=True)
class SandboxJudge:
    """Implements refiner.domain.code.Judge on the strongest sandbox that the settings allow."""

    settings: settings.Sandbox
    _sandbox: Sandbox | None = None
    _neighbours: Neighbours = field(default_factory=Neighbours)
    _lock: anyio.Lock = field(default_factory=anyio.Lock)

    @property
    def layer(self) -> str | None:
        """The isolation that was found."""
        return self._sandbox.layer if self._sandbox else None

    async def opened(self) -> "SandboxJudge":
        """Find a sandbox that works, once. Raises SandboxError."""
        async with self._lock:
            if self._sandbox is None:
                self._sandbox = await sandbox_of(self.settings.layer, limits_of(self.settings))
        return self

    async def judge(self, source: str, suite: Suite, *, seed: int = 0) -> Execution:
        return await judge(await self._ready(), source, self._shown(suite), seed=seed, seconds=self.settings.wall)

    async def observe(self, source: str, suite: Suite, expressions: Sequence[str], *, seed: int = 0) -> tuple[str, ...]:
        return tuple(await observe(await self._ready(), source, expressions, self._shown(suite), seed=seed))

    async def aclose(self) -> None:
        if self._sandbox is not None:
            await self._sandbox.aclose()
        self._neighbours.clear()

    def _shown(self, suite: Suite) -> Suite:
        return replace(suite, folder=self._neighbours.of(suite))

    async def _ready(self) -> Sandbox:
        await self.opened()
        assert self._sandbox is not None  # noqa: S101
        return self._sandbox


def limits_of(own: settings.Sandbox) -> Limits:
    """The limits of a cell as the settings have them."""
    return Limits(
        wall=own.wall + 2.0,  # the suite's own clock ends it first, and says which test was running
        cpu=own.cpu,
        memory=own.memory << 20,
        processes=own.processes,
        file_size=own.file_size << 20,
        scratch=own.scratch << 20,
        inodes=own.inodes,
        output=own.output << 10,
    )
