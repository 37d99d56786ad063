"""The life of the service: one at a socket, runs adopted at its start, a quiet end."""

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from refiner.app.world import opened
from refiner.config.sources import Loaded
from refiner.service.api import Api
from refiner.service.chores import House
from refiner.service.feed import Feed
from refiner.service.listening import alone, listening, peer_uid
from refiner.service.schedule import clock_of
from refiner.service.workers import Workers
from refiner.store.sql import SqlStore

GRACE = 10.0
"""Seconds that calls under way get when the service is told to end."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the service's own; uvicorn would take and raise them again."""
        yield


class _OwnUser(H11Protocol):
    def connection_made(self, transport: Any) -> None:
        """Only the service's own user, and root, are answered."""
        sock = transport.get_extra_info("socket")
        uid = peer_uid(sock) if sock is not None and sock.family.name == "AF_UNIX" else None
        if uid is not None and uid not in (os.geteuid(), 0):
            transport.abort()
        else:
            super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.transport is not None:
            super().connection_lost(exc)


async def serve(loaded: Loaded, said: anyio.Event | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C; a second signal ends it at once.

    said is set once requests are answered. Raises DaemonBusyError where another service is running, DaemonError where
    the socket cannot be made, StoreError.
    """
    path = loaded.paths.socket
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of every reader that went away in mid-sentence
    with alone(path):
        async with opened(loaded.settings, loaded.paths) as world:
            store = world.store
            assert isinstance(store, SqlStore)  # noqa: S101
            feed = Feed(store)
            workers = Workers(world, store, feed, loaded.settings.service.runs)
            closing = anyio.Event()
            clock = clock_of(House(loaded, store, workers))
            app = Api(store, workers, feed, closing.set).app()
            config = uvicorn.Config(app, http=_OwnUser, ws="none", lifespan="off", log_config=None, access_log=False)
            server = _Server(config)
            with listening(path) as sock:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_signals, closing)
                    tasks.start_soon(feed.run)
                    tasks.start_soon(clock.run, closing)
                    tasks.start_soon(_answering, server, sock)
                    if said:
                        said.set()
                    tasks.start_soon(_ending, closing, workers, feed, server)
                    await workers.run()
                    tasks.cancel_scope.cancel()


async def _answering(server: uvicorn.Server, sock: Any) -> None:
    with anyio.CancelScope(shield=True):
        await server.serve([sock])


async def _ending(closing: anyio.Event, workers: Workers, feed: Feed, server: uvicorn.Server) -> None:
    await closing.wait()
    workers.close(GRACE)
    feed.close()
    server.should_exit = True


async def _signals(closing: anyio.Event) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
        async for _ in received:
            if closing.is_set():
                os._exit(143)
            closing.set()


def run(loaded: Loaded) -> None:
    """Serve in the foreground until it is told to end."""
    asyncio.run(serve(loaded))
