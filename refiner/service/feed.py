"""What happens in all runs, as it is committed, for whoever listens."""

from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from refiner.domain.errors import StoreError
from refiner.domain.events import Delta, Heard, Recorded
from refiner.service.logs import log
from refiner.store.sql import SqlStore

BUFFER = 2_000
"""Events that a listener may be behind before it is dropped; it can come back with the last id that it saw."""

POLL = 0.5
"""Seconds between two looks at what other processes commit."""


class SlowError(Exception):
    """The listener was too slow, and is dropped."""


@dataclass(slots=True)
class Feed:
    """Committed events in the order of their ids, read back from the store, and text that is still being written.

    own is told at once of what the runs of this process commit.
    """

    store: SqlStore
    own: Callable[[Recorded], None] = lambda _: None
    _listeners: dict[MemoryObjectSendStream[Heard], tuple[MemoryObjectReceiveStream[Heard], str | None]] = field(
        default_factory=dict
    )
    _news: anyio.Event = field(default_factory=anyio.Event)
    _last: int = 0
    _closing: bool = False

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def heard(self, what: Heard) -> None:
        """Told by the runs of this process: of an event that it is committed, of text what it is."""
        if isinstance(what, Delta):
            self._tell(what)
        else:
            self.own(what)
            self._news.set()

    async def run(self) -> None:
        """Pass on what is committed, until `close` or it is cancelled; then say goodbye to every listener."""
        self._last = await self.store.last()
        try:
            while True:
                self._news, last_look = anyio.Event(), self._closing
                with suppress(StoreError):  # a database that went away may come back
                    while events := await self.store.feed(self._last):
                        for event in events:
                            self._last = event.id
                            self._tell(event)
                if last_look:
                    return
                with anyio.move_on_after(POLL):
                    await self._news.wait()
        finally:
            self._closing = True
            for send in self._listeners:
                send.close()
            self._listeners.clear()

    async def listen(self, after: int | None = None, run: str | None = None) -> AsyncGenerator[Heard]:
        """What happens in all runs, or one, from now on, or first all events behind the one with that id, until the
        feed is closed.

        An id that no event has yet counts as that of the latest. Raises SlowError.
        """
        send, receive = anyio.create_memory_object_stream[Heard](BUFFER)
        self._listeners[send] = receive, run
        try:
            seen = self._last if after is None else min(after, await self.store.last())
            while after is not None and (missed := await self._missed(seen, run)):
                for event in missed:
                    seen = event.id
                    yield event
            async for what in receive:
                if isinstance(what, Delta) or what.id > seen:
                    yield what
            if not self._closing:
                raise SlowError
        finally:
            self._listeners.pop(send, None)
            send.close()
            receive.close()

    async def _missed(self, after: int, run: str | None) -> list[Recorded]:
        return await (self.store.feed(after) if run is None else self.store.events(run, after))

    def close(self) -> None:
        """Pass on what is committed by now, and end."""
        self._closing = True
        self._news.set()

    def _tell(self, what: Heard) -> None:
        for send, (receive, run) in list(self._listeners.items()):
            if run not in (None, what.run):
                continue
            try:
                send.send_nowait(what)
            except anyio.WouldBlock:
                del self._listeners[send]
                send.close()
                while receive.statistics().current_buffer_used:  # it comes back for them, and they need not wait here
                    receive.receive_nowait()
                log.warning("reader dropped", behind=BUFFER)
