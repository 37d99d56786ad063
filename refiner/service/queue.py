"""How runs that wait in the store come to the workers of a service."""

from dataclasses import dataclass, field
from typing import Protocol

import anyio

POLL = 1.0
"""Seconds between two looks at the queue, into which other processes may put runs."""


class Crew(Protocol):
    """Who drives runs: `most` at a time, of which `room` are missing, until `closed` is set."""

    most: int
    closed: anyio.Event

    @property
    def room(self) -> int: ...

    async def take(self, most: int) -> list[anyio.Event]:
        """Begin up to so many runs that wait, in the store's order; each event is set at the end of one."""
        ...

    def failed(self, error: Exception) -> None:
        """Say, once, that the queue is out of order."""
        ...


class Queue(Protocol):
    """Rings where a run waits. Which one is next, and who holds it, the store says; so a ring too many does no harm."""

    def put(self) -> None:
        """A run waits: some crew is to take it."""
        ...

    async def work(self, crew: Crew) -> None:
        """Let the crew take runs until it is closed, through every outage."""
        ...


@dataclass(slots=True)
class Local:
    """The table of runs itself: the service that is told of a run takes it at once, any other by looking."""

    _news: anyio.Event = field(default_factory=anyio.Event)

    def put(self) -> None:
        self._news.set()

    async def work(self, crew: Crew) -> None:
        while not crew.closed.is_set():
            self._news = anyio.Event()
            await crew.take(crew.room)
            with anyio.move_on_after(POLL):
                await self._news.wait()
