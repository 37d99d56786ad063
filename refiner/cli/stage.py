"""`refiner solve --tui`: the terminal UI on a run of this very process."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from refiner.cli import output
from refiner.cli.looking import Database
from refiner.cli.options import Context
from refiner.domain.errors import UsageError
from refiner.domain.events import Delta, Heard, Recorded

if TYPE_CHECKING:
    from textual.app import App


@dataclass
class Stage(Database):
    """Implements Source over this process's store, and shows its run: what is committed, and text as it is written.

    seen is told, when the terminal UI is left, of what happened meanwhile.
    """

    name: str = "this process"
    run: str = ""
    past: Sequence[Recorded] = ()
    seen: Callable[[Recorded], None] = lambda _: None
    left: bool = False
    _events: list[Recorded] = field(default_factory=list)
    _listeners: list[MemoryObjectSendStream[Heard]] = field(default_factory=list)
    _app: "App[None] | None" = None

    def heard(self, what: Heard) -> None:
        """Told of whatever happens in the run, in order."""
        if not isinstance(what, Delta):
            self._events.append(what)
        for send in self._listeners:
            send.send_nowait(what)

    async def follow(self, run: str, after: int = 0) -> AsyncGenerator[Sequence[Heard], None]:
        if run != self.run:
            async for what in super().follow(run, after):
                yield what
            return
        send, receive = anyio.create_memory_object_stream[Heard](inf)
        with send, receive:
            self._listeners.append(send)
            try:
                yield [event for event in (*self.past, *self._events) if event.id > after]
                while True:
                    taken = [await receive.receive()]
                    taken += [receive.receive_nowait() for _ in range(receive.statistics().current_buffer_used)]
                    yield taken
            finally:
                self._listeners.remove(send)

    @asynccontextmanager
    async def shown(self, context: Context) -> AsyncIterator[None]:
        """The terminal UI while the block works, and after it until it is left; an error of the block ends it."""
        from refiner.tui.app import RefinerApp

        if not output.colored(context.color, sys.stderr):
            os.environ["NO_COLOR"] = "1"
        tui = context.settings.tui
        self._app = RefinerApp(self, theme=tui.theme, keys=tui.keys, run=self.run)
        showing = asyncio.create_task(self._show(self._app))
        try:
            yield
        except BaseException:
            self.leave()
            raise
        finally:
            await showing

    def leave(self) -> None:
        """Give the terminal back; nothing where that is done."""
        if self._app and not self.left:
            self._app.exit()

    async def _show(self, app: "App[None]") -> None:
        try:
            with terminal():
                await app.run_async()
        finally:
            self.left = True
            for event in self._events:
                self.seen(event)


@contextmanager
def terminal() -> Iterator[None]:
    """The terminal as standard input, output and error, whatever they are else. Raises UsageError where there is
    none."""
    try:
        tty = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError("--tui needs a terminal: leave it out, or watch a run from one with `refiner tui`") from error
    kept = [os.dup(stream) for stream in range(3)]
    try:
        _point([tty] * 3)
        yield
    finally:
        _point(kept)
        for descriptor in (tty, *kept):
            os.close(descriptor)


def _point(descriptors: Sequence[int]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    for stream, descriptor in enumerate(descriptors):
        os.dup2(descriptor, stream)
