"""What happens in all runs, as it is committed, for whoever listens."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
from sse_starlette import ServerSentEvent

from refiner.domain.errors import StoreError
from refiner.domain.events import Delta, Heard, Recorded
from refiner.service.logs import log
from refiner.store.sql import SqlStore

BUFFER = 2_000
"""Events that a listener may be behind before it is dropped; it can come back with the last id that it saw."""

POLL = 0.5
"""Seconds between two looks at what other processes commit."""

BEAT = 0.05
"""Seconds from one piece of text to the next: what comes between is one piece, as each costs as much as an event."""


class SlowError(Exception):
    """The listener was too slow, and is dropped."""


@dataclass(frozen=True, slots=True)
class Told:
    """A server-sent event, written once for all who listen. id: None for text."""

    id: int | None
    data: bytes

    @classmethod
    def of(cls, what: Heard) -> "Told":
        if isinstance(what, Delta):
            text = json.dumps({"run": what.run, "key": what.key, "text": what.text})
            return cls(None, ServerSentEvent(text, event="delta").encode())
        text = json.dumps(what.to_json(), default=str)
        return cls(what.id, ServerSentEvent(text, event=what.event.type, id=str(what.id)).encode())


@dataclass(slots=True, eq=False)
class _Listener:
    """What one run, or all for None, told somebody who has not taken it yet."""

    run: str | None
    waiting: list[Told] = field(default_factory=list)
    _ended: bool = False
    _news: anyio.Event = field(default_factory=anyio.Event)

    def tell(self, told: Told) -> None:
        self.waiting.append(told)
        self._news.set()

    def end(self) -> None:
        self._ended = True
        self._news.set()

    async def next(self) -> list[Told]:
        """What waits, as soon as something does; nothing at the end."""
        if not self.waiting and not self._ended:
            self._news = anyio.Event()
            await self._news.wait()
        waiting, self.waiting = self.waiting, []
        return waiting


@dataclass(slots=True)
class Feed:
    """Committed events in the order of their ids, and text that is still being written.

    own is told at once of what the runs of this process commit.
    """

    store: SqlStore
    own: Callable[[Recorded], None] = lambda _: None
    _listeners: set[_Listener] = field(default_factory=set)
    _news: anyio.Event = field(default_factory=anyio.Event)
    _texts: dict[tuple[str, str], str] = field(default_factory=dict)
    _text: anyio.Event = field(default_factory=anyio.Event)
    _last: int = 0
    _closing: bool = False

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def heard(self, what: Heard) -> None:
        """Told by the runs of this process: of an event that it is committed, of text what it is."""
        if isinstance(what, Delta):
            place = what.run, what.key
            self._texts[place] = self._texts.get(place, "") + what.text
            self._text.set()
            return
        self.own(what)
        if what.id == self._last + 1:
            self._pass_on(what)
        else:
            self.wake()  # what comes before it has not been heard of

    def wake(self) -> None:
        """Something was committed."""
        self._news.set()

    async def run(self) -> None:
        """Pass on what is committed, until `close` or it is cancelled; then say goodbye to every listener."""
        self._last = max(self._last, await self.store.last())
        try:
            async with anyio.create_task_group() as beside:
                beside.start_soon(self._write)
                await self._look()
                beside.cancel_scope.cancel()
        finally:
            self._closing = True
            for listener in self._listeners:
                listener.end()

    async def listen(self, after: int | None = None, run: str | None = None) -> AsyncGenerator[bytes]:
        """What happens in all runs, or one, from now on, or first all events behind the one with that id, until the
        feed is closed; what waits comes in one piece.

        An id that no event has yet counts as that of the latest. Raises SlowError.
        """
        listener = _Listener(run)
        self._listeners.add(listener)
        try:
            seen = self._last if after is None else min(after, await self.store.last())
            while after is not None and (missed := await self._missed(seen, run)):
                seen = missed[-1].id
                yield b"".join(Told.of(event).data for event in missed)
            while waiting := await listener.next():
                if new := b"".join(told.data for told in waiting if told.id is None or told.id > seen):
                    yield new
            if not self._closing:
                raise SlowError
        finally:
            self._listeners.discard(listener)

    async def _missed(self, after: int, run: str | None) -> list[Recorded]:
        return await (self.store.feed(after) if run is None else self.store.events(run, after))

    def close(self) -> None:
        """Pass on what is committed by now, and end."""
        self._closing = True
        self.wake()

    async def _look(self) -> None:
        while True:
            self._news, last_look = anyio.Event(), self._closing
            with suppress(StoreError):  # a database that went away may come back
                while events := await self.store.feed(self._last):
                    for event in events:
                        if event.id > self._last:
                            self._pass_on(event)
            if last_look:
                return
            with anyio.move_on_after(POLL):
                await self._news.wait()

    async def _write(self) -> None:
        while True:
            await self._text.wait()
            self._pass_texts_on()
            await anyio.sleep(BEAT)

    def _pass_texts_on(self) -> None:
        self._text, texts, self._texts = anyio.Event(), self._texts, {}
        for (run, key), text in texts.items():
            self._tell(Delta(run, key, text))

    def _pass_on(self, event: Recorded) -> None:
        if self._texts:
            self._pass_texts_on()  # a reply is written before it is there
        self._last = event.id
        self._tell(event)

    def _tell(self, what: Heard) -> None:
        if not (concerned := [each for each in self._listeners if each.run in (None, what.run)]):
            return
        told = Told.of(what)
        for listener in concerned:
            if len(listener.waiting) < BUFFER:
                listener.tell(told)
            else:
                self._listeners.discard(listener)
                listener.waiting.clear()  # it comes back for them, and they need not wait here
                listener.end()
                log.warning("reader dropped", behind=BUFFER)
