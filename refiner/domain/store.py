"""What a run needs of a store, whichever database is behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from refiner.domain.events import Event, Recorded
from refiner.domain.run import Control, Limits, Rewrite, Word


@dataclass(frozen=True, slots=True)
class RunRow:
    """A line of `run list`: what the runs table says without reading the events.

    live: a process that still exists holds the run. best: the highest score of its candidates, from 0 to 1. lead: how
    many of its accepted answers are the most frequent one, and how many the next; None where answers are long.
    """

    id: str
    title: str
    kind: str
    strategy: str
    model: str
    status: str
    live: bool
    created_at: datetime
    updated_at: datetime
    iterations: int
    calls: int
    tokens: int
    cost_usd: float | None
    stop: str | None
    best: float | None = None
    lead: tuple[int, int] | None = None

    def to_json(self) -> dict[str, Any]:
        """The line as `run list --json` and the service say it."""
        return {
            "id": self.id,
            "status": self.status,
            "live": self.live,
            "task": {"kind": self.kind, "title": self.title},
            "strategy": self.strategy,
            "model": self.model,
            "iterations": self.iterations,
            "calls": self.calls,
            "tokens": self.tokens,
            "cost_usd": self.cost_usd,
            "stop": self.stop,
            "best": self.best,
            "lead": self.lead,
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
        }


class Store(Protocol):
    """Runs and their events. Every method may be called from the event loop: none blocks it.

    Raises StoreError when the database is locked, full, corrupt or newer than the program.
    """

    async def new_id(self) -> str:
        """A short id that no run has."""
        ...

    async def create(self, run: str) -> None:
        """Make an empty run that this process holds."""
        ...

    async def append(self, run: str, events: Sequence[Event]) -> list[Recorded]:
        """Commit events, all or none; returns once they are on disk (several runs share one transaction)."""
        ...

    async def events(self, run: str, after: int = 0) -> list[Recorded]:
        """The run's events with an id above `after`, in order."""
        ...

    async def claim(self, run: str) -> None:
        """Take a run that no living process holds. Raises UsageError when one does."""
        ...

    async def find(self, prefix: str) -> str:
        """The id that a prefix (or "@", the latest) stands for. Raises NotFoundError or AmbiguousError."""
        ...

    async def runs(self, limit: int = 100, offset: int = 0, since: datetime | None = None) -> list[RunRow]:
        """The latest runs, newest first; since: only those that changed then or later, or that a process holds."""
        ...

    async def ask(self, run: str, control: Control, who: str, told: Limits | Rewrite | None = None) -> None:
        """Leave a word for the process that holds a live run, or will take one that waits, which stop and cancel end
        at once; told: what Word says of it. Raises NotLiveError for any other run."""
        ...

    async def asked(self, run: str, after: int) -> list[Word]:
        """The words with a number above `after` that were left for a run, in order."""
        ...

    async def remove(self, run: str) -> None:
        """Delete a run that is not live, and the texts that only it used."""
        ...

    async def aclose(self) -> None: ...
