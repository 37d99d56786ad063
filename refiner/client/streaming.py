"""The service's events for a program that has an event loop: read in a thread, handed over in handfuls."""

import asyncio
import queue
import threading
from collections.abc import AsyncGenerator

from refiner.client.client import Client
from refiner.domain.errors import DaemonError, RefinerError
from refiner.domain.events import Heard
from refiner.domain.wire import heard

WAITING = 2_000
"""Events that wait to be taken; the thread reads no further then, and the service drops a reader that is too slow."""


async def streamed(client: Client, run: str, after: int) -> AsyncGenerator[list[Heard], None]:
    """What happens in a run behind the event with that id, as much at a time as has come meanwhile.

    Raises DaemonError when the service says goodbye or is gone, and the error that it tells otherwise.
    """
    came: queue.Queue[Heard | RefinerError] = queue.Queue(WAITING)
    loop, news, left = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def say(what: Heard | RefinerError) -> None:
        while not left.is_set():
            try:
                came.put(what, timeout=1.0)
            except queue.Full:
                continue
            loop.call_soon_threadsafe(news.set)
            return

    def read() -> None:
        try:
            for kind, told in client.events(f"/v1/events?run={run}", after):
                if left.is_set():
                    return
                if kind != "dropped":
                    say(heard(kind, told))
            say(DaemonError("the service has ended"))
        except RefinerError as error:
            say(error)
        except RuntimeError:
            pass  # the loop is closed: nobody listens any more

    # A reader that is asleep in the socket must not keep the process from ending.
    threading.Thread(target=read, daemon=True, name=f"events of {run}").start()
    try:
        while True:
            await news.wait()
            news.clear()
            taken: list[Heard] = []
            while not came.empty():
                what = came.get_nowait()
                if isinstance(what, RefinerError):
                    if taken:
                        yield taken
                    raise what
                taken.append(what)
            if taken:
                yield taken
    finally:
        left.set()
