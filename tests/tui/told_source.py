"""A source in memory: tells what a test gives it, and remembers what it was asked."""

from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import anyio

from refiner.domain.errors import DaemonError, NotFoundError
from refiner.domain.eval_state import EvalLine, EvalPair, EvalState
from refiner.domain.evals import Results
from refiner.domain.events import Heard
from refiner.domain.run import Control, Limits, Rewrite
from refiner.domain.service import ServiceState
from refiner.domain.store import RunRow
from refiner.evals.glance import pair_of, state_of
from refiner.tui.source import FormError, Sketch

_USAGE = {"calls": 4, "input_tokens": 2_000, "output_tokens": 1_100, "cost_usd": 1.5}
PLANNED: Mapping[str, Any] = {
    "task": {"kind": "text", "title": "Write."},
    "strategy": "refine",
    "models": {"answer": "openai:scripted"},
    "until": "clean",
    **dict.fromkeys(("least", "expected", "most"), _USAGE),
    "confirm_above": 1.0,
}


DRAWS = 50
"""Resamples, which are few so that nobody waits."""


@dataclass
class Told:
    """Implements Source. `parts` are the handfuls of events of every run; an error among them is raised there."""

    rows: list[RunRow] = field(default_factory=list)
    parts: deque[Sequence[Heard] | DaemonError] = field(default_factory=deque)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    name: str = "service"
    state: ServiceState | None = None
    results: list[Results] = field(default_factory=list)
    news: anyio.Event = field(default_factory=anyio.Event)

    def tell(self, *what: Heard) -> None:
        self.parts.append(what)
        self.news.set()

    def lose(self) -> None:
        self.parts.append(DaemonError("gone"))
        self.news.set()

    async def runs(self, limit: int, offset: int = 0) -> Sequence[RunRow]:
        return self.rows[offset : offset + limit]

    async def changed(self, since: datetime) -> Sequence[RunRow]:
        return [row for row in self.rows if row.updated_at >= since or row.live]

    async def find(self, prefix: str) -> str:
        for row in self.rows:
            if row.id.startswith(prefix):
                return row.id
        raise NotFoundError(f"no run is called {prefix!r}")

    async def follow(self, run: str, after: int = 0) -> AsyncGenerator[Sequence[Heard], None]:
        self.asked.append(("follow", run, after))
        while True:
            while self.parts:
                part = self.parts.popleft()
                if isinstance(part, DaemonError):
                    raise part
                yield part
            self.news = anyio.Event()
            await self.news.wait()

    async def evals(self, limit: int = 100) -> Sequence[EvalLine]:
        return [state_of(each, DRAWS).line for each in self.results[:limit]]

    async def eval_state(self, prefix: str) -> EvalState:
        return state_of(self._eval(prefix), DRAWS)

    async def eval_pair(self, first: str, second: str) -> EvalPair:
        return pair_of(self._eval(first), self._eval(second), DRAWS)

    def _eval(self, prefix: str) -> Results:
        for each in self.results:
            if each.eval.id.startswith(prefix):
                return each
        raise NotFoundError(f"no eval is called {prefix!r}")

    async def service_state(self) -> ServiceState:
        if self.state is None:
            raise DaemonError("gone")
        return self.state

    async def ask(self, run: str, control: Control) -> None:
        self.asked.append((control, run))

    async def budget(self, run: str, limits: Limits) -> None:
        self.asked.append(("budget", run, limits))

    async def hold(self, run: str) -> float:
        self.asked.append(("hold", run))
        return 60.0

    async def edit(self, run: str, rewrite: Rewrite) -> None:
        self.asked.append(("edit", run, rewrite))

    async def remove(self, run: str) -> None:
        self.asked.append(("remove", run))

    async def sketched(self, sketch: Sketch) -> Mapping[str, Any]:
        if not sketch.task:
            raise FormError("task", "say what is to be solved, or name a file")
        return asdict(sketch)

    async def plan(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return PLANNED

    async def fork(self, run: str, chain: int, iteration: int, edit: Mapping[str, str]) -> str:
        self.asked.append(("fork", run, chain, iteration, edit))
        return "r-f0rk"

    async def submit(self, body: Mapping[str, Any]) -> str:
        self.asked.append(("submit", body))
        return "r-new1"


def told(rows: Iterable[RunRow] = (), *parts: Sequence[Heard]) -> Told:
    return Told(list(rows), deque(parts))
