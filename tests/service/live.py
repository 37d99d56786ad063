"""The service's interface at a real port, over a real store; nothing drives its runs."""

import asyncio
import logging
import socket
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx2
import structlog
import uvicorn

from refiner.app.plan import plan_of, task_of
from refiner.app.world import Lines, opened
from refiner.config.sources import load
from refiner.domain.evals import Answered, Part, Results, Sitting
from refiner.domain.events import Event, Note, RunStarted
from refiner.service.api import Api
from refiner.service.chores import House
from refiner.service.feed import Feed
from refiner.service.glance import Glance
from refiner.service.schedule import clock_of
from refiner.service.watch import Watch
from refiner.service.workers import Workers
from refiner.store.sql import SqlStore

T = TypeVar("T")


class _Quiet(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class Live:
    """complaints: what the server logged."""

    api: Api
    loop: asyncio.AbstractEventLoop
    port: int
    http: httpx2.Client
    complaints: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the service's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def run(self, *texts: str) -> str:
        """A run that this process holds, with a note of each text."""

        async def made() -> str:
            store = self.api.store
            name = await store.new_id()
            await store.create(name)
            plan = plan_of(task_of("Why?"), load().settings, "openai:m")
            await store.append(name, [RunStarted(plan)])
            return name

        name = self.do(made())
        self.note(name, *texts)
        return name

    def note(self, run: str, *texts: str) -> None:
        notes: list[Event] = [Note(text) for text in texts]
        for recorded in self.do(self.api.store.append(run, notes)) if notes else ():
            self.loop.call_soon_threadsafe(self.api.feed.heard, recorded)

    def eval(self, found: Results, *, ended: bool = True) -> str:
        """An eval that this process holds, with all that is told of it."""
        evals = self.api.store.evals
        rows = list(dict.fromkeys(each.item for each in found.answered))
        name = self.do(evals.create(found.eval.datasets, found.eval.options, rows))
        for number, each in enumerate(found.answered):
            self.answer(name, number, each)
        if ended:
            self.do(evals.end(name, "done", "", 9.0))
        return name

    def answer(self, name: str, number: int, found: Answered) -> None:
        """An item of an eval, run."""
        store, plan = self.api.store, plan_of(task_of("Why?"), load().settings, "openai:m")

        async def made(part: Part, sitting: Sitting) -> None:
            place = number, 0, part
            await store.evals.begin(name, place, await store.new_id(), plan)
            await store.evals.finish(name, place, sitting, 9.0)

        for part in ("refined", "samples"):
            if sitting := getattr(found, part):
                self.do(made(part, sitting))

    @contextmanager
    def said(self, data: bytes) -> Iterator[socket.socket]:
        """A connection over which these bytes went."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as sock:
            with suppress(ConnectionError):
                sock.sendall(data)
            yield sock


@contextmanager
def living() -> Iterator[Live]:
    structlog.configure(logger_factory=structlog.stdlib.LoggerFactory())
    ready: Future[Live] = Future()
    server: list[uvicorn.Server] = []

    async def main() -> None:
        loaded = load()
        lines = Lines(loaded.settings, loaded.paths)
        async with opened(loaded.settings, loaded.paths, lines=lines) as world:
            assert isinstance(world.store, SqlStore)
            feed = Feed(world.store)
            workers = Workers(world, world.store, feed, 1)
            watch = Watch(loaded, world, world.store, workers, feed)
            clock = clock_of(House(loaded, world.store, workers))
            glance = Glance(world.store, workers, lines, clock)
            api = Api(world.store, workers, feed, watch, lambda: None, lambda: loaded, glance)
            sock = socket.create_server(("127.0.0.1", 0))
            server.append(_Quiet(uvicorn.Config(api.app(), ws="none", lifespan="off", log_config=None)))
            beside = [asyncio.create_task(work()) for work in (feed.run, watch.run)]
            port = sock.getsockname()[1]
            live = Live(api, asyncio.get_running_loop(), port, httpx2.Client(base_url=f"http://127.0.0.1:{port}"))
            log = logging.Handler(logging.WARNING)
            log.emit = lambda record: live.complaints.append(log.format(record))  # type: ignore[method-assign]
            for name in ("uvicorn.error", "asyncio", "sse_starlette"):
                logging.getLogger(name).addHandler(log)
            ready.set_result(live)
            await server[0].serve([sock])
            for task in beside:
                task.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    live = ready.result(30)
    with live.http:
        yield live
    live.loop.call_soon_threadsafe(live.api.feed.close)
    server[0].should_exit = True
    thread.join(30)
    assert not thread.is_alive()
